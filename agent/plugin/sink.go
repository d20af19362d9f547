package plugin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/protocol"
)

// Sink is a sink that the host keeps open: over failures of the sink and of its plugin.
type Sink struct {
	host   *Host
	guest  *guest
	plugin string
	req    sdk.SinkOpenRequest
	log    hclog.Logger

	stop    context.CancelFunc
	stopped chan struct{}

	mu      sync.Mutex
	changed chan struct{}
	state   State
	open    *protocol.Sink
	err     error
	tries   int
	reopens int
	drain   context.Context
	batches uint64
	samples uint64
	failed  uint64
}

// OpenSink opens a sink and keeps it open until Drain. It returns at once; Wait tells how the first try ended.
func (h *Host) OpenSink(ctx context.Context, plugin string, req sdk.SinkOpenRequest) (*Sink, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g, err := h.guest(plugin)
	if err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.Background())
	s := &Sink{
		host: h, guest: g, plugin: plugin, req: req, log: g.log.Named(req.Name), stop: stop, stopped: make(chan struct{}),
		changed: make(chan struct{}), state: Starting,
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		stop()
		return nil, ErrHostClosed
	}
	if h.sinks[req.Name] != nil {
		stop()
		return nil, fmt.Errorf("sink %q is open already: drain it before it is opened again", req.Name)
	}
	h.sinks[req.Name] = s
	go s.keep(run)
	return s, nil
}

// keep opens the sink again and again until ctx ends.
func (s *Sink) keep(ctx context.Context) {
	defer close(s.stopped)
	failures := 0
	for ctx.Err() == nil {
		open, err := s.connect(ctx)
		refused := errors.As(err, new(*RefusedError))
		if err == nil {
			opened := time.Now()
			err = s.watch(ctx, open)
			if time.Since(opened) > settledAfter {
				failures = 0
			}
		}
		if ctx.Err() != nil {
			break
		}
		failures++
		d := backoff(s.host.o, failures, refused)
		s.log.Warn("the sink is not open", "error", err, "again in", d.Round(time.Millisecond))
		s.set(func() {
			if s.state != Running {
				s.tries++
			}
			s.state, s.err = Backoff, err
			if refused {
				s.state = Refused
			}
		})
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	s.set(func() { s.state, s.open = Stopped, nil })
}

func (s *Sink) connect(ctx context.Context) (*protocol.Sink, error) {
	r, _, err := s.guest.await(ctx, false)
	if err != nil {
		return nil, err
	}
	opening, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	open, diags, err := r.rpc.OpenSink(opening, s.req)
	if err != nil {
		return nil, fmt.Errorf("open sink %q: %w", s.req.Name, err)
	}
	if open == nil {
		return nil, &RefusedError{What: fmt.Sprintf("sink %q", s.req.Name), Diagnostics: diags}
	}
	return open, nil
}

// watch waits for the sink's end. When ctx ends the sink is drained.
func (s *Sink) watch(ctx context.Context, open *protocol.Sink) error {
	s.set(func() {
		if s.tries++; s.tries > 1 {
			s.reopens++
		}
		s.state, s.open, s.err = Running, open, nil
	})
	var err error
	select {
	case <-open.Done():
		if err = open.Closed().Err; err == nil {
			err = errors.New("the plugin ended it")
		}
	case <-ctx.Done():
		s.mu.Lock()
		limit := s.drain
		s.mu.Unlock()
		err = open.Drain(limit)
	}
	if err != nil {
		err = fmt.Errorf("sink %q: %w", s.req.Name, err)
	}
	s.set(func() { s.open, s.err = nil, err })
	return err
}

func (s *Sink) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Wait waits until the sink is open, or the first try to open it has failed, or ctx ends.
func (s *Sink) Wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		state, tries, err, changed := s.state, s.tries, s.err, s.changed
		s.mu.Unlock()
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
			return fmt.Errorf("sink %q is not open yet: %w: %w", s.req.Name, ctx.Err(), s.guest.outage())
		}
	}
}

// Write hands a batch over and waits until the far end has it. With an error nothing of it counts as written. When the
// sink or its plugin is not there it fails at once.
func (s *Sink) Write(ctx context.Context, req sdk.SinkWriteRequest) (sdk.SinkWriteResponse, error) {
	s.mu.Lock()
	open, state, last := s.open, s.state, s.err
	s.mu.Unlock()
	if open == nil {
		if last == nil {
			last = s.guest.outage()
		}
		return sdk.SinkWriteResponse{}, fmt.Errorf("sink %q is not open (%s): %w", s.req.Name, state, last)
	}
	resp, err := open.Write(ctx, req)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed++
		return resp, err
	}
	s.batches++
	s.samples += uint64(len(req.Samples))
	return resp, nil
}

// Drain has the sink flushed and closed, and waits for that. The handle is of no use afterwards.
func (s *Sink) Drain(ctx context.Context) error {
	s.mu.Lock()
	if s.drain == nil {
		s.drain = ctx
	}
	s.mu.Unlock()
	s.stop()
	<-s.stopped
	s.host.mu.Lock()
	if s.host.sinks[s.req.Name] == s {
		delete(s.host.sinks, s.req.Name)
	}
	s.host.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
