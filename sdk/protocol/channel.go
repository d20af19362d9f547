package protocol

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/internal/wire"
)

// Receiver takes what a channel sends. Its methods are called by one goroutine, in the order of sending.
type Receiver interface {
	// Frame takes one packed frame, which belongs to the receiver from then on. While it blocks, the plugin is held back
	// after a few more frames; states and answers to writes go on.
	Frame(device string, packed []byte)
	// Status takes a device's state. It is called by another goroutine than Frame and must not block.
	Status(s sdk.DeviceStatus)
}

// Channel is one open channel of a plugin. It is safe for concurrent use.
type Channel struct {
	spec   sdk.ChannelSpec
	names  []string
	index  map[string]uint32
	to     Receiver
	cancel context.CancelFunc

	sending sync.Mutex
	stream  wire.Plugin_ChannelClient

	frames chan *wire.Frame
	done   chan struct{}
	closed Closed

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan sdk.WriteResponse
	ended   bool
}

// ErrClosed is the error of a write on a channel that has ended.
var ErrClosed = errors.New("the channel has ended")

// OpenChannel opens a channel. Errors in the diagnostics mean that the driver refused it; the channel is then nil. ctx
// limits the opening only.
func (c *Client) OpenChannel(ctx context.Context, spec sdk.ChannelSpec, to Receiver) (*Channel, sdk.Diagnostics, error) {
	streamContext, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	defer stop()
	stream, err := c.rpc.Channel(streamContext)
	if err != nil {
		cancel()
		return nil, nil, plain(err)
	}
	opened, err := openStream(stream, spec)
	if err != nil {
		cancel()
		if ctx.Err() != nil {
			err = fmt.Errorf("the plugin did not open it in time: %w", ctx.Err())
		}
		return nil, nil, err
	}
	diags := diagnosticsIn(opened.GetDiagnostics())
	if diags.HasErrors() {
		cancel()
		return nil, diags, nil
	}
	ch := &Channel{
		spec: spec, to: to, cancel: cancel, stream: stream, index: make(map[string]uint32, len(spec.Devices)),
		frames: make(chan *wire.Frame, wire.Credits), done: make(chan struct{}), waiting: make(map[uint64]chan sdk.WriteResponse),
	}
	for i, d := range spec.Devices {
		ch.names = append(ch.names, d.Name)
		ch.index[d.Name] = uint32(i)
	}
	if err := ch.send(&wire.ChannelIn{Message: &wire.ChannelIn_Credit{Credit: wire.Credits}}); err != nil {
		cancel()
		return nil, nil, err
	}
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		ch.deliver()
	}()
	go ch.receive(delivered)
	return ch, diags, nil
}

func openStream(stream wire.Plugin_ChannelClient, spec sdk.ChannelSpec) (*wire.Opened, error) {
	// An error of Send says less than the one that Recv then gives.
	_ = stream.Send(&wire.ChannelIn{Message: &wire.ChannelIn_Open{Open: channelOut(spec)}})
	m, err := stream.Recv()
	if err != nil {
		return nil, plain(err)
	}
	if m.GetOpened() == nil {
		return nil, errors.New("the plugin answered the opening with something else")
	}
	return m.GetOpened(), nil
}

// receive reads the stream until it ends.
func (ch *Channel) receive(delivered <-chan struct{}) {
	var end *Closed
	for {
		m, err := ch.stream.Recv()
		if err != nil {
			if end == nil {
				end = &Closed{Err: plain(err)}
			}
			break
		}
		if ch.take(m) != nil {
			end = &Closed{Err: errors.New("the plugin sent more frames than it had credit for")}
			break
		}
		if c := m.GetClosed(); c != nil {
			x := closedIn(c)
			end = &x
		}
	}
	ch.cancel()
	close(ch.frames)
	<-delivered
	ch.mu.Lock()
	ch.closed, ch.ended = *end, true
	ch.waiting = nil
	ch.mu.Unlock()
	close(ch.done)
}

var errCredit = errors.New("no credit")

func (ch *Channel) take(m *wire.ChannelOut) error {
	for _, f := range m.GetFrames() {
		select {
		case ch.frames <- f:
		default:
			return errCredit
		}
	}
	for _, s := range m.GetStatuses() {
		if int(s.GetDevice()) < len(ch.names) {
			ch.to.Status(statusIn(ch.names[s.GetDevice()], s))
		}
	}
	for _, r := range m.GetResults() {
		ch.mu.Lock()
		answer := ch.waiting[r.GetId()]
		delete(ch.waiting, r.GetId())
		ch.mu.Unlock()
		if answer != nil {
			answer <- resultIn(r)
		}
	}
	return nil
}

// deliver hands the frames on and gives the credit back, half of it at a time.
func (ch *Channel) deliver() {
	taken := 0
	for f := range ch.frames {
		if int(f.GetDevice()) < len(ch.names) {
			ch.to.Frame(ch.names[f.GetDevice()], f.GetPacked())
		}
		if taken++; taken == wire.Credits/2 {
			taken = 0
			// An error means that the stream is over, which receive sees too.
			_ = ch.send(&wire.ChannelIn{Message: &wire.ChannelIn_Credit{Credit: wire.Credits / 2}})
		}
	}
}

func (ch *Channel) send(m *wire.ChannelIn) error {
	ch.sending.Lock()
	defer ch.sending.Unlock()
	return ch.stream.Send(m)
}

// Write sets one point and waits for the device's answer. The error is that of the way to the plugin; what the device
// said is in the response.
func (ch *Channel) Write(ctx context.Context, device, point string, value float64) (sdk.WriteResponse, error) {
	i, ok := ch.index[device]
	if !ok {
		return sdk.WriteResponse{}, fmt.Errorf("channel %s has no device %s", ch.spec.Name, device)
	}
	answer := make(chan sdk.WriteResponse, 1)
	ch.mu.Lock()
	if ch.ended {
		ch.mu.Unlock()
		return sdk.WriteResponse{}, ErrClosed
	}
	ch.next++
	id := ch.next
	ch.waiting[id] = answer
	ch.mu.Unlock()
	err := ch.send(&wire.ChannelIn{Message: &wire.ChannelIn_Write{Write: &wire.Write{
		Id: id, Device: i, Point: point, Value: value, Timeout: int64(timeout(ctx)),
	}}})
	if err != nil {
		ch.forget(id)
		return sdk.WriteResponse{}, ErrClosed
	}
	select {
	case r := <-answer:
		return r, nil
	case <-ctx.Done():
		ch.forget(id)
		return sdk.WriteResponse{}, fmt.Errorf("the plugin did not answer the write in time: %w", ctx.Err())
	case <-ch.done:
	}
	// The answer may have come right before the end.
	select {
	case r := <-answer:
		return r, nil
	default:
		return sdk.WriteResponse{}, ErrClosed
	}
}

func (ch *Channel) forget(id uint64) {
	ch.mu.Lock()
	delete(ch.waiting, id)
	ch.mu.Unlock()
}

// Drain has the plugin write the safe values and close the channel, and waits for that. When ctx ends the stream is cut;
// the plugin then does the same by itself.
func (ch *Channel) Drain(ctx context.Context) (Closed, error) {
	// An error means that the stream is over, which done tells too.
	_ = ch.send(&wire.ChannelIn{Message: &wire.ChannelIn_Drain{Drain: &wire.ChannelDrain{}}})
	select {
	case <-ch.done:
		return ch.Closed(), nil
	case <-ctx.Done():
		ch.cancel()
		return Closed{}, fmt.Errorf("channel %s was not drained in time: %w", ch.spec.Name, ctx.Err())
	}
}

// Abort cuts the stream.
func (ch *Channel) Abort() { ch.cancel() }

// Done is closed when the channel has ended and its last frame was handed on.
func (ch *Channel) Done() <-chan struct{} { return ch.done }

// Closed is how the channel ended, once Done is closed.
func (ch *Channel) Closed() Closed {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.closed
}
