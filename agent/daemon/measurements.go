package daemon

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// measurement asks the models library for a measurement or a property.
func (a *Agent) measurement(ctx context.Context, name string) (api.Value, error) {
	r, err := a.store.GetValue(ctx, name)
	if err != nil {
		return api.Value{}, fromStore(err)
	}
	return a.readingValue(name, r), nil
}

// measurementPatience is how long a list waits for the models library.
const measurementPatience = time.Second

// measurements are the values of several measurements; they are bad while Redis does not answer.
func (a *Agent) measurements(ctx context.Context, s *site.Site, names []string) []api.Value {
	if len(names) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, measurementPatience)
	defer cancel()
	out := make([]api.Value, len(names))
	readings, err := a.store.GetValues(ctx, names)
	for i, name := range names {
		if err != nil || readings[i].Quality == "" {
			out[i] = api.Value{Name: name, Unit: measurementUnit(s, name), Quality: frame.Bad.ClassName(), Reason: "Redis does not answer"}
			continue
		}
		out[i] = a.readingValue(name, readings[i])
	}
	return out
}

func (a *Agent) readingValue(name string, r store.Reading) api.Value {
	// What Redis can't write down it can still tell: an old value that looks good.
	switch state := a.store.State(); state {
	case store.StateOK, store.StateDegraded:
	default:
		return api.Value{Name: name, Unit: r.Unit, Quality: frame.Bad.ClassName(), Reason: "Redis takes no frames: " + string(state), Time: r.Time}
	}
	class, reason, _ := strings.Cut(r.Quality, " ")
	v := api.Value{Name: name, Unit: r.Unit, Quality: class, Reason: strings.Trim(reason, "()"), Time: r.Time}
	if !r.Time.IsZero() {
		v.AgeMS = max(a.now().Sub(r.Time).Milliseconds(), 0)
	}
	if r.Value != "" {
		v.Value = r.Value
		if f, err := strconv.ParseFloat(r.Value, 64); err == nil {
			v.Value = f
		}
	}
	return v
}

func measurementNames(s *site.Site) []string {
	var names []string
	for _, m := range s.Models {
		for _, mm := range m.Measurements {
			names = append(names, m.Name+"."+mm.Measurement.Name)
		}
	}
	return names
}

// mapping is how a measurement is computed; nil when there is no such name.
func mapping(s *site.Site, name string) *site.Mapping {
	model, measurement, _ := strings.Cut(name, ".")
	m := s.Model(model)
	if m == nil {
		return nil
	}
	for _, mm := range m.Measurements {
		if mm.Measurement.Name == measurement {
			return mm
		}
	}
	return nil
}

func measurementUnit(s *site.Site, name string) string {
	if m := mapping(s, name); m != nil {
		return m.Measurement.Unit
	}
	return ""
}

const (
	// tellMeasurements is how often watchers are told of measurements that changed.
	tellMeasurements = 250 * time.Millisecond
	// measurementsShare bounds what that may cost: one part in so many of Redis' time.
	measurementsShare = 20
)

// measured notes that points changed, so that measurements may have.
type measured struct{ looks atomic.Int32 }

// changed asks for two looks: the first may come before Redis has worked off what changed.
func (m *measured) changed() { m.looks.Store(2) }

// due takes one of the looks that are to be done.
func (m *measured) due() bool {
	n := m.looks.Load()
	return n > 0 && m.looks.CompareAndSwap(n, n-1)
}

// watchMeasurements tells watchers of the measurements that changed, until ctx ends. While nobody watches it does nothing.
func (a *Agent) watchMeasurements(ctx context.Context) {
	told := map[string]api.Value{}
	wait := time.NewTimer(tellMeasurements)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		next := tellMeasurements
		switch {
		case !a.hub.Active():
			clear(told)
		case a.measured.due():
			began := time.Now()
			a.tellMeasurements(ctx, told)
			next = max(next, measurementsShare*time.Since(began))
		}
		wait.Reset(next)
	}
}

func (a *Agent) tellMeasurements(ctx context.Context, told map[string]api.Value) {
	s := a.current()
	var changed []api.Value
	for _, v := range a.measurements(ctx, s, measurementNames(s)) {
		before, known := told[v.Name]
		if !known || before.Value != v.Value || before.Quality != v.Quality || before.Reason != v.Reason {
			told[v.Name] = v
			changed = append(changed, v)
		}
	}
	if len(changed) > 0 {
		a.hub.Values(changed...)
	}
}
