package daemon

import (
	"context"
	"errors"
	"fmt"

	"github.com/voltage-edge/voltage/agent/plugin"
	"github.com/voltage-edge/voltage/agent/sink"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/sdk"
)

// sinkHandle is an open sink: the plugin's side, and the runner that carries the journal to it.
type sinkHandle struct {
	far    *plugin.Sink
	runner *sink.Runner
}

func (k *sinkHandle) stop(ctx context.Context) error {
	return errors.Join(k.runner.Stop(), k.far.Drain(ctx))
}

// openSink opens a sink; it goes on from its cursor, a new one from the oldest record.
func (a *Agent) openSink(ctx context.Context, s *site.Site, k *site.Sink) error {
	far, err := a.host.OpenSink(ctx, k.Plugin, sdk.SinkOpenRequest{Name: k.Name, Site: s.Name, Config: k.Config.Values})
	if err != nil {
		return fmt.Errorf("open sink %s: %w", k.Name, err)
	}
	runner, err := sink.Start(sink.Options{
		Name: k.Name, Plugin: k.Plugin, Journal: a.journal, Writer: far, Include: k.Include, Exclude: k.Exclude,
		BatchSize: k.BatchSize, FlushInterval: k.FlushInterval, Log: a.log.Named("sink").Named(k.Name),
	})
	if err != nil {
		return errors.Join(fmt.Errorf("start sink %s: %w", k.Name, err), far.Drain(ctx))
	}
	a.mu.Lock()
	a.sinks[k.Name] = &sinkHandle{far: far, runner: runner}
	a.mu.Unlock()
	return nil
}

func (a *Agent) closeSink(ctx context.Context, name string) {
	a.mu.Lock()
	k := a.sinks[name]
	delete(a.sinks, name)
	a.mu.Unlock()
	if k == nil {
		return
	}
	if err := k.stop(ctx); err != nil {
		a.log.Warn("sink did not end in order; its cursor is kept", "sink", name, "error", err)
	}
}
