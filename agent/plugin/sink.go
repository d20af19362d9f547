package plugin

import (
	"context"
	"errors"
	"fmt"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/protocol"
)

// Sink is a sink that the host keeps open.
type Sink struct {
	keeper[protocol.Sink]
	plugin string
	req    sdk.SinkOpenRequest

	// Under the keeper's lock.
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
	s := &Sink{
		keeper: keeper[protocol.Sink]{what: fmt.Sprintf("sink %q", req.Name), host: h, guest: g, log: g.log.Named(req.Name)},
		plugin: plugin, req: req,
	}
	run := s.begin()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		s.stop()
		return nil, ErrHostClosed
	}
	if h.sinks[req.Name] != nil {
		s.stop()
		return nil, fmt.Errorf("sink %q is open already: drain it before it is opened again", req.Name)
	}
	h.sinks[req.Name] = s
	go s.keep(run, s.openOn, s.watch, func(error) {})
	return s, nil
}

func (s *Sink) openOn(ctx context.Context, r *running) (*protocol.Sink, sdk.Diagnostics, error) {
	return r.rpc.OpenSink(ctx, s.req)
}

// watch waits for the sink's end. When ctx ends the sink is drained.
func (s *Sink) watch(ctx context.Context, open *protocol.Sink) error {
	var err error
	select {
	case <-open.Done():
		if err = open.Closed().Err; err == nil {
			err = errors.New("the plugin ended it")
		}
	case <-ctx.Done():
		err = open.Drain(s.limit())
	}
	if err != nil {
		err = fmt.Errorf("sink %q: %w", s.req.Name, err)
	}
	s.set(func() { s.open, s.err = nil, err })
	return err
}

// Write hands a batch over and waits until the far end has it. With an error nothing of it counts as written. When the
// sink or its plugin is not there it fails at once.
func (s *Sink) Write(ctx context.Context, req sdk.SinkWriteRequest) (sdk.SinkWriteResponse, error) {
	open, err := s.use()
	if err != nil {
		return sdk.SinkWriteResponse{}, err
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
	s.end(ctx)
	s.host.mu.Lock()
	if s.host.sinks[s.req.Name] == s {
		delete(s.host.sinks, s.req.Name)
	}
	s.host.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
