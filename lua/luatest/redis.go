// Package luatest starts a real redis-server for a test.
package luatest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a redis-server of a test's own, on a unix socket in a folder of its own.
type Server struct {
	*redis.Client
	Socket string
	Dir    string
	cmd    *exec.Cmd
}

// Start starts a redis-server that ends with the test. It fails the test when there is no redis-server: the libraries
// can't be tested on anything else. With -short the test is skipped.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := newServer(t)
	s.Return(t, args...)
	return s
}

// newServer makes the folder of a server, and ends the server with the test.
func newServer(t testing.TB) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	dir, err := os.MkdirTemp("", "voltage-redis-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{Dir: dir, Socket: filepath.Join(dir, "redis.sock")}
	t.Cleanup(func() {
		if s.cmd == nil {
			return
		}
		s.Client.Close()
		s.cmd.Process.Kill()
		s.cmd.Wait()
	})
	return s
}

// Restart kills the server with SIGKILL and starts it again on the same data.
func (s *Server) Restart(t testing.TB, args ...string) {
	t.Helper()
	s.Kill()
	s.Return(t, args...)
}

// Kill ends the server with SIGKILL, as a machine that is gone.
func (s *Server) Kill() {
	s.Client.Close()
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// running says whether the server was started and not killed.
func (s *Server) running() bool { return s.cmd.ProcessState == nil }

// Return starts a server that was killed on its own files.
func (s *Server) Return(t testing.TB, args ...string) {
	t.Helper()
	base := []string{"--port", "0", "--unixsocket", s.Socket, "--dir", s.Dir, "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""}
	s.run(t, append(base, args...)...)
}

// run runs redis-server and waits until it answers.
func (s *Server) run(t testing.TB, args ...string) {
	t.Helper()
	exe, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("%v: install Debian's package redis-server", err)
	}
	s.cmd = exec.Command(exe, args...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.Client = redis.NewClient(&redis.Options{Network: "unix", Addr: s.Socket, DialTimeout: time.Second, MaxRetries: -1})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for s.Client.Ping(ctx).Err() != nil {
		select {
		case <-ctx.Done():
			t.Fatal("redis-server does not answer on its socket")
		case <-time.After(5 * time.Millisecond):
		}
	}
}
