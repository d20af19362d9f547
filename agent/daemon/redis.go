package daemon

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/control"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
)

// equip gives Redis what the site that runs needs: libraries, then programs. reloading is held, or nothing runs yet.
func (a *Agent) equip(ctx context.Context) error {
	if err := a.ensureOrKeep(ctx, a.librarySources()); err != nil {
		return err
	}
	if err := a.store.LoadPrograms(ctx, a.programs); err != nil {
		return err
	}
	a.equipped = true
	return nil
}

const (
	waitsForRedis = "models, alarms and rules do not run until Redis is there; the outputs are at their safe values"
	// equipEvery is the pause between two looks for a Redis that was away at the start.
	equipEvery = 300 * time.Millisecond
)

// equipLater waits for a Redis that was away at the start, gives it what it needs, and lets control take up what was in
// force. It returns when that is done or ctx ends.
func (a *Agent) equipLater(ctx context.Context) {
	said := ""
	for {
		done, err := a.equipNow(ctx)
		if done {
			return
		}
		if err != nil && err.Error() != said && ctx.Err() == nil {
			said = err.Error()
			a.log.Error("redis is there, but not in order", "error", err)
			a.setTrouble(aboutStore, fmt.Sprintf("%s: %v", waitsForRedis, err))
		}
		select {
		case <-time.After(equipEvery):
		case <-ctx.Done():
			return
		}
	}
}

// equipNow is equip for a Redis that was away; it does nothing when Redis has all, or is still away.
func (a *Agent) equipNow(ctx context.Context) (done bool, err error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if a.equipped {
		return true, nil
	}
	if st := a.store.Status().State; st != store.StateOK {
		return false, nil
	}
	if err := a.equip(ctx); err != nil {
		if store.Away(err) {
			err = nil
		}
		return false, err
	}
	s := a.current()
	requests, err := a.requests(ctx, s)
	if err != nil {
		a.equipped = false
		return false, err
	}
	// Nobody could ask for anything without Redis: what it holds is all that is in force.
	a.control.Resync(requests, func(string) bool { return true })
	a.setTrouble(aboutStore, "")
	a.tell("redis_reached", "models, alarms and rules run")
	a.log.Info("redis is there: models, alarms and rules run")
	if len(a.troubleTexts()) == 0 {
		a.keepGood(ctx, s, a.origin)
	}
	return true, nil
}

// The steps of bringing control in line with a Redis that lost something, or that has other rules now.
const (
	inLine int32 = iota
	// afterBatch: when a batch went through, so that the rules have said again what they ask for.
	afterBatch
	// beforeBatch: before the next batch. All events of the one before are in control then.
	beforeBatch
)

// storeEvent takes an event of the store's own.
func (a *Agent) storeEvent(e event.Event) {
	if e.Get("event") == "redis_restored" {
		a.resync.Store(afterBatch)
		a.endShadow("Redis was put in order again; what it lost, the candidate has not lost")
	}
	a.emit(e)
}

// applier carries the batches to the store. It is the intake's, and called from one goroutine.
type applier struct{ a *Agent }

// Wake is the store's.
func (x applier) Wake() <-chan struct{} { return x.a.store.Wake() }

// Apply takes a batch to the store.
func (x applier) Apply(ctx context.Context, b store.Batch) (store.Result, error) {
	if x.a.resync.Load() == beforeBatch {
		x.a.resyncRules(ctx)
	}
	x.a.shadows.prepare(ctx, x.a.store, b)
	res, err := x.a.store.Apply(ctx, b)
	if err == nil {
		x.a.shadows.give(b, res)
		x.a.resync.CompareAndSwap(afterBatch, beforeBatch)
	}
	return res, err
}

// resyncRules makes what rules ask for in control what Redis holds of it. What persons and programs ask for stays: that
// they took nothing back, control knows better than a Redis that lost something.
func (a *Agent) resyncRules(ctx context.Context) {
	if !a.resync.CompareAndSwap(beforeBatch, inLine) {
		return
	}
	requests, err := a.requests(ctx, a.current())
	if err != nil {
		a.resync.CompareAndSwap(inLine, afterBatch)
		a.log.Warn("what the rules ask for can't be compared; it is tried again", "error", err)
		return
	}
	a.control.Resync(requests, isRule)
}

const rulePrefix = "rule."

func isRule(owner string) bool { return strings.HasPrefix(owner, rulePrefix) }

// requests are the requests that are in force according to Redis, but for those of rules that the site does not run.
func (a *Agent) requests(ctx context.Context, s *site.Site) ([]control.Request, error) {
	kept, err := a.store.Requests(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the requests that are in force: %w", err)
	}
	out := make([]control.Request, 0, len(kept))
	for _, k := range kept {
		if name, ok := strings.CutPrefix(k.Owner, rulePrefix); ok {
			if !s.Runs(name) {
				a.log.Warn("a request of a rule that does not run counts no more", "owner", k.Owner, "output", k.Output)
				continue
			}
		}
		r := control.Request{
			Output: k.Output, Owner: k.Owner, Value: k.Value, Priority: int(k.Priority),
			At: int64(k.At), Until: control.Forever, Rev: k.Rev, ID: k.ID, Why: k.Why,
		}
		if k.TTL > 0 {
			r.Until = r.At + int64(k.TTL)
		}
		out = append(out, r)
	}
	return out, nil
}
