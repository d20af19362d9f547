package lua_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
)

// A window that was parked has an end again when it is let go on.
func TestAWindowEndsAfterItWasParked(t *testing.T) {
	s := newRuleSite(t, `{ name = 'hourly', kind = 'window', rev = '1', dev = {1}, window = 'tumbling', size = 1000, every = 0, gap = 0, count = 0, count_every = 0,
		priority = 1, tells = true, inputs = {}, set = {}, where = function() if d1[1] > 50 then error('too much') end return true end,
		values = { function() return d1[1] end }, aggregates = { { fn = 'sum', as = 'sum', of = 1 } } },`)
	ctx := context.Background()
	s.frame(100, 1)
	for i := range 10 {
		s.frame(200+int64(i), 60)
	}
	s.frame(1500, 2) // parked: it takes nothing, and nothing ends
	if reply, err := s.server.FCall(ctx, "rule_unpark", s.keys, 1600, "hourly").Result(); err != nil {
		t.Fatal(reply, err)
	}
	if next := s.frame(1700, 3)[0]; next != "2000" {
		t.Errorf("it ends at %q", next)
	}
	s.frame(2500, 4)
	events := s.events()
	if got := fmt.Sprint(events[len(events)-1]); got != "2000 hourly fired" {
		t.Errorf("got %q", events)
	}
}

// A sliding window that acts is told of when it begins to: it publishes at each frame, asks when its wish is due again, and raises once. One that does nothing gives
// its results to who reads them, and nothing otherwise.
func TestASlidingWindowIsToldOfOnce(t *testing.T) {
	window := func(name, kind, more string) string {
		return fmt.Sprintf(`{ name = '%s', kind = 'window', rev = '1', dev = {1}, window = '%s', size = 1000, every = 0, gap = 0, count = 1, count_every = 1,
			priority = 1, inputs = {}, values = { function() return d1[1] end }, aggregates = { { fn = 'max', as = 'most', of = 1 } }, %s },`, name, kind, more)
	}
	const deeds = `set = { { output = 'o.x', constant = 3, ttl_ms = 2700 } },
		effects = { { kind = 'raise', name = 'high', priority = 'low', message = '' }, { kind = 'publish', name = 'p', fields = {} } }, read = true`
	s := newRuleSite(t, window("acts", "sliding", deeds+", having = function(T) return T.most() > 5 end")+window("read", "sliding", "set = {}, read = true")+
		window("unread", "sliding", "set = {}")+window("each", "count", deeds))
	told := func(name string) (out []string) {
		list, err := s.server.XRange(context.Background(), s.keys[6], "-", "+").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if e.Values["rule"] == name || e.Values["owner"] == "rule."+name {
				out = append(out, fmt.Sprintf("%v %v", e.Values["t"], e.Values["kind"]))
			}
		}
		slices.Sort(out)
		return out
	}
	for _, f := range []struct {
		at    int64
		value float64
	}{{1000, 1}, {1100, 9}, {1200, 1}, {2000, 8}, {3001, 1}, {3100, 7}, {5000, 6}} {
		s.frame(f.at, f.value)
		if f.at == 1100 { // that it acts is in its state
			loadLibrary(t, s.server, "rules")
		}
	}
	for name, want := range map[string][]string{
		"acts": {
			"1100 action", "1100 publish", "1100 request", "1100 rule", "1200 publish", "1200 result",
			"2000 publish", "2000 request", "2000 result", // 1100 is still in, and a third of the wish's time is over
			"3100 action", "3100 publish", "3100 request", "3100 rule", // having held 3001 back
			"5000 action", "5000 publish", "5000 request", "5000 rule", // all before had left
		},
		"read":   {"1000 result", "1100 result", "1200 result", "2000 result", "3001 result", "3100 result", "5000 result"},
		"unread": nil,
	} {
		if got := told(name); !slices.Equal(got, want) {
			t.Errorf("of %s is told\n%q, expected\n%q", name, got, want)
		}
	}
	if got := told("each"); len(got) != 7*4 {
		t.Errorf("of each is told\n%q", got)
	}
}
