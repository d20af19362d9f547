package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/store"
)

const (
	// deepest bounds the batches of one round trip, and batchBytes the frames of one batch.
	deepest    = 32
	batchBytes = 512 << 10
	// eventsKept is what the stream of events holds: a round trip must not make more.
	eventsKept = 10_000
	// eventsPerItem is how many events a rule or an alarm makes of one batch, in an unlucky case.
	eventsPerItem = 4
	// patience is how many groups are read ahead.
	patience = 4
)

// group is what is read of the journal at once: frames in batches, what was decided then, and at the end an input.
type group struct {
	batches []store.Batch
	then    []event.Event
	input   *event.Event
	points  int
	err     error
}

func ended(err error) bool { return errors.Is(err, io.EOF) }

// run feeds the engine from the journal. Reading and running go side by side.
func (p *past) run(ctx context.Context, start int64, inputs []event.Event) error {
	r, err := journal.OpenReader(p.o.Journal, time.UnixMilli(start))
	if err != nil {
		return err
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(ctx)
	groups := make(chan group, patience)
	f := &feed{past: p, reader: r, out: groups, inputs: inputs, clock: p.engine.Now(), has: map[string]bool{}}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		defer close(groups)
		if err := f.read(ctx); err != nil {
			f.send(ctx, group{err: err})
		}
	}()
	defer func() {
		cancel()
		<-finished
	}()
	for g := range groups {
		if err := p.group(ctx, g); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if n := r.Lost(); n > 0 {
		p.mapping.note("%d records of the journal can't be read any more", n)
	}
	if f.back > 0 {
		p.mapping.note("%d frames came while the machine's clock had been set back; they count at the time before it", f.back)
	}
	return nil
}

func (p *past) group(ctx context.Context, g group) error {
	if g.err != nil {
		return g.err
	}
	for _, ev := range g.then {
		if err := p.compared.Then(ev); err != nil {
			p.mapping.note("an event of the journal is left out: %v", err)
		}
	}
	for _, b := range g.batches {
		p.report.Frames += len(b.Frames)
	}
	p.report.Points += g.points
	if err := p.engine.FeedAll(ctx, g.batches); err != nil {
		return fmt.Errorf("at %s: %w", time.UnixMilli(p.engine.Now()).UTC().Format(time.RFC3339Nano), err)
	}
	if err := p.take(); err != nil {
		return err
	}
	if g.input != nil {
		return p.input(ctx, *g.input)
	}
	return nil
}

// feed reads the journal into groups.
type feed struct {
	past   *past
	reader *journal.Reader
	out    chan<- group
	inputs []event.Event
	clock  int64
	back   int

	group group
	batch store.Batch
	has   map[string]bool // the devices of the batch
	bytes int
}

// depth is how many batches go in one round trip, so that the stream holds all that comes of them.
func (f *feed) depth() int {
	if d := f.past.o.depth; d > 0 {
		return d
	}
	s := f.past.o.Site
	return min(deepest, max(1, eventsKept/(eventsPerItem*max(1, len(s.Rules)+len(s.Flows())+len(s.Alarms)))))
}

func (f *feed) read(ctx context.Context) error {
	until, depth := f.past.o.Until.UnixMilli(), f.depth()
	for ctx.Err() == nil {
		rec, err := f.reader.Next()
		if ended(err) {
			break
		}
		if err != nil {
			return err
		}
		if rec.Millis >= until+lateness {
			break
		}
		if rec.Millis >= until {
			continue
		}
		if rec.Kind == journal.Event {
			f.group.then = append(f.group.then, rec.Event)
			continue
		}
		for len(f.inputs) > 0 && f.inputs[0].Millis < rec.Millis {
			f.giveInput(ctx)
		}
		if err := f.frame(rec); err != nil {
			return err
		}
		if len(f.group.batches) >= depth {
			f.give(ctx)
		}
	}
	for len(f.inputs) > 0 {
		f.giveInput(ctx)
	}
	f.cut()
	f.give(ctx)
	return nil
}

// frame adds a frame to the batch.
func (f *feed) frame(rec journal.Record) error {
	packed, ok, err := f.past.mapping.take(rec.Table, rec.Packed)
	if err != nil || !ok {
		return err
	}
	if rec.Millis < f.clock {
		f.back++
	}
	f.clock = max(f.clock, rec.Millis)
	device := rec.Table.Device
	if limit := f.past.o.cut; f.has[device] || f.bytes > batchBytes || limit > 0 && len(f.batch.Frames) >= limit {
		f.cut()
	}
	f.has[device] = true
	f.bytes += len(packed)
	f.group.points += len(rec.Table.Numbers) + len(rec.Table.Texts)
	f.batch.Frames = append(f.batch.Frames, store.Frame{Device: device, Millis: f.clock, Packed: packed})
	f.batch.Now = f.clock
	return nil
}

// cut ends the batch.
func (f *feed) cut() {
	if len(f.batch.Frames) == 0 {
		return
	}
	f.group.batches = append(f.group.batches, f.batch)
	f.batch, f.bytes = store.Batch{Frames: make([]store.Frame, 0, len(f.has))}, 0
	clear(f.has)
}

func (f *feed) give(ctx context.Context) {
	f.send(ctx, f.group)
	f.group = group{}
}

func (f *feed) giveInput(ctx context.Context) {
	f.cut()
	in := f.inputs[0]
	f.inputs = f.inputs[1:]
	f.clock = max(f.clock, in.Millis)
	f.group.input = &in
	f.give(ctx)
}

func (f *feed) send(ctx context.Context, g group) {
	select {
	case f.out <- g:
	case <-ctx.Done():
	}
}
