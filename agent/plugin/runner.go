package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin/runner"
)

// pipeGrace is how long the output of an ended plugin is read on, in case that programs it started hold the pipe.
const pipeGrace = time.Second

// process is a plugin's process as go-plugin's runner. It takes noise off standard output, so that only the handshake
// reaches go-plugin, and takes care of standard error by itself.
type process struct {
	cmd       *exec.Cmd
	socketDir string
	log       hclog.Logger
	tail      *tail

	out, in    *os.File // lifeline: the plugin's end, ours
	handshake  *io.PipeReader
	handshaken *io.PipeWriter
	stdout     *lines
	stderr     *lines

	once    sync.Once
	started atomic.Int64  // process id, 0 before the start
	done    chan struct{} // closed when a started process is gone
	err     error
}

var _ runner.Runner = (*process)(nil)

func newProcess(cmd *exec.Cmd, socketDir string, log hclog.Logger) (*process, error) {
	p := &process{cmd: cmd, socketDir: socketDir, log: log, tail: &tail{}, done: make(chan struct{})}
	var err error
	if p.out, p.in, err = os.Pipe(); err != nil {
		return nil, err
	}
	p.handshake, p.handshaken = io.Pipe()
	p.stdout = &lines{take: p.stdoutLine}
	p.stderr = &lines{take: func(line []byte) {
		p.tail.add(string(line))
		relog(log, line)
	}}
	cmd.ExtraFiles = []*os.File{p.out}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, p.stdout, p.stderr
	cmd.WaitDelay = pipeGrace
	// Ctrl-C on a terminal is for the agent, which then drains its plugins.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return p, nil
}

// stdoutLine hands the handshake to go-plugin and logs everything else.
func (p *process) stdoutLine(line []byte) {
	if handshakeLine.Match(line) {
		first := false
		p.once.Do(func() { first = true })
		if first {
			// It fails only when go-plugin has given up.
			_, _ = fmt.Fprintf(p.handshaken, "%s\n", line)
			return
		}
	}
	if len(line) > 0 {
		p.log.Info(string(line), "printed", "stdout")
	}
}

// Start starts the process.
func (p *process) Start(context.Context) error {
	err := p.cmd.Start()
	p.out.Close()
	if err != nil {
		p.in.Close()
		p.handshaken.Close()
		return err
	}
	p.started.Store(int64(p.cmd.Process.Pid))
	go p.wait()
	return nil
}

// gone waits until the process, if it was started, is gone.
func (p *process) gone() {
	if p.started.Load() != 0 {
		<-p.done
	}
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) wait() {
	err := p.cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	// What it started and left behind goes with it.
	_ = syscall.Kill(-int(p.started.Load()), syscall.SIGKILL)
	p.in.Close()
	p.stdout.end()
	p.stderr.end()
	p.handshaken.Close()
	p.err = err
	close(p.done)
}

// Wait waits for the end.
func (p *process) Wait(context.Context) error {
	<-p.done
	return p.err
}

// Kill ends it at once, with everything that it started.
func (p *process) Kill(context.Context) error {
	pid := int(p.started.Load())
	if pid == 0 || p.ended() {
		return nil
	}
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// exit says how an ended process ended.
func (p *process) exit() string {
	if s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return "ended by signal " + s.Signal().String()
	}
	return "ended with exit status " + strconv.Itoa(p.cmd.ProcessState.ExitCode())
}

// reason explains an end or a failed start by the plugin's own last words.
func (p *process) reason() string {
	if text := p.tail.panicText(); text != "" {
		first, _, _ := strings.Cut(text, "\n")
		return first
	}
	last := p.tail.stderr()
	for i := len(last) - 1; i >= 0; i-- {
		if line := strings.TrimSpace(last[i]); line != "" && line[0] != '{' {
			return line
		}
	}
	return ""
}

// Stdout is the handshake.
func (p *process) Stdout() io.ReadCloser { return p.handshake }

// Stderr is empty: the process keeps its own.
func (p *process) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name is the executable.
func (p *process) Name() string { return p.cmd.Path }

// ID is the process id.
func (p *process) ID() string {
	if pid := p.started.Load(); pid != 0 {
		return strconv.FormatInt(pid, 10)
	}
	return ""
}

// Diagnose has nothing to add.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost keeps the address: both sides see the same file system.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin keeps the address.
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
