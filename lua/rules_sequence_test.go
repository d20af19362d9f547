package lua_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
)

// Of many attempts that wait, a frame writes those that it changed, and nothing where it changes none.
func TestASequenceWritesWhatChanged(t *testing.T) {
	const sequence = `{ name = 'wait', kind = 'sequence', rev = '%d', dev = {1}, priority = 1, inputs = {}, set = {}, every = true, group = 1, strict = false, repeated = {},
		fields = { [1] = { {'p', 1} } }, steps = {
			{ dev = 1, as = 'low', where = function() return H.lt(d1[1], 5) end },
			{ dev = 1, where = function() return H.gt(d1[1], 9) end, absent = true, for_ms = 60000 } } },`
	s := newRuleSite(t, fmt.Sprintf(sequence, 1))
	ctx := context.Background()
	state := func() map[string]string { return s.server.HGetAll(ctx, s.keys[2]).Val() }
	// changed are the items that a frame wrote or dropped.
	changed := func(at int64, value float64) []string {
		before := state()
		s.frame(at, value)
		after := state()
		var out []string
		for item := range maps.Keys(after) {
			if before[item] != after[item] && item[0] != '@' {
				out = append(out, item)
			}
		}
		for item := range before {
			if _, there := after[item]; !there {
				out = append(out, "-"+item)
			}
		}
		slices.Sort(out)
		return out
	}
	expect := func(what string, got []string, want ...string) {
		t.Helper()
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, expected %q", what, got, want)
		}
	}
	changed(1000, 7)
	for i := range 50 {
		expect("a frame that begins an attempt", changed(2000+int64(i), 1), fmt.Sprintf("wait@a%d", i+1), fmt.Sprintf("wait@a%d", i+2))
	}
	clock := state()["@clock"]
	expect("a frame that is of no use", changed(3000, 7))
	if now := state()["@clock"]; now != clock {
		t.Errorf("a frame that is of no use writes the clock %s", now)
	}
	loadLibrary(t, s.server, "rules") // all is read again
	expect("another one", changed(4000, 1), "wait@a51", "wait@a52")
	expect("what waited longest is over", changed(62000, 7), "-wait@a1", "wait")
	over := []string{"wait"}
	for i := range 50 { // those of the fifty that are left waited long enough; the one behind them is broken
		over = append(over, fmt.Sprintf("-wait@a%d", i+2))
	}
	expect("what must not come", changed(62100, 10), over...)
	s.program(fmt.Sprintf(sequence, 2))
	expect("a rule that was changed", changed(70000, 7), "-wait@a52", "wait", "wait@a1")
}
