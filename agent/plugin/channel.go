package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
	"github.com/voltage-edge/voltage/sdk/protocol"
)

// Channel is a channel that the host keeps open.
type Channel struct {
	keeper[protocol.Channel]
	plugin string
	spec   sdk.ChannelSpec
	silent bool // of the keeping goroutine: the devices were told to be stopped

	// Under the keeper's lock.
	stack   string
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
	c := &Channel{
		keeper: keeper[protocol.Channel]{what: fmt.Sprintf("channel %q", spec.Name), host: h, guest: g, log: g.log.Named(spec.Name)},
		plugin: plugin, spec: spec, devices: make(map[string]sdk.DeviceStatus),
	}
	run := c.begin()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		c.stop()
		return nil, ErrHostClosed
	}
	if h.channels[spec.Name] != nil {
		c.stop()
		return nil, fmt.Errorf("channel %q is open already: drain it before it is opened again", spec.Name)
	}
	h.channels[spec.Name] = c
	go c.keep(run, c.openOn, c.watch, c.failed)
	return c, nil
}

// Name is the channel's name.
func (c *Channel) Name() string { return c.spec.Name }

func (c *Channel) openOn(ctx context.Context, r *running) (*protocol.Channel, sdk.Diagnostics, error) {
	return r.rpc.OpenChannel(ctx, c.spec, (*receiver)(c))
}

// watch waits for the channel's end. When ctx ends the channel is drained.
func (c *Channel) watch(ctx context.Context, open *protocol.Channel) error {
	c.silent = false
	c.set(func() { c.stack = "" })
	select {
	case <-open.Done():
	case <-ctx.Done():
		closed, err := open.Drain(c.limit())
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

// failed makes the devices' values unknown, once until the channel is open again.
func (c *Channel) failed(err error) {
	if !c.silent {
		c.silent = true
		c.silence(err)
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

// Write sets a point and waits for the device's answer. When the channel or its plugin is not there it fails at once.
// The error is that of the way to the device; what the device said is in the response.
func (c *Channel) Write(ctx context.Context, device, point string, value float64) (sdk.WriteResponse, error) {
	open, err := c.use()
	if err != nil {
		return sdk.WriteResponse{}, fmt.Errorf("write %s.%s: %w", device, point, err)
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
	c.end(ctx)
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
