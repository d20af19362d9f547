package plugin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/protocol"
)

// openTimeout limits the opening of a channel or sink.
const openTimeout = 15 * time.Second

// RefusedError is the error of a channel or sink that the plugin does not take as it is configured.
type RefusedError struct {
	What        string
	Diagnostics sdk.Diagnostics
}

func (e *RefusedError) Error() string {
	var texts []string
	for _, d := range e.Diagnostics {
		if d.Severity != sdk.Error {
			continue
		}
		text := d.Summary
		if len(d.Path) > 0 {
			text = strings.Join(d.Path, ".") + ": " + text
		}
		if d.Detail != "" {
			text += ": " + d.Detail
		}
		texts = append(texts, text)
	}
	return fmt.Sprintf("the plugin refuses %s: %s", e.What, strings.Join(texts, "; "))
}

// keeper keeps one thing of a plugin open, a channel or a sink: over failures of the thing and of the plugin's process.
// T is the thing while it is open.
type keeper[T any] struct {
	what  string // `channel "lan"`
	host  *Host
	guest *guest
	log   hclog.Logger

	stop    context.CancelFunc
	stopped chan struct{}

	mu      sync.Mutex
	changed chan struct{}
	state   State
	open    *T
	err     error
	tries   int // openings that ended, one way or the other
	reopens int
	retryAt time.Time
	// drain is the context of a wanted end; nil while none is.
	drain context.Context
}

// begin makes the keeper ready; keep is to run with the context that it returns.
func (k *keeper[T]) begin() context.Context {
	run, stop := context.WithCancel(context.Background())
	k.stop, k.stopped, k.changed, k.state = stop, make(chan struct{}), make(chan struct{}), Starting
	return run
}

// keep opens the thing again and again until ctx ends. While it is open, watch waits for its end; failed is told of every
// failure before the pause that follows it.
func (k *keeper[T]) keep(ctx context.Context, open func(context.Context, *running) (*T, sdk.Diagnostics, error), watch func(context.Context, *T) error, failed func(error)) {
	defer close(k.stopped)
	failures := 0
	for ctx.Err() == nil {
		x, err := k.connect(ctx, open)
		if err == nil {
			opened := time.Now()
			k.set(func() {
				if k.tries++; k.tries > 1 {
					k.reopens++
				}
				k.state, k.open, k.err, k.retryAt = Running, x, nil, time.Time{}
			})
			err = watch(ctx, x)
			if time.Since(opened) > settledAfter {
				failures = 0
			}
		}
		if ctx.Err() != nil {
			break
		}
		failures++
		k.pause(ctx, err, failures, failed)
	}
	k.set(func() { k.state, k.open = Stopped, nil })
}

// connect waits for the plugin and opens the thing on it.
func (k *keeper[T]) connect(ctx context.Context, open func(context.Context, *running) (*T, sdk.Diagnostics, error)) (*T, error) {
	r, _, err := k.guest.await(ctx, false)
	if err != nil {
		return nil, err
	}
	opening, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	x, diags, err := open(opening, r)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", k.what, err)
	}
	if x == nil {
		return nil, &RefusedError{What: k.what, Diagnostics: diags}
	}
	for _, d := range diags {
		k.log.Warn(d.Summary, "detail", d.Detail, "at", strings.Join(d.Path, "."))
	}
	return x, nil
}

// pause notes a failure and waits before the next try.
func (k *keeper[T]) pause(ctx context.Context, err error, failures int, failed func(error)) {
	refused := errors.As(err, new(*RefusedError))
	d := backoff(k.host.o, failures, refused)
	k.log.Warn("not open", "what", k.what, "error", err, "again in", d.Round(time.Millisecond))
	k.set(func() {
		if k.state != Running {
			k.tries++
		}
		k.state, k.err, k.retryAt = Backoff, err, time.Now().Add(d)
		if refused {
			k.state = Refused
		}
	})
	failed(err)
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (k *keeper[T]) set(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
	close(k.changed)
	k.changed = make(chan struct{})
}

// Wait waits until it is open, or the first try to open it has failed, or ctx ends.
func (k *keeper[T]) Wait(ctx context.Context) error {
	for {
		k.mu.Lock()
		state, tries, err, changed := k.state, k.tries, k.err, k.changed
		k.mu.Unlock()
		switch {
		case state == Running:
			return nil
		case tries > 0 && err != nil:
			return err
		case state == Stopped:
			return protocol.ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s is not open yet: %w: %w", k.what, ctx.Err(), k.guest.outage())
		}
	}
}

// use gives the open thing, or says why there is none.
func (k *keeper[T]) use() (*T, error) {
	k.mu.Lock()
	open, state, last := k.open, k.state, k.err
	k.mu.Unlock()
	if open != nil {
		return open, nil
	}
	if last == nil {
		last = k.guest.outage()
	}
	return nil, fmt.Errorf("%s is not open (%s): %w", k.what, state, last)
}

// limit is the context that bounds the draining.
func (k *keeper[T]) limit() context.Context {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.drain
}

// end drains the thing and waits until it is closed.
func (k *keeper[T]) end(ctx context.Context) {
	k.mu.Lock()
	if k.drain == nil {
		k.drain = ctx
	}
	k.mu.Unlock()
	k.stop()
	<-k.stopped
}
