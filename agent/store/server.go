package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/redis/go-redis/v9"
)

const (
	// stopGrace is how long the server may take to write its last data when it is asked to end.
	stopGrace = 10 * time.Second
	// steady is how long a server must have run for its end to count as the first one.
	steady = 10 * time.Second
	// slowest is the longest pause between two starts.
	slowest = 10 * time.Second
	// agentUser is the user that may do everything. It is the default one: as that the server runs what it reads from its
	// append-only file, and leaves out of it what that user may not do.
	agentUser = "default"
	// lookUser is for people with redis-cli: it needs no password, and can read only.
	lookUser = "look"
)

// server is the embedded redis-server: started, watched and started again.
type server struct {
	exe       executable
	dir       string // its data
	place     place
	password  string
	maxMemory int64
	scratch   bool
	log       hclog.Logger
	tell      func(name, detail string)
	answers   func() // is called each time when the server answers
	lock      *os.File

	stopping chan struct{}
	stopOnce sync.Once
	done     chan struct{}

	mu       sync.Mutex
	process  *os.Process
	state    State
	restarts uint64
	lastErr  error
}

// startServer starts the embedded server and returns when it answers. tell is called for what people must know, answers
// each time when the server answers after a start.
func startServer(ctx context.Context, exe executable, o Options, tell func(name, detail string), answers func()) (*server, error) {
	doing, dataDir, runDir, log := "starting "+exe.path, o.DataDir, o.RunDir, o.Log.Named("redis")
	dir := filepath.Join(dataDir, "redis")
	for _, d := range []string{dir, runDir} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, &Error{Problem: NotStarted, Doing: doing, Cause: err, Advice: "Give the agent a folder that it may write to"}
		}
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	if err := endLeftover(ctx, dir, filepath.Join(runDir, socketName), log); err != nil {
		lock.Close()
		return nil, err
	}
	where, err := choosePlace(runDir, log)
	if err != nil {
		lock.Close()
		return nil, err
	}
	s := &server{
		exe: exe, dir: dir, place: where, password: newPassword(), maxMemory: o.Config.MaxMemory, scratch: o.Scratch, log: log, tell: tell, answers: answers, lock: lock,
		stopping: make(chan struct{}), done: make(chan struct{}), state: StateStarting,
	}
	first := make(chan error, 1)
	go s.run(first)
	select {
	case err := <-first:
		if err == nil {
			return s, nil
		}
		s.stop()
		return nil, err
	case <-ctx.Done():
		s.stop()
		return nil, &Error{Problem: NotStarted, Doing: doing, Cause: ctx.Err(), Advice: "It did not answer in time; its last lines are in the log"}
	}
}

func newPassword() string {
	b := make([]byte, 24)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// config is what the server reads from its standard input, so that the password is neither on a command line nor on disk.
func (s *server) config() string {
	lines := []string{
		"port 0",
		"unixsocket " + quote(s.place.socket),
		"unixsocketperm 700",
		"dir " + quote(s.dir),
		"daemonize no",
		"databases 1",
		"user " + agentUser + " on >" + s.password + " ~* &* +@all",
		"user " + lookUser + " on nopass resetkeys resetchannels -@all +@read +@connection -@dangerous +info %R~*",
		"save \"\"",
		"appendonly yes",
		"appendfsync everysec",
		"no-appendfsync-on-rewrite yes",
		"aof-load-truncated yes",
		"auto-aof-rewrite-percentage 100",
		"auto-aof-rewrite-min-size 16mb",
		fmt.Sprintf("maxmemory %d", s.maxMemory),
		"maxmemory-policy noeviction",
		// A listpack is scanned field by field: hashes of more than a few fields are hash tables.
		"hash-max-listpack-entries 16",
		"hash-max-listpack-value 256",
		"activerehashing no",
		"hz 10",
		"busy-reply-threshold 1000",
		"tcp-keepalive 0",
		"timeout 0",
		"loglevel notice",
	}
	if s.scratch {
		lines = append(lines, "appendonly no")
	}
	return strings.Join(lines, "\n") + "\n"
}

// lastSignal ends the server. A scratch one has nothing to save, and may be in a function that runs for ever, which would not
// let it hear anything gentler.
func (s *server) lastSignal() syscall.Signal {
	if s.scratch {
		return syscall.SIGKILL
	}
	return syscall.SIGTERM
}

// quote makes one argument of a line of redis.conf.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// run keeps the server running until stop. The goroutine keeps its thread: the kernel ends the server when the thread
// that started it ends, which is how it can't outlive a killed agent.
func (s *server) run(first chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.done)
	ready, failures, moved := false, 0, false
	for {
		began := time.Now()
		end := s.once(func() {
			if !ready {
				ready = true
				first <- nil
			}
		})
		if s.isStopping() {
			return
		}
		if reason, broken := end.brokenFile(); broken && !moved {
			// Once: a second failure is not the files'.
			moved = true
			if err := s.setAside(reason); err == nil {
				continue
			} else {
				s.log.Error("can't set the damaged append-only file aside", "error", err)
			}
		}
		if !ready {
			first <- s.explainEnd(NotStarted, end)
			return
		}
		err := s.explainEnd(Ended, end)
		if time.Since(began) > steady {
			failures, moved = 0, false
		}
		pause := backoff(failures)
		failures++
		s.ended(err)
		s.log.Error("redis-server ended, it is started again", "error", err, "pause", pause)
		select {
		case <-s.stopping:
			return
		case <-time.After(pause):
		}
	}
}

// backoff is the pause before the start that follows the given number of failures: none, then 100 ms, doubled each time,
// up to slowest; with a jitter of a quarter.
func backoff(failures int) time.Duration {
	if failures == 0 {
		return 0
	}
	d := min(float64(slowest), float64(100*time.Millisecond)*math.Pow(2, float64(failures-1)))
	return time.Duration(d * (0.75 + 0.5*mrand.Float64()))
}

func (s *server) ended(err error) {
	s.mu.Lock()
	s.state, s.lastErr, s.process = StateRestarting, err, nil
	s.restarts++
	s.mu.Unlock()
	s.tell("redis_restarted", err.Error())
}

// once starts the server and waits for its end. ready is called when it answers.
func (s *server) once(ready func()) *ending {
	out := &tail{log: s.log}
	cmd := exec.Command(s.exe.path, "-")
	cmd.Stdin = strings.NewReader(s.config())
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	// A group of its own: Ctrl-C on the terminal is the agent's to handle.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: s.lastSignal()}
	// A forked child that writes the append-only file anew may hold the pipe for longer than the server lives.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return &ending{err: err}
	}
	s.mu.Lock()
	s.process = cmd.Process
	s.mu.Unlock()
	if s.isStopping() {
		// stop came before there was a process to signal.
		cmd.Process.Signal(s.lastSignal())
	}
	if err := writePidFile(s.dir, cmd.Process.Pid, s.place); err != nil {
		s.log.Warn("can't write the pid file of redis-server", "error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if s.awaitAnswer(ctx) {
			s.setState(StateOK)
			ready()
			s.answers()
		}
	})
	err := cmd.Wait()
	cancel()
	waiting.Wait()
	return &ending{err: err, lines: out.lines()}
}

// awaitAnswer asks until the server answers; false when ctx ended before.
func (s *server) awaitAnswer(ctx context.Context) bool {
	client := redis.NewClient(s.options())
	defer client.Close()
	for {
		err := client.Ping(ctx).Err()
		if err == nil {
			return true
		}
		if classify(err) == Loading {
			s.setState(StateLoading)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// options connect to the server as the agent.
func (s *server) options() *redis.Options {
	return &redis.Options{
		Network: "unix", Addr: s.place.socket, Username: agentUser, Password: s.password,
		Protocol: 2, DisableIdentity: true, MaxRetries: -1, DialerRetries: 1, DialTimeout: 2 * time.Second,
	}
}

// available is nil when the server runs and answers.
func (s *server) available() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.state {
	case StateOK:
		return nil
	case StateLoading:
		return &Error{Problem: Loading, Doing: "asking redis-server", Where: s.dir, Advice: advice[Loading]}
	default:
		return &Error{Problem: Unreachable, Doing: "asking redis-server", Where: s.dir, Cause: s.lastErr, Advice: "It is being started again"}
	}
}

func (s *server) setState(state State) {
	s.mu.Lock()
	s.state = state
	s.mu.Unlock()
}

// status is the state, the process id (0: none), how often it was started again, and why the last time.
func (s *server) status() (State, int, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pid := 0
	if s.process != nil {
		pid = s.process.Pid
	}
	return s.state, pid, s.restarts, s.lastErr
}

// kill ends a server that does not listen any more; it is started again.
func (s *server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.Kill()
	}
}

func (s *server) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// stop ends the server and leaves neither process nor socket.
func (s *server) stop() {
	s.stopOnce.Do(func() { close(s.stopping) })
	s.signal(s.lastSignal())
	select {
	case <-s.done:
	case <-time.After(stopGrace):
		s.log.Warn("redis-server does not end, it is killed", "after", stopGrace)
		s.signal(syscall.SIGKILL)
		<-s.done
	}
	os.Remove(filepath.Join(s.dir, pidName))
	s.place.remove()
	s.lock.Close()
}

func (s *server) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		if err := s.process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.log.Warn("can't signal redis-server", "error", err)
		}
	}
}
