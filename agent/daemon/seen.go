package daemon

import (
	"context"
	"sync"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/store"
)

// seen is what a status tells of what is in Redis.
type seen struct {
	libraries []api.Library
	alarms    api.AlarmsStatus
	rules     store.RuleMetrics
	// known: rules are those that Redis has now.
	known bool
}

// lookout keeps what was seen in Redis last. A Redis that hangs must not make the status hang.
type lookout struct {
	mu   sync.Mutex
	last seen
	at   time.Time
	// began is when the look that is under way did.
	began time.Time
	look  chan struct{} // closed when the look that is under way has ended; nil: none is
}

const (
	// seenAge is how old what was seen may be for a status.
	seenAge = time.Second
	// seenPatience is how long those who ask wait for a look; later they get what was seen before it.
	seenPatience = 500 * time.Millisecond
)

// lastSeen is at most so old unless Redis does not tell anything newer at once.
func (a *Agent) lastSeen(ctx context.Context) seen {
	l := &a.shown
	l.mu.Lock()
	if time.Since(l.at) < seenAge {
		defer l.mu.Unlock()
		return l.last
	}
	if l.look == nil {
		l.look, l.began = make(chan struct{}), time.Now()
		a.all.Go(a.lookAtRedis)
	}
	look, patience := l.look, seenPatience-time.Since(l.began)
	l.mu.Unlock()
	if patience > 0 {
		select {
		case <-look:
		case <-time.After(patience):
		case <-ctx.Done():
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// lookAtRedis renews what was seen. The libraries stay as they were seen last; how alarms and rules do is not known without Redis.
func (a *Agent) lookAtRedis() {
	libraries, err := a.Libraries(context.Background())
	alarms := api.AlarmsStatus{State: "unknown"}
	var rules store.RuleMetrics
	known := false
	if err == nil {
		if m, err := a.store.AlarmMetrics(context.Background()); err == nil {
			alarms = alarmsStatus(m)
		}
		var failed error
		rules, failed = a.store.RuleMetrics(context.Background())
		known = failed == nil
	}
	l := &a.shown
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last.alarms, l.last.rules, l.last.known = alarms, rules, known
	if err == nil {
		l.last.libraries, l.at = libraries, time.Now()
	}
	close(l.look)
	l.look = nil
}

// forget makes the next status look anew.
func (l *lookout) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = time.Time{}
}
