package sdk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/voltage-edge/voltage/sdk/internal/wire"
)

// closeTime limits the end of a channel after its safe values are written.
const closeTime = time.Second

// maxWaitingWrites is how many writes may wait for the one that is under way.
const maxWaitingWrites = 256

// openChannel is one channel that the host opened.
type openChannel struct {
	log     hclog.Logger
	spec    ChannelSpec
	channel Channel
	stream  wire.Plugin_ChannelServer
	output  *output
	writes  chan *wire.Write

	// writing is full during a call of Channel.Write.
	writing chan struct{}
}

// Channel serves one channel from its opening to its end.
func (s *server) Channel(stream wire.Plugin_ChannelServer) error {
	if !s.begin() {
		return status.Error(codes.Unavailable, "the plugin is being drained")
	}
	defer s.open.Done()
	in, err := stream.Recv()
	if err != nil {
		return err
	}
	if in.GetOpen() == nil {
		return status.Error(codes.InvalidArgument, "the first message of a channel must be open")
	}
	spec := channelIn(in.GetOpen())
	log := s.log.Named(spec.Name)
	ctx := s.context(context.Background(), log)
	channel, diags := s.openDriver(ctx, spec)
	if err := stream.Send(&wire.ChannelOut{Opened: &wire.Opened{Diagnostics: diagnosticsOut(diags)}}); err != nil || channel == nil {
		return err
	}
	c := &openChannel{log: log, spec: spec, channel: channel, stream: stream, writes: make(chan *wire.Write, maxWaitingWrites), writing: make(chan struct{}, 1)}
	c.output = newOutput(c.stream, spec)
	s.end(c.serve(ctx, s.drain))
	return nil
}

// openDriver asks the driver for the channel; nil when it refused.
func (s *server) openDriver(ctx context.Context, spec ChannelSpec) (Channel, Diagnostics) {
	var resp OpenResponse
	if s.plugin.Driver == nil {
		resp.Diagnostics.Error(nil, "Plugin has no driver", "Plugin %s offers no channels. Name a plugin with a driver in the channel's plugin attribute.", s.plugin.Name)
		return nil, resp.Diagnostics
	}
	err := guard(func() { s.plugin.Driver.Open(ctx, OpenRequest{Channel: spec}, &resp) })
	if err != nil {
		_ = s.failed("Open", err)
		resp.Diagnostics.Error(nil, "Driver failed", "Opening channel %s: %v.", spec.Name, err)
	}
	if resp.Channel == nil && !resp.Diagnostics.HasErrors() {
		resp.Diagnostics.Error(nil, "Driver failed", "Opening channel %s: the driver gave neither a channel nor an error.", spec.Name)
	}
	if resp.Diagnostics.HasErrors() {
		if resp.Channel != nil {
			_ = guard(func() { _ = resp.Channel.Close() })
		}
		return nil, resp.Diagnostics
	}
	return resp.Channel, resp.Diagnostics
}

// serve runs the channel until the host drains it, the stream breaks, the plugin ends, or Run returns; then it writes
// the safe values and closes the channel.
func (c *openChannel) serve(ctx context.Context, drain <-chan struct{}) *wire.Closed {
	runContext, stop := context.WithCancel(ctx)
	defer stop()
	ran := make(chan error, 1)
	go func() {
		ran <- c.run(runContext)
		c.output.discard()
	}()
	writeContext, stopWrites := context.WithCancel(ctx)
	defer stopWrites()
	writer := make(chan struct{})
	go func() {
		defer close(writer)
		c.writeAll(writeContext)
	}()
	drained, broken := c.receive()

	closed := &wire.Closed{}
	finished := false
	select {
	case <-drained:
	case <-drain:
	case <-broken:
		c.log.Warn("the stream to the agent broke: the safe values are written")
		c.output.discard()
	case err := <-ran:
		finished = true
		closed.Error, closed.Stack = explain(err)
		c.log.Error("the channel failed", "error", closed.Error)
	}
	// No set-point may follow a safe value.
	stopWrites()
	<-writer
	closed.Safe = c.failSafe(ctx)
	c.output.discard()
	stop()
	c.close(ran, finished, closed)
	c.refuseWaiting()
	// The host learns it, if it is still there.
	_ = c.output.send(&wire.ChannelOut{Closed: closed})
	return closed
}

// run polls the devices.
func (c *openChannel) run(ctx context.Context) error {
	var err error
	if p := guard(func() { err = c.channel.Run(ctx, c.output.during(ctx)) }); p != nil {
		return p
	}
	if err == nil && ctx.Err() == nil {
		err = errors.New("the driver ended the channel without an error")
	}
	return err
}

// close waits for Run and closes the channel, within limits.
func (c *openChannel) close(ran <-chan error, finished bool, closed *wire.Closed) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if !finished {
		select {
		case <-ran:
		case <-ctx.Done():
			c.log.Warn("Run does not return although its context ended", "waited", closeTime)
		}
	}
	var err error
	returned, failure := within(ctx, func() { err = c.channel.Close() })
	switch {
	case !returned:
		c.log.Warn("Close does not return", "waited", closeTime)
	case failure != nil:
		err = failure
	}
	if err != nil && closed.Error == "" {
		closed.Error, closed.Stack = explain(fmt.Errorf("close: %w", err))
	}
}

// receive reads the host's messages until the stream ends.
func (c *openChannel) receive() (drained, broken <-chan struct{}) {
	d, b := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(b)
		var once sync.Once
		for {
			in, err := c.stream.Recv()
			if err != nil {
				return
			}
			switch m := in.GetMessage().(type) {
			case *wire.ChannelIn_Credit:
				c.output.grant(int(m.Credit))
			case *wire.ChannelIn_Write:
				c.enqueue(m.Write)
			case *wire.ChannelIn_Drain:
				once.Do(func() { close(d) })
			}
		}
	}()
	return d, b
}

func explain(err error) (text, stack string) {
	if err == nil {
		return "", ""
	}
	p := &panicError{}
	if errors.As(err, &p) {
		stack = p.stack
	}
	return errorText(err), stack
}
