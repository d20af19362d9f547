package sdk

import (
	"context"
	"fmt"
	"sync"

	"github.com/voltage-edge/voltage/sdk/internal/wire"
)

// output sends what a channel has to the host. Frames need credit, which the host grants as it takes frames in; all
// else goes at once.
type output struct {
	index map[string]uint32

	sending sync.Mutex
	stream  wire.Plugin_ChannelServer
	frame   *wire.ChannelOut // used again for every frame

	mu     sync.Mutex
	credit int
	more   chan struct{} // closed when credit comes
	muted  bool
	states map[string]DeviceState
}

func newOutput(stream wire.Plugin_ChannelServer, spec ChannelSpec) *output {
	o := &output{
		index: make(map[string]uint32, len(spec.Devices)), stream: stream, more: make(chan struct{}),
		frame: &wire.ChannelOut{Frames: []*wire.Frame{{}}}, states: make(map[string]DeviceState, len(spec.Devices)),
	}
	for i, d := range spec.Devices {
		o.index[d.Name] = uint32(i)
	}
	return o
}

// grant adds credit.
func (o *output) grant(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.credit += n
	close(o.more)
	o.more = make(chan struct{})
}

// discard makes frames and states go nowhere, without blocking anybody: the host is gone, or the channel ends.
func (o *output) discard() {
	o.mu.Lock()
	o.muted = true
	o.mu.Unlock()
	o.grant(0)
}

// take waits for the credit of one frame; false when it goes nowhere.
func (o *output) take(ctx context.Context) (bool, error) {
	for {
		o.mu.Lock()
		if o.muted {
			o.mu.Unlock()
			return false, nil
		}
		if o.credit > 0 {
			o.credit--
			o.mu.Unlock()
			return true, nil
		}
		more := o.more
		o.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

func (o *output) isMuted() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.muted
}

// send sends anything but a frame.
func (o *output) send(m *wire.ChannelOut) error {
	o.sending.Lock()
	defer o.sending.Unlock()
	return o.stream.Send(m)
}

// state is the last state that the driver reported for a device.
func (o *output) state(device string) DeviceState {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.states[device]
}

// during is the Output that the driver sees while Run's context lasts.
func (o *output) during(ctx context.Context) Output { return &runOutput{output: o, ctx: ctx} }

type runOutput struct {
	*output
	ctx context.Context
}

// Frame sends one frame, when there is credit.
func (o *runOutput) Frame(device string, packed []byte) error {
	i, ok := o.index[device]
	if !ok {
		return fmt.Errorf("frame of %q: the channel has no such device", device)
	}
	if ok, err := o.take(o.ctx); err != nil || !ok {
		return err
	}
	o.sending.Lock()
	defer o.sending.Unlock()
	// Send marshals before it returns, so that both the message and packed may be used again.
	f := o.frame.Frames[0]
	f.Device, f.Packed = i, packed
	err := o.stream.Send(o.frame)
	f.Packed = nil
	return o.unlessMuted(err)
}

// Status sends a device's state.
func (o *runOutput) Status(s DeviceStatus) error {
	i, ok := o.index[s.Device]
	if !ok {
		return fmt.Errorf("status of %q: the channel has no such device", s.Device)
	}
	o.mu.Lock()
	o.states[s.Device] = s.State
	muted := o.muted
	o.mu.Unlock()
	if muted {
		return nil
	}
	return o.unlessMuted(o.send(&wire.ChannelOut{Statuses: []*wire.DeviceStatus{statusOut(i, s)}}))
}

// unlessMuted hides the error of a stream that is known to be over, so that Run goes on while safe values are written.
func (o *runOutput) unlessMuted(err error) error {
	if err != nil && (o.isMuted() || o.stream.Context().Err() != nil) {
		return nil
	}
	return err
}
