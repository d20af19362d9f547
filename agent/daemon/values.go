package daemon

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/intake"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/sdk/frame"
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
	away := false
	for _, m := range s.Models {
		for _, mm := range m.Measurements {
			name := m.Name + "." + mm.Measurement.Name
			if !api.Match(patterns, name) {
				continue
			}
			x, err := api.Value{}, api.ErrUnavailable
			if !away { // who does not answer once is not asked for all the others
				x, err = a.measuredSoon(ctx, name)
				away = store.Away(err)
			}
			if err != nil {
				x = api.Value{Name: name, Unit: mm.Measurement.Unit, Quality: frame.Bad.ClassName(), Reason: "Redis does not answer"}
			}
			out = append(out, x)
		}
	}
	if len(out) == 0 && len(patterns) > 0 {
		return nil, unknown("value", strings.Join(patterns, ", "), valueNames(s))
	}
	return out, nil
}

// Value is one point, or one measurement or property of a model.
func (a *Agent) Value(ctx context.Context, name string) (api.Value, error) {
	s := a.current()
	if v, ok := a.live.Get(name); ok {
		x := apiValue(v, a.now())
		p := s.Point(name)
		x.Writable = p != nil && p.Write != nil
		return x, nil
	}
	if m, _, ok := strings.Cut(name, "."); ok && s.Model(m) != nil {
		v, err := a.measured(ctx, name)
		if errors.Is(err, api.ErrNotFound) {
			return v, unknown("value", name, valueNames(s))
		}
		return v, err
	}
	return api.Value{}, unknown("value", name, valueNames(s))
}

// measuredPatience is how long a list waits for a measurement.
const measuredPatience = time.Second

func (a *Agent) measuredSoon(ctx context.Context, name string) (api.Value, error) {
	ctx, cancel := context.WithTimeout(ctx, measuredPatience)
	defer cancel()
	return a.measured(ctx, name)
}

// measured asks the models library.
func (a *Agent) measured(ctx context.Context, name string) (api.Value, error) {
	r, err := a.store.GetValue(ctx, name)
	if err != nil {
		return api.Value{}, fromStore(err)
	}
	class, reason, _ := strings.Cut(r.Quality, " ")
	out := api.Value{Name: name, Unit: r.Unit, Quality: class, Reason: strings.Trim(reason, "()"), Time: r.Time}
	if !r.Time.IsZero() {
		out.AgeMS = max(a.now().Sub(r.Time).Milliseconds(), 0)
	}
	if r.Value != "" {
		out.Value = r.Value
		if f, err := strconv.ParseFloat(r.Value, 64); err == nil {
			out.Value = f
		}
	}
	return out, nil
}

func valueNames(s *site.Site) []string {
	var names []string
	for _, d := range s.Devices {
		for _, p := range d.Points {
			names = append(names, p.FullName())
		}
	}
	for _, m := range s.Models {
		for _, mm := range m.Measurements {
			names = append(names, m.Name+"."+mm.Measurement.Name)
		}
	}
	return names
}

// fromStore gives an error of the store the kind that the API knows.
func fromStore(err error) error {
	var refusal *store.Refusal
	if errors.As(err, &refusal) {
		kind := api.ErrInvalid
		switch refusal.Code {
		case "unknown_name", "unknown_alarm", "unknown":
			kind = api.ErrNotFound
		case "disabled", "already_acked", "not_acked", "already_confirmed", "invalid_state", "already_shelved", "not_shelved", "unknown_occurrence":
			kind = api.ErrConflict
		}
		return fmt.Errorf("%w: %w", kind, err)
	}
	return fmt.Errorf("%w: %w", api.ErrUnavailable, err)
}

// History is a point's past, from the journal.
func (a *Agent) History(ctx context.Context, req api.HistoryRequest) (api.History, error) {
	s := a.current()
	p := s.Point(req.Name)
	if p == nil {
		p = mappedPoint(s, req.Name)
	}
	switch {
	case p == nil:
		return api.History{}, unknown("point", req.Name, valueNames(s))
	case p.Text:
		return api.History{}, fmt.Errorf("%w: %s is a text; history is of numbers", api.ErrInvalid, req.Name)
	case !p.Readable:
		return api.History{}, fmt.Errorf("%w: %s can only be written, so it has no history; its set-points are among the events", api.ErrInvalid, req.Name)
	case req.Every <= 0:
		return api.History{}, fmt.Errorf("%w: the length of a bucket must be above 0", api.ErrInvalid)
	case !req.Since.Before(req.Until):
		return api.History{}, fmt.Errorf("%w: since must be before until", api.ErrInvalid)
	}
	if n := req.Until.Sub(req.Since) / req.Every; n > maxBuckets {
		return api.History{}, fmt.Errorf("%w: %d buckets are more than %d: take a longer --every or a shorter time", api.ErrInvalid, n, maxBuckets)
	}
	buckets, err := a.journal.History(ctx, p.Device.Name, p.Name, req.Since, req.Until, req.Every)
	if err != nil {
		return api.History{}, err
	}
	h := api.History{Name: req.Name, Unit: p.Unit, EveryMS: req.Every.Milliseconds(), Buckets: make([]api.Bucket, 0, len(buckets))}
	for _, b := range buckets {
		x := api.Bucket{Time: b.Time, Count: b.Count, Bad: b.Bad}
		if b.Count > 0 {
			x.Mean, x.Min, x.Max, x.Last = &b.Mean, &b.Min, &b.Max, &b.Last
		}
		h.Buckets = append(h.Buckets, x)
	}
	return h, nil
}

// maxBuckets bounds what one question about the past may cost.
const maxBuckets = 100_000

// mappedPoint is the point behind a measurement that is nothing but a point.
func mappedPoint(s *site.Site, name string) *site.Point {
	model, measurement, ok := strings.Cut(name, ".")
	m := s.Model(model)
	if !ok || m == nil {
		return nil
	}
	for _, mm := range m.Measurements {
		if mm.Measurement.Name != measurement {
			continue
		}
		if ref, ok := mm.Value.Name(); ok {
			return ref.Point
		}
	}
	return nil
}

// Events lists what happened, the oldest first.
func (a *Agent) Events(ctx context.Context, req api.EventsRequest) ([]event.Event, error) {
	return a.journal.Events(ctx, req.Since, req.Until, req.Kinds, req.Limit)
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
