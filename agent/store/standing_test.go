package store

import (
	"errors"
	"testing"

	"github.com/voltage-edge/voltage/lua"
)

// ruled is a store whose rules are one rule, evaluated on a.x = 90.
func ruled(t *testing.T, when string) (*Store, int64) {
	t.Helper()
	s := open(t, options(t))
	for _, name := range order {
		lib, err := lua.Bundle(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Load(deadline(t), lib); err != nil {
			t.Fatal(err)
		}
	}
	p := programs("1", "")
	p.Rules.Chunks[0] = p.Rules.Chunks[0][:len(p.Rules.Chunks[0])-len("{ name = 'seen' }, }")] + withRule("1", when) + " }"
	if err := s.LoadPrograms(deadline(t), p); err != nil {
		t.Fatal(err)
	}
	now := s.millis()
	apply(t, s, now, builders{}.frame(t, "a", now, 90))
	return s, now
}

func TestARulesStanding(t *testing.T) {
	s, _ := ruled(t, "return H.gt(D[1][1], 80)")
	list, err := s.RuleList(deadline(t))
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	r := list[0]
	if r.Name != "peak" || r.Kind != "rule" || r.Verdict != "true" || r.State != "true" || !r.Acting || r.Fires != 1 || r.Evaluations != 1 || r.Why != "a.x=90" {
		t.Errorf("the rule is %+v", r)
	}
	if len(r.Requests) != 1 || r.Requests[0].Output != "a.x" || r.Requests[0].Value != 5 || r.Requests[0].TTL != 30000 {
		t.Errorf("its requests are %+v", r.Requests)
	}
	var refusal *Refusal
	if _, err := s.RuleList(deadline(t), "paek"); !errors.As(err, &refusal) || refusal.Code != "NOTFOUND" {
		t.Errorf("an unknown rule: %v", err)
	}
	if err := s.UnparkRule(deadline(t), "peak", "test"); !errors.As(err, &refusal) || refusal.Code != "not_parked" {
		t.Errorf("a rule that is not parked: %v", err)
	}
}

// A rule that costs more is seen to cost more, and a look changes nothing.
func TestRulesAreTimed(t *testing.T) {
	s, _ := ruled(t, "local x = 0 for i = 1, 2000 do x = x + i end return H.gt(D[1][1], 80 + 0 * x)")
	timings := []Timing{{Name: "peak", Times: 20}, {Name: "gone", Times: 20}}
	if err := s.MeasureRules(deadline(t), timings); err != nil {
		t.Fatal(err)
	}
	// 2,000 additions take a few µs on any machine, and not a second.
	if us := timings[0].Each.Microseconds(); us < 1 || us > 1e6 {
		t.Errorf("an evaluation takes %v", timings[0].Each)
	}
	if timings[1].Each >= 0 {
		t.Errorf("a rule that there is not takes %v", timings[1].Each)
	}
	list, err := s.RuleList(deadline(t))
	if err != nil || list[0].Evaluations != 1 || list[0].Fires != 1 {
		t.Errorf("after it the rule is %+v, %v", list, err)
	}
}

func TestATraceTakesARuleApart(t *testing.T) {
	s, _ := ruled(t, "return H.gt(D[1][1], 80)")
	got, err := s.TraceRule(deadline(t), "peak", "1", "V[1] = D[1][1] V[2] = H.gt(V[1], 80) V[3] = D[2][1] V[4] = H.add(V[3], 1)", 4)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Values) != 4 || got.Values[0] != "90" || got.Values[1] != "true" || got.Values[2] != "" || got.Values[3] != "" || got.Failed != "" {
		t.Errorf("the values are %q, %q", got.Values, got.Failed)
	}
	if len(got.Inputs) != 1 || got.Inputs[0].Name != "a.x" || got.Inputs[0].Value != "90" || got.Inputs[0].Quality != "good" || got.Inputs[0].Age < 0 {
		t.Errorf("the inputs are %+v", got.Inputs)
	}
	if got, err := s.TraceRule(deadline(t), "peak", "1", "V[1] = 1 V[2] = nothing.there V[3] = 3", 3); err != nil || got.Failed == "" || got.Values[0] != "1" || got.Values[2] != "" {
		t.Errorf("a part that fails: %+v, %v", got, err)
	}
	var refusal *Refusal
	if _, err := s.TraceRule(deadline(t), "peak", "2", "", 0); !errors.As(err, &refusal) || refusal.Code != "STALE" {
		t.Errorf("parts of another program: %v", err)
	}
}
