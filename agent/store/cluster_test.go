package store

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua/luatest"
)

func TestCluster(t *testing.T) {
	nodes := luatest.StartCluster(t, false)
	addrs := nodes.Addresses()
	data, run := folders(t)
	s := open(t, Options{Site: "test", Config: site.Store{Addresses: addrs[:1], Mode: modeCluster}, DataDir: data, RunDir: run, Log: quiet(t)})
	load(t, s)
	ctx := deadline(t)
	for i, n := range nodes {
		list, err := n.FunctionList(ctx, redis.FunctionListQuery{}).Result()
		if err != nil || len(list) != 4 {
			t.Errorf("node %d has the libraries %+v, %v", i, list, err)
		}
	}
	b := builders{}
	res := apply(t, s, 1000, b.frame(t, "a", 1000, 120), b.frame(t, "b", 1000, 2))
	if got := fmt.Sprint(fields(res.Events, "rule", "device", "value")); got != "[a 120 b 2]" {
		t.Errorf("events: %s", got)
	}
	if r, err := s.GetValue(ctx, "m.half"); err != nil || r.Value != "60" {
		t.Errorf("m.half is %+v, %v", r, err)
	}
	for _, n := range nodes {
		if err := n.FunctionFlush(ctx).Err(); err != nil {
			t.Fatal(err)
		}
	}
	apply(t, s, 1100, b.frame(t, "a", 1100, 1))
	for i, n := range nodes {
		list, err := n.FunctionList(ctx, redis.FunctionListQuery{}).Result()
		if err != nil || len(list) != 4 {
			t.Errorf("node %d has the libraries %+v, %v", i, list, err)
		}
	}
	if st := s.Status(); st.Mode != modeCluster || st.State != StateOK {
		t.Errorf("status: %+v", st)
	}
	// A node that is not the site's may go; the one that is comes back.
	home, err := s.home(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.Address == home.Options().Addr {
			n.Kill()
			n.Return(t)
		}
	}
	f := b.frame(t, "b", 1200, 9)
	eventually(t, "a batch goes through again", func() bool {
		_, err := s.Apply(ctx, Batch{Now: 1200, Frames: []Frame{f}})
		return err == nil
	})
	if r, err := s.GetValue(ctx, "a.x"); err != nil || r.Value != "1" {
		t.Errorf("a.x is %+v, %v", r, err)
	}
}

// sums is a program of models that sums up the power of device a, in kWh.
func sums() *compile.Programs {
	p := programs("1", "")
	p.Models.Revision += "sums"
	c := p.Models.Chunks[0]
	p.Models.Chunks[0] = c[:strings.LastIndex(c, "}")] + `, { total = 1, of = "e.sum", kind = "energy", rev = "1", dev = {1}, limit = 3600000,
		quantity = "energy", scale = 1000, value = function() return D[1][1] end },
		{ name = "e", rev = "1", template = "meter", dev = {1}, measurements = { { name = "sum", unit = "kWh", dev = {1}, inputs = {{'a.x', 1, 1}}, totals = {1},
		value = function() return D.totals[1] end } } } }`
	return p
}

// follower uses a store over a server that is taken away: a frame of 36 kW each second makes 0.01 kWh.
type follower struct {
	t     *testing.T
	s     *Store
	b     builders
	at    int64
	given int
}

func follow(t *testing.T, s *Store) *follower {
	load(t, s)
	if err := s.LoadPrograms(deadline(t), sums()); err != nil {
		t.Fatal(err)
	}
	return &follower{t: t, s: s, b: builders{}, at: 1_700_000_000_000}
}

// give gives a frame until it is taken: the same one again when it failed, as the agent does.
func (f *follower) give(frames int) {
	f.t.Helper()
	for range frames {
		frame := f.b.frame(f.t, "a", f.at, 36)
		eventually(f.t, "a batch goes through", func() bool {
			_, err := f.s.Apply(deadline(f.t), Batch{Now: f.at, Frames: []Frame{frame}})
			return err == nil
		})
		f.at += 1000
		f.given++
	}
}

// expect compares what was summed up with what was given. The first frame begins the sum.
func (f *follower) expect(when string) {
	f.t.Helper()
	want := fmt.Sprintf("%.2f", float64(f.given-1)/100)
	r, err := f.s.GetValue(deadline(f.t), "e.sum")
	if got := fmt.Sprintf("%.2f", number64(r.Value)); err != nil || got != want || r.Quality != "good" {
		f.t.Errorf("%s: the sum is %+v (%v), expected %s", when, r, err, want)
	}
}

func number64(text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

// replicated waits until a replica has all that the master acknowledged: what it has not is what a failover may lose.
func replicated(t *testing.T, n *luatest.Node) {
	t.Helper()
	if got, err := n.Do(deadline(t), "WAIT", 1, patience.Milliseconds()).Int(); err != nil || got != 1 {
		t.Fatalf("%d replicas have it all, %v", got, err)
	}
}

func hasLibraries(ctx context.Context, n *luatest.Node) bool {
	list, err := n.FunctionList(ctx, redis.FunctionListQuery{}).Result()
	return err == nil && len(list) == 4
}

// The master of the site's keys is gone: its replica goes on where it was, libraries that it lacks are put back, and so it is
// when the first one returns and takes over again.
func TestClusterFailsOver(t *testing.T) {
	c := luatest.StartCluster(t, true)
	data, run := folders(t)
	s := open(t, Options{Site: "test", Config: site.Store{Addresses: c.Addresses(), Mode: modeCluster}, DataDir: data, RunDir: run,
		Log: quiet(t), CheckEvery: 50 * time.Millisecond})
	f := follow(t, s)
	ctx := deadline(t)
	f.give(100)
	f.expect("before")

	first := c.Home(t, s.keys.epoch)
	replicated(t, first)
	c.Silence(t, luatest.Dead)
	first.Kill()
	f.give(100)
	c.Silence(t, luatest.Alive)
	second := c.Home(t, s.keys.epoch)
	if second == first {
		t.Fatal("the master that was killed has the keys")
	}
	f.expect("after a failover")
	if !hasLibraries(ctx, second) {
		t.Error("the replica that took over has not all libraries")
	}
	if err := second.FunctionFlush(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	f.give(1)
	f.expect("with libraries put back")

	first.Return(t)
	eventually(t, "the one that returned follows", func() bool {
		return strings.Contains(first.Info(ctx, "replication").Val(), "master_link_status:up")
	})
	replicated(t, second)
	// A try that was not voted for is made again after four times this.
	c.Silence(t, luatest.Dead)
	eventually(t, "the first master has the keys again", func() bool {
		// It is refused, or not voted for, while the nodes don't all know who is whose replica.
		if err := first.ClusterFailover(ctx).Err(); err != nil {
			t.Log(err)
		}
		return c.Home(t, s.keys.epoch) == first
	})
	c.Silence(t, luatest.Alive)
	if err := first.FunctionDelete(ctx, Models+testSuffix).Err(); err != nil {
		t.Fatal(err)
	}
	f.give(100)
	f.expect("after the way back")
	eventually(t, "all masters have the libraries", func() bool {
		return hasLibraries(ctx, first) && hasLibraries(ctx, c[0]) && hasLibraries(ctx, c[1]) && hasLibraries(ctx, c[2])
	})
	if st := s.Status(); st.State != StateOK || st.Repairs == 0 || st.Reconnects == 0 {
		t.Errorf("status: %+v", st)
	}
}

// The same with Sentinels that choose the master.
func TestSentinelsFailOver(t *testing.T) {
	w := luatest.StartSentinels(t)
	data, run := folders(t)
	s := open(t, Options{Site: "test", Config: site.Store{Addresses: w.Addresses, Mode: modeSentinel, Master: luatest.SentinelMaster}, DataDir: data, RunDir: run,
		Log: quiet(t), CheckEvery: 50 * time.Millisecond})
	f := follow(t, s)
	ctx := deadline(t)
	f.give(100)
	replicated(t, w.Master)
	w.Silence(t, luatest.Dead)
	w.Master.Kill()
	f.give(100)
	w.Silence(t, luatest.Alive)
	w.Content(t)
	f.expect("after a failover")
	if !hasLibraries(ctx, w.Replica) {
		t.Error("the replica that took over has not all libraries")
	}
	w.Master.Return(t)
	eventually(t, "the one that returned follows", func() bool {
		return strings.Contains(w.Master.Info(ctx, "replication").Val(), "master_link_status:up")
	})
	f.give(10)
	f.expect("with the first one as the replica")
}
