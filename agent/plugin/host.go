// Package plugin is the host of the plugins: it finds their executables, checks them against the lock file, starts and
// supervises their processes, and speaks the SDK's protocol with them. One process serves all channels and sinks of its
// plugin. A plugin that crashes is started again, and its channels are opened again; nobody else notices.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/protocol"
)

// Options are what a host needs.
type Options struct {
	// AgentDir is the folder of the agent's executable.
	AgentDir string
	// DataDir is the agent's data folder; empty: no plugins in it, and nothing is kept between runs.
	DataDir string
	// RunDir is the folder for the plugins' sockets, of this agent alone; empty: a temporary one.
	RunDir string
	// LockPath is the lock file; one that does not exist locks nothing.
	LockPath string
	// Trust starts plugins whatever the lock file says. It is for writing that file: a site whose plugins were replaced
	// can't be read otherwise.
	Trust bool
	// Plugins are the site's plugin blocks.
	Plugins []*site.Plugin
	Log     hclog.Logger

	// OnFrame takes each frame; packed belongs to it. While it blocks, the channel is held back. An error counts the frame
	// as refused. When a channel fails, it gets a frame of all bad quality for each of its devices.
	OnFrame func(channel, device string, packed []byte) error
	// OnStatus takes a device's state. It must not block.
	OnStatus func(channel string, s sdk.DeviceStatus)
	// Events takes what happens to plugins and devices. It must not block.
	Events func(event.Event)

	// MinBackoff and MaxBackoff bound the pauses before a plugin is started, or a channel opened, again; 250 ms and 30 s.
	MinBackoff, MaxBackoff time.Duration
}

// Host runs the plugins. It is safe for concurrent use.
type Host struct {
	o         Options
	runDir    string
	temporary bool
	cache     cache

	mu       sync.Mutex
	plugins  map[string]*site.Plugin
	guests   map[string]*guest
	asked    map[string]*guest // started with other settings than those of guests
	channels map[string]*Channel
	sinks    map[string]*Sink
	closed   bool
}

var _ interface {
	Driver(ctx context.Context, plugin string) (*sdk.SchemaResponse, error)
	Sink(ctx context.Context, plugin string) (*sdk.SinkSchemaResponse, error)
	Profile(ctx context.Context, plugin, name string) (*sdk.ProfileResponse, error)
} = (*Host)(nil)

// NewHost returns a host. It starts no plugin: that happens when one is needed.
func NewHost(o Options) (*Host, error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.MinBackoff <= 0 {
		o.MinBackoff = 250 * time.Millisecond
	}
	if o.MaxBackoff < o.MinBackoff {
		o.MaxBackoff = max(30*time.Second, o.MinBackoff)
	}
	h := &Host{o: o, guests: make(map[string]*guest), asked: make(map[string]*guest), channels: make(map[string]*Channel), sinks: make(map[string]*Sink)}
	if o.DataDir != "" {
		h.cache.dir = filepath.Join(o.DataDir, "cache", "plugins")
	}
	h.Configure(o.Plugins)
	var err error
	if o.RunDir == "" {
		h.temporary = true
		h.runDir, err = os.MkdirTemp("", "voltage-")
	} else {
		h.runDir, h.temporary, err = prepareRunDir(o.RunDir, o.Log)
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Configure replaces the site's plugin blocks, and returns the running plugins to which the change matters: they keep
// running as they are until Renew.
func (h *Host) Configure(plugins []*site.Plugin) (changed []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.plugins = make(map[string]*site.Plugin, len(plugins))
	for _, p := range plugins {
		h.plugins[p.Name] = p
	}
	for name, g := range h.guests {
		if !g.has(h.settingsOf(name)) {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return changed
}

func same(a, b site.Plugin) bool {
	return a.Path == b.Path && a.Version == b.Version && maps.Equal(a.Env, b.Env)
}

// settings is the plugin's block, an empty one when the site has none.
func (h *Host) settings(name string) site.Plugin {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.settingsOf(name)
}

func (h *Host) settingsOf(name string) site.Plugin {
	if p := h.plugins[name]; p != nil {
		return *p
	}
	return site.Plugin{Name: name}
}

func (h *Host) settingNames() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.plugins))
}

// ErrHostClosed is the error of a host that was closed.
var ErrHostClosed = errors.New("the plugin host is closed")

// guest returns the plugin's guest, which starts it if it does not run.
func (h *Host) guest(name string) (*guest, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrHostClosed
	}
	g := h.guests[name]
	if g == nil {
		g = newGuest(h, h.settingsOf(name), false)
		h.guests[name] = g
	}
	return g, nil
}

// toAsk is the plugin's guest with the settings of now. While the one that serves has others, it is one beside it.
func (h *Host) toAsk(ctx context.Context, name string) (*guest, error) {
	g, err := h.guest(name)
	if err != nil {
		return nil, err
	}
	settings := h.settings(name)
	if g.has(settings) {
		return g, nil
	}
	h.mu.Lock()
	before := h.asked[name]
	if before != nil && before.has(settings) {
		h.mu.Unlock()
		return before, nil
	}
	g = newGuest(h, settings, true)
	h.asked[name] = g
	h.mu.Unlock()
	if before != nil {
		return g, stopAll(ctx, []*guest{before})
	}
	return g, nil
}

func (h *Host) emit(e event.Event) {
	if h.o.Events != nil {
		h.o.Events(e)
	}
}

// Describe is what a plugin says about itself: from what is kept of its executable's content, else by starting it.
func (h *Host) Describe(ctx context.Context, name string) (*protocol.Description, error) {
	path, err := h.Find(name)
	if err != nil {
		return nil, err
	}
	sum, _, err := h.verify(name, path)
	if err != nil {
		return nil, err
	}
	if d := h.cache.description(sum); d != nil {
		if err := suits(name, path, h.settings(name).Version, d); err != nil {
			return nil, fmt.Errorf("plugin %q: %w", name, err)
		}
		return d, nil
	}
	_, d, err := h.running(ctx, name)
	return d, err
}

// running starts a plugin if it does not run; a start that fails is an error at once.
func (h *Host) running(ctx context.Context, name string) (*running, *protocol.Description, error) {
	g, err := h.toAsk(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	return g.await(ctx, true)
}

// Driver is the schema of a plugin's driver.
func (h *Host) Driver(ctx context.Context, name string) (*sdk.SchemaResponse, error) {
	d, err := h.Describe(ctx, name)
	if err != nil {
		return nil, err
	}
	if d.Driver == nil {
		return nil, fmt.Errorf("plugin %q has no driver: it offers no channels", name)
	}
	return d.Driver, nil
}

// Sink is the schema of a plugin's sink.
func (h *Host) Sink(ctx context.Context, name string) (*sdk.SinkSchemaResponse, error) {
	d, err := h.Describe(ctx, name)
	if err != nil {
		return nil, err
	}
	if d.Sink == nil {
		return nil, fmt.Errorf("plugin %q has no sink: it takes no samples", name)
	}
	return d.Sink, nil
}

// Profile is a register map of a plugin; without CSV when it has none of that name.
func (h *Host) Profile(ctx context.Context, plugin, name string) (*sdk.ProfileResponse, error) {
	path, err := h.Find(plugin)
	if err != nil {
		return nil, err
	}
	sum, _, err := h.verify(plugin, path)
	if err != nil {
		return nil, err
	}
	if p := h.cache.profile(sum, name); p != nil {
		return p, nil
	}
	r, _, err := h.running(ctx, plugin)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	p, err := r.rpc.Profile(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("plugin %q, profile %q: %w", plugin, name, err)
	}
	h.cache.keepProfile(sum, name, p)
	return p, nil
}

// Check asks a plugin what is wrong with a channel's configuration.
func (h *Host) Check(ctx context.Context, plugin string, spec sdk.ChannelSpec) (sdk.Diagnostics, error) {
	d, err := h.Describe(ctx, plugin)
	if err != nil {
		return nil, err
	}
	if !d.Checks {
		return nil, nil
	}
	r, _, err := h.running(ctx, plugin)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	diags, err := r.rpc.Check(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("plugin %q, check of channel %q: %w", plugin, spec.Name, err)
	}
	return diags, nil
}

// Restart drains a plugin and starts it again, at once; one that pauses after a failure is started at once too.
func (h *Host) Restart(name string) error {
	h.mu.Lock()
	g := h.guests[name]
	h.mu.Unlock()
	if g == nil {
		return fmt.Errorf("plugin %q does not run", name)
	}
	g.restart()
	return nil
}

// Renew starts a plugin again as the site says now, and returns when the process of before is gone.
func (h *Host) Renew(ctx context.Context, name string) error {
	settings := h.settings(name)
	h.mu.Lock()
	g := h.guests[name]
	h.mu.Unlock()
	if g == nil {
		return nil
	}
	return g.renew(ctx, settings)
}

// Prune ends the plugins that have no channel and no sink, and those that were started to be asked.
func (h *Host) Prune(ctx context.Context) error {
	h.mu.Lock()
	used := make(map[string]bool)
	for _, c := range h.channels {
		used[c.plugin] = true
	}
	for _, s := range h.sinks {
		used[s.plugin] = true
	}
	idle := slices.Collect(maps.Values(h.asked))
	clear(h.asked)
	for name, g := range h.guests {
		if !used[name] {
			idle = append(idle, g)
			delete(h.guests, name)
		}
	}
	h.mu.Unlock()
	return stopAll(ctx, idle)
}

// Close drains all channels and sinks, ends all plugins and removes their sockets. When ctx ends first the plugins are
// killed, and write their safe values by themselves.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	channels, sinks, guests := slices.Collect(maps.Values(h.channels)), slices.Collect(maps.Values(h.sinks)), slices.Collect(maps.Values(h.guests))
	guests = slices.AppendSeq(guests, maps.Values(h.asked))
	h.mu.Unlock()
	var wg sync.WaitGroup
	errs := make([]error, len(channels)+len(sinks))
	for i, c := range channels {
		wg.Go(func() { errs[i] = c.Drain(ctx) })
	}
	for i, s := range sinks {
		wg.Go(func() { errs[len(channels)+i] = s.Drain(ctx) })
	}
	wg.Wait()
	err := errors.Join(append(errs, stopAll(ctx, guests))...)
	if h.temporary {
		err = errors.Join(err, os.RemoveAll(h.runDir))
	}
	return err
}

// stopAll ends guests; when ctx ends first their processes are killed.
func stopAll(ctx context.Context, guests []*guest) error {
	for _, g := range guests {
		g.stop()
	}
	for _, g := range guests {
		select {
		case <-g.stopped:
			continue
		case <-ctx.Done():
		}
		g.mu.Lock()
		r := g.running
		g.mu.Unlock()
		if r != nil {
			r.kill()
		}
		<-g.stopped
	}
	return nil
}
