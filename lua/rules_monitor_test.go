package lua_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
)

// standing is what rule_list says of a rule, in part.
type standing struct {
	Name, Verdict, State, Problem, Why string
	Parked, Acting                     bool
	Run                                int
	Errors, Fires, Evaluations         float64
	ForUntil                           float64 `json:"for_until"`
	CooldownUntil                      float64 `json:"cooldown_until"`
	ThrottleUntil                      float64 `json:"throttle_until"`
}

func (s *ruleSite) standing(at int64, name string) standing {
	s.t.Helper()
	text, err := s.server.FCall(context.Background(), "rule_list", s.keys, at, name).Text()
	if err != nil {
		s.t.Fatal(err)
	}
	var list []standing
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) != 1 {
		s.t.Fatalf("%s: %v", text, err)
	}
	return list[0]
}

// A rule that was parked works again after an unpark, also when the library lost what it remembered in between.
func TestAParkedRuleIsUnparked(t *testing.T) {
	s := newRuleSite(t, `{ name = 'bad', rev = '1', dev = {1}, when = function() return d1[1] > 5 and nothing.there end,
		on = 'while', initial = 'arm', unknown = 'hold', priority = 1, inputs = {{'m.p', 1, 1}}, set = {} },`)
	for i := range 10 {
		s.frame(int64(i+1)*1000, 9)
	}
	r := s.standing(11000, "bad")
	if !r.Parked || r.Run != 10 || r.Errors != 10 || !strings.Contains(r.Problem, "nothing") {
		t.Fatalf("the rule is %+v", r)
	}
	s.server.Incr(context.Background(), s.keys[0])
	if err := s.server.FCall(context.Background(), "rule_unpark", s.keys, 11000, "bad", "anna").Err(); err != nil {
		t.Fatal(err)
	}
	if r = s.standing(11000, "bad"); r.Parked || r.Run != 0 || r.Errors != 10 {
		t.Errorf("unparked, it is %+v", r)
	}
	s.server.Incr(context.Background(), s.keys[0])
	s.frame(12000, 3) // nothing is wrong below 5
	s.frame(13000, 9)
	if r = s.standing(13000, "bad"); r.Parked || r.Run != 1 || r.Errors != 11 {
		t.Errorf("evaluated again, it is %+v", r)
	}
	last := s.events()
	if got := strings.Join(last[len(last)-2:], "; "); got != "11000 bad unparked; 13000 bad error" {
		t.Errorf("the last events are %s", got)
	}
	err := s.server.FCall(context.Background(), "rule_unpark", s.keys, 13000, "bad", "").Err()
	if err == nil || !strings.HasPrefix(err.Error(), "not_parked ") {
		t.Errorf("unparked once more: %v", err)
	}
}

// What holds a rule back is told with its end.
func TestWhatARuleWaitsFor(t *testing.T) {
	s := newRuleSite(t, `{ name = 'edge', rev = '1', dev = {1}, when = function() return H.gt(d1[1], 5) end, on = 'rising', initial = 'arm',
		unknown = 'hold', cooldown_ms = 5000, throttle = { count = 2, per_ms = 60000 }, priority = 1, inputs = {{'m.p', 1, 1}}, set = {} },
	{ name = 'slow', rev = '1', dev = {1}, when = function() return H.gt(d1[1], 5) end, on = 'while', initial = 'arm', for_ms = 3000,
		unknown = 'hold', priority = 1, inputs = {{'m.p', 1, 1}}, set = {} },`)
	s.frame(1000, 1)
	s.frame(2000, 9)
	if r := s.standing(2500, "edge"); r.CooldownUntil != 7000 || r.ThrottleUntil != 0 || r.Fires != 1 || r.Why != "m.p=9" {
		t.Errorf("after one firing: %+v", r)
	}
	if r := s.standing(2500, "slow"); r.ForUntil != 5000 || r.State != "false" || r.Verdict != "true" || r.Acting {
		t.Errorf("before its time: %+v", r)
	}
	s.frame(8000, 1)
	s.frame(9000, 9)
	if r := s.standing(9500, "edge"); r.CooldownUntil != 14000 || r.ThrottleUntil != 62000 || r.Fires != 2 {
		t.Errorf("after two: %+v", r)
	}
	if r := s.standing(70000, "edge"); r.CooldownUntil != 0 || r.ThrottleUntil != 0 {
		t.Errorf("long after: %+v", r)
	}
}

// Evaluations are counted while a rule is evaluated, not while it is parked or disabled; and asking for a rule that is not there, or
// with a program that is gone, loses none.
func TestEvaluationsAreCounted(t *testing.T) {
	s := newRuleSite(t, `{ name = 'bad', rev = '1', dev = {1}, when = function() return d1[1] > 5 and nothing.there end,
		on = 'while', initial = 'arm', unknown = 'hold', priority = 1, inputs = {{'m.p', 1, 1}}, set = {} },
	{ name = 'good', rev = '1', dev = {1}, when = function() return H.gt(d1[1], 100) end,
		on = 'while', initial = 'arm', unknown = 'hold', priority = 1, inputs = {{'m.p', 1, 1}}, set = {} },
	{ name = 'off', rev = '1', dev = {1}, when = function() return H.gt(d1[1], 5) end, disabled = true,
		on = 'while', initial = 'arm', unknown = 'hold', priority = 1, inputs = {{'m.p', 1, 1}}, set = {} },`)
	want := func(at int64, bad, good float64) {
		t.Helper()
		if b, g, off := s.standing(at, "bad"), s.standing(at, "good"), s.standing(at, "off"); b.Evaluations != bad || g.Evaluations != good || off.Evaluations != 0 {
			t.Errorf("at %d: %v, %v and %v evaluations, expected %v, %v and none", at, b.Evaluations, g.Evaluations, off.Evaluations, bad, good)
		}
	}
	for i := range 14 {
		s.frame(int64(i+1)*1000, 9)
	}
	want(15000, 10, 14)
	ctx := context.Background()
	for _, args := range [][]any{
		{"rule_list", 15000, "goood"}, {"rule_trace", 15000, "goood", "y", "", 0}, {"rule_trace", 15000, "good", "y", "", 0},
	} {
		if err := s.server.FCall(ctx, args[0].(string), s.keys, args[1:]...).Err(); err == nil {
			t.Errorf("%v is answered", args)
		}
	}
	want(15000, 10, 14)
	if err := s.server.FCall(ctx, "rule_unpark", s.keys, 15000, "bad", "anna").Err(); err != nil {
		t.Fatal(err)
	}
	want(15000, 10, 14)
	s.frame(16000, 3)
	s.frame(17000, 3)
	want(17000, 12, 16)
}

// Another rule in the program takes nothing from the counters of those that stay.
func TestCountersOutliveAnotherProgram(t *testing.T) {
	const kept = `{ name = 'kept', rev = '1', dev = {1}, when = function() return H.gt(d1[1], 5) end, on = 'while', initial = 'arm',
		unknown = 'hold', priority = 1, inputs = {{'m.p', 1, 1}}, set = {} },`
	changing := func(rev string) string {
		return strings.ReplaceAll(strings.ReplaceAll(kept, "kept", "other"), "rev = '1'", "rev = '"+rev+"'")
	}
	s := newRuleSite(t, kept+changing("1"))
	for i := range 7 {
		s.frame(int64(i+1)*1000, 9)
	}
	before := s.standing(7000, "kept")
	s.program(kept + changing("2"))
	if r := s.standing(7000, "kept"); r.Evaluations != 7 || r.Fires != before.Fires {
		t.Errorf("the rule that stayed is %+v, and was %+v", r, before)
	}
	if r := s.standing(7000, "other"); r.Evaluations != 0 || r.Fires != 0 {
		t.Errorf("the rule that changed is %+v", r)
	}
	s.frame(8000, 9)
	if r := s.standing(8000, "kept"); r.Evaluations != 8 {
		t.Errorf("then the rule that stayed is %+v", r)
	}
}
