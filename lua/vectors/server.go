package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is a redis-server of this program's own.
type server struct {
	client *redis.Client
	dir    string
	cmd    *exec.Cmd
}

func startServer(ctx context.Context) (*server, error) {
	exe, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("no redis-server in PATH: install Debian's package redis-server")
	}
	dir, err := os.MkdirTemp("", "voltage-vectors-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	socket := filepath.Join(dir, "redis.sock")
	s.cmd = exec.Command(exe, "--port", "0", "--unixsocket", socket, "--dir", dir, "--appendonly", "no", "--save", "")
	if err := s.cmd.Start(); err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("starting %s: %w", exe, err)
	}
	s.client = redis.NewClient(&redis.Options{Network: "unix", Addr: socket, MaxRetries: -1})
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for s.client.Ping(ctx).Err() != nil {
		select {
		case <-ctx.Done():
			s.stop()
			return nil, errors.New("redis-server does not answer on its socket")
		case <-time.After(5 * time.Millisecond):
		}
	}
	return s, nil
}

func (s *server) stop() {
	s.client.Close()
	s.cmd.Process.Kill()
	s.cmd.Wait()
	os.RemoveAll(s.dir)
}
