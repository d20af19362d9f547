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
	// routing is the key of what goes there.
	routing string
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
	runner, err := a.startRunner(s, k, far)
	if err != nil {
		return errors.Join(err, far.Drain(ctx))
	}
	a.mu.Lock()
	a.sinks[k.Name] = &sinkHandle{far: far, runner: runner, routing: routingKey(s, k, a.programs)}
	a.mu.Unlock()
	return nil
}

func (a *Agent) startRunner(s *site.Site, k *site.Sink, far *plugin.Sink) (*sink.Runner, error) {
	runner, err := sink.Start(sink.Options{
		Name: k.Name, Plugin: k.Plugin, Journal: a.journal, Writer: far, Routing: a.routingOf(k, a.programs),
		BatchSize: k.BatchSize, FlushInterval: k.FlushInterval, Log: a.log.Named("sink").Named(k.Name),
	})
	if err != nil {
		return nil, fmt.Errorf("start sink %s: %w", k.Name, err)
	}
	return runner, nil
}

// reroute gives an open sink other routes: it goes on where it was, and its plugin does not notice.
func (a *Agent) reroute(s *site.Site, k *site.Sink) error {
	key := routingKey(s, k, a.programs)
	a.mu.RLock()
	open := a.sinks[k.Name]
	a.mu.RUnlock()
	if open == nil || open.routing == key {
		return nil
	}
	if err := open.runner.Stop(); err != nil {
		a.log.Warn("the place of a sink could not be kept", "sink", k.Name, "error", err)
	}
	runner, err := a.startRunner(s, k, open.far)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.sinks[k.Name] = &sinkHandle{far: open.far, runner: runner, routing: key}
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
