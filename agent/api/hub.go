package api

import (
	"context"
	"sync"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
)

// Hub hands changes to subscribers. It remembers the last ones, so that a subscriber who lost its connection goes on where
// it was, and so that one who is slow holds up nobody: who falls behind all that is remembered is dropped.
//
// While nobody subscribes nothing is remembered. Sequences rise over restarts of the agent as long as its clock does.
type Hub struct {
	mu      sync.Mutex
	ring    []Change
	next    uint64 // sequence of the next change
	oldest  uint64 // sequence of the oldest that is remembered
	wake    chan struct{}
	waiting bool
	users   int
	idle    time.Time // since when nobody subscribes
	done    chan struct{}
	closed  bool
	now     func() time.Time
	pumps   sync.WaitGroup
}

// linger is how long changes are remembered after the last subscriber went.
const linger = time.Minute

// NewHub makes a hub that remembers up to keep changes.
func NewHub(keep int, now func() time.Time) *Hub {
	first := uint64(now().UnixMilli()) * 1000
	return &Hub{ring: make([]Change, keep), next: first, oldest: first, wake: make(chan struct{}), done: make(chan struct{}), now: now, idle: now()}
}

// Active tells whether anybody listens, or did a moment ago. While it is false, there is no need to prepare changes.
func (h *Hub) Active() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.active()
}

func (h *Hub) active() bool {
	if h.users > 0 || h.now().Sub(h.idle) < linger && h.oldest != h.next {
		return true
	}
	h.oldest = h.next
	return false
}

// Values publishes new values.
func (h *Hub) Values(values ...Value) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.active() {
		return
	}
	for i := range values {
		h.push(Change{Value: &values[i]})
	}
	h.notify()
}

// Event publishes an event.
func (h *Hub) Event(e event.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.active() {
		return
	}
	h.push(Change{Event: &e})
	h.notify()
}

func (h *Hub) push(c Change) {
	c.Sequence = h.next
	h.ring[h.next%uint64(len(h.ring))] = c
	h.next++
	if h.next-h.oldest > uint64(len(h.ring)) {
		h.oldest++
	}
}

func (h *Hub) notify() {
	if h.waiting {
		close(h.wake)
		h.wake, h.waiting = make(chan struct{}), false
	}
}

// Close ends all subscriptions and waits for them.
func (h *Hub) Close() {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.done)
	}
	h.mu.Unlock()
	h.pumps.Wait()
}

// Subscribe is what Agent.Subscribe promises. Snapshot gives the values as they are, of all names; it is called when the
// subscriber begins anew, or asks for what is no longer remembered, and these values are marked as a snapshot.
func (h *Hub) Subscribe(ctx context.Context, patterns []string, after uint64, snapshot func() []Value) (<-chan Change, error) {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil, ErrUnavailable
	}
	h.active() // forgets what is too old
	h.users++
	from := after + 1
	resume := after != 0 && from >= h.oldest && from <= h.next
	if !resume {
		from = h.next
	}
	h.pumps.Add(1)
	h.mu.Unlock()
	var first []Change
	if !resume {
		// What changes meanwhile comes again behind the snapshot; nothing is missed.
		for _, v := range snapshot() {
			if Match(patterns, v.Name) {
				first = append(first, Change{Sequence: from - 1, Value: &v, Snapshot: true})
			}
		}
	}
	out := make(chan Change, 64)
	go h.pump(ctx, patterns, first, from, out)
	return out, nil
}

// pump passes changes on until ctx ends, the hub is closed, or the subscriber is too slow.
func (h *Hub) pump(ctx context.Context, patterns []string, batch []Change, from uint64, out chan<- Change) {
	defer h.pumps.Done()
	defer close(out)
	defer h.leave()
	for {
		for _, c := range batch {
			select {
			case out <- c:
			case <-ctx.Done():
				return
			case <-h.done:
				return
			}
		}
		var wait <-chan struct{}
		var ok bool
		batch, from, wait, ok = h.take(batch[:0], patterns, from)
		if !ok {
			return
		}
		if wait == nil {
			continue
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return
		case <-h.done:
			return
		}
	}
}

// most bounds what a subscriber takes at once.
const most = 256

// take gives the next changes from a sequence on, or what to wait for; false when the subscription is over.
func (h *Hub) take(batch []Change, patterns []string, from uint64) ([]Change, uint64, <-chan struct{}, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || from < h.oldest {
		return nil, 0, nil, false
	}
	if from == h.next {
		h.waiting = true
		return batch, from, h.wake, true
	}
	for n := 0; from < h.next && n < most; n++ {
		c := h.ring[from%uint64(len(h.ring))]
		if Match(patterns, c.name()) {
			batch = append(batch, c)
		}
		from++
	}
	return batch, from, nil, true
}

func (c Change) name() string {
	if c.Value != nil {
		return c.Value.Name
	}
	return Subject(*c.Event)
}

func (h *Hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users--; h.users == 0 {
		h.idle = h.now()
	}
}
