// Package sink carries what the journal holds to the site's sinks: frames become samples, samples batches, and a
// cursor moves on when the far end has them. Each sample arrives at least once, and in order per device.
package sink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/sdk"
)

// Writer takes batches. agent/plugin's sink handle is one. With an error nothing of the batch counts as written.
type Writer interface {
	Write(ctx context.Context, req sdk.SinkWriteRequest) (sdk.SinkWriteResponse, error)
}

// Options say what a runner carries, and where to.
type Options struct {
	// Name of the sink. Its place in the journal is kept under it: a sink of a new name begins with the oldest record.
	Name    string
	Plugin  string
	Journal *journal.Journal
	Writer  Writer
	// Routing says what goes there and how it is shaped, nil: everything as it is.
	Routing *Routing
	// BatchSize is how many samples and events are written at once, 0: 5000. A frame is not divided, unless its batch
	// fails.
	BatchSize int
	// FlushInterval is how long a batch is gathered, 0: 1 s.
	FlushInterval time.Duration
	// WriteTimeout limits one write, 0: 30 s.
	WriteTimeout time.Duration
	// MinBackoff and MaxBackoff bound the pauses between tries, 0: 500 ms and 30 s.
	MinBackoff, MaxBackoff time.Duration
	Log                    hclog.Logger
}

func (o *Options) fill() {
	if o.BatchSize <= 0 {
		o.BatchSize = 5000
	}
	durations := []struct {
		value *time.Duration
		other time.Duration
	}{{&o.FlushInterval, time.Second}, {&o.WriteTimeout, 30 * time.Second}, {&o.MinBackoff, 500 * time.Millisecond}, {&o.MaxBackoff, 30 * time.Second}}
	for _, d := range durations {
		if *d.value <= 0 {
			*d.value = d.other
		}
	}
	o.MaxBackoff = max(o.MaxBackoff, o.MinBackoff)
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Routing == nil {
		o.Routing = Everything(nil)
	}
}

// State is how a sink does.
type State string

// The states.
const (
	OK       State = "ok"
	Retrying State = "retrying"
	// Waiting is a sink whose routes can't be asked: Redis is away. The journal keeps what is to come.
	Waiting State = "waiting"
	Stopped State = "stopped"
)

// Status is how a sink does.
type Status struct {
	Name, Plugin string
	State        State
	// Error is why the last write failed, while State is Retrying; what is waited for; or why the runner stopped.
	Error string
	// Since the runner was started: samples and events that the far end has, those that it refused for good, with the last
	// reason, and tries that failed.
	Written, Rejected uint64
	Reason            string
	Failures          uint64
	// LastWrite is when the far end last took something.
	LastWrite time.Time
	// Lag is what the journal holds and the sink has not written, and what it was too late for.
	Lag journal.Lag
	// Routes count what went by each route, since the runner was started; none for a sink without routes.
	Routes []RouteStatus
}

// RouteStatus counts what went to a sink by a route, as far as the far end has it.
type RouteStatus struct {
	Route string
	Counts
}

// Runner carries the journal to one sink, until it is stopped.
type Runner struct {
	o      Options
	log    hclog.Logger
	cursor *journal.Cursor
	cancel context.CancelFunc
	done   chan struct{}

	// The goroutine's own.
	batch   batch
	shaping *shaping
	// size is how much is written at once: less than the whole batch after failures.
	size int
	// proven is one item that the far end took.
	proven sdk.SinkWriteRequest

	mu     sync.Mutex
	status Status
}

// Cursor is the name of a sink's cursor in the journal.
func Cursor(name string) string { return "sink." + name }

// Start starts a runner.
func Start(o Options) (*Runner, error) {
	o.fill()
	cursor, err := o.Journal.Cursor(Cursor(o.Name), journal.Oldest)
	if err != nil {
		return nil, fmt.Errorf("start sink %s: %w", o.Name, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Runner{
		o: o, log: o.Log, cursor: cursor, cancel: cancel, done: make(chan struct{}), size: whole,
		batch:  batch{layouts: newLayouts(o.Routing), counts: make([]Counts, len(o.Routing.Routes))},
		status: Status{Name: o.Name, Plugin: o.Plugin, State: OK},
	}
	for _, route := range o.Routing.Routes {
		if route.Name != "" {
			r.status.Routes = append(r.status.Routes, RouteStatus{Route: route.Name})
		}
	}
	if o.Routing.shaped() {
		r.shaping = newShaping(r)
	}
	go r.run(ctx)
	return r, nil
}

// Stop ends the runner and keeps its place. A write that is under way is given two seconds.
func (r *Runner) Stop() error {
	r.cancel()
	<-r.done
	return r.cursor.Close()
}

// Status tells how the sink does.
func (r *Runner) Status() Status {
	r.mu.Lock()
	s := r.status
	s.Routes = slices.Clone(s.Routes)
	r.mu.Unlock()
	s.Lag = r.cursor.Lag()
	return s
}

func (r *Runner) set(f func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.status)
}

func (r *Runner) run(ctx context.Context) {
	defer close(r.done)
	var err error
	for err == nil {
		if err = r.gather(ctx); err == nil {
			err = r.deliver(ctx)
		}
		if err == nil {
			err = r.commit()
		}
	}
	if ctx.Err() != nil || errors.Is(err, journal.ErrClosed) {
		err = nil
	}
	r.set(func(s *Status) {
		s.State = Stopped
		if err != nil {
			s.Error = err.Error()
		}
	})
	if err != nil {
		r.log.Error("the sink stopped", "error", err)
	}
}

// commit is called when the far end has the batch.
func (r *Runner) commit() error {
	if err := r.cursor.Commit(r.batch.end); err != nil {
		return err
	}
	r.set(func(s *Status) {
		for i := range s.Routes {
			s.Routes[i].add(r.batch.counts[i])
		}
	})
	if r.shaping != nil {
		r.shaping.checkpoint()
	}
	return nil
}

// gather fills the batch with whole records, until it is full or the flush interval is over. When the runner is being
// stopped it gives what there is.
func (r *Runner) gather(ctx context.Context) error {
	r.batch.reset()
	wait := ctx
	for r.batch.len() < r.o.BatchSize {
		records, err := r.cursor.Next(wait, r.batch.room(r.o.BatchSize))
		if err != nil {
			if !r.batch.empty() && wait.Err() != nil {
				return nil
			}
			return err
		}
		if r.batch.empty() {
			limited, cancel := context.WithTimeout(ctx, r.o.FlushInterval)
			defer cancel()
			wait = limited
		}
		if err := r.take(ctx, records); err != nil {
			return err
		}
	}
	return nil
}

// take shapes records and adds what comes of them. It waits for the program as long as that takes.
func (r *Runner) take(ctx context.Context, records []journal.Record) error {
	var samples [][]byte
	if r.shaping != nil {
		var counts []GroupCounts
		var err error
		failures := 0
		if samples, counts, err = r.shaping.shape(ctx, records, func(err error) error {
			failures++
			return r.wait(ctx, err, failures)
		}); err != nil {
			return err
		}
		r.batch.count(counts)
		r.set(func(s *Status) {
			if s.State == Waiting {
				s.State, s.Error = OK, ""
			}
		})
	}
	for i := range records {
		var shaped []byte
		if samples != nil {
			shaped = samples[i]
		}
		if err := r.batch.add(&records[i], shaped); err != nil {
			return err
		}
	}
	return nil
}

// wait counts a call of the routes' program that failed, and waits before the next try.
func (r *Runner) wait(ctx context.Context, err error, failures int) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fresh := false
	r.set(func(s *Status) {
		fresh = s.State != Waiting
		s.State, s.Error = Waiting, "its routes: "+err.Error()
		s.Failures++
	})
	if fresh {
		r.log.Warn("the routes can't be asked, the sink waits", "error", err)
	}
	return r.pause(ctx, failures)
}

// failed counts a write that failed.
func (r *Runner) failed(err error) {
	fresh := false
	r.set(func(s *Status) {
		fresh = s.State != Retrying
		s.State, s.Error = Retrying, err.Error()
		s.Failures++
	})
	if fresh {
		r.log.Warn("could not write, trying again", "error", err)
	}
}

// pause waits before the next try: longer with each, and never exactly as long as others.
func (r *Runner) pause(ctx context.Context, failures int) error {
	d := r.o.MinBackoff << min(failures-1, 16)
	if d > r.o.MaxBackoff || d <= 0 {
		d = r.o.MaxBackoff
	}
	timer := time.NewTimer(d/2 + rand.N(d/2+1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
