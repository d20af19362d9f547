package sdk

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/voltage-edge/voltage/sdk/internal/wire"
)

// defaultWriteTime limits a write for which the host gave no limit.
const defaultWriteTime = 30 * time.Second

// enqueue puts a write behind those that wait.
func (c *openChannel) enqueue(w *wire.Write) {
	select {
	case c.writes <- w:
	default:
		c.answer(w, WriteResponse{Err: fmt.Errorf("%d writes wait already for the channel", maxWaitingWrites)})
	}
}

// writeAll does the writes one after the other until ctx ends; the ones that wait then are refused.
func (c *openChannel) writeAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			c.refuseWaiting()
			return
		case w := <-c.writes:
			if int(w.GetDevice()) >= len(c.spec.Devices) {
				c.answer(w, WriteResponse{Err: fmt.Errorf("the channel has no device number %d", w.GetDevice())})
				continue
			}
			limit := time.Duration(w.GetTimeout())
			if limit <= 0 {
				limit = defaultWriteTime
			}
			req := WriteRequest{Device: c.spec.Devices[w.GetDevice()].Name, Point: w.GetPoint(), Value: w.GetValue()}
			writeContext, cancel := context.WithTimeout(ctx, limit)
			c.answer(w, c.write(writeContext, req))
			cancel()
		}
	}
}

func (c *openChannel) refuseWaiting() {
	for {
		select {
		case w := <-c.writes:
			c.answer(w, WriteResponse{Err: fmt.Errorf("the channel is being closed")})
		default:
			return
		}
	}
}

func (c *openChannel) answer(w *wire.Write, resp WriteResponse) {
	// Without a stream there is nobody to answer.
	_ = c.output.send(&wire.ChannelOut{Results: []*wire.WriteResult{resultOut(w.GetId(), resp)}})
}

// write calls the driver's Write, one call at a time. A call that does not return when its context ends is left behind,
// and the next one waits for it no longer than its own context.
func (c *openChannel) write(ctx context.Context, req WriteRequest) WriteResponse {
	resp := &WriteResponse{}
	returned, err := within(ctx, func() {
		select {
		case c.writing <- struct{}{}:
		case <-ctx.Done():
			resp.Err = ctx.Err()
			return
		}
		defer func() { <-c.writing }()
		c.channel.Write(ctx, req, resp)
	})
	switch {
	case !returned:
		return WriteResponse{Err: fmt.Errorf("write %s.%s: no answer in time: %w", req.Device, req.Point, err)}
	case err != nil:
		_, stack := explain(err)
		c.log.Error("the driver panicked in Write", "device", req.Device, "point", req.Point, "panic", err, "stack", stack)
		return WriteResponse{Err: fmt.Errorf("write %s.%s: %w", req.Device, req.Point, err)}
	}
	return *resp
}

// failSafe writes the safe values of all writable points, device after device, those that answer first. Each device has
// its share of the time, and what it leaves is left to the others.
func (c *openChannel) failSafe(ctx context.Context) []*wire.SafeWrite {
	devices := c.devicesWithSafe()
	end := time.Now().Add(wire.SafeTime)
	var out []*wire.SafeWrite
	for i, d := range devices {
		share := time.Until(end) / time.Duration(len(devices)-i)
		deviceContext, cancel := context.WithTimeout(ctx, share)
		for _, p := range d.Points {
			if p.Safe == nil || !p.Writable {
				continue
			}
			resp := c.writeSafe(deviceContext, WriteRequest{Device: d.Name, Point: p.Name, Value: *p.Safe, Safe: true})
			result := &wire.SafeWrite{Device: d.Name, Point: p.Name, Value: *p.Safe}
			if resp.Err != nil {
				result.Error = errorText(resp.Err)
				c.log.Error("the safe value was not written", "device", d.Name, "point", p.Name, "value", *p.Safe, "error", resp.Err)
			} else {
				c.log.Info("the safe value was written", "device", d.Name, "point", p.Name, "value", *p.Safe)
			}
			out = append(out, result)
		}
		cancel()
	}
	return out
}

// writeSafe is write, but a driver that is stuck in an earlier write is called all the same: there is no later.
func (c *openChannel) writeSafe(ctx context.Context, req WriteRequest) WriteResponse {
	patience, cancel := context.WithTimeout(ctx, wire.SafePatience)
	defer cancel()
	alone := false
	select {
	case c.writing <- struct{}{}:
		alone = true
	case <-patience.Done():
	}
	resp := &WriteResponse{}
	returned, err := within(ctx, func() {
		if alone {
			defer func() { <-c.writing }()
		}
		c.channel.Write(ctx, req, resp)
	})
	switch {
	case !returned:
		return WriteResponse{Err: fmt.Errorf("no answer in time: %w", err)}
	case err != nil:
		return WriteResponse{Err: err}
	}
	return *resp
}

// devicesWithSafe are the devices that have a safe value to write: those that answer, then those that were never
// reached, then those that are known not to answer.
func (c *openChannel) devicesWithSafe() []DeviceSpec {
	var out []DeviceSpec
	for _, d := range c.spec.Devices {
		if slices.ContainsFunc(d.Points, func(p PointSpec) bool { return p.Writable && p.Safe != nil }) {
			out = append(out, d)
		}
	}
	rank := map[DeviceState]int{DeviceOK: 0, DevicePartial: 0, DeviceBackoff: 2}
	of := func(d DeviceSpec) int {
		if r, known := rank[c.output.state(d.Name)]; known {
			return r
		}
		return 1
	}
	slices.SortStableFunc(out, func(a, b DeviceSpec) int { return cmp.Compare(of(a), of(b)) })
	return out
}
