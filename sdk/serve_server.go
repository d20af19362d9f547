package sdk

import (
	"context"
	"errors"
	"io"
	"net/rpc"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/voltage-edge/voltage/sdk/internal/wire"
)

// glue registers the server with go-plugin.
type glue struct{ server *server }

func (g *glue) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	wire.RegisterPluginServer(s, g.server)
	return nil
}

func (g *glue) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a plugin does not call itself")
}

func (g *glue) Server(*goplugin.MuxBroker) (any, error) {
	return nil, errors.New("plugins speak gRPC only")
}

func (g *glue) Client(*goplugin.MuxBroker, *rpc.Client) (any, error) {
	return nil, errors.New("plugins speak gRPC only")
}

// server answers the host.
type server struct {
	wire.UnimplementedPluginServer
	plugin Plugin
	log    hclog.Logger

	// drain is closed when all channels and sinks are to end.
	drain     chan struct{}
	drainOnce sync.Once
	// open counts the streams that have something to end.
	open sync.WaitGroup

	mu     sync.Mutex
	closed []*wire.Closed
}

func newServer(p Plugin, log hclog.Logger) *server {
	return &server{plugin: p, log: log, drain: make(chan struct{})}
}

func (s *server) context(ctx context.Context, log hclog.Logger) context.Context {
	return hclog.WithContext(ctx, log)
}

// Describe answers from the schemas.
func (s *server) Describe(ctx context.Context, _ *wire.DescribeRequest) (*wire.DescribeResponse, error) {
	ctx = s.context(ctx, s.log)
	var driver *SchemaResponse
	var sink *SinkSchemaResponse
	err := guard(func() {
		if s.plugin.Driver != nil {
			driver = &SchemaResponse{}
			s.plugin.Driver.Schema(ctx, SchemaRequest{}, driver)
		}
		if s.plugin.Sink != nil {
			sink = &SinkSchemaResponse{}
			s.plugin.Sink.Schema(ctx, SinkSchemaRequest{}, sink)
		}
	})
	if err != nil {
		return nil, s.failed("Schema", err)
	}
	return s.plugin.description(driver, sink), nil
}

// Profile asks the driver for a register map.
func (s *server) Profile(ctx context.Context, req *wire.ProfileRequest) (*wire.ProfileResponse, error) {
	d, ok := s.plugin.Driver.(DriverWithProfiles)
	if !ok {
		return &wire.ProfileResponse{}, nil
	}
	var resp ProfileResponse
	if err := guard(func() {
		d.Profile(s.context(ctx, s.log), ProfileRequest{Name: req.GetName()}, &resp)
	}); err != nil {
		return nil, s.failed("Profile", err)
	}
	return &wire.ProfileResponse{Csv: resp.CSV, Names: resp.Names}, nil
}

// Check asks the driver about a channel.
func (s *server) Check(ctx context.Context, req *wire.CheckRequest) (*wire.CheckResponse, error) {
	d, ok := s.plugin.Driver.(DriverWithCheck)
	if !ok {
		return &wire.CheckResponse{}, nil
	}
	var resp CheckResponse
	if err := guard(func() {
		d.Check(s.context(ctx, s.log), CheckRequest{Channel: channelIn(req.GetChannel())}, &resp)
	}); err != nil {
		return nil, s.failed("Check", err)
	}
	return &wire.CheckResponse{Diagnostics: diagnosticsOut(resp.Diagnostics)}, nil
}

func (s *server) failed(method string, err error) error {
	p := &panicError{}
	if errors.As(err, &p) {
		s.log.Error("the plugin panicked", "method", method, "panic", p.Error(), "stack", p.stack)
	}
	return status.Errorf(codes.Internal, "%s: %v", method, err)
}

// Drain ends all channels and sinks, and tells what became of them.
func (s *server) Drain(ctx context.Context, _ *wire.DrainRequest) (*wire.DrainResponse, error) {
	s.endAll()
	if err := s.wait(ctx); err != nil {
		return nil, status.FromContextError(err).Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &wire.DrainResponse{Channels: s.closed}, nil
}

func (s *server) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drainOnce.Do(func() { close(s.drain) })
}

// begin counts a stream in; false when the plugin ends.
func (s *server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.drain:
		return false
	default:
		s.open.Add(1)
		return true
	}
}

// end counts a channel's stream out, and keeps how it ended for the answer to Drain.
func (s *server) end(closed *wire.Closed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.drain:
		s.closed = append(s.closed, closed)
	default:
	}
}

// wait waits, after endAll, until all streams have ended.
func (s *server) wait(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		s.open.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish gives the streams that go-plugin cut off the time for their safe values.
func (s *server) finish() {
	s.endAll()
	ctx, cancel := context.WithTimeout(context.Background(), wire.FailSafe)
	defer cancel()
	if err := s.wait(ctx); err != nil {
		s.log.Error("the plugin ends although a channel or sink has not closed", "waited", wire.FailSafe)
	}
}

// watchLifeline ends the process when the host is gone, with the safe values written.
func (s *server) watchLifeline() {
	fd, err := strconv.Atoi(os.Getenv(wire.LifelineEnv))
	if err != nil {
		s.log.Warn("the agent gave no lifeline: should it be killed, outputs stay at their last set-points", "variable", wire.LifelineEnv)
		return
	}
	f := lifeline(fd)
	defer f.Close()
	// Nothing is ever written: the read ends when the last writer is gone.
	_, _ = io.Copy(io.Discard, f)
	time.AfterFunc(wire.FailSafe, func() { os.Exit(4) })
	s.log.Warn("the agent is gone: the safe values are written, then the plugin ends")
	s.finish()
	removeSocket(os.Getenv(goplugin.EnvUnixSocketDir))
	os.Exit(3)
}

// removeSocket clears the folder of this process's socket, which nobody else does when the host was killed.
func removeSocket(dir string) {
	if dir == "" {
		return
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.Type()&os.ModeSocket != 0 && strings.HasPrefix(e.Name(), "plugin") {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	_ = os.Remove(dir)
}
