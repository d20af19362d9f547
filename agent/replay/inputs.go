package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/store"
)

// FeedAll is Feed for frames of many instants, in few round trips: batches in the order of time, of each device at most one
// frame in one of them. What comes of it does not depend on how the frames are cut into batches, nor the batches into calls.
func (e *Engine) FeedAll(ctx context.Context, batches []store.Batch) error {
	from := 0
	for i, b := range batches {
		if !e.interrupts(b.Now) {
			continue
		}
		if err := e.feedAtOnce(ctx, batches[from:i]); err != nil {
			return err
		}
		from = i + 1
		for _, f := range b.Frames {
			if err := e.Feed(ctx, f.Millis, f); err != nil {
				return err
			}
		}
	}
	return e.feedAtOnce(ctx, batches[from:])
}

// feedAtOnce feeds batches in one round trip.
func (e *Engine) feedAtOnce(ctx context.Context, batches []store.Batch) error {
	if len(batches) == 0 {
		return nil
	}
	for _, b := range batches {
		if b.Now < e.Now() {
			return fmt.Errorf("the clock stands at %d ms and can't go back to %d ms", e.Now(), b.Now)
		}
		e.clock.Store(b.Now)
	}
	res, err := e.store.ApplyAll(ctx, batches)
	if err != nil {
		return err
	}
	if err := failure(res); err != nil {
		return err
	}
	now := e.Now()
	e.setNext(res.Next, now)
	return e.took(now, res)
}

// failure is why a library failed on a batch, nil when none did.
func failure(res store.Result) error {
	for _, name := range libraries {
		if err := res.Failures[name]; err != nil {
			return fmt.Errorf("library %s: %w", name, err)
		}
	}
	return nil
}

// operatorCommands are the alarm events that a person's command of the same name makes.
var operatorCommands = []string{
	"ack", "confirm", "reset", "shelve", "unshelve", "suppress", "unsuppress", "out_of_service", "in_service", "disable", "enable",
}

const (
	rulePrefix = "rule."
	// bySite is who does what the program says.
	bySite = "site"
)

// IsInput tells whether an event is something that the libraries were told from outside: a request of a person or a program,
// or a person's command to an alarm. All others are what the libraries themselves decided.
func IsInput(e event.Event) bool {
	switch e.Kind {
	case event.Request:
		return !strings.HasPrefix(e.Get("owner"), rulePrefix)
	case event.Alarm:
		by := e.Get("by")
		return by != "" && by != bySite && !strings.HasPrefix(by, rulePrefix) && slices.Contains(operatorCommands, e.Get("event"))
	}
	return false
}

// Input does again what an input did, at the engine's clock. A library's refusal is a *store.Refusal, and changes nothing.
func (e *Engine) Input(ctx context.Context, in event.Event) error {
	var err error
	if in.Kind == event.Request {
		_, err = e.store.SetValue(ctx, requestOf(in))
	} else {
		_, err = e.store.AlarmCommand(ctx, commandOf(in))
	}
	if err != nil {
		return err
	}
	return e.instant(ctx, e.Now(), nil)
}

func requestOf(in event.Event) store.SetRequest {
	r := store.SetRequest{Name: in.Get("output"), Owner: in.Get("owner"), ID: in.Get("id"), Why: in.Get("why")}
	if v, ok := in.Number("value"); ok {
		r.Value = &v
	}
	if p, ok := in.Number("priority"); ok {
		r.Priority = int(p)
	}
	if ttl, ok := in.Number("ttl"); ok {
		r.TTL = time.Duration(ttl) * time.Millisecond
	}
	return r
}

func commandOf(in event.Event) store.AlarmCommand {
	c := store.AlarmCommand{Name: in.Get("alarm"), Command: in.Get("event"), By: in.Get("by"), Comment: in.Get("comment")}
	if c.Command == "shelve" {
		c.Mode = in.Get("shelving")
		if end, ok := in.Number("shelf_end"); ok {
			c.Duration = time.Duration(int64(end)-in.Millis) * time.Millisecond
		}
	}
	return c
}

// inputName says what an input is about, for a note.
func inputName(in event.Event) string {
	if in.Kind == event.Request {
		return "a request of " + in.Get("owner") + " for " + in.Get("output")
	}
	return in.Get("event") + " of alarm " + in.Get("alarm") + " by " + in.Get("by")
}

// refused tells whether an error is a library's refusal.
func refused(err error) bool {
	var r *store.Refusal
	return errors.As(err, &r)
}
