package store

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Rule is a rule's state, with what its condition says now.
type Rule struct {
	Name string
	// Verdict of the condition on the newest frames, and State that the rule is in: true, false or unknown.
	Verdict, State string
	// Due is the end of for or keep_for; zero: none runs.
	Due time.Time
	// Evaluations and what came of them.
	Evaluations, Fires, Unknowns, Errors uint64
	LastFire                             time.Time
	Inputs                               []RuleInput
}

// RuleInput is a value that a rule's condition reads.
type RuleInput struct {
	Name string
	// Value as text, empty while it is unknown.
	Value string
	// Age of the frame that it is from; negative: there was none.
	Age time.Duration
}

// EvaluateRule looks at a rule and changes nothing.
func (s *Store) EvaluateRule(ctx context.Context, name string) (Rule, error) {
	const head = 8
	reply, err := s.CallRO(ctx, "rule_evaluate_conditions", s.now(), name)
	if err != nil {
		return Rule{}, err
	}
	f, err := texts(reply, head)
	if err != nil {
		return Rule{}, fmt.Errorf("rule_evaluate_conditions: %w", err)
	}
	r := Rule{
		Name: name, Verdict: f[0], State: f[1], Due: instant(f[2]),
		Evaluations: count(f[3]), Fires: count(f[4]), Unknowns: count(f[5]), Errors: count(f[6]), LastFire: instant(f[7]),
	}
	for i := head; i+2 < len(f); i += 3 {
		in := RuleInput{Name: f[i], Value: f[i+1], Age: -1}
		if ms, err := strconv.ParseFloat(f[i+2], 64); err == nil {
			in.Age = time.Duration(ms * float64(time.Millisecond))
		}
		r.Inputs = append(r.Inputs, in)
	}
	return r, nil
}

// ExecuteRule evaluates a rule and acts, as if a frame had come. It gives the verdict.
func (s *Store) ExecuteRule(ctx context.Context, name string) (string, error) {
	reply, err := s.Call(ctx, "rule_execute", s.now(), name)
	if err != nil {
		return "", err
	}
	f, err := texts(reply, 1)
	if err != nil {
		return "", fmt.Errorf("rule_execute: %w", err)
	}
	return f[0], nil
}

// instant is a time in ms as text, zero when there is none.
func instant(text string) time.Time {
	ms, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

func count(text string) uint64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return uint64(f)
}
