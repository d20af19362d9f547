package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// ruleRun is a case on its own site.
type ruleRun struct {
	runner   *ruleRunner
	site     string
	sources  *sources
	builders map[string]*frame.Builder
	clock    int64
	late     int64
	read     string
	got      []any
}

func (r *ruleRun) keys() []string {
	p := "v:{" + r.site + "}:"
	return []string{p + "epoch", p + "rules:program", p + "rules:state", p + "rules:timers", p + "frames", p + "requests", p + "events"}
}

func (r *ruleRun) play(ctx context.Context, program compile.Program, c ruleCase) (any, map[string]int64, error) {
	client, keys := r.runner.client(), r.keys()
	if err := client.Del(ctx, keys...).Err(); err != nil {
		return nil, nil, err
	}
	fields := []any{"rev", program.Revision, "n", len(program.Chunks)}
	for i, chunk := range program.Chunks {
		fields = append(fields, strconv.Itoa(i+1), chunk)
	}
	if err := client.HSet(ctx, keys[1], fields...).Err(); err != nil {
		return nil, nil, err
	}
	r.builders, r.read, r.got = map[string]*frame.Builder{}, "-", []any{}
	// A rule is loaded at 0.
	if err := r.batch(ctx, "0"); err != nil {
		return nil, nil, err
	}
	for _, e := range c.Events {
		if err := r.event(ctx, e); err != nil {
			return nil, nil, err
		}
		if r.runner.between != nil {
			if err := r.runner.between(ctx, keys); err != nil {
				return nil, nil, err
			}
		}
	}
	return r.got, map[string]int64{"late": r.late}, nil
}

// event feeds one event. The clock of an agent never goes back: an event behind it is late, and dropped before it comes
// to the library.
func (r *ruleRun) event(ctx context.Context, e ruleEvent) error {
	if e.T < r.clock {
		if !e.Advance {
			r.late++
		}
		return nil
	}
	r.clock = e.T
	at := strconv.FormatInt(e.T, 10)
	if e.Advance {
		return r.batch(ctx, at)
	}
	packed, err := r.pack(e)
	if err != nil {
		return err
	}
	if err := r.batch(ctx, at, e.Source, at, packed); err != nil {
		return err
	}
	return r.runner.client().HSet(ctx, r.keys()[4], e.Source, packed).Err()
}

// pack makes a frame of all that is known of the source, with the event's values as those that changed.
func (r *ruleRun) pack(e ruleEvent) ([]byte, error) {
	device := r.sources.device(e.Source)
	b := r.builders[e.Source]
	if b == nil {
		var err error
		if b, err = frame.NewBuilder(device.Table()); err != nil {
			return nil, err
		}
		r.builders[e.Source] = b
	}
	r.sources.prepare(b)
	for name, v := range e.Values {
		p := r.sources.point(e.Source, name)
		switch v := v.(type) {
		case float64:
			b.Set(p.Index, v)
		case bool:
			b.Set(p.Index, map[bool]float64{true: 1}[v])
		default:
			b.SetBad(p.Index, frame.Bad)
		}
		if e.Quality[name] == "bad" {
			b.SetBad(p.Index, frame.Bad)
		}
	}
	return b.Pack(nil, time.UnixMilli(e.T)), nil
}

func (r *ruleRun) batch(ctx context.Context, args ...any) error {
	client, keys := r.runner.client(), r.keys()
	if err := client.FCall(ctx, "rules_batch_execute", keys, args...).Err(); err != nil {
		return err
	}
	entries, err := client.XRange(ctx, keys[6], r.read, "+").Result()
	if err != nil {
		return err
	}
	for _, entry := range entries {
		r.read = "(" + entry.ID
		if entry.Values["kind"] != "rule" {
			continue
		}
		if out := output(entry.Values); out != nil {
			r.got = append(r.got, out)
		}
	}
	return nil
}

// output turns a rule's event into what a case expects.
func output(fields map[string]any) any {
	text := func(name string) string { s, _ := fields[name].(string); return s }
	t, err := strconv.ParseFloat(text("t"), 64)
	if err != nil {
		return fmt.Sprintf("event at %q", text("t"))
	}
	switch text("event") {
	case "fired":
		if actions := text("actions"); actions != "" {
			return map[string]any{"t": t, "fired": true, "actions": decoded(actions)}
		}
		if captures := text("captures"); captures != "" {
			return map[string]any{"t": t, "fired": true, "captures": decoded(captures)}
		}
		return map[string]any{"t": t, "fired": true, "edge": text("edge")}
	case "ended":
		return nil
	}
	return fmt.Sprintf("%s %s", text("event"), text("error"))
}

func decoded(text string) any {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return err.Error()
	}
	return v
}

// sources are the devices of a case: each source with the values that rule and events name.
type sources struct {
	devices []*site.Device
	byName  map[string]*site.Device
	// momentary: an event's values are only its own.
	momentary bool
}

func (s *sources) device(name string) *site.Device {
	if d := s.byName[name]; d != nil {
		return d
	}
	d := &site.Device{Name: name}
	if s.byName == nil {
		s.byName = map[string]*site.Device{}
	}
	s.byName[name] = d
	s.devices = append(s.devices, d)
	return d
}

func (s *sources) point(source, name string) *site.Point {
	d := s.device(source)
	for _, p := range d.Points {
		if p.Name == name {
			return p
		}
	}
	p := &site.Point{Device: d, Name: name, Index: len(d.Points), Readable: true}
	d.Points = append(d.Points, p)
	return p
}

// prepare leaves a source's values as they were, as an event of a condition renews only those that it names. For windows and
// sequences an event has no values but its own.
func (s *sources) prepare(b *frame.Builder) {
	if s.momentary {
		b.SetAll(frame.Bad | frame.NeverRead)
	}
}
