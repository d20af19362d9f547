package lua_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
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
	if next := s.frame(1700, 3)[0].(string); next != "2000" {
		t.Errorf("it ends at %q", next)
	}
	s.frame(2500, 4)
	events := s.events()
	if got := fmt.Sprint(events[len(events)-1]); got != "2000 hourly fired" {
		t.Errorf("got %q", events)
	}
}

// A sliding window that acts is told of when it begins to: it publishes at each frame, asks when its wish is due again, and raises once. Each
// result is in the reply, if something reads it.
func TestASlidingWindowIsToldOfOnce(t *testing.T) {
	window := func(name, kind, more string) string {
		return fmt.Sprintf(`{ name = '%s', kind = 'window', rev = '1', dev = {1}, window = '%s', size = 1000, every = 0, gap = 0, count = 1, count_every = 1,
			priority = 1, inputs = {}, values = { function() return d1[1] end }, aggregates = { { fn = 'max', as = 'most', of = 1 }, { fn = 'count', as = 'n' } }, %s },`,
			name, kind, more)
	}
	const having = "having = function(T) return T.most() > 5 end, "
	const deeds = `set = { { output = 'o.x', constant = 3, ttl_ms = 2700 } },
		effects = { { kind = 'raise', name = 'high', priority = 'low', message = '' }, { kind = 'publish', name = 'p', fields = {} } }, `
	s := newRuleSite(t, window("acts", "sliding", having+deeds+"read = { 'most' }")+window("raises", "sliding", having+"set = {}, effects = { { kind = 'raise', name = 'high' } }")+
		window("read", "sliding", "set = {}, read = { 'n', 'most' }")+window("unread", "sliding", "set = {}")+window("each", "count", deeds))
	got := map[string][]string{}
	var last map[string]string
	for _, f := range []struct {
		at    int64
		value float64
	}{{1000, 1}, {1100, 9}, {1200, 1}, {2000, 8}, {2050, math.NaN()}, {3051, 1}, {3100, 7}, {5000, 6}, {5999, 1}, {6000, 2}} {
		for _, result := range results(t, s.frame(f.at, f.value)) {
			name, values, _ := strings.Cut(result, " ")
			got[name] = append(got[name], values)
		}
		if last = s.captures(); f.at%200 == 0 { // what the library knows, it finds again in its state
			loadLibrary(t, s.server, "rules")
			if again := s.captures(); !maps.Equal(again, last) {
				t.Errorf("at %d the last results are %q, and %q of what is in the state", f.at, last, again)
			}
		}
	}
	list, err := s.server.XRange(context.Background(), s.keys[6], "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		for _, name := range []string{"acts", "raises", "read", "unread", "each"} {
			if e.Values["rule"] == name || e.Values["owner"] == "rule."+name {
				got[name+" tells"] = append(got[name+" tells"], fmt.Sprintf("%v %v", e.Values["t"], e.Values["kind"]))
			}
		}
	}
	if n := len(got["each tells"]); n != 10*4 {
		t.Errorf("a window of one frame tells %d times", n)
	}
	delete(got, "each tells")
	for name := range got {
		slices.Sort(got[name])
	}
	if want := map[string][]string{
		"acts": {"1100 most=9", "1200 most=9", "2000 most=9", "2050 most=9", "3100 most=7", "5000 most=6", "5999 most=6"},
		"acts tells": {
			"1100 action", "1100 publish", "1100 request", "1100 rule", "1200 publish",
			"2000 publish", "2000 request", "2050 publish", // a third of the wish's time is over
			"3100 action", "3100 publish", "3100 request", "3100 rule", // having held 3051 back
			"5000 action", "5000 publish", "5000 request", "5000 rule", "5999 publish", "5999 request", // all before had left
		},
		"raises tells": {"1100 action", "1100 rule", "3100 action", "3100 rule", "5000 action", "5000 rule"},
		"read": {
			"1000 n=1 most=1", "1100 n=2 most=9", "1200 n=3 most=9", "2000 n=3 most=9", "2050 n=4 most=9", "3051 n=1 most=1", "3100 n=2 most=7", "5000 n=1 most=6",
			"5999 n=2 most=6", "6000 n=2 most=2",
		},
	}; !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got\n%q\nexpected\n%q", got, want)
	}
	if want := map[string]string{
		"acts": `{"most":6,"n":2}`, "raises": `{"most":6,"n":2}`, "read": `{"most":2,"n":2}`, "unread": `{"most":2,"n":2}`, "each": `{"most":2,"n":1}`,
	}; !maps.Equal(last, want) {
		t.Errorf("the last results are %q, expected %q", last, want)
	}
}

// results are those of windows in a reply: window, time, and name and value of each aggregate.
func results(t *testing.T, reply []any) []string {
	t.Helper()
	var out []string
	for more := reply[3:]; len(more) > 0; more = more[3:] {
		names, packed := strings.Split(more[0].(string), "\x00"), more[2].(string)
		text := fmt.Sprintf("%s %d", names[0], more[1])
		for i, name := range names[1:] {
			text += fmt.Sprintf(" %s=%g", name, math.Float64frombits(binary.LittleEndian.Uint64([]byte(packed[8*i:]))))
		}
		out = append(out, text)
	}
	return out
}

// captures are the last results as rule_list has them.
func (s *ruleSite) captures() map[string]string {
	s.t.Helper()
	text, err := s.server.FCall(context.Background(), "rule_list", s.keys, 9000).Text()
	if err != nil {
		s.t.Fatal(err)
	}
	var list []struct{ Name, Captures string }
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		s.t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range list {
		out[r.Name] = r.Captures
	}
	return out
}
