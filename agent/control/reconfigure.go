package control

import (
	"context"
	"errors"
	"fmt"
)

// add takes in an output; the controller is locked, or not yet in use.
func (c *Controller) add(cfg Output) error {
	if cfg.Name == "" || cfg.Device == "" || cfg.Point == "" {
		return fmt.Errorf("output %q: it must have a name, a device and a point", cfg.Name)
	}
	if c.outputs[cfg.Name] != nil {
		return fmt.Errorf("output %s is there twice", cfg.Name)
	}
	if err := cfg.Limits.check(); err != nil {
		return fmt.Errorf("output %s: %w", cfg.Name, err)
	}
	c.arb.SetOutput(cfg.Name, cfg.Limits)
	c.outputs[cfg.Name] = &output{Output: cfg, worker: c.workerOf(cfg.Channel)}
	return nil
}

// Reconfigure makes the outputs those of a new site: what is unchanged is not touched, new limits hold at once, new
// outputs are written for the first time, and those that are gone are written to their safe value. It returns when these
// writes are done or ctx ends, with an error that names what could not be left safe. Call it while the channels of the
// outputs that go are still open, and not twice at a time.
func (c *Controller) Reconfigure(ctx context.Context, outputs []Output) error {
	want := make(map[string]Output, len(outputs))
	for _, o := range outputs {
		if _, twice := want[o.Name]; twice {
			return fmt.Errorf("output %s is there twice", o.Name)
		}
		if err := o.Limits.check(); err != nil {
			return fmt.Errorf("output %s: %w", o.Name, err)
		}
		want[o.Name] = o
	}
	c.mu.Lock()
	if c.stopping {
		c.mu.Unlock()
		return errors.New("the controller was stopped")
	}
	leaving := c.dismiss(want)
	err := c.adopt(outputs)
	c.advance(c.tick())
	c.mu.Unlock()
	c.flush()
	return errors.Join(err, c.await(ctx, leaving))
}

// dismiss marks the outputs that are not wanted any more.
func (c *Controller) dismiss(want map[string]Output) map[string]*output {
	leaving := map[string]*output{}
	for name, o := range c.outputs {
		if _, ok := want[name]; ok {
			continue
		}
		c.arb.RemoveOutput(name)
		for _, t := range o.open {
			if !t.final {
				t.finish(Outcome{Request: t.request.ID, Output: name, Result: ResultFailed, Detail: name + " was removed from the site"})
			}
		}
		o.open = nil
		if !c.started {
			delete(c.outputs, name)
			continue
		}
		o.leaving, o.gone = true, make(chan struct{})
		leaving[name] = o
		o.worker.nudge()
	}
	return leaving
}

// adopt takes in what is new or changed.
func (c *Controller) adopt(outputs []Output) error {
	now := c.tick()
	c.arb.Advance(now.UnixMilli())
	var errs []error
	for _, cfg := range outputs {
		o := c.outputs[cfg.Name]
		if o == nil {
			errs = append(errs, c.add(cfg))
		} else {
			c.change(o, cfg)
		}
		if o = c.outputs[cfg.Name]; o != nil && c.started {
			c.launch(o.worker)
		}
	}
	return errors.Join(errs...)
}

// change gives an output its new configuration.
func (c *Controller) change(o *output, cfg Output) {
	if cfg.Channel != o.Channel {
		o.worker.nudge()
		o.worker = c.workerOf(cfg.Channel)
		o.dirty, o.lost, o.failures = true, true, 0
	}
	if !sameLimits(cfg.Limits, o.Limits) {
		c.arb.SetOutput(cfg.Name, cfg.Limits)
	}
	if (cfg.ReadBack == nil) != (o.ReadBack == nil) || cfg.ReadBack != nil && *cfg.ReadBack != *o.ReadBack {
		o.check = check{}
		if cfg.ReadBack != nil && o.known {
			o.check.due = c.clock
		}
	}
	o.Output = cfg
	o.worker.nudge()
}

func sameLimits(a, b Limits) bool {
	if (a.Initial == nil) != (b.Initial == nil) || a.Initial != nil && *a.Initial != *b.Initial {
		return false
	}
	a.Initial, b.Initial = nil, nil
	return a == b
}

// await waits until the leaving outputs are at their safe values, then forgets them.
func (c *Controller) await(ctx context.Context, leaving map[string]*output) error {
	for _, o := range leaving {
		select {
		case <-o.gone:
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.unsafe(leaving)
	for name, o := range leaving {
		delete(c.outputs, name)
		o.worker.nudge()
	}
	return err
}
