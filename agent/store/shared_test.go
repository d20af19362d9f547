package store

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/lua/luatest"
)

// besides are the options of another site on a test's server.
func besides(t *testing.T, server *luatest.Server, site string) Options {
	t.Helper()
	o := external(t, server)
	o.Site = site
	return o
}

// Two sites share a server: each has its own version of a library, loads and rolls back without the other, and goes on when the
// other one ends.
func TestTwoSitesOnOneServer(t *testing.T) {
	server := luatest.Start(t)
	a, b := open(t, besides(t, server, "north")), open(t, besides(t, server, "süd 1"))
	load(t, a)
	load(t, b)
	ctx := deadline(t)
	frames := builders{}
	at := int64(1000)
	both := func(when string) {
		t.Helper()
		at += 1000
		for _, s := range []*Store{a, b} {
			res := apply(t, s, at, frames.frame(t, "a", at, float64(at)))
			if res.Failures != nil || len(fields(res.Events, "rule", "device")) == 0 {
				t.Errorf("%s: %s: %+v", when, s.o.Site, res)
			}
			if r, err := s.GetValue(ctx, "a.x"); err != nil || r.Value != strconv.FormatInt(at, 10) {
				t.Errorf("%s: %s has %+v, %v", when, s.o.Site, r, err)
			}
		}
	}
	version := func(s *Store, want string) {
		t.Helper()
		if l := status(t, s, Rules); l.Version != want || l.State != LibraryOK {
			t.Errorf("%s runs %+v, expected %s", s.o.Site, l, want)
		}
	}
	both("at first")

	newer := mustRules(t, counted) // its state is of another schema, too
	if err := a.Load(ctx, newer); err != nil {
		t.Fatal(err)
	}
	both("one is upgraded")
	version(a, "0.1.0")
	version(b, "0.0.1")
	if err := b.Reload(ctx, Rules, edited(t, "--#version  0.0.1", "--#version  0.0.2"), ""); err != nil {
		t.Fatal(err)
	}
	if err := b.Rollback(ctx, Rules); err != nil {
		t.Fatal(err)
	}
	both("the other is rolled back")
	version(a, "0.1.0")
	version(b, "0.0.1")

	// Each looks at its own only: nobody repairs what the other one has.
	repairs := a.Status().Repairs + b.Status().Repairs
	epoch := func(s *Store) string { return s.client.Get(ctx, s.keys.epoch).Val() }
	epochs := epoch(a) + epoch(b)
	time.Sleep(4 * a.o.CheckEvery)
	if now := a.Status().Repairs + b.Status().Repairs; now != repairs || epoch(a)+epoch(b) != epochs {
		t.Errorf("%d repairs, expected %d", now, repairs)
	}
	names := map[string]bool{}
	list, err := server.FunctionList(ctx, functionQuery).Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		names[l.Name] = true
	}
	if len(names) != 8 || !names["rules__north"] || names["rules"] {
		t.Errorf("the server has %v", names)
	}

	b.Close()
	at += 1000
	apply(t, a, at, frames.frame(t, "a", at, 1))
	version(a, "0.1.0")
}

// A site belongs to one agent: another one of the same name is refused while that one lives, takes over when it ended in order
// at once, and when it was killed after a while.
func TestASiteBelongsToOneAgent(t *testing.T) {
	server := luatest.Start(t)
	first := open(t, external(t, server))
	load(t, first)
	b := builders{}
	apply(t, first, 1000, b.frame(t, "a", 1000, 5))
	epoch := first.client.Get(deadline(t), first.keys.epoch).Val()

	_, err := Open(deadline(t), external(t, server))
	if ProblemOf(err) != Owned || !strings.Contains(err.Error(), "another agent runs it: process") || !strings.Contains(err.Error(), "another name") {
		t.Fatalf("a second agent: %v", err)
	}
	if now := first.client.Get(deadline(t), first.keys.epoch).Val(); now != epoch {
		t.Error("the one that was refused has changed the site's keys")
	}
	apply(t, first, 1100, b.frame(t, "a", 1100, 6))
	if r, err := first.GetValue(deadline(t), "a.x"); err != nil || r.Value != "6" {
		t.Errorf("%+v, %v", r, err)
	}

	first.Close()
	second := open(t, external(t, server))
	load(t, second)
	apply(t, second, 2000, b.frame(t, "a", 2000, 7))

	// Somebody takes it while its owner does not look: that one stops acting on frames, and says why.
	if err := server.Set(deadline(t), second.keys.owner(), `{"id":"x@elsewhere","host":"elsewhere","pid":7}`, time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the owner before acts no more", func() bool {
		_, err := second.Apply(deadline(t), Batch{Now: 2100, Frames: []Frame{b.frame(t, "a", 2100, 8)}})
		return ProblemOf(err) == Owned && strings.Contains(err.Error(), "elsewhere")
	})
	if err := server.PExpire(deadline(t), second.keys.owner(), 50*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it goes on when that one is gone", func() bool {
		_, err := second.Apply(deadline(t), Batch{Now: 2200, Frames: []Frame{b.frame(t, "a", 2200, 9)}})
		return err == nil
	})
}

func TestASiteWithoutItsAgentIsTakenOver(t *testing.T) {
	server := luatest.Start(t)
	k := siteKeys("test")
	if err := server.Set(deadline(t), k.owner(), `{"id":"x@elsewhere","host":"elsewhere","pid":7}`, 1200*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	s := open(t, external(t, server))
	load(t, s)
	apply(t, s, 1000, builders{}.frame(t, "a", 1000, 5))
}

func TestNamesOnASharedServer(t *testing.T) {
	seen := map[string]string{}
	for _, c := range []struct {
		site string
		db   int
	}{{"a", 0}, {"a", 1}, {"a b", 0}, {"a-b", 0}, {"a_b", 0}, {"ä", 0}, {"trial", 0}, {"a__b", 0}} {
		s := suffixOf(c.site, false, c.db)
		if was, ok := seen[s]; ok || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || !strings.HasPrefix(s, "__") {
			t.Errorf("%v has %q, as %q", c, s, was)
		}
		seen[s] = c.site
	}
	if s := suffixOf("a", true, 0); s != "" {
		t.Errorf("on a server of its own it is %q", s)
	}
}
