package poll

import (
	"context"
	"sync"
)

// turns hands the connection to one user at a time: to the writes in the order of their coming, then to the poll.
type turns struct {
	mu      sync.Mutex
	busy    bool
	writes  []chan struct{}
	polling chan struct{}
}

// write waits for the connection on behalf of a write.
func (t *turns) write(ctx context.Context) error {
	t.mu.Lock()
	if !t.busy {
		t.busy = true
		t.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	t.writes = append(t.writes, mine)
	t.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
		t.leave(mine)
		return ctx.Err()
	}
}

// poll waits for the connection on behalf of the poll loop, of which there is one.
func (t *turns) poll(ctx context.Context) error {
	t.mu.Lock()
	if !t.busy {
		t.busy = true
		t.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	t.polling = mine
	t.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
		t.leave(mine)
		return ctx.Err()
	}
}

// pass lets the waiting writes go first. It returns with the connection held again, even with an error.
func (t *turns) pass(ctx context.Context) error {
	t.mu.Lock()
	waiting := len(t.writes) > 0
	t.mu.Unlock()
	if !waiting {
		return nil
	}
	t.release()
	// The poll owns the connection while it runs, so it takes it back whatever ctx says: writes end by their own limits.
	return t.poll(context.WithoutCancel(ctx))
}

// leave gives up waiting; a turn that was handed over in the same moment is handed on.
func (t *turns) leave(mine chan struct{}) {
	t.mu.Lock()
	if t.polling == mine {
		t.polling = nil
		t.mu.Unlock()
		return
	}
	for i, c := range t.writes {
		if c == mine {
			t.writes = append(t.writes[:i], t.writes[i+1:]...)
			t.mu.Unlock()
			return
		}
	}
	t.mu.Unlock()
	t.release()
}

// release hands the connection on.
func (t *turns) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(t.writes) > 0:
		next := t.writes[0]
		t.writes = t.writes[1:]
		close(next)
	case t.polling != nil:
		close(t.polling)
		t.polling = nil
	default:
		t.busy = false
	}
}
