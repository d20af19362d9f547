package poll

import (
	"context"
	"fmt"
	"time"

	"github.com/voltage-edge/voltage/sdk"
)

// Write sets one point ahead of the polls that wait. A device in back-off, or a connection in it, refuses at once: only
// a safe value is tried there, and it interrupts a poll that is under way.
func (c *Channel) Write(ctx context.Context, req sdk.WriteRequest, resp *sdk.WriteResponse) {
	d, p, err := c.target(req)
	if err != nil {
		resp.Err = err
		return
	}
	if s, pausing := d.pausing(c.o.Clock.Now()); pausing && d.readable && !req.Safe {
		resp.Err = fmt.Errorf("device %s does not answer, it is tried again in %s: %s", req.Device, s.RetryAt.Sub(c.o.Clock.Now()).Round(time.Millisecond), s.Error)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	if req.Safe {
		c.interrupt()
	}
	if err := c.turns.write(ctx); err != nil {
		resp.Err = fmt.Errorf("write %s.%s: the connection was busy until the time was up: %w", req.Device, req.Point, err)
		return
	}
	defer c.turns.release()
	if req.Safe {
		c.reconnect = time.Time{}
	}
	err = c.with(ctx, func() error {
		*resp = sdk.WriteResponse{}
		d.request()
		c.link.Write(ctx, Writing{Index: d.index, Device: d.spec, Point: p, Value: req.Value, Safe: req.Safe}, resp)
		return resp.Err
	})
	resp.Err = err
	c.wrote(d, err)
}

func (c *Channel) target(req sdk.WriteRequest) (*device, *sdk.PointSpec, error) {
	d := c.byName[req.Device]
	if d == nil {
		return nil, nil, fmt.Errorf("write %s.%s: channel %s has no device %s", req.Device, req.Point, c.spec.Name, req.Device)
	}
	p := d.points[req.Point]
	if p == nil {
		return nil, nil, fmt.Errorf("write %s.%s: the device has no such point", req.Device, req.Point)
	}
	if !p.Writable || p.Text {
		return nil, nil, fmt.Errorf("write %s.%s: the point takes no set-points", req.Device, req.Point)
	}
	return d, p, nil
}

// interrupt ends the poll that is under way.
func (c *Channel) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancelPoll != nil {
		c.cancelPoll()
	}
}

// wrote takes what a write tells about the device. A device or connection that did not answer is polled at once, so
// that its frame says so.
func (c *Channel) wrote(d *device, err error) {
	now := c.o.Clock.Now()
	switch {
	case err == nil:
		if !d.readable {
			d.well(0, nil)
		}
	case isLost(err) || isTimeout(err):
		if d.readable {
			d.soon(now)
		} else {
			d.silent(now, err, c.o)
		}
	default:
		return
	}
	c.poke()
}
