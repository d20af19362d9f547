// Package protocol is the host's side of what the agent and a plugin say to each other: it turns the generated code of
// voltage.proto into the types of package sdk. The plugin's side is sdk.Serve. Plugin authors need neither; the agent,
// the conformance suite and tools that talk to plugins use this one.
package protocol

import (
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/internal/wire"
)

// What the host puts in a plugin's environment.
const (
	// LifelineEnv names the inherited file descriptor of a pipe that ends when the host does.
	LifelineEnv = wire.LifelineEnv
	// LogLevelEnv is the level of the plugin's log: trace, debug, info, warn, error.
	LogLevelEnv = wire.LogLevelEnv
)

// FailSafe is the time in which a plugin that lost its host writes the safe values and ends.
const FailSafe = wire.FailSafe

// Version is the protocol version of the handshake.
const Version = wire.ProtocolVersion

// Handshake is the handshake that a plugin expects.
func Handshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{
		ProtocolVersion: wire.ProtocolVersion, MagicCookieKey: wire.CookieKey, MagicCookieValue: wire.CookieValue,
	}
}

// Plugins is the set to give to go-plugin's client.
func Plugins() goplugin.PluginSet { return goplugin.PluginSet{wire.Name: glue{}} }

// DialOptions are the limits of the host's connection.
func DialOptions() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage)),
		grpc.WithInitialWindowSize(wire.Window), grpc.WithInitialConnWindowSize(wire.Window),
	}
}

type glue struct{}

func (glue) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error {
	return errors.New("the agent is no plugin")
}

func (glue) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return &Client{rpc: wire.NewPluginClient(conn)}, nil
}

func (glue) Server(*goplugin.MuxBroker) (any, error) {
	return nil, errors.New("the agent is no plugin")
}

func (glue) Client(*goplugin.MuxBroker, *rpc.Client) (any, error) {
	return nil, errors.New("plugins speak gRPC only")
}

// Client speaks to one running plugin. It is safe for concurrent use.
type Client struct{ rpc wire.PluginClient }

// Connect takes the client out of what go-plugin's Client.Client returned.
func Connect(p goplugin.ClientProtocol) (*Client, error) {
	raw, err := p.Dispense(wire.Name)
	if err != nil {
		return nil, err
	}
	c, ok := raw.(*Client)
	if !ok {
		return nil, fmt.Errorf("the plugin set holds a %T, not that of protocol.Plugins", raw)
	}
	return c, nil
}

// Description is what a plugin says about itself.
type Description struct {
	Name, Version, Doc string
	// Level is the newest addition to the protocol that it knows.
	Level int
	// Driver is nil for a plugin without one. Checks and Profiles tell whether it offers these methods.
	Driver           *sdk.SchemaResponse
	Checks, Profiles bool
	// Sink is nil for a plugin without one.
	Sink *sdk.SinkSchemaResponse

	raw *wire.DescribeResponse
}

// Bytes is the description in a form to keep; see ParseDescription.
func (d *Description) Bytes() ([]byte, error) { return proto.Marshal(d.raw) }

// ParseDescription reads what Bytes gave.
func ParseDescription(b []byte) (*Description, error) {
	r := &wire.DescribeResponse{}
	if err := proto.Unmarshal(b, r); err != nil {
		return nil, err
	}
	return descriptionIn(r), nil
}

// Describe asks for name, version and schemas.
func (c *Client) Describe(ctx context.Context) (*Description, error) {
	r, err := c.rpc.Describe(ctx, &wire.DescribeRequest{})
	if err != nil {
		return nil, plain(err)
	}
	return descriptionIn(r), nil
}

// Profile asks for a register map.
func (c *Client) Profile(ctx context.Context, name string) (*sdk.ProfileResponse, error) {
	r, err := c.rpc.Profile(ctx, &wire.ProfileRequest{Name: name})
	if err != nil {
		return nil, plain(err)
	}
	return &sdk.ProfileResponse{CSV: r.GetCsv(), Names: r.GetNames()}, nil
}

// Check asks what is wrong with a channel's configuration.
func (c *Client) Check(ctx context.Context, spec sdk.ChannelSpec) (sdk.Diagnostics, error) {
	r, err := c.rpc.Check(ctx, &wire.CheckRequest{Channel: channelOut(spec)})
	if err != nil {
		return nil, plain(err)
	}
	return diagnosticsIn(r.GetDiagnostics()), nil
}

// Drain has the plugin write all safe values and close all channels and sinks, and tells how the channels ended.
func (c *Client) Drain(ctx context.Context) ([]Closed, error) {
	r, err := c.rpc.Drain(ctx, &wire.DrainRequest{})
	if err != nil {
		return nil, plain(err)
	}
	var out []Closed
	for _, x := range r.GetChannels() {
		out = append(out, closedIn(x))
	}
	return out, nil
}

// Closed is how a channel or sink ended.
type Closed struct {
	// Err is nil after a drain, else why it ended. Stack is that of a panic.
	Err   error
	Stack string
	// Safe is what became of the safe values.
	Safe []SafeWrite
}

// SafeWrite is a safe value that was written, or not.
type SafeWrite struct {
	Device, Point string
	Value         float64
	Err           error
}

// plain takes gRPC's wrapping off an error.
func plain(err error) error {
	if s, ok := status.FromError(err); ok {
		return errors.New(s.Message())
	}
	return err
}

// timeout is how long ctx lasts, 0 when for ever.
func timeout(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(time.Until(end), time.Nanosecond)
}
