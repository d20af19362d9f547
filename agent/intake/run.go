package intake

import (
	"context"
	"time"

	"github.com/voltage-edge/voltage/agent/store"
)

const (
	// heartbeat is the longest time between two batches, in ms: a Redis that was lost shows, and so do events that somebody
	// else caused.
	heartbeat = 1000
	// firstPause and longestPause are between two tries while Redis is away, in ms.
	firstPause   = 10
	longestPause = 1000
	// farewell bounds the last batches after the end was asked for.
	farewell = 2 * time.Second
)

// runner is what Run knows between two batches.
type runner struct {
	in       *Intake
	batch    []store.Frame
	gone     []string
	next     int64 // deadline of the libraries; 0: none
	applied  int64 // clock of the last batch
	blocked  int64 // no batch before; 0: Redis is there
	pause    int64
	problem  store.Problem
	awakened bool
}

// Run takes frames to Redis and events from there, and watches for silent devices, until ctx ends; what waits then is taken
// to Redis within two seconds. It is called once.
func (in *Intake) Run(ctx context.Context) {
	r := &runner{in: in, pause: firstPause}
	for ctx.Err() == nil {
		now := in.millis()
		stale := earlier(in.watchStale(now), in.passTime(now))
		if r.due(now) && r.apply(ctx, now) {
			continue
		}
		r.wait(ctx, stale)
	}
	r.finish(context.WithoutCancel(ctx))
}

// earlier is the earlier of two times, of which 0 is never.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// due tells whether there is something to do at now.
func (r *runner) due(now int64) bool {
	if r.blocked > now {
		return false
	}
	return r.awakened || r.in.waiting() > 0 || r.next != 0 && r.next <= now || now-r.applied >= heartbeat
}

// apply takes the next batch to Redis; false when Redis did not take it.
func (r *runner) apply(ctx context.Context, now int64) bool {
	r.batch, r.gone = r.in.takeBatch(r.batch[:0])
	awakened := r.awakened
	r.awakened = false
	if n := len(r.batch); n > 0 {
		now = max(now, r.batch[n-1].Millis)
	}
	began := time.Now()
	// A batch is not cut short: its answer is worth more than the moment that it takes.
	res, err := r.in.o.Store.Apply(context.WithoutCancel(ctx), store.Batch{Now: now, Frames: r.batch, Gone: r.gone})
	if err != nil {
		r.failed(now, err)
		r.awakened = awakened
		return false
	}
	if r.problem != "" {
		r.in.log.Info("redis takes frames again")
	}
	r.blocked, r.pause, r.problem, r.applied = 0, firstPause, "", now
	r.next = res.Next
	if r.next != 0 && r.next <= now {
		r.next = now + 1
	}
	r.in.applied(time.Since(began))
	clear(r.batch)
	if len(res.Events) > 0 {
		if r.in.o.Events != nil {
			r.in.o.Events(res.Events)
		}
	}
	r.in.follow(res)
	if res.Forgot {
		r.in.forgot()
	}
	r.in.learnStates(context.WithoutCancel(ctx))
	return true
}

// failed puts the batch back and decides when to try again.
func (r *runner) failed(now int64, err error) {
	problem := store.ProblemOf(err)
	if problem != r.problem {
		r.in.log.Warn("redis does not take frames: they are journalled, and the newest wait", "error", err)
		r.problem = problem
	}
	r.in.putBack(r.batch, r.gone, err)
	r.in.forgot()
	clear(r.batch)
	r.blocked = now + r.pause
	r.pause = min(2*r.pause, longestPause)
}

// wait sleeps until there may be something to do, at other or before.
func (r *runner) wait(ctx context.Context, other int64) {
	until := r.applied + heartbeat
	if r.blocked != 0 {
		until = r.blocked
	} else if r.next != 0 {
		until = min(until, r.next)
	}
	if other != 0 {
		until = min(until, other)
	}
	fired, stop := r.in.o.Clock.After(time.UnixMilli(until))
	defer stop()
	select {
	case <-ctx.Done():
	case <-fired:
	case <-r.in.notify:
	case <-r.in.o.Store.Wake():
		r.awakened, r.blocked = true, 0
	}
}

// finish takes what waits to Redis, unless Redis is away.
func (r *runner) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	for r.in.waiting() > 0 && ctx.Err() == nil && r.problem == "" {
		if !r.apply(ctx, r.in.millis()) {
			return
		}
	}
}

func (in *Intake) waiting() int {
	in.accept.Lock()
	defer in.accept.Unlock()
	return len(in.queue.frames) + len(in.gone)
}

func (in *Intake) takeBatch(dst []store.Frame) (frames []store.Frame, gone []string) {
	in.accept.Lock()
	defer in.accept.Unlock()
	gone, in.gone = in.gone, nil
	return in.queue.take(dst), gone
}

// putBack returns a batch that failed, but for devices that the site has no longer.
func (in *Intake) putBack(batch []store.Frame, gone []string, err error) {
	in.accept.Lock()
	defer in.accept.Unlock()
	in.counters.failed(err)
	in.gone = append(gone, in.gone...)
	layout := in.live.layout.Load()
	kept := batch[:0]
	for _, f := range batch {
		if layout.byName[f.Device] != nil {
			kept = append(kept, f)
		}
	}
	in.queue.putBack(kept)
}

func (in *Intake) applied(took time.Duration) {
	in.accept.Lock()
	defer in.accept.Unlock()
	in.counters.applied(took)
}
