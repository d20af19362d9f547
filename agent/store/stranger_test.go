package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/lua/luatest"
)

// TestWhatAStrangerDoesIsUndone lets somebody else do harm on an external server, once found by the next batch and once by
// the store's own look.
func TestWhatAStrangerDoesIsUndone(t *testing.T) {
	for _, c := range []struct {
		name string
		harm func(t *testing.T, server *luatest.Server, s *Store)
	}{
		{"FLUSHALL", func(t *testing.T, server *luatest.Server, _ *Store) { server.FlushAll(deadline(t)) }},
		{"FUNCTION DELETE", func(t *testing.T, server *luatest.Server, _ *Store) {
			server.FunctionDelete(deadline(t), Rules+testSuffix)
		}},
		{"FUNCTION FLUSH", func(t *testing.T, server *luatest.Server, _ *Store) { server.FunctionFlush(deadline(t)) }},
		{"the frames' library is deleted", func(t *testing.T, server *luatest.Server, _ *Store) {
			server.FunctionDelete(deadline(t), framesLibrary+testSuffix)
		}},
		{"a program is deleted", func(t *testing.T, server *luatest.Server, s *Store) { server.Del(deadline(t), s.keys.program(Rules)) }},
		{"the server ends", func(t *testing.T, server *luatest.Server, _ *Store) { server.Restart(t) }},
		{"the server ends and loses all", func(t *testing.T, server *luatest.Server, _ *Store) {
			server.Restart(t, "--dir", t.TempDir())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := luatest.Start(t)
			o := external(t, server)
			o.CheckEvery = time.Hour
			s := open(t, o)
			load(t, s)
			b := builders{}
			apply(t, s, 1000, b.frame(t, "a", 1000, 1), b.frame(t, "b", 1000, 2))
			c.harm(t, server, s)
			f := b.frame(t, "a", 1500, 11)
			var res Result
			eventually(t, "a batch goes through", func() bool {
				var err error
				res, err = s.Apply(deadline(t), Batch{Now: 1500, Frames: []Frame{f}})
				if err != nil && ProblemOf(err) != Unreachable {
					t.Fatal(err)
				}
				return err == nil
			})
			found := false
			for _, e := range fields(res.Events, "rule", "device", "value") {
				found = found || e == "a 11"
			}
			if !found || res.Failures != nil {
				t.Errorf("the rules did not see the frame: %v, %v", res.Events, res.Failures)
			}
			for name, want := range map[string]string{"m.half": "5.5", "b.x": "2", "a.x": "11"} {
				if r, err := s.GetValue(deadline(t), name); err != nil || r.Value != want {
					t.Errorf("%s is %+v, %v, expected %s", name, r, err, want)
				}
			}
			libs, err := s.Libraries(deadline(t))
			for _, l := range libs {
				if l.State != LibraryOK {
					t.Errorf("%s is %s", l.Name, l.State)
				}
			}
			if err != nil || len(libs) != 4 {
				t.Errorf("libraries: %+v, %v", libs, err)
			}
		})
	}
}

func TestTheStoreLooksByItself(t *testing.T) {
	server := luatest.Start(t)
	s := open(t, external(t, server))
	load(t, s)
	ctx := deadline(t)
	other, err := lua.BundleFile("testdata/rules.lua")
	if err != nil {
		t.Fatal(err)
	}
	other.Source = "#!lua name=rules__test\nredis.register_function{function_name='rules_version__test', callback=function() return {'9.9.9', 'x', '1'} end, flags={'no-writes'}}"
	for name, harm := range map[string]func(){
		"replaced": func() { server.FunctionLoadReplace(ctx, other.Source) },
		"flushed":  func() { server.FlushAll(ctx) },
		"program":  func() { server.HSet(ctx, s.keys.program(Alarms), "rev", "other") },
		"deleted":  func() { server.FunctionDelete(ctx, Alarms+testSuffix) },
	} {
		before := s.Status().Repairs
		harm()
		eventually(t, name+" is repaired", func() bool { return s.Status().Repairs > before })
		select {
		case <-s.Wake():
		case <-ctx.Done():
			t.Fatalf("%s: nobody was woken", name)
		}
		apply(t, s, s.millis())
	}
	if rev := server.HGet(ctx, s.keys.program(Alarms), "rev").Val(); rev != "alarms1" {
		t.Errorf("the program of alarms has the revision %q", rev)
	}
}

func TestEventsOfALostStreamAreRead(t *testing.T) {
	server := luatest.Start(t)
	o := external(t, server)
	// The last event of an earlier run, by a server's clock that was far ahead.
	o.LastEvent = fmt.Sprint(time.Now().Add(24*time.Hour).UnixMilli(), "-3")
	s := open(t, o)
	load(t, s)
	if res := apply(t, s, 1000, builders{}.frame(t, "a", 1000, 1)); len(res.Events) == 0 {
		t.Error("events are behind a cursor of the future")
	}
}

func TestManyEventsComeInOneResult(t *testing.T) {
	server := luatest.Start(t)
	s := open(t, external(t, server))
	load(t, s)
	ctx := deadline(t)
	pipe := server.Pipeline()
	const many = 3*eventsAtOnce + 7
	for i := range many {
		pipe.Do(ctx, "XADD", s.keys.events, "*", "kind", "rule", "t", i, "n", i)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	res := apply(t, s, 1000)
	if len(res.Events) != many {
		t.Fatalf("%d events, expected %d", len(res.Events), many)
	}
	for i, e := range res.Events {
		if e.Millis != int64(i) || i > 0 && !after(e.ID, res.Events[i-1].ID) {
			t.Fatalf("event %d is %+v", i, e)
		}
	}
}

func TestEventsOfAFailedBatchAreNotLost(t *testing.T) {
	server := luatest.Start(t)
	s := open(t, external(t, server))
	load(t, s)
	ctx := deadline(t)
	b := builders{}
	apply(t, s, 1000, b.frame(t, "a", 1000, 1))
	server.Do(ctx, "XADD", s.keys.events, "*", "kind", "rule", "t", "5", "n", "1")
	server.ConfigSet(ctx, "maxmemory", "1mb")
	if _, err := s.Apply(ctx, Batch{Now: 1100, Frames: []Frame{b.frame(t, "a", 1100, 2)}}); err == nil {
		t.Fatal("the batch went through")
	}
	server.ConfigSet(ctx, "maxmemory", "0")
	res := apply(t, s, 1200)
	if len(res.Events) != 1 || res.Events[0].Millis != 5 {
		t.Errorf("events: %+v", res.Events)
	}
}
