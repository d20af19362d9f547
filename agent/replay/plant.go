package replay

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/spelling"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// Plant stands in for a site's devices: points hold the values that they are set to, and each device gives a frame at its
// own interval, from the engine's start on.
type Plant struct {
	engine  *Engine
	devices []*standIn
}

// standIn is one device of a plant.
type standIn struct {
	device *site.Device
	frame  *frame.Builder
	silent bool
	// due is when its next frame comes; stale, when its values become unknown: 0 when they are already.
	due, stale int64
}

// NewPlant makes the devices of a site. Points are bad until they are set.
func NewPlant(e *Engine, s *site.Site) (*Plant, error) {
	p := &Plant{engine: e}
	for _, d := range s.Devices {
		b, err := frame.NewBuilder(d.Table())
		if err != nil {
			return nil, fmt.Errorf("device %s: %w", d.Name, err)
		}
		b.SetAll(frame.Bad | frame.NeverRead)
		p.devices = append(p.devices, &standIn{device: d, frame: b, due: e.Now()})
	}
	return p, nil
}

func (p *Plant) find(device string) (*standIn, error) {
	var names []string
	for _, d := range p.devices {
		if d.device.Name == device {
			return d, nil
		}
		names = append(names, d.device.Name)
	}
	return nil, fmt.Errorf("the site has no device %q.%s", device, spelling.DidYouMean(device, names))
}

// Point finds a readable numeric point by device.point.
func (p *Plant) Point(name string) (*site.Point, error) {
	var names []string
	for _, d := range p.devices {
		for _, pt := range d.device.Points {
			if pt.FullName() != name {
				names = append(names, pt.FullName())
				continue
			}
			if !pt.Readable || pt.Text {
				return nil, fmt.Errorf("%s is no number that the device gives", name)
			}
			return pt, nil
		}
	}
	return nil, fmt.Errorf("the site has no point %q.%s", name, spelling.DidYouMean(name, names))
}

// Set gives a point the value that it holds from the device's next frame on.
func (p *Plant) Set(name string, value float64) error {
	return p.change(name, func(b *frame.Builder, pt *site.Point) {
		if pt.Valid.Has(value) {
			b.Set(pt.Index, value)
		} else {
			b.SetBad(pt.Index, frame.OutOfRange)
		}
	})
}

// Lose makes a point bad until it is set again: its device answers with an error for it.
func (p *Plant) Lose(name string) error {
	return p.change(name, func(b *frame.Builder, pt *site.Point) { b.SetBad(pt.Index, frame.Refused) })
}

func (p *Plant) change(name string, do func(*frame.Builder, *site.Point)) error {
	pt, err := p.Point(name)
	if err != nil {
		return err
	}
	d, err := p.find(pt.Device.Name)
	if err != nil {
		return err
	}
	do(d.frame, pt)
	return nil
}

// Silence makes a device stop giving frames, or give them again.
func (p *Plant) Silence(device string, silent bool) error {
	d, err := p.find(device)
	if err != nil {
		return err
	}
	if d.silent && !silent {
		d.due = p.engine.Now()
	}
	d.silent = silent
	return nil
}

// Before runs all that is due before t.
func (p *Plant) Before(ctx context.Context, t int64) error { return p.until(ctx, t-1) }

// Run runs all that is due until t, t itself among it, and puts the clock there.
func (p *Plant) Run(ctx context.Context, t int64) error {
	if err := p.until(ctx, t); err != nil {
		return err
	}
	return p.engine.Feed(ctx, t)
}

func (p *Plant) until(ctx context.Context, t int64) error {
	for {
		at := int64(math.MaxInt64)
		for _, d := range p.devices {
			at = min(at, d.next())
		}
		if at > t {
			return nil
		}
		var frames []store.Frame
		for _, d := range p.devices {
			if d.next() == at {
				frames = append(frames, d.give(at))
			}
		}
		if err := p.engine.Feed(ctx, at, frames...); err != nil {
			return err
		}
	}
}

func (d *standIn) next() int64 {
	switch {
	case !d.silent:
		return d.due
	case d.stale != 0:
		return d.stale
	}
	return math.MaxInt64
}

func (d *standIn) give(at int64) store.Frame {
	b := d.frame
	if d.silent {
		d.stale = 0
		lost, err := frame.NewBuilder(d.device.Table())
		if err == nil {
			lost.SetAll(frame.Bad | frame.Stale)
			b = lost
		}
	} else {
		d.due = at + max(d.device.Every.Milliseconds(), 1)
		d.stale = at + d.device.StaleAfter.Milliseconds()
	}
	return store.Frame{Device: d.device.Name, Millis: at, Packed: b.Pack(nil, time.UnixMilli(at))}
}
