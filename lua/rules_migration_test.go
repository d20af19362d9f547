package lua_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/lua"
)

// counting is a window of the last two frames.
const counting = `{ name = 'held', kind = 'window', tells = true, rev = '1', dev = {1}, window = 'count', size = 0, every = 0, gap = 0, count = 2, count_every = 0,
	priority = 1, inputs = {}, set = {}, values = { function() return d1[1] end }, aggregates = { { fn = 'sum', as = 'sum', of = 1 } } },`

// later is the rules library with its state in a schema to come.
func later(t *testing.T) string {
	t.Helper()
	lib, err := lua.Bundle("rules")
	if err != nil {
		t.Fatal(err)
	}
	now := regexp.MustCompile(`\bschema = (\d+)`).FindStringSubmatch(lib.Source)
	if now == nil {
		t.Fatal("the schema stands elsewhere")
	}
	n, err := strconv.Atoi(now[1])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(lib.Source, now[0], fmt.Sprintf("schema = %d", n+1), 1) +
		fmt.Sprintf("\ndo Library.migrations[%d] = function(items) items.held.fires = 40 end end\n", n)
}

// What the log had of texts is in them when state is migrated, and not once more after that; an older library says what it finds.
func TestTextsOverAMigration(t *testing.T) {
	s := newRuleSite(t, counting)
	ctx := context.Background()
	sums := func() (out []string) {
		list, err := s.server.XRange(ctx, s.keys[6], "-", "+").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if c, ok := e.Values["captures"]; ok {
				out = append(out, fmt.Sprint(c))
			}
		}
		return out
	}
	for i := range 3 {
		s.frame(int64(i)*1000, float64(i))
	}
	if err := s.server.FunctionLoadReplace(ctx, later(t)).Err(); err != nil {
		t.Fatal(err)
	}
	s.frame(3000, 3)
	s.program(counting) // all is read again
	s.frame(4000, 4)
	s.frame(5000, 5)
	if got, want := fmt.Sprint(sums()), `[{"sum":1} {"sum":5} {"sum":9}]`; got != want {
		t.Errorf("got %s, expected %s", got, want)
	}
	loadLibrary(t, s.server, "rules")
	if err := s.server.FCall(ctx, "rules_batch_execute", s.keys, 6000).Err(); err == nil || !strings.HasPrefix(err.Error(), "NEWERSTATE the state in ") {
		t.Errorf("got %v", err)
	}
}

// State of schema 1 has texts of windows in another form: a window begins anew, and the requests and counters of rules go on.
func TestRulesStateOfSchema1(t *testing.T) {
	s := newRuleSite(t, counting+`
	{ name = 'summed', kind = 'window', tells = true, rev = '1', dev = {1}, window = 'tumbling', size = 1000, every = 0, gap = 0, count = 0, count_every = 0,
		priority = 1, inputs = {}, set = {}, values = { function() return d1[1] end }, aggregates = { { fn = 'sum', as = 'sum', of = 1 } } },
	{ name = 'high', rev = '1', dev = {1}, when = function() return H.gt(d1[1], 5) end, on = 'rising', initial = 'arm', unknown = 'hold', priority = 1,
		inputs = {}, set = {} },
	{ name = 'rise', kind = 'sequence', rev = '1', dev = {1}, priority = 1, inputs = {}, set = {}, every = true, group = 1, strict = false, repeated = {},
		fields = { [1] = { {'p', 1} } }, steps = {
			{ dev = 1, as = 'low', where = function() return H.lt(d1[1], 2) end },
			{ dev = 1, as = 'high', where = function(C) return H.gt(d1[1], 7) end } } },`)
	ctx := context.Background()
	old := `local p = function(...) return cmsgpack.pack(...) end
	return redis.call('HSET', KEYS[1], '@schema', 1, '@clock', 900,
		'held', p({ rev = '1', head = 31, mid = 31, fires = 4 }), 'held@0', p(string.rep('x', 32 * 16)),
		'summed', p({ rev = '1', fires = 2 }), 'summed@sums', p(string.rep('y', 72)),
		'high', p({ rev = '1', v = true, fires = 7 }),
		'rise', p({ rev = '1', seq = 12, a = {
			{ id = 11, k = 2, arrived = 700, n = 0, parts = {}, gone = {}, first = 700, C = { low = { p = 1 } }, spawned = true },
			{ id = 12, k = 1, arrived = 700, n = 0, parts = {}, gone = {}, C = {} } } }))`
	if err := s.server.Eval(ctx, old, []string{s.keys[2]}).Err(); err != nil {
		t.Fatal(err)
	}
	for i, v := range []float64{6, 7, 8} { // high already: no firing of it
		s.frame(1000+int64(i)*600, v)
	}
	var said []string
	list, err := s.server.XRange(ctx, s.keys[6], "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		said = append(said, fmt.Sprint(e.Values["t"], " ", e.Values["kind"], " ", e.Values["rule"], " ", e.Values["event"], " ", e.Values["captures"]))
	}
	want := []string{
		"900 library <nil> migrated <nil>",
		`1600 rule held fired {"sum":13}`,
		`2000 rule summed fired {"sum":13}`,
		`2200 rule rise fired {"high":{"p":8},"low":{"p":1}}`,
	}
	if strings.Join(said, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nexpected\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
	state := s.server.HGetAll(ctx, s.keys[2]).Val()
	if state["@schema"] == "1" || state["summed@sums"] != "" || state["rise@a11"] != "" || state["rise@a12"] == "" {
		t.Errorf("the state is %q", state)
	}
	asked, err := s.server.FCallRO(ctx, "rule_evaluate_conditions", s.keys, 3000, "held").StringSlice()
	if err != nil || asked[4] != "5" {
		t.Errorf("held fired %q times, %v", asked, err)
	}
}
