package store

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua/luatest"
)

func newStranger(t testing.TB, o *redis.Options) *redis.Client {
	c := redis.NewClient(o)
	t.Cleanup(func() { c.Close() })
	return c
}

// testSuffix stands behind the names of the libraries of external's site.
const testSuffix = "__test"

// external are the options of a store on a test's server.
func external(t testing.TB, server *luatest.Server) Options {
	t.Helper()
	data, run := folders(t)
	return Options{Site: "test", Config: site.Store{Addresses: []string{server.Socket}, Mode: modeSingle}, DataDir: data, RunDir: run,
		Log: quiet(t), CheckEvery: 50 * time.Millisecond}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestOpeningSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name    string
		server  []string
		prepare func(t *testing.T, s *luatest.Server)
		config  func(c *site.Store)
		problem Problem
		says    string
	}{
		{name: "a password is needed", server: []string{"--requirepass", "secret"}, problem: WrongPassword, says: "Check username and password",
			prepare: func(*testing.T, *luatest.Server) {}},
		{name: "a wrong password", config: func(c *site.Store) { c.Username, c.Password = "somebody", "guess" }, problem: WrongPassword, says: "WRONGPASS"},
		{name: "a user without rights", problem: NoPermission, says: "ACL SETUSER",
			prepare: func(t *testing.T, s *luatest.Server) {
				if err := s.Do(deadline(t), "ACL", "SETUSER", "weak", "on", ">pw", "~*", "&*", "+@read", "+@connection", "+info", "+function", "+acl").Err(); err != nil {
					t.Fatal(err)
				}
			}, config: func(c *site.Store) { c.Username, c.Password = "weak", "pw" }},
		{name: "a user who may not even ask", problem: NoPermission, says: "ACL SETUSER",
			prepare: func(t *testing.T, s *luatest.Server) {
				if err := s.Do(deadline(t), "ACL", "SETUSER", "weak", "on", ">pw", "~*", "+@connection").Err(); err != nil {
					t.Fatal(err)
				}
			}, config: func(c *site.Store) { c.Username, c.Password = "weak", "pw" }},
		{name: "nobody there", config: func(c *site.Store) { c.Addresses = []string{"127.0.0.1:1"} }, problem: Unreachable, says: "127.0.0.1:1"},
		{name: "a replica", server: []string{"--replicaof", "127.0.0.1 1"}, problem: ReadOnly, says: "address of the primary"},
		{name: "no functions", server: []string{"--rename-command", "FUNCTION", ""}, problem: NoFunctions, says: "Functions in Lua"},
		{name: "a single server as a cluster", config: func(c *site.Store) { c.Mode = modeCluster }, problem: WrongMode, says: "mode"},
		{name: "no Sentinels", config: func(c *site.Store) {
			c.Mode, c.Master, c.Addresses = modeSentinel, "site", []string{"127.0.0.1:1"}
		}, problem: Unreachable, says: "redis at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var server *luatest.Server
			if c.name == "a password is needed" {
				// The test's own client would not get in: the server is told later.
				server = luatest.Start(t)
				server.ConfigSet(deadline(t), "requirepass", "secret")
			} else {
				server = luatest.Start(t, c.server...)
			}
			if c.prepare != nil {
				c.prepare(t, server)
			}
			o := external(t, server)
			if c.config != nil {
				c.config(&o.Config)
			}
			s, err := Open(deadline(t), o)
			if err == nil {
				s.Close()
			}
			if ProblemOf(err) != c.problem || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAClusterWithoutSlotsIsDown(t *testing.T) {
	addr := freePort(t)
	_, port, _ := strings.Cut(addr, ":")
	server := luatest.Start(t, "--cluster-enabled", "yes", "--port", port, "--bind", "127.0.0.1")
	for _, c := range []struct {
		mode    string
		problem Problem
	}{{modeCluster, ClusterDown}, {modeSingle, WrongMode}} {
		o := external(t, server)
		o.Config.Mode, o.Config.Addresses = c.mode, []string{addr}
		s, err := Open(deadline(t), o)
		if err == nil {
			s.Close()
		}
		if ProblemOf(err) != c.problem {
			t.Errorf("%s: got %v", c.mode, err)
		}
	}
}

func TestOutOfMemory(t *testing.T) {
	server := luatest.Start(t)
	s := open(t, external(t, server))
	load(t, s)
	b := builders{}
	apply(t, s, 1000, b.frame(t, "a", 1000, 1))
	ctx := deadline(t)
	server.ConfigSet(ctx, "maxmemory", "1mb")
	_, err := s.Apply(ctx, Batch{Now: 2000, Frames: []Frame{b.frame(t, "a", 2000, 2)}})
	if ProblemOf(err) != OutOfMemory || !strings.Contains(err.Error(), "max_memory") {
		t.Errorf("got %v", err)
	}
	if st := s.Status(); st.State != StateOutOfMemory {
		t.Errorf("the state is %s", st.State)
	}
	if r, err := s.GetValue(ctx, "a.x"); err != nil || r.Value != "1" {
		t.Errorf("reading does not work: %+v, %v", r, err)
	}
	if err := s.Load(ctx, testRules(t)); ProblemOf(err) != OutOfMemory {
		t.Errorf("loading gives %v", err)
	}
	server.ConfigSet(ctx, "maxmemory", "0")
	if res := apply(t, s, 3000, b.frame(t, "a", 3000, 3)); fmt.Sprint(fields(res.Events, "rule", "event")) != "[due fired]" {
		t.Errorf("events: %v", res.Events)
	}
	if st := s.Status(); st.State != StateOK {
		t.Errorf("the state is %s", st.State)
	}
}

func TestLoadingIsWaitedFor(t *testing.T) {
	server := luatest.Start(t)
	s := open(t, external(t, server))
	load(t, s)
	ctx := deadline(t)
	pipe := server.Pipeline()
	for i := range 10_000 {
		pipe.Set(ctx, fmt.Sprint("k", i), strings.Repeat("x", 100), 0)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	// Loading is slowed down for a snapshot only.
	if err := server.BgRewriteAOF(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the append-only file is rewritten", func() bool {
		info, err := server.Info(ctx, "persistence").Result()
		return err == nil && infoField(info, "aof_rewrite_in_progress") == "0" && infoField(info, "aof_rewrite_scheduled") == "0"
	})
	server.Kill()
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Return(t, "--key-load-delay", "300", "--loading-process-events-interval-bytes", "1024")
	}()
	f := builders{}.frame(t, "a", 1000, 1)
	seen := map[Problem]bool{}
	eventually(t, "a batch goes through", func() bool {
		_, err := s.Apply(ctx, Batch{Now: 1000, Frames: []Frame{f}})
		seen[ProblemOf(err)] = true
		return err == nil
	})
	<-done
	for p := range seen {
		if p != "" && p != Unreachable && p != Loading {
			t.Errorf("unexpected problem %s", p)
		}
	}
	if !seen[Loading] {
		t.Errorf("the server was not seen loading: %v", seen)
	}
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]Problem{
		"MISCONF Errors writing to the AOF file: No space left on device": DiskFull,
		"OOM command not allowed when used memory > 'maxmemory'.":         OutOfMemory,
		"READONLY You can't write against a read only replica.":           ReadOnly,
		"CLUSTERDOWN The cluster is down":                                 ClusterDown,
		"ERR Function not found":                                          LostLibrary,
		"NOPROGRAM v:{x}:rules:program has no program":                    LostProgram,
		"BUSY Redis is busy running a script.":                            Busy,
		"NEWERSTATE the state has schema 2":                               Failed,
		"FAILED rules_batch_execute: x":                                   Failed,
	} {
		if got := classify(replyError(text)); got != want {
			t.Errorf("%q is %s, expected %s", text, got, want)
		}
	}
	for p := range map[Problem]bool{OutOfMemory: true, WrongPassword: true, Unreachable: true, Busy: true} {
		if advice[p] == "" {
			t.Errorf("%s comes without advice", p)
		}
	}
}

type replyError string

func (e replyError) Error() string { return string(e) }
func (replyError) RedisError()     {}

func TestAnExternalServerThatComesLater(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	address := freePort(t)
	data, run := folders(t)
	o := Options{Site: "test", Config: site.Store{Addresses: []string{address}, Mode: modeSingle}, DataDir: data, RunDir: run,
		Log: quiet(t), CheckEvery: 50 * time.Millisecond, Patient: true}
	var told atomic.Int64
	o.Notify = func(e event.Event) {
		if e.Get("event") == "redis_restored" {
			told.Add(1)
		}
	}
	s, err := Open(deadline(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if st := s.Status(); st.State != StateUnreachable || !strings.Contains(st.LastError, "Check that the server runs") {
		t.Fatalf("state %s, %q: expected unreachable, with what to do", st.State, st.LastError)
	}
	if err := s.LoadPrograms(deadline(t), programs("1", "")); !Away(err) {
		t.Fatalf("loading programs gives %v, expected the error of a server that is away", err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	luatest.Start(t, "--port", port)
	eventually(t, "the store is in order", func() bool { return s.Status().State == StateOK && told.Load() == 1 })
	if v := s.Status().Version; v == "" {
		t.Error("the server that came was not checked")
	}
	if _, err := s.Apply(deadline(t), Batch{Now: time.Now().UnixMilli()}); err != nil {
		t.Error(err)
	}
}
