package lua_test

import (
	"fmt"
	"strings"
	"testing"
)

// called is a chain that publishes when it is called, and calls others.
func called(name string, disabled bool, calls ...string) string {
	effects := "{kind='publish', name='" + name + "', fields={{name='p', value=function() return d1[1] end}}}"
	for _, c := range calls {
		effects += ", {kind='call', name='" + c + "'}"
	}
	return fmt.Sprintf(`{ name = '%s', kind = 'chain', rev = '1', dev = {1}, called = true, disabled = %t, priority = 1, every = false, inputs = {{'m.p', 1, 1}},
		nodes = {{ id = 'a', kind = 'action', incoming = 0, set = {}, next = {}, effects = {%s} }} },`, name, disabled, effects)
}

// calling is a rule that calls chains at each rise above 5.
func calling(name string, calls ...string) string {
	var effects []string
	for _, c := range calls {
		effects = append(effects, "{kind='call', name='"+c+"'}")
	}
	return fmt.Sprintf(`{ name = '%s', rev = '1', dev = {1}, when = function() return H.gt(d1[1], 5) end, on = 'rising', initial = 'arm', unknown = 'hold',
		priority = 1, inputs = {{'m.p', 1, 1}}, set = {}, effects = {%s} },`, name, strings.Join(effects, ", "))
}

// Who is called runs behind its caller and before the next rule, once for each call, and not at frames.
func TestChainsAreCalled(t *testing.T) {
	s := newRuleSite(t, calling("first", "x", "y", "x")+calling("second", "y")+called("x", false, "z")+called("y", false)+called("z", false))
	s.frame(1000, 1)
	s.frame(2000, 9)
	s.frame(3000, 9)
	got := strings.Join(s.events(), ", ")
	const want = "2000 first fired, 2000 x fired, 2000 x <nil>, 2000 y fired, 2000 y <nil>, 2000 x fired, 2000 x <nil>, 2000 z fired, 2000 z <nil>, 2000 z fired, 2000 z <nil>, " +
		"2000 second fired, 2000 y fired, 2000 y <nil>"
	if got != want {
		t.Errorf("the events are\n%s\nexpected\n%s", got, want)
	}
	if r := s.standing(3000, "x"); r.Evaluations != 2 || r.Fires != 2 {
		t.Errorf("x is %+v", r)
	}
	if r := s.standing(3000, "z"); r.Evaluations != 2 {
		t.Errorf("z is %+v", r)
	}
	// Another program in between takes no counts.
	s.program(calling("first", "x", "y", "x") + calling("second", "y") + called("x", false, "z") + called("y", false) + called("z", false) + called("w", false))
	if r := s.standing(3000, "z"); r.Evaluations != 2 || r.Fires != 2 {
		t.Errorf("with another program z is %+v", r)
	}
}

// A call of a chain that does not run is an error of the caller, and costs nobody else anything.
func TestACallOfADisabledChainIsAnError(t *testing.T) {
	s := newRuleSite(t, calling("rule", "off", "on", "gone")+called("off", true)+called("on", false))
	s.frame(1000, 1)
	s.frame(2000, 9)
	if got := strings.Join(s.events(), ", "); got != "2000 rule fired, 2000 rule error, 2000 on fired, 2000 on <nil>, 2000 rule error" {
		t.Errorf("the events are %s", got)
	}
	if r := s.standing(2000, "rule"); r.Errors != 2 || !strings.Contains(r.Problem, "the chain gone, which it calls, is not there") || r.Parked {
		t.Errorf("the caller is %+v", r)
	}
	// A program that was not checked: what calls without an end is bounded.
	s.program(calling("rule", "a") + called("a", false, "b", "b") + called("b", false, "a", "a"))
	s.frame(3000, 1)
	s.frame(4000, 9)
	r := s.standing(4000, "a")
	if b := s.standing(4000, "b"); r.Fires+b.Fires != 1000 || r.Errors+b.Errors != 1 {
		t.Errorf("calls without an end: %+v and %+v", r, b)
	}
}
