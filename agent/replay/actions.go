package replay

import (
	"context"
	"maps"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/store"
)

// carryOut raises and clears the alarms that rules and flows want so, as the agent does.
func (e *Engine) carryOut(ctx context.Context) error {
	if len(e.asked) == 0 {
		return nil
	}
	asked := e.asked
	e.asked = nil
	for _, a := range asked {
		_, err := e.store.QuickAlarm(ctx, store.AlarmAction(a))
		switch {
		case refused(err):
			failed := event.Event{Millis: a.Millis, Kind: event.Action, Fields: maps.Clone(a.Fields)}
			failed.Fields["event"], failed.Fields["error"] = "failed", err.Error()
			e.events = append(e.events, failed)
		case err != nil:
			return err
		}
	}
	// What came of it is read with a batch.
	return e.apply(ctx, e.Now(), nil)
}
