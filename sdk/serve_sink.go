package sdk

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/voltage-edge/voltage/sdk/internal/wire"
)

// sinkCloseTime limits the last flush of a sink.
const sinkCloseTime = 10 * time.Second

// Sink serves one sink from its opening to its end.
func (s *server) Sink(stream wire.Plugin_SinkServer) error {
	if !s.begin() {
		return status.Error(codes.Unavailable, "the plugin is being drained")
	}
	defer s.open.Done()
	in, err := stream.Recv()
	if err != nil {
		return err
	}
	if in.GetOpen() == nil {
		return status.Error(codes.InvalidArgument, "the first message of a sink must be open")
	}
	req := SinkOpenRequest{Name: in.GetOpen().GetName(), Site: in.GetOpen().GetSite(), Config: valuesIn(in.GetOpen().GetConfig())}
	ctx := s.context(stream.Context(), s.log.Named(req.Name))
	writer, diags := s.openSink(ctx, req)
	if err := stream.Send(&wire.SinkOut{Opened: &wire.Opened{Diagnostics: diagnosticsOut(diags)}}); err != nil || writer == nil {
		return err
	}
	s.writeBatches(ctx, stream, writer)
	closed := &wire.Closed{}
	closed.Error, closed.Stack = explain(closeSink(writer))
	// The host learns it, if it is still there.
	_ = stream.Send(&wire.SinkOut{Closed: closed})
	return nil
}

func (s *server) openSink(ctx context.Context, req SinkOpenRequest) (SinkWriter, Diagnostics) {
	var resp SinkOpenResponse
	if s.plugin.Sink == nil {
		resp.Diagnostics.Error(nil, "Plugin has no sink", "Plugin %s takes no samples. Name a plugin with a sink in the sink's plugin attribute.", s.plugin.Name)
		return nil, resp.Diagnostics
	}
	if err := guard(func() { s.plugin.Sink.Open(ctx, req, &resp) }); err != nil {
		_ = s.failed("Open", err)
		resp.Diagnostics.Error(nil, "Sink failed", "Opening sink %s: %v.", req.Name, err)
	}
	if resp.Writer == nil && !resp.Diagnostics.HasErrors() {
		resp.Diagnostics.Error(nil, "Sink failed", "Opening sink %s: the plugin gave neither a writer nor an error.", req.Name)
	}
	if resp.Diagnostics.HasErrors() {
		if resp.Writer != nil {
			_ = closeSink(resp.Writer)
		}
		return nil, resp.Diagnostics
	}
	return resp.Writer, resp.Diagnostics
}

// writeBatches hands the batches over until the host drains the sink, the stream breaks or the plugin ends.
func (s *server) writeBatches(ctx context.Context, stream wire.Plugin_SinkServer, writer SinkWriter) {
	batches := make(chan *wire.SinkBatch)
	go func() {
		defer close(batches)
		for {
			in, err := stream.Recv()
			if err != nil || in.GetDrain() != nil {
				return
			}
			if b := in.GetBatch(); b != nil {
				select {
				case batches <- b:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	series := make(map[uint32]*wire.Series)
	for {
		select {
		case <-s.drain:
			return
		case b, ok := <-batches:
			if !ok {
				return
			}
			if stream.Send(&wire.SinkOut{Ack: writeBatch(ctx, writer, b, series)}) != nil {
				return
			}
		}
	}
}

func writeBatch(ctx context.Context, writer SinkWriter, b *wire.SinkBatch, series map[uint32]*wire.Series) *wire.SinkAck {
	ack := &wire.SinkAck{Id: b.GetId()}
	req, err := batchIn(b, series)
	var resp SinkWriteResponse
	if err == nil {
		if p := guard(func() { err = writer.Write(ctx, req, &resp) }); p != nil {
			err = p
		}
	}
	if err != nil {
		ack.Error = errorText(err)
		return ack
	}
	ack.Rejected, ack.Reason = uint32(resp.Rejected), resp.Reason
	return ack
}

func closeSink(w SinkWriter) error {
	ctx, cancel := context.WithTimeout(context.Background(), sinkCloseTime)
	defer cancel()
	var err error
	if _, failure := within(ctx, func() { err = w.Close() }); failure != nil {
		return failure
	}
	return err
}
