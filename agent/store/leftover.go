package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/voltage-edge/voltage/agent/durable"
)

const (
	socketName = "redis.sock"
	pidName    = "redis.pid"
	lockName   = "lock"
	// maxSocketPath is the longest path that fits into a unix socket's address.
	maxSocketPath = 107
)

// place is where the server listens.
type place struct {
	socket string
	// folder was made for the socket alone, and goes with it; empty: the socket is in the run folder.
	folder string
}

// choosePlace takes the run folder, or a short one of its own when the path would not fit into a socket's address.
func choosePlace(runDir string, log hclog.Logger) (place, error) {
	p := place{socket: filepath.Join(runDir, socketName)}
	if len(p.socket) <= maxSocketPath {
		return p, nil
	}
	long := p.socket
	for _, parent := range []string{"", "/tmp"} {
		dir, err := os.MkdirTemp(parent, "voltage-")
		if err != nil {
			return place{}, fmt.Errorf("making a folder for the socket of redis-server: %w", err)
		}
		p = place{socket: filepath.Join(dir, socketName), folder: dir}
		if len(p.socket) <= maxSocketPath {
			log.Info("the run folder's path is too long for a socket: redis-server listens elsewhere",
				"path", long, "length", len(long), "limit", maxSocketPath, "socket", p.socket)
			return p, nil
		}
		os.Remove(dir)
	}
	return place{}, &Error{Problem: NotStarted, Doing: "choosing a socket for redis-server",
		Cause: fmt.Errorf("%s has %d bytes, a socket's path may have %d", long, len(long), maxSocketPath), Advice: "Give the agent a shorter run folder"}
}

func (p place) remove() {
	os.Remove(p.socket)
	if p.folder != "" {
		os.Remove(p.folder)
	}
}

// lockFolder makes the folder this agent's own until the file is closed or the agent is gone.
func lockFolder(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, &Error{Problem: NotStarted, Doing: "locking " + dir, Cause: err, Advice: "Give the agent a folder that it may write to"}
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &Error{Problem: NotStarted, Doing: "locking " + dir, Cause: err}
		}
		return nil, &Error{Problem: InUse, Doing: "locking " + dir, Cause: errors.New("another agent uses this folder"), Advice: advice[InUse]}
	}
	return f, nil
}

// running is what the pid file says about a server.
type running struct {
	Pid int `json:"pid"`
	// Start is the process' start in clock ticks since boot: with it, a pid that was given anew is not taken for ours.
	Start  uint64 `json:"start"`
	Socket string `json:"socket"`
	Folder string `json:"folder,omitempty"`
}

func writePidFile(dir string, pid int, p place) error {
	start, err := startOf(pid)
	if err != nil {
		return err
	}
	b, err := json.Marshal(running{Pid: pid, Start: start, Socket: p.socket, Folder: p.folder})
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, pidName), b, 0o600)
}

// startOf reads a process' start time. It fails when there is no such process.
func startOf(pid int) (uint64, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything; the state is the first field after it, the start the twentieth.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 20 || string(fields[0]) == "Z" {
		return 0, os.ErrProcessDone
	}
	return strconv.ParseUint(string(fields[19]), 10, 64)
}

// endLeftover ends a server that a killed agent left on the same data: by its pid file, and by who answers on the socket.
// The folder is locked, so no living agent owns it.
func endLeftover(ctx context.Context, dir, socket string, log hclog.Logger) error {
	path := filepath.Join(dir, pidName)
	if b, err := os.ReadFile(path); err == nil {
		var r running
		if json.Unmarshal(b, &r) == nil && r.Pid > 1 {
			if start, err := startOf(r.Pid); err == nil && start == r.Start {
				if err := end(ctx, r.Pid, start, log); err != nil {
					return err
				}
			}
			place{socket: r.Socket, folder: r.Folder}.remove()
		}
		os.Remove(path)
	}
	pid, err := listenerOf(socket)
	if err != nil || pid <= 1 || pid == os.Getpid() {
		return nil // Nobody listens there.
	}
	start, err := startOf(pid)
	if err != nil {
		return nil
	}
	return end(ctx, pid, start, log)
}

// listenerOf is the process that listens on a unix socket.
func listenerOf(socket string) (int, error) {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) { cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, credErr
	}
	return int(cred.Pid), nil
}

// end asks a process to end, then kills it.
func end(ctx context.Context, pid int, start uint64, log hclog.Logger) error {
	log.Warn("a redis-server of an agent before this one still runs on the same data: it is ended", "pid", pid)
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGTERM, stopGrace}, {syscall.SIGKILL, 5 * time.Second}} {
		if err := syscall.Kill(pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return &Error{Problem: NotStarted, Doing: fmt.Sprintf("ending the leftover redis-server %d", pid), Cause: err, Advice: "End it by hand"}
		}
		deadline := time.Now().Add(step.wait)
		for time.Now().Before(deadline) {
			if now, err := startOf(pid); err != nil || now != start {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return &Error{Problem: NotStarted, Doing: fmt.Sprintf("ending the leftover redis-server %d", pid), Cause: errors.New("it does not end"), Advice: "End it by hand"}
}
