package replay

import (
	"context"
	"errors"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/agent/virtual"
)

// startVirtual brings what is known of virtual devices at the beginning in, before any other frame.
func (e *Engine) startVirtual(ctx context.Context, s *site.Site) error {
	e.virtual, e.acts = virtual.New(s), s.Acts()
	now := e.Now()
	e.wait(e.virtual.Start(now))
	if e.virtual.Follows() {
		states, err := virtual.Ask(ctx, e.store, s)
		if err != nil {
			return err
		}
		e.wait(e.virtual.Learn(states, now))
	}
	return e.settle(ctx)
}

// wait keeps frames of virtual devices for the next batch.
func (e *Engine) wait(frames []virtual.Frame) {
	for _, f := range frames {
		e.waiting = append(e.waiting, store.Frame{Device: f.Device, Millis: f.Millis, Packed: f.Packed})
	}
}

// interrupts tells whether virtual devices may give frames until now, so that the frames of others go one by one: rules that
// read the state of an alarm, or the result of a window, have it with the frame behind the one that it changed at, and what rules raise is raised at its time.
func (e *Engine) interrupts(now int64) bool {
	due := e.virtual.Due()
	return e.acts || e.virtual.Follows() || due != 0 && due <= now
}

// due is when something happens by the clock alone; 0: nothing does.
func (e *Engine) due() int64 {
	at := e.virtual.Due()
	if at == 0 || e.next != 0 && e.next < at {
		return e.next
	}
	return at
}

// instant does all that happens at now: what the clock alone brings, the frames, and what follows from them.
func (e *Engine) instant(ctx context.Context, now int64, frames []store.Frame) error {
	e.wait(e.virtual.Advance(now))
	all := append(e.waiting, frames...)
	e.waiting = nil
	if err := e.apply(ctx, now, all); err != nil {
		return err
	}
	return e.settle(ctx)
}

// mostRounds bounds what follows from what follows in one instant.
const mostRounds = 1000

// settle takes the frames in that wait, and those that follow from them.
func (e *Engine) settle(ctx context.Context) error {
	for range mostRounds {
		if err := e.carryOut(ctx); err != nil {
			return err
		}
		if len(e.waiting) == 0 {
			return nil
		}
		n := distinct(e.waiting)
		batch := e.waiting[:n:n]
		e.waiting = e.waiting[n:]
		if err := e.apply(ctx, e.Now(), batch); err != nil {
			return err
		}
	}
	return errors.New("alarms and rules go on changing each other in one instant")
}

// distinct is how many frames from the first on are of different devices: a batch has one of each at most.
func distinct(frames []store.Frame) int {
	seen := map[string]bool{}
	for i, f := range frames {
		if seen[f.Device] {
			return i
		}
		seen[f.Device] = true
	}
	return len(frames)
}
