package daemon

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/store"
)

// actionPatience bounds one action: the next batch of frames waits for it.
const actionPatience = 2 * time.Second

// carryOut raises or clears the alarm that a rule or flow wants so. It is done before the event counts as read: an agent that
// dies in between does it again, which changes nothing. One that fails is counted, and told as an event.
func (a *Agent) carryOut(e event.Event) {
	ctx, cancel := context.WithTimeout(context.Background(), actionPatience)
	defer cancel()
	_, err := a.store.QuickAlarm(ctx, store.AlarmAction(e))
	a.actions.done(err)
	if err == nil {
		return
	}
	a.log.Warn("an action failed", "rule", e.Get("rule"), "action", e.Get("action"), "alarm", e.Get("alarm"), "error", err)
	failed := event.Event{Millis: e.Millis, Kind: event.Action, Fields: maps.Clone(e.Fields)}
	failed.Fields["event"], failed.Fields["error"] = "failed", err.Error()
	a.emit(failed)
}

// actionCounts counts actions.
type actionCounts struct {
	mu     sync.Mutex
	counts api.ActionStatus
}

func (c *actionCounts) done(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.counts.Failed++
		c.counts.Error = err.Error()
		return
	}
	c.counts.Done++
}

func (c *actionCounts) status() api.ActionStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}
