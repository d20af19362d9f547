package daemon

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
)

// maxExplained bounds the rules that are kept taken apart.
const maxExplained = 100

// explained keeps the rules of one site that were taken apart: whoever follows a rule asks for it again and again.
type explained struct {
	mu     sync.Mutex
	site   *site.Site
	traces map[string]*compile.Trace
}

// of takes a rule apart; false when it has no expressions of that kind, as a flow has not.
func (e *explained) of(s *site.Site, name string) (*compile.Trace, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.site != s || len(e.traces) >= maxExplained {
		e.site, e.traces = s, map[string]*compile.Trace{}
	}
	if t, ok := e.traces[name]; ok {
		return t, true
	}
	t, ok := compile.Explain(s, name)
	if ok {
		e.traces[name] = t
	}
	return t, ok
}

// TraceRule says why a rule acts or does not, and changes nothing.
func (a *Agent) TraceRule(ctx context.Context, name string) (api.RuleTrace, error) {
	const tries = 3
	for try := 1; ; try++ {
		t, err := a.traceRule(ctx, name)
		var refusal *store.Refusal
		if errors.As(err, &refusal) && refusal.Code == "STALE" && try < tries {
			// The site is being replaced: its new program came between.
			select {
			case <-ctx.Done():
				return api.RuleTrace{}, ctx.Err()
			case <-time.After(100 * time.Millisecond):
				continue
			}
		}
		if err != nil {
			return api.RuleTrace{}, fromStore(err)
		}
		return t, nil
	}
}

func (a *Agent) traceRule(ctx context.Context, name string) (api.RuleTrace, error) {
	a.mu.RLock()
	s, programs := a.site, a.programs
	a.mu.RUnlock()
	parts, ok := a.explained.of(s, name)
	if !ok {
		parts = &compile.Trace{Program: programs.Rules.Revision}
	}
	seen, err := a.store.TraceRule(ctx, name, parts.Program, parts.Chunk, parts.N)
	if err != nil {
		return api.RuleTrace{}, err
	}
	v := &view{rule: s.Rule(name), seen: seen, now: time.Now(), expressions: map[string]*evaluated{}}
	t := api.RuleTrace{
		Rule: a.apiRule(seen.Standing), Now: v.now.UTC(), Expressions: []api.TracedExpression{}, Inputs: []api.TracedInput{},
		Timing: []api.TracedTiming{}, Steps: []api.TracedStep{}, Requests: []api.RuleRequest{},
	}
	for _, e := range parts.Expressions {
		out := &evaluated{TracedExpression: api.TracedExpression{Name: e.Name, File: e.File, Line: e.Line}, source: e.Parts}
		for _, p := range e.Parts {
			out.Parts = append(out.Parts, api.TracedPart{Text: p.Text, Level: p.Level, Value: tracedValue(seen.Values[p.Value-1]), Unit: p.Unit})
		}
		v.expressions[e.Name] = out
		t.Expressions = append(t.Expressions, out.TracedExpression)
	}
	for _, in := range seen.Inputs {
		t.Inputs = append(t.Inputs, v.input(s, in))
	}
	v.inputs = t.Inputs
	for _, x := range seen.Steps {
		t.Steps = append(t.Steps, api.TracedStep{Name: x.Name, Kind: x.Kind, State: x.State, Values: x.Values, Until: ruleTime(x.Until)})
	}
	t.Requests = append(t.Requests, v.requests(s)...)
	t.Timing = append(t.Timing, v.timing()...)
	t.Conclusion = v.conclusion()
	return t, nil
}

// tracedValue reads a value of rule_trace: a number, true, false, or nil for unknown.
func tracedValue(text string) any {
	switch text {
	case "":
		return nil
	case "true", "false":
		return text == "true"
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil
	}
	return v
}

// view is a rule that is looked at.
type view struct {
	rule        *site.Rule // nil: a flow
	seen        store.RuleTrace
	now         time.Time
	inputs      []api.TracedInput
	expressions map[string]*evaluated
}

// evaluated is an expression with its values.
type evaluated struct {
	api.TracedExpression
	source []compile.TracedPart
}

func (v *view) input(s *site.Site, in store.TraceInput) api.TracedInput {
	out := api.TracedInput{Name: in.Name, Quality: in.Quality}
	if x, ok := tracedValue(in.Value).(float64); ok {
		out.Value = &x
	}
	if in.Age >= 0 {
		ms := float64(in.Age) / float64(time.Millisecond)
		out.AgeMS = &ms
	}
	if p := s.Point(in.Name); p != nil {
		out.Unit = p.Unit
	}
	return out
}

func (v *view) requests(s *site.Site) []api.RuleRequest {
	var out []api.RuleRequest
	for _, w := range v.seen.Requests {
		r := api.RuleRequest{Output: w.Output, Value: w.Value, Priority: int(w.Priority), Since: ruleTime(w.At)}
		if w.TTL > 0 {
			r.Expires = ruleTime(w.At + w.TTL)
		}
		if p := s.Point(w.Output); p != nil {
			r.Unit = p.Unit
		}
		out = append(out, r)
	}
	return out
}

// timing lists the settings that the rule has, and how each stands.
func (v *view) timing() []api.TracedTiming {
	r := v.rule
	if r == nil {
		return nil
	}
	out := []api.TracedTiming{{Setting: "on = " + or(r.On, "while"), State: v.edge()}}
	add := func(setting, runs, rests string, until float64) {
		t := api.TracedTiming{Setting: setting, State: rests}
		if until > 0 {
			t.State, t.Until = fmt.Sprintf("%s, %s to go", runs, v.left(until)), ruleTime(until)
		}
		out = append(out, t)
	}
	if r.For > 0 {
		add("for = "+brief(r.For), "the condition is true for "+v.gone(r.For, v.seen.ForUntil), "does not run", v.seen.ForUntil)
	}
	if r.KeepFor > 0 {
		add("keep_for = "+brief(r.KeepFor), "the condition is false for "+v.gone(r.KeepFor, v.seen.KeepUntil), "does not run", v.seen.KeepUntil)
	}
	if h := r.Hysteresis; h != nil {
		add(fmt.Sprintf("hysteresis = on %s, off %s", amount(h.On), amount(h.Off)), "", "stands at "+v.seen.Verdict, 0)
	}
	if r.Cooldown > 0 {
		add("cooldown = "+brief(r.Cooldown), "no firing meanwhile", "does not run", v.seen.CooldownUntil)
	}
	if t := r.Throttle; t != nil {
		add(fmt.Sprintf("throttle = %d in %s", t.Count, brief(t.Per)), "used up", "lets the next firing through", v.seen.ThrottleUntil)
	}
	return out
}

// edge says what state the rule is in.
func (v *view) edge() string {
	switch {
	case v.seen.Disabled || v.seen.Parked:
		return "is not evaluated"
	case v.seen.State == "unknown":
		return "no state yet: the condition was never known"
	}
	return "the state is " + v.seen.State
}

// left is the time from now until ms, and gone what has passed of a span that ends then.
func (v *view) left(until float64) string { return brief(max(ruleTime(until).Sub(v.now), 0)) }

func (v *view) gone(span time.Duration, until float64) string {
	return brief(min(max(span-ruleTime(until).Sub(v.now), 0), span))
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
