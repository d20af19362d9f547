package lua_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// flows are one of each kind, over the point p of the device m.
const flows = `{ name = 'chain', kind = 'chain', rev = '1', dev = {1}, priority = 1, every = false, inputs = {{'m.p', 1, 1}}, nodes = {
		{ id = 't', kind = 'transform', incoming = 0, set = {{ name = 'twice', value = function() return H.mul(d1[1], 2) end }}, next = { out = {2} } },
		{ id = 'c', kind = 'condition', incoming = 1, when = function(T) return H.gt(T['twice'], 10) end, next = { ['true'] = {3}, ['false'] = {4} } },
		{ id = 'high', kind = 'action', incoming = 1, set = {{ output = 'o.x', value = function(T) return T['twice'] end }}, next = {}, effects = {{ kind = 'raise', name = 'a' }} },
		{ id = 'low', kind = 'action', incoming = 1, set = {{ output = 'o.x', constant = 0 }}, next = {} } } },
	{ name = 'window', kind = 'window', rev = '1', dev = {1}, priority = 1, inputs = {{'m.p', 1, 1}}, window = 'tumbling', size = 60000, every = 0, gap = 0, count = 0,
		count_every = 0, values = { function() return d1[1] end }, aggregates = {{ fn = 'avg', as = 'mean', of = 1 }, { fn = 'count', as = 'n' }},
		having = function(T) return H.gt(T['mean'](), 5) end, set = {} },
	{ name = 'sequence', kind = 'sequence', rev = '1', dev = {1}, priority = 1, inputs = {{'m.p', 1, 1}}, every = true, group = 1, strict = false, within = 5000,
		fields = { [1] = {{'p', 1}} }, repeated = {}, set = {},
		steps = {{ dev = 1, as = 'a', where = function() return H.gt(d1[1], 5) end }, { dev = 1, as = 'b', where = function() return H.lt(d1[1], 2) end }} },`

type explained struct {
	Steps []struct {
		Name, Kind, State string
		Values            map[string]*float64
		Until             float64 `json:"until_ms"`
	}
}

// explain gives the steps of a flow as text.
func (s *ruleSite) explain(at int64, name string) string {
	s.t.Helper()
	reply, err := s.server.FCallRO(context.Background(), "rule_trace", s.keys, at, name, "x", "", 0).Slice()
	if err != nil {
		s.t.Fatal(err)
	}
	if reply[1] != "" {
		return fmt.Sprint("failed: ", reply[1])
	}
	var e explained
	if err := json.Unmarshal([]byte(reply[0].(string)), &e); err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, x := range e.Steps {
		values, _ := json.Marshal(x.Values)
		out = append(out, fmt.Sprint(x.Name, " ", x.Kind, " ", x.State, " ", string(values), " ", x.Until))
	}
	return strings.Join(out, "\n")
}

// What a flow would do, has, or waits for is told, and nothing is changed by that.
func TestFlowsAreExplained(t *testing.T) {
	s := newRuleSite(t, flows)
	if got := s.explain(500, "chain"); got != "t transform passed {\"twice\":null} 0\nc condition unknown {} 0\nhigh action not reached null 0\nlow action not reached null 0" {
		t.Errorf("before the first frame the chain is\n%s", got)
	}
	s.frame(1000, 8)
	before, events := s.state(), s.events()
	for name, want := range map[string]string{
		"chain":    "t transform passed {\"twice\":16} 0\nc condition true {} 0\nhigh action acts {\"o.x\":16} 0\nlow action not reached null 0",
		"window":   "now tumbling has 1 frame, having is true {\"mean\":8,\"n\":1} 60000",
		"sequence": "attempt 1 attempt at step 2 of 2, b, has a null 6000\nattempt 2 attempt at step 1 of 2, a null 0",
	} {
		if got := s.explain(1500, name); got != want {
			t.Errorf("%s is\n%s\nexpected\n%s", name, got, want)
		}
	}
	if s.state() != before || fmt.Sprint(s.events()) != fmt.Sprint(events) {
		t.Error("to be asked changed something")
	}
	s.frame(2000, 1)
	for name, want := range map[string]string{
		"chain":    "t transform passed {\"twice\":2} 0\nc condition false {} 0\nhigh action not reached null 0\nlow action acts {\"o.x\":0} 0",
		"window":   "now tumbling has 2 frames, having is not true {\"mean\":4.5,\"n\":2} 60000",
		"sequence": "attempt 2 attempt at step 1 of 2, a null 0",
	} {
		if got := s.explain(2500, name); got != want {
			t.Errorf("then %s is\n%s\nexpected\n%s", name, got, want)
		}
	}
}

// Flows are evaluated to be timed, and do nothing.
func TestFlowsAreMeasured(t *testing.T) {
	s := newRuleSite(t, flows)
	s.frame(1000, 8)
	before, events := s.state(), fmt.Sprint(s.events())
	for _, name := range []string{"chain", "window", "sequence"} {
		if got, err := s.server.FCallRO(context.Background(), "rule_measure", s.keys, 1500, name, 50).Text(); err != nil || got != "50" {
			t.Errorf("%s was evaluated %s times, %v", name, got, err)
		}
	}
	if s.state() != before || fmt.Sprint(s.events()) != events {
		t.Error("to be measured changed something")
	}
	s.frame(2000, 1)
	if got, want := s.explain(2500, "window"), "now tumbling has 2 frames, having is not true {\"mean\":4.5,\"n\":2} 60000"; got != want {
		t.Errorf("then the window is\n%s\nexpected\n%s", got, want)
	}
}

// Rules in trouble are counted, and those that are parked are named.
func TestRulesInTroubleAreCounted(t *testing.T) {
	bad := func(name, calls string) string {
		return fmt.Sprintf(`{ name = '%s', rev = '1', dev = {1}, when = function() return d1[1] > 5 and nothing.there end,
			on = 'while', initial = 'arm', unknown = 'hold', priority = 1, inputs = {}, set = {}, %s },`, name, calls)
	}
	s := newRuleSite(t, bad("a", "")+bad("off", "disabled = true")+flows)
	metrics := func(at int64) string {
		t.Helper()
		text, err := s.server.FCallRO(context.Background(), "rule_metrics", s.keys, at).Text()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	s.frame(1000, 3)
	if got := metrics(1000); got != `{"disabled":1,"failing":0,"names":[],"parked":0,"rules":5}` {
		t.Errorf("at first %s", got)
	}
	s.frame(2000, 9)
	if got := metrics(2000); got != `{"disabled":1,"failing":1,"names":[],"parked":0,"rules":5}` {
		t.Errorf("after an error %s", got)
	}
	for i := range 12 {
		s.frame(int64(i+3)*1000, 9)
	}
	if got := metrics(20_000); got != `{"disabled":1,"failing":0,"names":["a"],"parked":1,"rules":5}` {
		t.Errorf("after many %s", got)
	}
}

// state is all that the library keeps.
func (s *ruleSite) state() string {
	s.t.Helper()
	fields, err := s.server.HGetAll(context.Background(), s.keys[2]).Result()
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprint(fields)
}
