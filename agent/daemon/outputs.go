package daemon

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/control"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// outputsOf are the points of a site that take set-points, as control wants them.
func outputsOf(s *site.Site) []control.Output {
	var out []control.Output
	for _, d := range s.Devices {
		for _, p := range d.Points {
			if w := p.Write; w != nil {
				out = append(out, outputOf(p, w))
			}
		}
	}
	return out
}

func outputOf(p *site.Point, w *site.Write) control.Output {
	o := control.Output{
		Name: p.FullName(), Channel: p.Device.Channel.Name, Device: p.Device.Name, Point: p.Name, Unit: p.Unit,
		Limits:      control.Limits{Min: w.Min, Max: w.Max, Ramp: w.Ramp, Safe: w.Safe},
		MinInterval: w.MinInterval, Refresh: w.Refresh,
	}
	if rb := w.ReadBack; rb != nil {
		at := p
		if rb.Point != nil {
			at = rb.Point
		}
		o.ReadBack = &control.ReadBack{Device: at.Device.Name, Point: at.Name, Within: rb.Within, After: rb.After}
	}
	return o
}

// Write hands a set-point to the channel of the device. It makes the agent control's Writer.
func (a *Agent) Write(ctx context.Context, device, point string, value float64) (sdk.WriteResponse, error) {
	ch, err := a.channelOf(device)
	if err != nil {
		return sdk.WriteResponse{}, err
	}
	return ch.Write(ctx, device, point, value)
}

// reader is control's Reader on the live picture.
type reader struct{ a *Agent }

// Value is the newest reading of a point.
func (r reader) Value(device, point string) (float64, frame.Quality, time.Time, bool) {
	v, ok := r.a.live.Get(device + "." + point)
	return v.Value, v.Quality, v.Time, ok
}

// Outputs lists who holds what.
func (a *Agent) Outputs(context.Context) ([]api.Output, error) {
	s := a.current()
	list := a.control.Status()
	out := make([]api.Output, 0, len(list))
	for _, o := range list {
		out = append(out, apiOutput(s, o))
	}
	return out, nil
}

func apiOutput(s *site.Site, o control.OutputStatus) api.Output {
	out := api.Output{
		Name: o.Output, State: string(o.State), Value: o.Value, Aim: &o.Aim, Unit: o.Unit, Owner: o.Owner, Answer: o.Answer,
		Writes: o.Writes, Failures: o.Failures,
	}
	if p := s.Output(o.Output); p != nil && p.Write != nil {
		out.Safe, out.Min, out.Max = p.Write.Safe, p.Write.Min, p.Write.Max
	}
	if o.Priority != nil {
		out.Priority = *o.Priority
	}
	if o.Expires != nil {
		out.Expires = *o.Expires
	}
	if o.LastWrite != nil {
		out.LastWrite = *o.LastWrite
	}
	return out
}

// output finds an output by its own name or that of a model's action.
func (a *Agent) output(s *site.Site, name string) (*site.Point, error) {
	if p := s.Output(name); p != nil {
		return p, nil
	}
	switch {
	case s.Point(name) != nil:
		return nil, fmt.Errorf("%w: %s can be read only: its point has no write block", api.ErrInvalid, name)
	case mapping(s, name) != nil:
		return nil, fmt.Errorf("%w: %s can be read only: it is a measurement", api.ErrInvalid, name)
	}
	return nil, unknown("output", name, outputNames(s))
}

// Why explains an output, or the output of a model's action.
func (a *Agent) Why(_ context.Context, name string) (api.Why, error) {
	s := a.current()
	p, err := a.output(s, name)
	if err != nil {
		return api.Why{}, err
	}
	e, ok := a.control.Why(p.FullName())
	if !ok {
		return api.Why{}, fmt.Errorf("%w: %s is an output of the site, but control does not have it", api.ErrUnavailable, name)
	}
	w := api.Why{Sentence: e.Sentence()}
	for _, o := range a.control.Status() {
		if o.Output == p.FullName() {
			w.Output = apiOutput(s, o)
		}
	}
	if e.Winner != nil {
		c := contender(*e.Winner)
		w.Winner = &c
		w.Contenders = append(w.Contenders, c)
	}
	for _, c := range e.Contenders {
		lost := contender(c.Holder)
		lost.Lost = c.Lost
		w.Contenders = append(w.Contenders, lost)
	}
	for _, r := range e.Writes {
		w.Writes = append(w.Writes, api.WriteTrace{
			Time: r.Time, Value: r.Value, Owner: r.Owner, Outcome: r.Outcome, Answer: r.Answer, ReadBack: r.ReadBack, TookMS: r.TookMS,
		})
	}
	return w, nil
}

func contender(h control.Holder) api.Contender {
	c := api.Contender{Owner: h.Owner, Priority: h.Priority, Value: h.Value, At: h.Since, Revision: h.Rev, Reason: h.Why}
	if h.Expires != nil {
		c.Expires = *h.Expires
	}
	return c
}

func outputNames(s *site.Site) []string {
	var names []string
	for _, o := range outputsOf(s) {
		names = append(names, o.Name)
	}
	for _, m := range s.Models {
		for _, act := range m.Actions {
			names = append(names, m.Name+"."+act.Action.Name)
		}
	}
	return names
}

// Set makes a request and waits for what becomes of it.
func (a *Agent) Set(ctx context.Context, req api.SetRequest) (api.Outcome, error) {
	s := a.current()
	p, err := a.output(s, req.Name)
	if err != nil {
		return api.Outcome{}, err
	}
	switch {
	case req.Priority < 0 || req.Priority > 100:
		return api.Outcome{}, fmt.Errorf("%w: a priority is 0 to 100, not %d", api.ErrInvalid, req.Priority)
	case req.TTL < 0:
		return api.Outcome{}, fmt.Errorf("%w: a time to live can't be negative", api.ErrInvalid)
	case req.Value != nil && (math.IsNaN(*req.Value) || math.IsInf(*req.Value, 0)):
		return api.Outcome{}, fmt.Errorf("%w: the value must be a finite number", api.ErrInvalid)
	case req.Owner == "":
		return api.Outcome{}, fmt.Errorf("%w: a request needs an owner", api.ErrInvalid)
	}
	id, err := a.store.SetValue(ctx, store.SetRequest{
		Name: req.Name, Value: req.Value, Owner: req.Owner, Priority: req.Priority, TTL: req.TTL, Why: req.Reason,
	})
	if err != nil {
		return api.Outcome{}, fromStore(err)
	}
	out := api.Outcome{ID: id, Output: p.FullName(), Result: string(control.ResultPending), Unit: p.Unit}
	if req.Wait <= 0 {
		return out, nil
	}
	ctx, cancel := context.WithTimeout(ctx, req.Wait)
	defer cancel()
	got, err := a.control.Wait(ctx, id)
	if err != nil {
		return out, err
	}
	out.Result, out.Value, out.ReadBack, out.Detail = string(got.Result), got.Value, got.ReadBack, got.Detail
	out.Owner = req.Owner
	if got.Holder != nil {
		out.Owner = got.Holder.Owner
	}
	return out, nil
}
