package poll

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// Channel is an sdk.Channel that runs a Link.
type Channel struct {
	spec    sdk.ChannelSpec
	link    Link
	o       Options
	devices []*device
	byName  map[string]*device
	wake    chan struct{}
	turns   turns

	// Held by whoever has the turn.
	connected  bool
	proven     bool // a request was answered since Connect
	losses     int
	reconnect  time.Time
	connectErr error

	mu         sync.Mutex
	cancelPoll context.CancelFunc
}

// New returns the channel of spec on link. It does no I/O.
func New(spec sdk.ChannelSpec, link Link, o Options) (*Channel, error) {
	c := &Channel{spec: spec, link: link, o: o.withDefaults(), byName: make(map[string]*device, len(spec.Devices)), wake: make(chan struct{}, 1)}
	for i := range c.spec.Devices {
		d, err := newDevice(i, &c.spec.Devices[i])
		if err != nil {
			return nil, fmt.Errorf("device %s: %w", c.spec.Devices[i].Name, err)
		}
		c.devices = append(c.devices, d)
		c.byName[d.spec.Name] = d
	}
	return c, nil
}

// Run polls the devices until ctx ends.
func (c *Channel) Run(ctx context.Context, out sdk.Output) error {
	now := c.o.Clock.Now()
	for _, d := range c.devices {
		d.soon(now)
	}
	for ctx.Err() == nil {
		if err := c.report(out); err != nil {
			return end(ctx, err)
		}
		d := c.earliest()
		if d == nil || d.dueAt().After(c.o.Clock.Now()) {
			c.sleep(ctx, d)
			continue
		}
		if err := c.poll(ctx, d, out); err != nil {
			return end(ctx, err)
		}
	}
	return nil
}

// end is nil when ctx ended: whatever failed then failed because of it.
func end(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// earliest is the readable device that is due first.
func (c *Channel) earliest() *device {
	var first *device
	var at time.Time
	for _, d := range c.devices {
		if !d.readable {
			continue
		}
		if due := d.dueAt(); first == nil || due.Before(at) {
			first, at = d, due
		}
	}
	return first
}

// sleep waits until d is due or a report is.
func (c *Channel) sleep(ctx context.Context, d *device) {
	now := c.o.Clock.Now()
	wait := c.o.StatusEvery
	if d != nil {
		wait = min(wait, d.dueAt().Sub(now))
	}
	for _, d := range c.devices {
		wait = min(wait, d.reported.Add(c.o.StatusEvery).Sub(now))
	}
	timer, stop := c.o.Clock.After(max(wait, 0))
	defer stop()
	select {
	case <-ctx.Done():
	case <-timer:
	case <-c.wake:
	}
}

// poke wakes the poll loop: a state or a schedule changed.
func (c *Channel) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *Channel) report(out sdk.Output) error {
	for _, d := range c.devices {
		if s, ok := d.report(c.o.Clock.Now(), c.o.StatusEvery); ok {
			if err := out.Status(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// poll reads one device and hands its frame, or those of all devices when the connection was lost, to out.
func (c *Channel) poll(ctx context.Context, d *device, out sdk.Output) error {
	at, reconnect, err := c.read(ctx, d)
	if ctx.Err() != nil {
		return nil
	}
	if isInterrupted(err) {
		d.soon(c.o.Clock.Now())
		return nil
	}
	switch {
	case err == nil || isPartial(err):
		d.well(c.o.Clock.Now().Sub(at), err)
		d.next(c.o.Clock.Now())
		return c.send(d, at, out)
	case isLost(err):
		for _, each := range c.devices {
			each.failed(err, reconnect)
			if err := c.sendBad(each, out); err != nil {
				return err
			}
		}
		return nil
	default:
		d.silent(c.o.Clock.Now(), err, c.o)
		return c.sendBad(d, out)
	}
}

// sendBad sends a frame that says that nothing of the device is known.
func (c *Channel) sendBad(d *device, out sdk.Output) error {
	if !d.readable {
		return nil
	}
	d.builder.SetAll(frame.NoAnswer)
	return c.send(d, c.o.Clock.Now(), out)
}

func (c *Channel) send(d *device, at time.Time, out sdk.Output) error {
	d.packed = d.builder.Pack(d.packed[:0], at)
	if err := out.Frame(d.spec.Name, d.packed); err != nil {
		return err
	}
	d.sent()
	return nil
}

var errInterrupted = errors.New("interrupted by a safe value")

func isInterrupted(err error) bool { return errors.Is(err, errInterrupted) }

// read takes the connection and polls d once; a second time when a connection that worked turns out to be gone, which
// is what a peer that closes idle connections looks like. The time is that of the attempt's start: what was written
// before it is in the frame. After a loss the second time is that of the next connection.
func (c *Channel) read(ctx context.Context, d *device) (at, reconnect time.Time, err error) {
	if err := c.turns.poll(ctx); err != nil {
		return at, reconnect, err
	}
	defer c.turns.release()
	ctx, cancel := context.WithTimeout(ctx, c.o.PollTimeout)
	defer cancel()
	c.setCancel(cancel)
	defer c.setCancel(nil)
	at = c.o.Clock.Now()
	err = c.with(ctx, func() error {
		at = c.o.Clock.Now()
		d.request()
		d.builder.SetAll(frame.NeverRead)
		return c.link.Poll(ctx, &Reading{Index: d.index, Device: d.spec, Frame: d.builder, channel: c, device: d})
	})
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return at, reconnect, fmt.Errorf("%w: %v", errInterrupted, err)
	}
	return at, c.reconnect, err
}

func (c *Channel) setCancel(cancel context.CancelFunc) {
	c.mu.Lock()
	c.cancelPoll = cancel
	c.mu.Unlock()
}

// with makes the connection when there is none and does f on it, by the rule of read. The caller has the turn.
func (c *Channel) with(ctx context.Context, f func() error) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	worked := c.proven
	err := f()
	if isLost(err) && worked && ctx.Err() == nil {
		c.drop()
		if again := c.connect(ctx); again != nil {
			return again
		}
		err = f()
	}
	switch {
	case isLost(err):
		c.drop()
		if !errors.Is(ctx.Err(), context.Canceled) {
			c.lose(err)
		}
	case err == nil || isPartial(err):
		c.proven, c.losses = true, 0
	}
	return err
}

// connect makes the connection when there is none. Within a pause it fails at once, with the last reason.
func (c *Channel) connect(ctx context.Context) error {
	if c.connected {
		return nil
	}
	if c.o.Clock.Now().Before(c.reconnect) {
		return Lost(c.connectErr)
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	if err := c.link.Connect(ctx); err != nil {
		c.drop()
		if errors.Is(ctx.Err(), context.Canceled) {
			return fmt.Errorf("connect: %w", err)
		}
		c.lose(err)
		return Lost(err)
	}
	c.connected, c.proven = true, false
	return nil
}

// drop closes the connection.
func (c *Channel) drop() {
	c.connected, c.proven = false, false
	// What closing a broken connection says is of no use to anybody.
	_ = c.link.Close()
}

// lose starts the pause before the next connection.
func (c *Channel) lose(err error) {
	c.losses++
	c.connectErr = err
	c.reconnect = c.o.Clock.Now().Add(c.o.pause(c.losses))
}

// Close ends the connection. It waits for a request that is under way.
func (c *Channel) Close() error {
	if err := c.turns.write(context.Background()); err != nil {
		return err
	}
	defer c.turns.release()
	c.connected = false
	return c.link.Close()
}
