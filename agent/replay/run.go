package replay

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/spelling"
	"github.com/voltage-edge/voltage/agent/store"
)

// scenarioStart is the clock at the beginning of a scenario that says nothing of it: noon, UTC, of a Monday.
var scenarioStart = time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC).UnixMilli()

// Failure is an expectation that was not met.
type Failure struct {
	// Place is file:line, and At the time in the scenario.
	Place string `json:"place"`
	At    string `json:"at"`
	Text  string `json:"text"`
	// Why is what the site saw.
	Why string `json:"why,omitempty"`
}

// RunScenario runs a scenario on a checked site. An error says that it could not be run.
func RunScenario(ctx context.Context, sc Scenario, s *site.Site, programs *compile.Programs) ([]Failure, error) {
	e, err := Open(ctx, Options{Site: s, Programs: programs, Start: sc.Start})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	plant, err := NewPlant(e, s)
	if err != nil {
		return nil, err
	}
	r := &run{site: s, engine: e, plant: plant, start: sc.Start, before: sc.Start - 1}
	for _, step := range sc.Steps {
		if err := r.step(ctx, step); err != nil {
			return r.failures, err
		}
	}
	return r.failures, nil
}

// run is a scenario under way.
type run struct {
	site   *site.Site
	engine *Engine
	plant  *Plant
	start  int64
	at     time.Duration
	// before is the clock of the step before; less than the start: this is the first.
	before   int64
	failures []Failure
}

func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

func number(e Entry) float64 {
	f, _ := e.Value.AsBigFloat().Float64()
	return f
}

func (r *run) step(ctx context.Context, s Step) error {
	r.at = s.At
	t := r.start + s.At.Milliseconds()
	if err := r.plant.Before(ctx, t); err != nil {
		return fmt.Errorf("%s: %w", place(s.Range), err)
	}
	for _, e := range s.Set {
		if err := r.plant.Set(e.Name, number(e)); err != nil {
			return fmt.Errorf("%s: %w", place(e.Range), err)
		}
	}
	for _, e := range s.Bad {
		if err := r.plant.Lose(e.Name); err != nil {
			return fmt.Errorf("%s: %w", place(e.Range), err)
		}
	}
	for _, e := range s.Silent {
		if err := r.plant.Silence(e.Name, true); err != nil {
			return fmt.Errorf("%s: %w", place(e.Range), err)
		}
	}
	for _, e := range s.Answers {
		if err := r.plant.Silence(e.Name, false); err != nil {
			return fmt.Errorf("%s: %w", place(e.Range), err)
		}
	}
	if err := r.plant.Run(ctx, t); err != nil {
		return fmt.Errorf("%s: %w", place(s.Range), err)
	}
	if err := r.people(ctx, s); err != nil {
		return err
	}
	for _, e := range s.Expect {
		if err := r.expect(ctx, e); err != nil {
			return err
		}
	}
	r.before = t
	return nil
}

// people does what they ask for at a step. What a library refuses is a failure.
func (r *run) people(ctx context.Context, s Step) error {
	took := func(at hcl.Range, what string, err error) error {
		if err == nil {
			err = r.engine.instant(ctx, r.engine.Now(), nil)
		}
		if refused(err) {
			r.fail(Entry{Range: at}, "", "%s is refused: %s", what, err)
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", place(at), err)
		}
		return nil
	}
	for _, x := range s.Requests {
		_, err := r.engine.store.SetValue(ctx, x.SetRequest)
		if err := took(x.Range, "the request for "+x.Name, err); err != nil {
			return err
		}
	}
	for _, x := range s.Commands {
		_, err := r.engine.store.AlarmCommand(ctx, x.AlarmCommand)
		if err := took(x.Range, x.Command+" of alarm "+x.Name, err); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) fail(e Entry, why, format string, args ...any) {
	r.failures = append(r.failures, Failure{Place: place(e.Range), At: r.at.String(), Text: fmt.Sprintf(format, args...), Why: why})
}

func (r *run) expect(ctx context.Context, x Expectation) error {
	for _, e := range x.Outputs {
		j, ok := r.engine.Output(e.Name)
		if !ok {
			return fmt.Errorf("%s: the site has no output %q.%s", place(e.Range), e.Name, spelling.DidYouMean(e.Name, r.outputs()))
		}
		if want := number(e); math.Abs(j.Value-want) > x.Within {
			why := "nobody holds it"
			if j.Winner != nil {
				why = fmt.Sprintf("%s holds it, on the way to %g: %s", j.Owner(), j.Aim, j.Winner.Why)
			}
			r.fail(e, why, "output %s: expected %g, got %g", e.Name, want, j.Value)
		}
	}
	for _, e := range x.Rules {
		if err := r.rule(ctx, e, true); err != nil {
			return err
		}
	}
	for _, e := range x.Idle {
		if err := r.rule(ctx, e, false); err != nil {
			return err
		}
	}
	for _, e := range x.Fired {
		if err := r.fired(ctx, e, true); err != nil {
			return err
		}
	}
	for _, e := range x.Quiet {
		if err := r.fired(ctx, e, false); err != nil {
			return err
		}
	}
	for _, e := range x.Values {
		if err := r.value(ctx, e, x.Within); err != nil {
			return err
		}
	}
	if len(x.Alarms) == 0 {
		return nil
	}
	alarms, err := r.engine.Alarms(ctx)
	if err != nil {
		return err
	}
	for _, e := range x.Alarms {
		a, ok := alarms[e.Name]
		if !ok {
			return fmt.Errorf("%s: the site has no alarm %q.%s", place(e.Range), e.Name, spelling.DidYouMean(e.Name, slices.Collect(maps.Keys(alarms))))
		}
		var want []string
		for _, v := range e.Value.AsValueSlice() {
			want = append(want, v.AsString())
		}
		if slices.ContainsFunc(want, func(state string) bool { return !alarmIs(a, state) }) {
			r.fail(e, alarmSaw(a), "alarm %s: expected %s, got %s", e.Name, strings.Join(want, ", "), alarmText(a))
		}
	}
	return nil
}

// outputs are the names of the site's.
func (r *run) outputs() []string {
	var names []string
	for _, d := range r.site.Devices {
		for _, p := range d.Points {
			if p.Write != nil {
				names = append(names, p.FullName())
			}
		}
	}
	return names
}

// value expects what a name is worth.
func (r *run) value(ctx context.Context, e Entry, within float64) error {
	got, known, quality, err := r.worth(ctx, e.Name)
	if err != nil {
		return fmt.Errorf("%s: %w", place(e.Range), err)
	}
	switch {
	case !e.Value.IsKnown() && known:
		r.fail(e, "", "value %s: expected none, got %g", e.Name, got)
	case !e.Value.IsKnown():
	case !known:
		r.fail(e, "its quality is "+quality, "value %s: expected %g, got none", e.Name, number(e))
	case math.Abs(got-number(e)) > within:
		r.fail(e, "", "value %s: expected %g, got %g", e.Name, number(e), got)
	}
	return nil
}

// worth is the value of a name, and whether there is one.
func (r *run) worth(ctx context.Context, name string) (value float64, known bool, quality string, err error) {
	if p := r.site.Point(name); p != nil && site.IsVirtual(p.Device.Name) {
		v, q := r.engine.virtual.Value(p)
		return v, !q.IsBad(), q.String(), nil
	}
	got, err := r.engine.store.GetValue(ctx, name)
	if err != nil || got.Value == "" {
		return 0, false, got.Quality, err
	}
	if value, err = strconv.ParseFloat(got.Value, 64); err != nil {
		return 0, false, got.Quality, fmt.Errorf("%s is no number: %q", name, got.Value)
	}
	return value, true, got.Quality, nil
}

func (r *run) rule(ctx context.Context, e Entry, want bool) error {
	rule, err := r.engine.Rule(ctx, e.Name)
	if err != nil {
		return fmt.Errorf("%s: rule %q: %w", place(e.Range), e.Name, err)
	}
	if (rule.State == "true") != want {
		expected := "true"
		if !want {
			expected = "not true"
		}
		r.fail(e, ruleSaw(rule), "rule %s: expected %s, got %s", e.Name, expected, rule.State)
	}
	return nil
}

// fired expects that a rule or flow fired since the step before, or did not.
func (r *run) fired(ctx context.Context, e Entry, want bool) error {
	rule, err := r.engine.Rule(ctx, e.Name)
	if err != nil {
		return fmt.Errorf("%s: rule %q: %w", place(e.Range), e.Name, err)
	}
	if got := !rule.LastFire.IsZero() && rule.LastFire.UnixMilli() > r.before; got != want {
		saw := "it never fired"
		if !rule.LastFire.IsZero() {
			saw = fmt.Sprintf("it fired last at %s", (time.Duration(rule.LastFire.UnixMilli()-r.start) * time.Millisecond))
		}
		if want {
			r.fail(e, saw, "rule %s: expected to have fired since the step before", e.Name)
		} else {
			r.fail(e, saw, "rule %s: expected not to have fired since the step before", e.Name)
		}
	}
	return nil
}

func ruleSaw(r store.Rule) string {
	parts := []string{"its condition is " + r.Verdict}
	for _, in := range r.Inputs {
		value := in.Value
		if value == "" {
			value = "unknown"
		}
		parts = append(parts, in.Name+" = "+value)
	}
	return strings.Join(parts, ", ")
}

func alarmSaw(a store.Alarm) string {
	if a.Value == nil {
		return "its quality is " + a.Quality
	}
	return fmt.Sprintf("its value is %g", *a.Value)
}
