package control

import (
	"context"
	"fmt"
	"time"
)

// worker writes the outputs of one channel, one at a time. It always writes the newest value: nothing is queued.
type worker struct {
	c       *Controller
	channel string
	wake    chan struct{}
	running bool
}

func (c *Controller) workerOf(channel string) *worker {
	w := c.workers[channel]
	if w == nil {
		w = &worker{c: c, channel: channel, wake: make(chan struct{}, 1)}
		c.workers[channel] = w
	}
	return w
}

// launch starts the worker's goroutine; the controller is locked.
func (c *Controller) launch(w *worker) {
	if w.running {
		return
	}
	w.running = true
	c.all.Add(1)
	go w.run()
}

func (w *worker) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) run() {
	defer w.c.all.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		todo, found, wait, over := w.c.nextJob(w)
		if over {
			return
		}
		if found {
			w.c.perform(todo)
			continue
		}
		w.c.flush()
		timer.Reset(wait)
		select {
		case <-w.wake:
		case <-timer.C:
		}
	}
}

// idle is the longest sleep of a worker that has nothing to do.
const idle = time.Minute

// nextJob gives the write that is due on a channel, the longest waiting one first; else how long to sleep. It tells a
// worker that has no outputs left, or has left them at their safe values, that it is over.
func (c *Controller) nextJob(w *worker) (todo job, found bool, wait time.Duration, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.tick()
	c.advance(now)
	var next time.Time
	if t, ok := c.arb.Next(); ok {
		next = time.UnixMilli(t)
	}
	mine := 0
	for _, o := range c.outputs {
		if o.worker != w {
			continue
		}
		mine++
		candidate, ready, at := c.consider(o, now)
		if ready && (!found || o.ahead(todo.o)) {
			todo, found = candidate, true
		}
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if found {
		return todo, true, 0, false
	}
	if mine == 0 || c.stopping {
		w.running = false
		if c.workers[w.channel] == w {
			delete(c.workers, w.channel)
		}
		return job{}, false, 0, true
	}
	wait = idle
	if !next.IsZero() {
		wait = min(max(next.Sub(now), time.Millisecond), idle)
	}
	return job{}, false, wait, false
}

// ahead tells whether o is written before p: one whose device answers before one whose device does not, then the longest
// waiting.
func (o *output) ahead(p *output) bool {
	if dead, other := o.failures > 0, p.failures > 0; dead != other {
		return other
	}
	return o.tried.Before(p.tried)
}

// consider tells whether an output is to be written now, and else when to look again.
func (c *Controller) consider(o *output, now time.Time) (job, bool, time.Time) {
	if c.stopping || o.leaving {
		park := job{o: o, value: o.Limits.clamp(o.Limits.Safe), park: true}
		return park, !o.parkTried, time.Time{}
	}
	if o.failures > 0 || o.lost {
		c.rebase(o)
	}
	j, ok := c.arb.Now(o.Name, now.UnixMilli())
	if !ok {
		return job{}, false, time.Time{}
	}
	if c.verify(o, now) {
		c.settle(o, j)
	}
	todo, ready, at := o.due(now, j, c.arb.Arrival(o.Name))
	if due := o.check.due; !due.IsZero() && (at.IsZero() || due.Before(at)) {
		at = due
	}
	return todo, ready, at
}

// rebase lets a ramp begin where the device stands, when writes failed or the device may have forgotten its set-point:
// at its newest reading when that is younger than the last write, else at what it was given last.
func (c *Controller) rebase(o *output) {
	if c.o.Reader != nil {
		if v, q, at, ok := c.o.Reader.Value(o.Device, o.Point); ok && !q.IsBad() && at.After(o.okAt) {
			c.arb.Rebase(o.Name, v)
			return
		}
	}
	if o.known {
		c.arb.Rebase(o.Name, o.applied)
	}
}

// perform makes a write and notes what came of it.
func (c *Controller) perform(w job) {
	ctx, cancel := context.WithTimeout(c.ctx, c.o.WriteTimeout)
	defer cancel()
	started := c.o.Now()
	resp, err := c.o.Writer.Write(ctx, w.o.Device, w.o.Point, w.value)
	if err == nil {
		err = resp.Err
	}
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		err = fmt.Errorf("no answer within %v: %w", c.o.WriteTimeout, err)
	}

	c.mu.Lock()
	ended := c.tick()
	o := w.o
	record := o.took(w, started, ended, resp, err)
	if w.park {
		o.parkTried, o.parked = true, err == nil
	}
	if !w.refresh || err != nil {
		c.outbox = append(c.outbox, writeEvent(o, w, record))
	}
	if j, ok := c.arb.Now(o.Name, ended.UnixMilli()); ok && j.Value != j.Aim {
		o.step = started.Add(c.o.RampStep)
	}
	c.advance(ended)
	j, _ := c.arb.Now(o.Name, ended.UnixMilli())
	if err != nil {
		c.failed(o, w, record)
	}
	c.settle(o, j)
	if o.leaving && o.parkTried {
		close(o.gone)
	}
	c.mu.Unlock()
	if err != nil {
		c.o.Log.Warn("write failed", "output", o.Name, "value", w.value, "error", err, "failures", o.failures)
	}
	c.flush()
}
