// Package control is the one way out: requests for outputs come in, set-points go to the devices.
//
// An Arbiter decides who holds each output and what value that gives. The Controller writes that value, each channel by
// a goroutine of its own, reads it back, tries again while the aim stands, and records what happened with its reason.
package control

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// Output is one point that takes set-points.
type Output struct {
	// Name is device.point; Device and Point are its parts, Channel the channel of the device.
	Name, Channel, Device, Point string
	Unit                         string
	Limits                       Limits
	// MinInterval is the least time between two writes; a change within it waits.
	MinInterval time.Duration
	// Refresh repeats an unchanged value at this interval, for devices with a watchdog; 0: never.
	Refresh  time.Duration
	ReadBack *ReadBack
}

// ReadBack says how a write is verified.
type ReadBack struct {
	// Device and Point whose reading is compared.
	Device, Point string
	// Within is the largest difference that counts as the same, in the output's unit.
	Within float64
	// After is how long the device may take.
	After time.Duration
}

// Writer writes one value to one point and waits for the device's answer. It is called from one goroutine per channel
// and returns when ctx ends.
type Writer interface {
	Write(ctx context.Context, device, point string, value float64) (sdk.WriteResponse, error)
}

// Reader gives the newest reading of a point. It must not call back into the controller.
type Reader interface {
	Value(device, point string) (value float64, q frame.Quality, at time.Time, ok bool)
}

// Options of a Controller. Writer is required.
type Options struct {
	Outputs []Output
	// Requests that were in force when the agent stopped.
	Requests []Request
	Writer   Writer
	// Reader verifies writes; nil: nothing is verified.
	Reader Reader
	// Emit takes the audit events, in order, never while the controller is locked; nil: nowhere.
	Emit func(event.Event)
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	Log hclog.Logger
	// WriteTimeout bounds one write; 0: 5 s.
	WriteTimeout time.Duration
	// RampStep is the time between two writes on the way to an aim; 0: 500 ms. The first comes after a fifth of it.
	RampStep time.Duration
}

// Controller owns the arbiter and the outputs. Its methods are safe for concurrent use.
type Controller struct {
	o     Options
	ctx   context.Context
	abort context.CancelFunc

	mu       sync.Mutex
	arb      *Arbiter
	outputs  map[string]*output
	workers  map[string]*worker
	tracked  map[string]*tracked
	order    []string // of tracked, the oldest first
	outbox   []event.Event
	refused  uint64
	clock    time.Time
	started  bool
	stopping bool
	all      sync.WaitGroup

	emitting sync.Mutex
}

// New makes a controller; nothing is written before Start.
func New(o Options) (*Controller, error) {
	if o.Writer == nil {
		return nil, errors.New("control: a writer is required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Emit == nil {
		o.Emit = func(event.Event) {}
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = 5 * time.Second
	}
	if o.RampStep <= 0 {
		o.RampStep = 500 * time.Millisecond
	}
	c := &Controller{
		o: o, arb: NewArbiter(),
		outputs: map[string]*output{}, workers: map[string]*worker{}, tracked: map[string]*tracked{},
	}
	c.ctx, c.abort = context.WithCancel(context.Background())
	c.arb.Advance(o.Now().UnixMilli())
	for _, out := range o.Outputs {
		if err := c.add(out); err != nil {
			c.abort()
			return nil, err
		}
	}
	return c, nil
}

// Start takes up the requests that were in force, and writes every output once, so that its state is known: the value of
// the request that holds it, or the safe value.
func (c *Controller) Start() {
	c.mu.Lock()
	c.started = true
	now := c.tick()
	for _, r := range c.o.Requests {
		r.At = min(r.At, now.UnixMilli())
		c.arb.Put(r)
	}
	c.advance(now)
	for _, w := range c.workers {
		c.launch(w)
	}
	c.mu.Unlock()
	c.flush()
}

// Handle takes an event; what is no request is ignored. It does not wait for the write.
func (c *Controller) Handle(e event.Event) {
	if e.Kind != event.Request {
		return
	}
	r, err := FromEvent(e)
	c.mu.Lock()
	if err == nil && c.outputs[r.Output] == nil {
		err = fmt.Errorf("request of %s for %s: there is no such output", r.Owner, r.Output)
	}
	if err != nil {
		c.refused++
		c.refuse(r, err)
		c.mu.Unlock()
		c.o.Log.Warn("request refused", "error", err)
		return
	}
	now := c.tick()
	if late := r.At - now.UnixMilli(); late > 0 { // made by a clock that was set since
		r.At -= late
		r.Until = shifted(r.Until, -late)
	}
	c.track(r)
	c.arb.Put(r)
	c.advance(now)
	c.mu.Unlock()
	c.flush()
}

// tick reads the clock. When the machine's clock was set, everything is moved along with it.
func (c *Controller) tick() time.Time {
	now := c.o.Now()
	if !c.clock.IsZero() {
		set := now.Round(0).Sub(c.clock.Round(0)) - now.Sub(c.clock)
		if set.Abs() > time.Second {
			c.arb.Shift(set.Milliseconds())
		}
	}
	c.clock = now
	return now
}

// advance moves the arbiter, and wakes the workers whose outputs are to change.
func (c *Controller) advance(now time.Time) {
	for _, j := range c.arb.Advance(now.UnixMilli()) {
		o := c.outputs[j.Output]
		if o == nil {
			continue
		}
		if j.Owner() != j.Before || j.First && j.Winner != nil {
			c.outbox = append(c.outbox, arbitrationEvent(j))
		}
		o.worker.nudge()
	}
	for _, o := range c.outputs {
		j, ok := c.arb.Now(o.Name, now.UnixMilli())
		if !ok {
			continue
		}
		if !o.aimed || j.Aim != o.aim {
			o.aimAt(j.Aim, now, c.o.RampStep)
			o.worker.nudge()
		}
		c.settle(o, j)
	}
}

// flush emits what is in the outbox, in order.
func (c *Controller) flush() {
	c.emitting.Lock()
	defer c.emitting.Unlock()
	for {
		c.mu.Lock()
		out := c.outbox
		c.outbox = nil
		c.mu.Unlock()
		if len(out) == 0 {
			return
		}
		for _, e := range out {
			c.o.Emit(e)
		}
	}
}

// Reapply writes the outputs of a device again, when it came back and may have forgotten them.
func (c *Controller) Reapply(device string) {
	c.reapply(func(o *output) bool { return o.Device == device })
}

// ReapplyChannel writes the outputs of a channel again, when its plugin was started anew.
func (c *Controller) ReapplyChannel(channel string) {
	c.reapply(func(o *output) bool { return o.Channel == channel })
}

func (c *Controller) reapply(which func(*output) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.outputs {
		if which(o) {
			o.dirty, o.failures, o.lost = true, 0, true
			o.worker.nudge()
		}
	}
}

// Stop writes the safe value to every output, each channel once and without ramps, and ends. Writes that have not come
// back when ctx ends are given up, and named in the error.
func (c *Controller) Stop(ctx context.Context) error {
	c.mu.Lock()
	c.stopping = true
	for _, w := range c.workers {
		w.nudge()
	}
	started := c.started
	c.mu.Unlock()
	defer c.abort()
	if !started {
		return nil
	}
	stop := context.AfterFunc(ctx, c.abort)
	defer stop()
	c.all.Wait()
	c.flush()
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, t := range c.tracked {
		if !t.final {
			t.finish(Outcome{Request: id, Output: t.output, Result: ResultFailed, Detail: "the agent stopped"})
		}
	}
	return c.unsafe(c.outputs)
}

// unsafe names the outputs that were not left at their safe value.
func (c *Controller) unsafe(outputs map[string]*output) error {
	var errs []error
	names := make([]string, 0, len(outputs))
	for name := range outputs {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if o := outputs[name]; !o.parked {
			errs = append(errs, fmt.Errorf("%s was not written to its safe value %g: %s", name, o.Limits.Safe, o.answer()))
		}
	}
	return errors.Join(errs...)
}
