package api

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	socketName = "voltage.sock"
	// maxSocketPath is what sockaddr_un holds beside its final zero.
	maxSocketPath = 107
	// privateFolder begins the name of the folder of a socket whose place in the data folder is too long.
	privateFolder = "voltage-run-"
)

func socketPath(data string) string { return filepath.Join(data, "run", socketName) }

// unixSocket is the listener in the data folder.
type unixSocket struct {
	net.Listener
	path string
	// extra is what is to be removed with it: the private folder and the file that names it.
	extra []string
}

// listenUnix opens the socket that only the agent's user may use. One that an agent left behind is replaced, one that
// answers is not.
func listenUnix(data string) (*unixSocket, error) {
	data, err := filepath.Abs(data)
	if err != nil {
		return nil, fmt.Errorf("the data folder %s: %w", data, err)
	}
	if err := os.MkdirAll(filepath.Join(data, "run"), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the socket: %w", err)
	}
	if err := clearSocket(data); err != nil {
		return nil, err
	}
	s := &unixSocket{path: socketPath(data)}
	if len(s.path) > maxSocketPath {
		dir, err := os.MkdirTemp("", privateFolder)
		if err != nil {
			return nil, fmt.Errorf("make a folder for the socket, as the path of %s is longer than %d bytes: %w", s.path, maxSocketPath, err)
		}
		pointer := s.path + ".path"
		s.path, s.extra = filepath.Join(dir, socketName), []string{pointer, dir}
		if err := os.WriteFile(pointer, []byte(s.path+"\n"), 0o600); err != nil {
			return nil, errors.Join(fmt.Errorf("note where the socket is: %w", err), os.Remove(dir))
		}
	}
	l, err := net.Listen("unix", s.path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on the socket %s: %w", s.path, err), s.remove())
	}
	s.Listener = l
	if err := os.Chmod(s.path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect the socket %s: %w", s.path, err), s.Close())
	}
	return s, nil
}

// Close ends the listener and leaves nothing behind.
func (s *unixSocket) Close() error {
	err := s.Listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, s.remove())
}

func (s *unixSocket) remove() error {
	var errs []error
	for _, path := range append([]string{s.path}, s.extra...) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// findSocket is where the agent of a data folder listens, and the file that says so, when there is one.
func findSocket(data string) (path, pointer string) {
	path = socketPath(data)
	b, err := os.ReadFile(path + ".path")
	if err != nil {
		return path, ""
	}
	return strings.TrimSpace(string(b)), path + ".path"
}

// clearSocket removes what an agent that was killed left behind.
func clearSocket(data string) error {
	path, pointer := findSocket(data)
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return fmt.Errorf("an agent already runs on the data folder %s; stop it, or give this one a folder of its own", data)
	}
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is in the way: it is no socket; remove it", path)
	}
	stale := &unixSocket{path: path}
	if pointer != "" {
		stale.extra = []string{pointer}
		if dir := filepath.Dir(path); strings.HasPrefix(filepath.Base(dir), privateFolder) {
			stale.extra = append(stale.extra, dir)
		}
	}
	if err := stale.remove(); err != nil {
		return fmt.Errorf("remove the socket that an earlier agent left: %w", err)
	}
	return nil
}

// listenTCP opens the listener of the api block. Beyond loopback it wants TLS and a token.
func listenTCP(o Options) (net.Listener, error) {
	addr, err := net.ResolveTCPAddr("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("the api can't listen on %q: %w; write host:port, such as 127.0.0.1:8080", o.Listen, err)
	}
	secure := o.CertFile != "" && o.KeyFile != ""
	if !secure && (o.CertFile != "" || o.KeyFile != "") {
		return nil, errors.New("the api block has a certificate or a key, but not both; TLS needs the two")
	}
	if !addr.IP.IsLoopback() && (!secure || o.Token == "") {
		return nil, fmt.Errorf("the api would listen on %q, which other machines can reach, without %s; give the api block a certificate, its key and a token, or let it listen on 127.0.0.1:%d",
			o.Listen, missing(secure, o.Token != ""), addr.Port)
	}
	var config *tls.Config
	if secure {
		cert, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("the api's certificate %s and key %s: %w", o.CertFile, o.KeyFile, err)
		}
		config = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	}
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		return nil, fmt.Errorf("the api can't listen on %q: %w; choose another port, or stop what uses this one", o.Listen, err)
	}
	if config != nil {
		return tls.NewListener(l, config), nil
	}
	return l, nil
}

func missing(secure, token bool) string {
	switch {
	case !secure && !token:
		return "TLS and a token"
	case !secure:
		return "TLS"
	}
	return "a token"
}
