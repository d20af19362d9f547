package protocol

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/internal/wire"
)

// Sink is one open sink of a plugin.
type Sink struct {
	name   string
	cancel context.CancelFunc
	stream wire.Plugin_SinkClient
	want   atomic.Uint64 // the batch that Write waits for
	acks   chan *wire.SinkAck
	done   chan struct{}
	closed Closed

	// writing is held during a Write: one batch is under way at a time.
	writing sync.Mutex
	next    uint64
	series  map[seriesKey]uint32
}

// OpenSink opens a sink. Errors in the diagnostics mean that the plugin refused it; the sink is then nil. ctx limits the
// opening only.
func (c *Client) OpenSink(ctx context.Context, req sdk.SinkOpenRequest) (*Sink, sdk.Diagnostics, error) {
	streamContext, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	stream, err := c.rpc.Sink(streamContext)
	if err != nil {
		cancel()
		return nil, nil, plain(err)
	}
	// An error of Send says less than the one that Recv then gives.
	_ = stream.Send(&wire.SinkIn{Message: &wire.SinkIn_Open{Open: &wire.SinkOpen{Name: req.Name, Site: req.Site, Config: valuesOut(req.Config)}}})
	m, err := stream.Recv()
	if err != nil {
		cancel()
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("the plugin did not open it in time: %w", ctx.Err())
		}
		return nil, nil, plain(err)
	}
	diags := diagnosticsIn(m.GetOpened().GetDiagnostics())
	if diags.HasErrors() {
		cancel()
		return nil, diags, nil
	}
	s := &Sink{name: req.Name, cancel: cancel, stream: stream, acks: make(chan *wire.SinkAck, 1), done: make(chan struct{}), series: make(map[seriesKey]uint32)}
	go s.receive()
	return s, diags, nil
}

func (s *Sink) receive() {
	end := Closed{}
	for {
		m, err := s.stream.Recv()
		if err != nil {
			if end.Err == nil {
				end.Err = plain(err)
			}
			break
		}
		if c := m.GetClosed(); c != nil {
			end = closedIn(c)
			break
		}
		// Each batch is answered once, so there is room for the answer; late ones are of nobody's interest.
		if a := m.GetAck(); a != nil && s.want.CompareAndSwap(a.GetId(), 0) {
			s.acks <- a
		}
	}
	s.cancel()
	s.closed = end
	close(s.done)
}

// Write hands a batch over and waits until the far end has it. With an error nothing of it counts as written.
func (s *Sink) Write(ctx context.Context, req sdk.SinkWriteRequest) (sdk.SinkWriteResponse, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.next++
	select {
	case <-s.acks: // it came when its Write had given up already
	default:
	}
	s.want.Store(s.next)
	// A plugin that reads nothing blocks Send for ever: then the stream is of no use, and is cut.
	release := context.AfterFunc(ctx, s.cancel)
	err := s.stream.Send(&wire.SinkIn{Message: &wire.SinkIn_Batch{Batch: batchOut(s.next, req, s.series)}})
	release()
	if err != nil {
		return sdk.SinkWriteResponse{}, s.over()
	}
	select {
	case a := <-s.acks:
		return sdk.SinkWriteResponse{Rejected: int(a.GetRejected()), Reason: a.GetReason()}, errorIn(a.GetError())
	case <-ctx.Done():
		s.want.Store(0)
		return sdk.SinkWriteResponse{}, fmt.Errorf("sink %s did not take the batch in time: %w", s.name, ctx.Err())
	case <-s.done:
		return sdk.SinkWriteResponse{}, s.over()
	}
}

// over says why the stream ended.
func (s *Sink) over() error {
	<-s.done
	if s.closed.Err != nil {
		return fmt.Errorf("sink %s has ended: %w", s.name, s.closed.Err)
	}
	return fmt.Errorf("sink %s has ended", s.name)
}

// Drain has the plugin flush and close the sink, and waits for that.
func (s *Sink) Drain(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	// An error means that the stream is over, which done tells too.
	_ = s.stream.Send(&wire.SinkIn{Message: &wire.SinkIn_Drain{Drain: &wire.SinkDrain{}}})
	select {
	case <-s.done:
		return s.closed.Err
	case <-ctx.Done():
		s.cancel()
		return fmt.Errorf("sink %s was not drained in time: %w", s.name, ctx.Err())
	}
}

// Abort cuts the stream.
func (s *Sink) Abort() { s.cancel() }

// Done is closed when the sink has ended.
func (s *Sink) Done() <-chan struct{} { return s.done }

// Closed is how it ended, once Done is closed.
func (s *Sink) Closed() Closed { return s.closed }
