package plugin

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/voltage-edge/voltage/sdk/protocol"
)

const (
	// startTimeout limits the time from the start of a process to its handshake.
	startTimeout = 20 * time.Second
	// callTimeout limits an answer that needs no I/O of the plugin.
	callTimeout = 10 * time.Second
	// drainTimeout limits a plugin's own end: safe values, closing, flushing its sinks.
	drainTimeout = 15 * time.Second
	// killTimeout limits go-plugin's shutdown, after which the process is killed.
	killTimeout = 3 * time.Second
)

// running is a started plugin.
type running struct {
	process atomic.Pointer[process] // nil until it is made
	client  *goplugin.Client
	rpc     *protocol.Client
	log     hclog.Logger
	stopped sync.Once
}

// launch is what a start needs.
type launch struct {
	path   string
	env    map[string]string
	runDir string
	log    hclog.Logger
}

// start starts the process and connects to it.
func start(ctx context.Context, l launch) (*running, error) {
	r := &running{log: l.log}
	quiet := hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off})
	r.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  protocol.Handshake(),
		Plugins:          protocol.Plugins(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: l.runDir},
		GRPCDialOptions:  protocol.DialOptions(),
		StartTimeout:     startTimeout,
		// The process reports its own start, output and end.
		Logger:     quiet,
		SyncStdout: &lines{take: func(line []byte) { l.log.Info(string(line), "printed", "stdout") }},
		SyncStderr: &lines{take: func(line []byte) { relog(l.log, line) }},
		RunnerFunc: func(_ hclog.Logger, template *exec.Cmd, socketDir string) (runner.Runner, error) {
			cmd := exec.Command(l.path)
			cmd.Env = slices.Concat(environment(l.env), template.Env, []string{
				protocol.LifelineEnv + "=3", protocol.LogLevelEnv + "=" + l.log.GetLevel().String(),
			})
			p, err := newProcess(cmd, socketDir, l.log)
			if err != nil {
				return nil, err
			}
			r.process.Store(p)
			return p, nil
		},
	})
	if err := r.connect(ctx); err != nil {
		r.kill()
		return nil, startError(l.path, err, r.process.Load())
	}
	return r, nil
}

// connect waits for the handshake; when ctx ends first the process is killed, which ends the waiting.
func (r *running) connect(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		if p := r.process.Load(); p != nil {
			_ = p.Kill(context.Background())
		}
	})
	defer stop()
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := r.client.Start(); err != nil {
		return err
	}
	conn, err := r.client.Client()
	if err != nil {
		return err
	}
	if r.rpc, err = protocol.Connect(conn); err != nil {
		return err
	}
	return ctx.Err()
}

func startError(path string, err error, p *process) error {
	text := firstLine(err.Error())
	switch {
	case strings.Contains(text, "Unrecognized remote plugin message"):
		text = "it ended before the handshake"
	case strings.Contains(text, "incompatible API version"):
		text = fmt.Sprintf("it speaks another version of the plugin protocol than this agent (%d): build it with a matching version of the SDK", protocol.Version)
	case strings.Contains(text, "timeout while waiting"):
		text = fmt.Sprintf("it gave no handshake within %s", startTimeout)
	}
	if p != nil && p.ended() && !strings.Contains(text, "protocol") {
		text += ", " + p.exit()
		if words := p.reason(); words != "" {
			text += "; its last words: " + words
		}
	}
	return fmt.Errorf("start %s: %s", path, text)
}

func firstLine(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}

// environment is the site's part of a plugin's environment, in a fixed order.
func environment(env map[string]string) []string {
	out := make([]string, 0, len(env))
	for name, value := range env {
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	return out
}

// drain lets the plugin end its channels and sinks in order, then ends the process.
func (r *running) drain(ctx context.Context) []protocol.Closed {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	closed, err := r.rpc.Drain(ctx)
	if err != nil {
		r.log.Warn("the plugin did not drain", "error", err)
	}
	r.kill()
	return closed
}

// kill ends the process: go-plugin's way first, by force when that takes too long. It returns when the process is gone.
func (r *running) kill() {
	p := r.process.Load()
	if p == nil {
		return
	}
	r.stopped.Do(func() {
		watchdog := time.AfterFunc(killTimeout, func() {
			r.log.Warn("the plugin does not end and is killed", "pid", p.ID())
			_ = p.Kill(context.Background())
		})
		defer watchdog.Stop()
		r.client.Kill()
		_ = p.Kill(context.Background())
	})
	p.gone()
	_ = os.RemoveAll(p.socketDir)
}

// maxSocketPath is the longest path of a unix socket, less the zero byte.
const maxSocketPath = 107

// socketSuffix is what go-plugin adds to the run folder: plugin-dirNNNNNNNNNN/pluginNNNNNNNNNN.
const socketSuffix = len("/plugin-dir") + 10 + len("/plugin") + 10

// prepareRunDir makes the folder of the plugins' sockets. When the path would be too long for a socket, a folder in the
// system's temporary one is used instead, and removed at the end.
func prepareRunDir(dir string, log hclog.Logger) (path string, temporary bool, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return "", false, err
	}
	if len(dir)+socketSuffix > maxSocketPath {
		path, err := os.MkdirTemp("", "voltage-")
		if err != nil {
			return "", false, fmt.Errorf("the run folder %s is too long for the plugins' sockets (%d bytes, %d are possible), and there is no other: %w",
				dir, len(dir), maxSocketPath-socketSuffix, err)
		}
		log.Warn("the run folder's path is too long for the plugins' sockets, a temporary one is used", "run", dir, "sockets", path)
		return path, true, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", false, fmt.Errorf("make the plugins' run folder: %w", err)
	}
	return dir, false, clearStale(dir)
}
