package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
	"github.com/voltage-edge/voltage/sdk/protocol"
)

// openTimeout limits the opening of a channel or sink.
const openTimeout = 15 * time.Second

// Channel is a channel that the host keeps open: over failures of the channel and of its plugin.
type Channel struct {
	host   *Host
	guest  *guest
	plugin string
	spec   sdk.ChannelSpec
	log    hclog.Logger

	stop    context.CancelFunc
	stopped chan struct{}
	silent  bool // of keep: the devices were told to be stopped

	mu      sync.Mutex
	changed chan struct{}
	state   State
	open    *protocol.Channel
	err     error
	stack   string
	tries   int // openings that ended, one way or the other
	reopens int
	retryAt time.Time
	// drain is the context of a wanted end; nil while none is.
	drain   context.Context
	closed  protocol.Closed
	counts  counts
	devices map[string]sdk.DeviceStatus
}

// counts are a channel's counters.
type counts struct {
	frames, bytes, refused uint64
	lastFrame              time.Time
	lastRefusal            error
}

// OpenChannel opens a channel and keeps it open until Drain. It returns at once: a plugin or device that is not there
// yet is tried again and again. Wait tells how the first try ended.
func (h *Host) OpenChannel(ctx context.Context, plugin string, spec sdk.ChannelSpec) (*Channel, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g, err := h.guest(plugin)
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.Background())
	c := &Channel{
		host: h, guest: g, plugin: plugin, spec: spec, log: g.log.Named(spec.Name), stop: stop, stopped: make(chan struct{}),
		changed: make(chan struct{}), state: Starting, devices: make(map[string]sdk.DeviceStatus),
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		stop()
		return nil, ErrHostClosed
	}
	if h.channels[spec.Name] != nil {
		stop()
		return nil, fmt.Errorf("channel %q is open already: drain it before it is opened again", spec.Name)
	}
	h.channels[spec.Name] = c
	go c.keep(run)
	return c, nil
}

// Name is the channel's name.
func (c *Channel) Name() string { return c.spec.Name }

// keep opens the channel again and again until ctx ends.
func (c *Channel) keep(ctx context.Context) {
	defer close(c.stopped)
	failures := 0
	for ctx.Err() == nil {
		open, err := c.connect(ctx)
		refused := errors.As(err, new(*RefusedError))
		if err == nil {
			opened := time.Now()
			err = c.watch(ctx, open)
			if time.Since(opened) > settledAfter {
				failures = 0
			}
		}
		if ctx.Err() != nil {
			break
		}
		failures++
		c.pause(ctx, err, failures, refused)
	}
	c.set(func() { c.state, c.open = Stopped, nil })
}

// RefusedError is the error of a channel or sink that the plugin does not take as it is configured.
type RefusedError struct {
	What        string
	Diagnostics sdk.Diagnostics
}

func (e *RefusedError) Error() string {
	var texts []string
	for _, d := range e.Diagnostics {
		if d.Severity != sdk.Error {
			continue
		}
		text := d.Summary
		if len(d.Path) > 0 {
			text = strings.Join(d.Path, ".") + ": " + text
		}
		if d.Detail != "" {
			text += ": " + d.Detail
		}
		texts = append(texts, text)
	}
	return fmt.Sprintf("the plugin refuses %s: %s", e.What, strings.Join(texts, "; "))
}

// connect waits for the plugin and opens the channel on it.
func (c *Channel) connect(ctx context.Context) (*protocol.Channel, error) {
	r, _, err := c.guest.await(ctx, false)
	if err != nil {
		return nil, err
	}
	opening, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	open, diags, err := r.rpc.OpenChannel(opening, c.spec, (*receiver)(c))
	if err != nil {
		return nil, fmt.Errorf("open channel %q: %w", c.spec.Name, err)
	}
	if open == nil {
		return nil, &RefusedError{What: fmt.Sprintf("channel %q", c.spec.Name), Diagnostics: diags}
	}
	for _, d := range diags {
		c.log.Warn(d.Summary, "detail", d.Detail, "at", strings.Join(d.Path, "."))
	}
	return open, nil
}

// watch waits for the channel's end. When ctx ends the channel is drained.
func (c *Channel) watch(ctx context.Context, open *protocol.Channel) error {
	c.silent = false
	c.set(func() {
		if c.tries++; c.tries > 1 {
			c.reopens++
		}
		c.state, c.open, c.err, c.stack, c.retryAt = Running, open, nil, "", time.Time{}
	})
	select {
	case <-open.Done():
	case <-ctx.Done():
		c.mu.Lock()
		limit := c.drain
		c.mu.Unlock()
		closed, err := open.Drain(limit)
		if err == nil {
			err = closed.Err
		}
		c.set(func() { c.open, c.closed, c.err = nil, closed, err })
		return err
	}
	closed := open.Closed()
	err := closed.Err
	if err == nil {
		err = errors.New("the plugin ended the channel")
	}
	c.set(func() { c.open, c.err, c.stack = nil, err, closed.Stack })
	if closed.Stack != "" {
		c.log.Error("the driver panicked", "error", err, "stack", closed.Stack)
	}
	return fmt.Errorf("channel %q: %w", c.spec.Name, err)
}

// pause notes a failure and waits before the next try.
func (c *Channel) pause(ctx context.Context, err error, failures int, refused bool) {
	d := backoff(c.host.o, failures, refused)
	c.log.Warn("the channel is not open", "error", err, "again in", d.Round(time.Millisecond))
	c.set(func() {
		if c.state != Running {
			c.tries++
		}
		c.state, c.err, c.retryAt = Backoff, err, time.Now().Add(d)
		if refused {
			c.state = Refused
		}
	})
	if !c.silent {
		c.silent = true
		c.silence(err)
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// silence gives every device a frame that says that nothing of it is known, and the state stopped.
func (c *Channel) silence(err error) {
	for _, d := range c.spec.Devices {
		if c.host.o.OnFrame != nil {
			if b, err := frame.NewBuilder(d.Table()); err == nil {
				b.SetAll(frame.Stopped)
				c.take(d.Name, b.Pack(nil, time.Now()))
			}
		}
		c.mu.Lock()
		s := c.devices[d.Name]
		c.mu.Unlock()
		s.Device, s.State, s.Error, s.RetryAt = d.Name, sdk.DeviceStopped, err.Error(), time.Time{}
		(*receiver)(c).Status(s)
	}
}

func (c *Channel) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

// Wait waits until the channel is open, or the first try to open it has failed, or ctx ends.
func (c *Channel) Wait(ctx context.Context) error {
	for {
		c.mu.Lock()
		state, tries, err, changed := c.state, c.tries, c.err, c.changed
		c.mu.Unlock()
		switch {
		case state == Running:
			return nil
		case tries > 0 && err != nil:
			return err
		case state == Stopped:
			return protocol.ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("channel %q is not open yet: %w: %w", c.spec.Name, ctx.Err(), c.guest.outage())
		}
	}
}

// Write sets a point and waits for the device's answer. When the channel or its plugin is not there it fails at once.
// The error is that of the way to the device; what the device said is in the response.
func (c *Channel) Write(ctx context.Context, device, point string, value float64) (sdk.WriteResponse, error) {
	c.mu.Lock()
	open, state, last := c.open, c.state, c.err
	c.mu.Unlock()
	if open == nil {
		what := fmt.Sprintf("write %s.%s: channel %q is not open (%s)", device, point, c.spec.Name, state)
		if last != nil {
			return sdk.WriteResponse{}, fmt.Errorf("%s: %w", what, last)
		}
		return sdk.WriteResponse{}, fmt.Errorf("%s: %w", what, c.guest.outage())
	}
	r, err := open.Write(ctx, device, point, value)
	if err != nil {
		err = fmt.Errorf("write %s.%s: %w", device, point, err)
	}
	return r, err
}

// Drain has the safe values written and the channel closed, and waits for that. When ctx ends first the stream is cut,
// and the plugin does the same by itself. The handle is of no use afterwards.
func (c *Channel) Drain(ctx context.Context) error {
	c.mu.Lock()
	if c.drain == nil {
		c.drain = ctx
	}
	c.mu.Unlock()
	c.stop()
	<-c.stopped
	c.host.mu.Lock()
	if c.host.channels[c.spec.Name] == c {
		delete(c.host.channels, c.spec.Name)
	}
	c.host.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, s := range c.closed.Safe {
		if s.Err != nil {
			errs = append(errs, fmt.Errorf("the safe value of %s.%s was not written: %w", s.Device, s.Point, s.Err))
		}
	}
	return errors.Join(errs...)
}

// receiver is the channel as the protocol sees it.
type receiver Channel

// Frame hands a frame on.
func (r *receiver) Frame(device string, packed []byte) { (*Channel)(r).take(device, packed) }

func (c *Channel) take(device string, packed []byte) {
	var err error
	if c.host.o.OnFrame != nil {
		err = c.host.o.OnFrame(c.spec.Name, device, packed)
	}
	c.mu.Lock()
	c.counts.frames++
	c.counts.bytes += uint64(len(packed))
	c.counts.lastFrame = time.Now()
	first := err != nil && (c.counts.lastRefusal == nil || c.counts.lastRefusal.Error() != err.Error())
	if err != nil {
		c.counts.refused++
		c.counts.lastRefusal = err
	}
	c.mu.Unlock()
	if first {
		c.log.Error("a frame was refused", "device", device, "error", err)
	}
}

// Status takes a device's state, and makes an event of a change.
func (r *receiver) Status(s sdk.DeviceStatus) {
	c := (*Channel)(r)
	c.mu.Lock()
	before := c.devices[s.Device]
	c.devices[s.Device] = s
	c.mu.Unlock()
	if c.host.o.OnStatus != nil {
		c.host.o.OnStatus(c.spec.Name, s)
	}
	if before.State != s.State {
		c.host.emit(event.New(time.Now(), event.Device, "device", s.Device, "channel", c.spec.Name, "state", string(s.State), "detail", s.Error))
	}
}
