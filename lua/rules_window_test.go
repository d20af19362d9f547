package lua_test

import (
	"context"
	"fmt"
	"testing"
)

// A window that was parked has an end again when it is let go on.
func TestAWindowEndsAfterItWasParked(t *testing.T) {
	s := newRuleSite(t, `{ name = 'hourly', kind = 'window', rev = '1', dev = {1}, window = 'tumbling', size = 1000, every = 0, gap = 0, count = 0, count_every = 0,
		priority = 1, inputs = {}, set = {}, where = function() if d1[1] > 50 then error('too much') end return true end,
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
