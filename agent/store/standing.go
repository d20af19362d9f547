package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Standing is how a rule does, as the library tells it. Times are ms since the Unix epoch, 0 when there is none.
type Standing struct {
	Name string `json:"name"`
	// Kind is rule, or that of a flow.
	Kind     string `json:"kind"`
	Rev      string `json:"rev"`
	Disabled bool   `json:"disabled"`
	Parked   bool   `json:"parked"`
	// Run is how many errors it had in a row.
	Run int `json:"run"`
	// Verdict of the condition on the newest frames, and State that the rule is in: true, false or unknown.
	Verdict string `json:"verdict"`
	State   string `json:"state"`
	// Acting: its requests stand, or are renewed, while the state lasts.
	Acting        bool    `json:"acting"`
	ForUntil      float64 `json:"for_until"`
	KeepUntil     float64 `json:"keep_until"`
	CooldownUntil float64 `json:"cooldown_until"`
	ThrottleUntil float64 `json:"throttle_until"`
	Evaluations   float64 `json:"evaluations"`
	Fires         float64 `json:"fires"`
	Unknowns      float64 `json:"unknowns"`
	Errors        float64 `json:"errors"`
	Fired         float64 `json:"fired"`
	// Why are the inputs of the last firing.
	Why     string `json:"why"`
	Problem string `json:"problem"`
	// Captures are the aggregates that a window put out last, by name, as JSON.
	Captures string `json:"captures"`
	// Requests that it holds.
	Requests []Wish `json:"requests"`
	// Steps of a flow that is traced.
	Steps []FlowStep `json:"steps"`
}

// FlowStep is a node of a chain, what a window holds, or an attempt of a sequence.
type FlowStep struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	State string `json:"state"`
	// Values by name; null: unknown.
	Values map[string]*float64 `json:"values"`
	// Until is when a wait ends, in ms; 0: none runs.
	Until float64 `json:"until_ms"`
}

// Wish is a request that a rule holds.
type Wish struct {
	Output   string  `json:"output"`
	Value    float64 `json:"value"`
	Priority float64 `json:"priority"`
	At       float64 `json:"at"`
	TTL      float64 `json:"ttl"` // ms; 0: for ever
	Why      string  `json:"why"`
}

// RuleList says how rules do, in the order of the program; no name: all.
func (s *Store) RuleList(ctx context.Context, names ...string) ([]Standing, error) {
	var list []Standing
	err := s.callJSON(ctx, &list, "CallRO", "rule_list", append([]string{s.now()}, names...)...)
	return list, err
}

// UnparkRule lets a rule that failed too often try again.
func (s *Store) UnparkRule(ctx context.Context, name, by string) error {
	_, err := s.Call(ctx, "rule_unpark", s.now(), name, by)
	return err
}

// RuleMetrics counts the rules and flows that are in trouble.
type RuleMetrics struct {
	Rules    int `json:"rules"`
	Disabled int `json:"disabled"`
	// Failing at their last evaluation, Parked after too many errors; Names of the first of these.
	Failing int      `json:"failing"`
	Parked  int      `json:"parked"`
	Names   []string `json:"names"`
}

// RuleMetrics asks for the figures of all rules and flows.
func (s *Store) RuleMetrics(ctx context.Context) (RuleMetrics, error) {
	var m RuleMetrics
	err := s.callJSON(ctx, &m, "CallRO", "rule_metrics", s.now())
	return m, err
}

// RuleTrace is a rule taken apart.
type RuleTrace struct {
	Standing
	// Failed says why the parts could not all be evaluated; empty: they could.
	Failed string
	// Values of the parts: a number, true, false, or empty for unknown.
	Values []string
	Inputs []TraceInput
}

// TraceInput is a value that a rule reads.
type TraceInput struct {
	RuleInput
	Quality string
}

// TraceRule evaluates parts of a rule's expressions, a chunk made for the program of that revision, and changes nothing.
func (s *Store) TraceRule(ctx context.Context, name, revision, chunk string, n int) (RuleTrace, error) {
	reply, err := s.CallRO(ctx, "rule_trace", s.now(), name, revision, chunk, strconv.Itoa(n))
	if err != nil {
		return RuleTrace{}, err
	}
	f, err := texts(reply, 2+n)
	if err != nil {
		return RuleTrace{}, fmt.Errorf("rule_trace: %w", err)
	}
	t := RuleTrace{Failed: f[1], Values: f[2 : 2+n]}
	if err := json.Unmarshal([]byte(f[0]), &t.Standing); err != nil {
		return RuleTrace{}, fmt.Errorf("the answer of rule_trace: %w", err)
	}
	for i := 2 + n; i+3 < len(f); i += 4 {
		in := TraceInput{RuleInput: RuleInput{Name: f[i], Value: f[i+1], Age: -1}, Quality: f[i+3]}
		if ms, err := strconv.ParseFloat(f[i+2], 64); err == nil {
			in.Age = time.Duration(ms * float64(time.Millisecond))
		}
		t.Inputs = append(t.Inputs, in)
	}
	return t, nil
}
