package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/store"
)

// Rules lists the rules and what they did.
func (a *Agent) Rules(ctx context.Context) ([]api.Rule, error) {
	list, err := a.store.RuleList(ctx)
	if err != nil {
		return nil, fromStore(err)
	}
	out := make([]api.Rule, len(list))
	for i, r := range list {
		out[i] = a.apiRule(r)
	}
	return out, nil
}

// rule is one of them.
func (a *Agent) rule(ctx context.Context, name string) (api.Rule, error) {
	list, err := a.store.RuleList(ctx, name)
	if err != nil {
		return api.Rule{}, fromStore(err)
	}
	if len(list) != 1 {
		return api.Rule{}, fmt.Errorf("rule_list answers with %d rules, expected one", len(list))
	}
	return a.apiRule(list[0]), nil
}

func (a *Agent) apiRule(r store.Standing) api.Rule {
	x := api.Rule{
		Name: r.Name, Kind: r.Kind, Enabled: !r.Disabled, Verdict: r.Verdict, State: ruleState(r),
		Evaluations: uint64(r.Evaluations), Fires: uint64(r.Fires), Unknowns: uint64(r.Unknowns), Errors: uint64(r.Errors),
		LastFire: ruleTime(r.Fired), Why: r.Why, Error: r.Problem,
	}
	s := a.current()
	if rule := s.Rule(r.Name); rule != nil {
		x.Stored = a.ruleFiles.hold(written(rule))
	} else if flow := s.Flow(r.Name); flow != nil {
		x.Stored = a.ruleFiles.hold(flow.Place())
	}
	x.Switched = s.Switched(r.Name)
	x.Time = a.times.of(r.Name, x.Evaluations)
	return x
}

// ruleState is a rule's state in a word.
func ruleState(r store.Standing) string {
	switch {
	case r.Disabled:
		return "disabled"
	case r.Parked:
		return "parked"
	case r.State == "true":
		return "active"
	case r.ForUntil > 0:
		return "waiting"
	}
	return "idle"
}

// ruleTime is a time of the library, zero when there is none.
func ruleTime(ms float64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// UnparkRule lets a rule that failed too often try again.
func (a *Agent) UnparkRule(ctx context.Context, name, by string) (api.Rule, error) {
	if err := a.store.UnparkRule(ctx, name, by); err != nil {
		return api.Rule{}, fromStore(err)
	}
	return a.rule(ctx, name)
}
