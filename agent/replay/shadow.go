package replay

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/lua"
)

// ShadowOptions say what candidate runs beside a live site.
type ShadowOptions struct {
	// Site and Programs of the candidate, and Live, the site whose frames it is given.
	Site     *site.Site
	Programs *compile.Programs
	Live     *site.Site
	// Libraries run in the place of those that Site names, by name.
	Libraries map[string]lua.Library
	// Dir is the folder for its Redis, which is made, and removed at the end.
	Dir string
	// Within is how far apart two decisions may be that count as the same.
	Within time.Duration
	Log    hclog.Logger
}

// Shadow is a candidate that runs beside the live site on the same frames, on a Redis of its own: whatever it does, the live
// libraries are not kept waiting, and nothing of it reaches a device. It is not safe for concurrent use.
type Shadow struct {
	o        ShadowOptions
	engine   *Engine
	mapping  *mapping
	tables   map[string]*journal.Table
	compared *Comparison
	counts   ShadowCounts
}

// ShadowCounts say what a shadow did, and what it costs.
type ShadowCounts struct {
	Frames, Inputs int
	// Spent is the time that the candidate took for the frames.
	Spent time.Duration
}

// ShadowStep is one batch that went through the live libraries, and the events that it brought.
type ShadowStep struct {
	Batch  store.Batch
	Events []event.Event
}

// OpenShadow starts the candidate's Redis with its libraries. Seed makes it run.
func OpenShadow(ctx context.Context, o ShadowOptions) (*Shadow, error) {
	e, err := Open(ctx, Options{Site: o.Site, Libraries: o.Libraries, Dir: o.Dir, Log: o.Log, LibrariesOnly: true})
	if err != nil {
		return nil, err
	}
	s := &Shadow{o: o, engine: e, mapping: newMapping(o.Site), tables: map[string]*journal.Table{}}
	for _, d := range o.Live.Devices {
		t := TableOf(d)
		s.tables[d.Name] = &t
	}
	return s, nil
}

// Seed gives the candidate what the live libraries knew at a clock, and loads its programs. What changed begins anew, the rest goes on.
func (s *Shadow) Seed(ctx context.Context, snap *store.Snapshot, now int64) error {
	s.engine.clock.Store(now)
	s.compared = NewComparison(now, s.o.Within)
	frames := map[string][]byte{}
	for device, packed := range snap.Frames() {
		f, ok, err := s.frame(store.Frame{Device: device, Packed: packed})
		if err != nil {
			return err
		}
		if ok {
			frames[device] = f.Packed
		}
	}
	if err := s.engine.store.Seed(ctx, snap, frames); err != nil {
		return err
	}
	if err := s.engine.store.LoadPrograms(ctx, s.o.Programs); err != nil {
		return err
	}
	if err := s.stands(ctx, now); err != nil {
		return err
	}
	return s.engine.startVirtual(ctx, s.o.Site)
}

// stands tells the comparison what stands on both sides at the beginning.
func (s *Shadow) stands(ctx context.Context, now int64) error {
	requests, err := s.engine.store.Requests(ctx)
	if err != nil {
		return err
	}
	for _, r := range requests {
		ev := event.New(time.UnixMilli(now-1), event.Request, "output", r.Output, "owner", r.Owner, "value", fmt.Sprintf("%.17g", r.Value))
		if r.TTL > 0 {
			ev.Fields["ttl"] = fmt.Sprintf("%.17g", max(r.At+r.TTL-float64(now)+1, 1))
		}
		if err := s.both(ev); err != nil {
			return err
		}
	}
	alarms, err := s.engine.store.AlarmList(ctx, false)
	if err != nil {
		return err
	}
	for _, a := range alarms {
		if !a.Active {
			continue
		}
		if err := s.both(event.New(time.UnixMilli(now-1), event.Alarm, "alarm", a.Name, "active", "1")); err != nil {
			return err
		}
	}
	return nil
}

func (s *Shadow) both(ev event.Event) error {
	if err := s.compared.Then(ev); err != nil {
		return err
	}
	return s.compared.Now(ev)
}

// frame maps a live frame; false when the candidate's site does not have the device.
func (s *Shadow) frame(f store.Frame) (store.Frame, bool, error) {
	t := s.tables[f.Device]
	if t == nil {
		return f, false, nil
	}
	packed, ok, err := s.mapping.take(t, f.Packed)
	f.Packed = packed
	return f, ok, err
}

// Step runs what the live site ran, in the same order. An error says that the candidate failed, and that it is of no use any more.
func (s *Shadow) Step(ctx context.Context, step ShadowStep) error {
	var b store.Batch
	for _, f := range step.Batch.Frames {
		mapped, ok, err := s.frame(f)
		if err != nil {
			return err
		}
		if ok {
			b.Frames = append(b.Frames, mapped)
		}
	}
	for _, device := range step.Batch.Gone {
		if s.o.Site.Device(device) == nil {
			b.Gone = append(b.Gone, device)
		}
	}
	for _, ev := range step.Events {
		if err := s.compared.Then(ev); err != nil {
			return err
		}
		if !IsInput(ev) {
			continue
		}
		s.counts.Inputs++
		s.engine.clock.Store(max(ev.Millis, s.engine.Now()))
		if err := s.engine.Input(ctx, ev); refused(err) {
			s.mapping.note("%s is refused: %v", inputName(ev), err)
		} else if err != nil {
			return err
		}
	}
	b.Now = max(step.Batch.Now, s.engine.Now())
	for i := range b.Frames {
		b.Frames[i].Millis = max(b.Frames[i].Millis, s.engine.Now())
	}
	began := time.Now()
	if err := s.engine.FeedAll(ctx, []store.Batch{b}); err != nil {
		return err
	}
	if err := s.engine.Feed(ctx, max(b.Now, s.engine.Now())); err != nil {
		return err
	}
	s.counts.Spent += time.Since(began)
	s.counts.Frames += len(b.Frames)
	for _, ev := range s.engine.Take() {
		if err := s.compared.Now(ev); err != nil {
			return err
		}
	}
	s.compared.Advance(step.Batch.Now)
	return nil
}

// Finish compares what is left.
func (s *Shadow) Finish() {
	if s.compared != nil {
		s.compared.Finish(s.engine.Now())
	}
}

// Compared is what differed up to now, the first differences of each subject, and what could not be as on the live site.
func (s *Shadow) Compared() (subjects []Subject, totals Totals, differences []Difference, notes []string) {
	if s.compared == nil {
		return nil, Totals{}, nil, nil
	}
	subjects, totals = s.compared.Subjects()
	return subjects, totals, s.compared.Examples(), s.mapping.told()
}

// Counts say what it did.
func (s *Shadow) Counts() ShadowCounts { return s.counts }

// Close ends the candidate's Redis and removes its folder.
func (s *Shadow) Close() { s.engine.Close() }
