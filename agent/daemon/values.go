package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/intake"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
)

func (a *Agent) now() time.Time { return time.Now() }

// apiValue is a point as the API shows it.
func apiValue(v intake.Value, now time.Time) api.Value {
	out := api.Value{Name: v.Name, Unit: v.Unit, Quality: v.Quality.ClassName(), Reason: v.Quality.ReasonText(), Time: v.Time}
	if !v.Time.IsZero() {
		out.AgeMS = max(now.Sub(v.Time).Milliseconds(), 0)
	}
	switch {
	case v.Quality.IsBad():
	case v.IsText:
		out.Value = v.Text
	case v.Bool:
		out.Value = v.Value != 0
	default:
		out.Value = v.Value
	}
	return out
}

// Values lists points, and the measurements of models.
func (a *Agent) Values(ctx context.Context, patterns []string) ([]api.Value, error) {
	s, now := a.current(), a.now()
	var out []api.Value
	for _, v := range a.live.All() {
		if !api.Match(patterns, v.Name) {
			continue
		}
		x := apiValue(v, now)
		p := s.Point(v.Name)
		x.Writable = p != nil && p.Write != nil
		out = append(out, x)
	}
	var names []string
	for _, name := range measurementNames(s) {
		if api.Match(patterns, name) {
			names = append(names, name)
		}
	}
	out = append(out, a.measurements(ctx, s, names)...)
	if len(out) == 0 && len(patterns) > 0 {
		return nil, unknown("value", strings.Join(patterns, ", "), valueNames(s))
	}
	return out, nil
}

// Value is one point, or one measurement or property of a model.
func (a *Agent) Value(ctx context.Context, name string) (api.Value, error) {
	s := a.current()
	if v, ok := a.live.Get(s.ValueName(name)); ok {
		x := apiValue(v, a.now())
		x.Name = name
		p := s.Point(name)
		x.Writable = p != nil && p.Write != nil
		return x, nil
	}
	if m, _, ok := strings.Cut(name, "."); ok && s.Model(m) != nil {
		v, err := a.measurement(ctx, name)
		if errors.Is(err, api.ErrNotFound) {
			return v, unknown("value", name, valueNames(s))
		}
		return v, err
	}
	return api.Value{}, unknown("value", name, valueNames(s))
}

func valueNames(s *site.Site) []string {
	var names []string
	for _, d := range s.AllDevices() {
		for _, p := range d.Points {
			names = append(names, p.FullName())
		}
	}
	names = append(names, measurementNames(s)...)
	return names
}

// fromStore gives an error of the store the kind that the API knows.
func fromStore(err error) error {
	var refusal *store.Refusal
	if errors.As(err, &refusal) {
		kind := api.ErrInvalid
		switch refusal.Code {
		case "unknown_name", "unknown_alarm", "unknown", "NOTFOUND":
			kind = api.ErrNotFound
		case "disabled", "not_parked", "already_acked", "not_acked", "already_confirmed", "invalid_state", "already_shelved", "not_shelved", "unknown_occurrence":
			kind = api.ErrConflict
		}
		return fmt.Errorf("%w: %w", kind, err)
	}
	return fmt.Errorf("%w: %w", api.ErrUnavailable, err)
}

// Events lists what happened, the oldest first.
func (a *Agent) Events(ctx context.Context, req api.EventsRequest) ([]event.Event, error) {
	return a.journal.Events(ctx, req.Since, req.Until, func(e event.Event) bool {
		return (len(req.Kinds) == 0 || slices.Contains(req.Kinds, e.Kind)) && (req.Renewals || !e.Renews())
	}, req.Limit)
}

// Subscribe gives changes as they come.
func (a *Agent) Subscribe(ctx context.Context, patterns []string, after uint64) (<-chan api.Change, error) {
	return a.hub.Subscribe(ctx, patterns, after, func() []api.Value {
		values, err := a.Values(ctx, nil)
		if err != nil {
			return nil
		}
		return values
	})
}
