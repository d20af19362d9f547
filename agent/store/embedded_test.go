package store

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
)

func alive(pid int) bool {
	_, err := startOf(pid)
	return err == nil
}

func pidOf(t testing.TB, s *Store) int {
	t.Helper()
	_, pid, _, _ := s.server.status()
	if pid == 0 {
		t.Fatal("there is no redis-server")
	}
	return pid
}

// told collects what a store tells.
type told struct {
	mu     sync.Mutex
	events []event.Event
}

func (n *told) take(e event.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, e)
}

func (n *told) find(name string) (event.Event, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		if e.Get("event") == name {
			return e, true
		}
	}
	return event.Event{}, false
}

func TestCloseLeavesNoProcessAndNoSocket(t *testing.T) {
	o := options(t)
	s, err := Open(deadline(t), o)
	if err != nil {
		t.Fatal(err)
	}
	pid, socket := pidOf(t, s), s.server.place.socket
	s.Close()
	if alive(pid) {
		t.Error("redis-server still runs")
	}
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
	if s.Status().State != StateClosed {
		t.Errorf("the state is %s", s.Status().State)
	}
	// The folder is free again, and what was kept is kept.
	s = open(t, o)
	if s.Status().State != StateOK {
		t.Errorf("the state is %s", s.Status().State)
	}
}

func TestAKilledServerComesBackWithEverything(t *testing.T) {
	var n told
	o := options(t)
	o.Notify = n.take
	s := open(t, o)
	load(t, s)
	b := builders{}
	res := apply(t, s, 1000, b.frame(t, "a", 1000, 1), b.frame(t, "b", 1000, 2))
	if len(res.Events) != 2 {
		t.Fatalf("events: %v", res.Events)
	}
	for round := range 3 {
		pid := pidOf(t, s)
		syscall.Kill(pid, syscall.SIGKILL)
		at := int64(2000 + 100*round)
		f := b.frame(t, "a", at, float64(10+round))
		var events []event.Event
		eventually(t, "a batch goes through again", func() bool {
			res, err := s.Apply(deadline(t), Batch{Now: at, Frames: []Frame{f}})
			if err != nil {
				if p := ProblemOf(err); p != Unreachable && p != Loading {
					t.Fatalf("round %d: %v", round, err)
				}
				return false
			}
			events = append(events, res.Events...)
			return true
		})
		if pidOf(t, s) == pid {
			t.Fatal("the process is the same")
		}
		got := strings.Join(fields(events, "rule", "device", "value"), ", ")
		if !strings.Contains(got, fmt.Sprint("a ", 10+round)) {
			t.Errorf("round %d: events %q lack the frame of a", round, got)
		}
		if r, err := s.GetValue(deadline(t), "b.x"); err != nil || r.Value != "2" {
			t.Errorf("round %d: b.x is %+v, %v: the newest frames were not put back", round, r, err)
		}
	}
	libs, err := s.Libraries(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range libs {
		if l.State != LibraryOK {
			t.Errorf("library %s is %s", l.Name, l.State)
		}
	}
	if st := s.Status(); st.Restarts != 3 || st.Reconnects != 3 || st.State != StateOK {
		t.Errorf("status: %+v", st)
	}
	if _, ok := n.find("redis_restarted"); !ok {
		t.Error("nobody was told of the restart")
	}
}

func TestAServerThatLostItsDataIsFurnishedAgain(t *testing.T) {
	s := open(t, options(t))
	load(t, s)
	b := builders{}
	apply(t, s, 1000, b.frame(t, "a", 1000, 1), b.frame(t, "b", 1000, 2))
	// The files go while the server runs, then the server: it comes back empty, without libraries.
	if err := os.RemoveAll(filepath.Join(s.server.dir, aofFolder)); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(pidOf(t, s), syscall.SIGKILL)
	f := b.frame(t, "a", 2000, 11)
	eventually(t, "a batch goes through again", func() bool {
		_, err := s.Apply(deadline(t), Batch{Now: 2000, Frames: []Frame{f}})
		return err == nil
	})
	if r, err := s.GetValue(deadline(t), "m.half"); err != nil || r.Value != "5.5" {
		t.Errorf("m.half is %+v, %v", r, err)
	}
	if r, err := s.GetValue(deadline(t), "b.x"); err != nil || r.Value != "2" {
		t.Errorf("b.x is %+v, %v", r, err)
	}
	if st := s.Status(); st.Repairs == 0 {
		t.Errorf("no repairs were counted: %+v", st)
	}
}

func TestADamagedAppendOnlyFileIsSetAside(t *testing.T) {
	var n told
	o := options(t)
	o.Notify = n.take
	s, err := Open(deadline(t), o)
	if err != nil {
		t.Fatal(err)
	}
	load(t, s)
	s.Close()
	file, err := filepath.Glob(filepath.Join(o.DataDir, "redis", aofFolder, "*.incr.aof"))
	if err != nil || len(file) != 1 {
		t.Fatal(file, err)
	}
	b, err := os.ReadFile(file[0])
	if err != nil {
		t.Fatal(err)
	}
	command := bytes.LastIndex(b, []byte("\r\n*"))
	copy(b[command+2:], "this is not what Redis wrote")
	if err := os.WriteFile(file[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, o)
	load(t, s)
	e, ok := n.find("redis_data_set_aside")
	if !ok || !strings.Contains(e.Get("detail"), "redis-check-aof") {
		t.Errorf("nobody was told what to do: %v", e)
	}
	if aside, _ := filepath.Glob(filepath.Join(o.DataDir, "redis", asidePrefix+"*")); len(aside) != 1 {
		t.Errorf("set aside: %v", aside)
	}
	apply(t, s, 1000, builders{}.frame(t, "a", 1000, 1))
}

func TestATornTailIsDropped(t *testing.T) {
	o := options(t)
	s, err := Open(deadline(t), o)
	if err != nil {
		t.Fatal(err)
	}
	load(t, s)
	s.Close()
	file, _ := filepath.Glob(filepath.Join(o.DataDir, "redis", aofFolder, "*.incr.aof"))
	info, err := os.Stat(file[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file[0], info.Size()-5); err != nil {
		t.Fatal(err)
	}
	open(t, o)
	if aside, _ := filepath.Glob(filepath.Join(o.DataDir, "redis", asidePrefix+"*")); len(aside) != 0 {
		t.Errorf("a torn tail was taken for damage: %v", aside)
	}
}

func TestALongRunFolder(t *testing.T) {
	o := options(t)
	o.RunDir = filepath.Join(o.RunDir, strings.Repeat("long", 30))
	s, err := Open(deadline(t), o)
	if err != nil {
		t.Fatal(err)
	}
	p := s.server.place
	if len(p.socket) > maxSocketPath || p.folder == "" {
		t.Errorf("the socket is %s", p.socket)
	}
	if info, err := os.Stat(p.folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v", info, err)
	}
	s.Close()
	if _, err := os.Stat(p.folder); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestAFolderHasOneAgent(t *testing.T) {
	o := options(t)
	s := open(t, o)
	_, err := Open(deadline(t), o)
	if ProblemOf(err) != InUse {
		t.Errorf("got %v", err)
	}
	if !alive(pidOf(t, s)) {
		t.Error("the second agent ended the first one's server")
	}
}

func TestStrangersMayLookOnly(t *testing.T) {
	s := open(t, options(t))
	o := s.server.options()
	o.Username, o.Password = "", ""
	ctx := deadline(t)
	if err := newStranger(t, o).Get(ctx, s.keys.epoch).Err(); ProblemOf(explain("", "", err)) != WrongPassword {
		t.Errorf("without a user: %v", err)
	}
	o = s.server.options()
	o.Username, o.Password = lookUser, "none"
	stranger := newStranger(t, o)
	if err := stranger.HGetAll(ctx, s.keys.frames).Err(); err != nil {
		t.Errorf("a stranger can't look: %v", err)
	}
	for _, cmd := range [][]any{{"SET", "a", "b"}, {"FLUSHALL"}, {"EVAL", "return 1", "0"}, {"FUNCTION", "LIST"},
		{"FCALL", "frames_put", "1", "x"}, {"FCALL_RO", "frames_version", "0"}, {"CONFIG", "GET", "*"}, {"ACL", "LIST"}, {"SHUTDOWN"}} {
		if err := stranger.Do(ctx, cmd...).Err(); ProblemOf(explain("", "", err)) != NoPermission {
			t.Errorf("%v: %v", cmd, err)
		}
	}
	if info, err := os.Stat(s.server.place.socket); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket is %v, %v", info, err)
	}
}

// TestHelperAgent is no test: it is the agent that is killed below.
func TestHelperAgent(t *testing.T) {
	dir := os.Getenv("STORE_TEST_AGENT")
	if dir == "" {
		t.Skip("is run by another test")
	}
	s, err := Open(deadline(t), Options{Site: "test", Config: site.Store{Embedded: true}, DataDir: dir + "/data", RunDir: dir + "/run", Log: hclog.NewNullLogger()})
	if err != nil {
		fmt.Println("failed", err)
		return
	}
	fmt.Println("ready", pidOf(t, s))
	select {}
}

func startAgent(t *testing.T, dir string) (agent *exec.Cmd, redis int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperAgent$", "-test.v")
	cmd.Env = append(os.Environ(), "STORE_TEST_AGENT="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, err := fmt.Sscanf(lines.Text(), "ready %d", &redis); err == nil {
			return cmd, redis
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	t.Fatal("the agent did not start")
	return nil, 0
}

func TestAKilledAgentTakesItsServerAlong(t *testing.T) {
	o := options(t)
	agent, redis := startAgent(t, filepath.Dir(o.DataDir))
	agent.Process.Kill()
	agent.Wait()
	eventually(t, "redis-server ends", func() bool { return !alive(redis) })
	open(t, o)
}

func TestALeftoverIsEnded(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, o Options){
		"known by its pid file": func(t *testing.T, o Options) {
			if err := os.Remove(filepath.Join(o.RunDir, socketName)); err != nil {
				t.Fatal(err)
			}
		},
		"known by its socket": func(t *testing.T, o Options) {
			if err := os.Remove(filepath.Join(o.DataDir, "redis", pidName)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			agent, redis := startAgent(t, filepath.Dir(o.DataDir))
			// A stopped server can't follow the signal that it gets when its agent dies, until it is continued.
			syscall.Kill(redis, syscall.SIGSTOP)
			t.Cleanup(func() { syscall.Kill(redis, syscall.SIGKILL) })
			agent.Process.Kill()
			agent.Wait()
			spoil(t, o)
			if !alive(redis) {
				t.Fatal("there is no leftover")
			}
			time.AfterFunc(200*time.Millisecond, func() { syscall.Kill(redis, syscall.SIGCONT) })
			s := open(t, o)
			if alive(redis) || pidOf(t, s) == redis {
				t.Error("the leftover still runs")
			}
		})
	}
}

func TestExecutables(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name, path, named string
		problem           Problem
		says              string
	}{
		{"nothing in PATH", dir + "/none", "", Missing, "apt-get install redis-server"},
		{"a named one that is not there", dir, dir + "/nowhere", Missing, "store block"},
		{"too old", dir, script("old", "echo 'Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=1'"), TooOld, "redis 6.0.16"},
		{"no Redis at all", dir, script("other", "echo hello"), Missing, "this is no Redis server"},
		{"one that fails", dir, script("broken", "exit 3"), Missing, "exit status 3"},
		{"valkey", dir, script("new", "echo 'Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1'"), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("PATH", c.path)
			if c.named == "" {
				t.Setenv("PATH", c.path)
			} else {
				t.Setenv("PATH", c.path+":/bin:/usr/bin")
			}
			e, err := findExecutable(deadline(t), c.named)
			if ProblemOf(err) != c.problem || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, %v", e, err)
			}
		})
	}
	// A server that ends at once says why.
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	data, run := folders(t)
	exe := script("ends", `case "$1" in --version) echo 'Redis server v=7.0.15 sha=0';; *) echo '1:M 22 Nov 2026 23:03:56.230 # Cannot do it: no luck'; exit 1;; esac`)
	_, err := Open(deadline(t), Options{Site: "test", Config: site.Store{Embedded: true, Executable: exe}, DataDir: data, RunDir: run})
	if ProblemOf(err) != NotStarted || !strings.Contains(err.Error(), "Cannot do it: no luck") {
		t.Errorf("got %v", err)
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("%T", err)
	}
}
