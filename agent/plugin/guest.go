package plugin

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/sdk/protocol"
)

// State of a plugin, a channel or a sink.
type State string

// The states.
const (
	// Starting is on its way, for the first time or again.
	Starting State = "starting"
	Running  State = "running"
	// Backoff failed and is tried again after a pause.
	Backoff State = "backoff"
	// CrashLoop failed several times in a row; it is tried again, seldom.
	CrashLoop State = "crash-loop"
	// Refused may not run as it is: a wrong checksum or version, a configuration that the plugin does not take. It is tried
	// again, seldom.
	Refused State = "refused"
	Stopped State = "stopped"
)

const (
	// crashLoopAt is the number of failures in a row that makes a crash-loop.
	crashLoopAt = 3
	// settledAfter is how long a plugin must run for its earlier failures to be forgotten.
	settledAfter = time.Minute
)

// guest is one plugin: its process, when it runs, and the goroutine that keeps it running.
type guest struct {
	host *Host
	name string
	log  hclog.Logger
	// asked: it was started only to be asked, beside the one that serves; nobody is told of it.
	asked bool

	stop    context.CancelFunc
	stopped chan struct{}
	again   chan struct{} // a restart is wanted

	mu       sync.Mutex
	settings site.Plugin   // it is started with
	changed  chan struct{} // closed at each change of what follows
	state    State
	since    time.Time
	running  *running
	desc     *protocol.Description
	path     string
	sum      string
	locked   bool
	pid      string
	attempts int // starts that ended, one way or the other
	failures int // in a row
	restarts int
	err      error
	panic    string
	stderr   []string
	retryAt  time.Time
}

func newGuest(h *Host, settings site.Plugin, asked bool) *guest {
	ctx, stop := context.WithCancel(context.Background())
	g := &guest{
		host: h, name: settings.Name, asked: asked, settings: settings, log: h.o.Log.Named(settings.Name), stop: stop,
		stopped: make(chan struct{}), again: make(chan struct{}, 1), changed: make(chan struct{}), state: Starting, since: time.Now(),
	}
	go g.supervise(ctx)
	return g
}

// has tells whether the guest is started with these settings.
func (g *guest) has(settings site.Plugin) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return same(g.settings, settings)
}

// set changes the guest's state and wakes those who wait for it.
func (g *guest) set(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.state
	f()
	if g.state != before {
		g.since = time.Now()
	}
	close(g.changed)
	g.changed = make(chan struct{})
}

// supervise keeps the plugin running until ctx ends.
func (g *guest) supervise(ctx context.Context) {
	defer close(g.stopped)
	for ctx.Err() == nil {
		g.set(func() { g.state = Starting })
		r, err := g.launch(ctx)
		if err != nil {
			if ctx.Err() == nil {
				g.failed(err, refusal(err))
				g.pause(ctx)
			}
			continue
		}
		started := time.Now()
		g.emit("started", fmt.Sprintf("version %s, process %s", g.desc.Version, r.process.Load().ID()))
		select {
		case <-r.process.Load().done:
			g.crashed(r, started)
			g.pause(ctx)
		case <-g.again:
			g.shut(r, "restarted")
		case <-ctx.Done():
			g.shut(r, "stopped")
		}
	}
	g.set(func() { g.state, g.running = Stopped, nil })
}

// launch finds, verifies and starts the plugin, and checks that it is what it should be.
func (g *guest) launch(ctx context.Context) (*running, error) {
	g.mu.Lock()
	settings := g.settings
	g.mu.Unlock()
	path, err := g.host.find(settings)
	if err != nil {
		return nil, err
	}
	sum, locked, err := g.host.verify(g.name, path)
	if err != nil {
		return nil, err
	}
	g.set(func() { g.path, g.sum, g.locked = path, sum, locked })
	r, err := start(ctx, launch{path: path, env: settings.Env, runDir: g.host.runDir, log: g.log})
	if err != nil {
		return nil, err
	}
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	desc, err := r.rpc.Describe(call)
	if err == nil {
		err = suits(g.name, path, settings.Version, desc)
	}
	if err != nil {
		r.kill()
		return nil, fmt.Errorf("plugin %q: %w", g.name, err)
	}
	g.host.cache.keep(sum, desc)
	g.set(func() {
		g.state, g.running, g.desc, g.pid, g.err = Running, r, desc, r.process.Load().ID(), nil
		g.retryAt = time.Time{}
		g.attempts++
	})
	return r, nil
}

// UnsuitableError is the error of an executable that is another plugin, or another version, than the site wants.
type UnsuitableError struct{ text string }

func (e *UnsuitableError) Error() string { return e.text }

// suits checks a description against the name and the version that the site wants.
func suits(name, path, constraint string, d *protocol.Description) error {
	if d.Name != name {
		return &UnsuitableError{fmt.Sprintf("%s says that it is plugin %q: name its executable %s%s, or use that name in site.hcl", path, d.Name, Prefix, d.Name)}
	}
	if constraint == "" {
		return nil
	}
	want, err := semver.NewConstraint(constraint)
	if err != nil {
		return &UnsuitableError{fmt.Sprintf("%q is no version constraint: %v", constraint, err)}
	}
	have, err := semver.NewVersion(d.Version)
	if err != nil {
		return &UnsuitableError{fmt.Sprintf("%s says that its version is %q, which is no semantic version", path, d.Version)}
	}
	if !want.Check(have) {
		return &UnsuitableError{fmt.Sprintf("%s is version %s, the site wants %s: install a fitting one, or change version in its plugin block", path, d.Version, constraint)}
	}
	return nil
}

// failed notes a start that did not succeed.
func (g *guest) failed(err error, refused bool) {
	g.log.Error("the plugin can't be started", "error", err)
	g.set(func() {
		g.attempts++
		g.failures++
		g.err, g.running, g.pid = err, nil, ""
		switch {
		case refused:
			g.state = Refused
		case g.failures >= crashLoopAt:
			g.state = CrashLoop
		default:
			g.state = Backoff
		}
	})
	g.emit("failed", err.Error())
}

// crashed notes the end of a plugin that was running.
func (g *guest) crashed(r *running, started time.Time) {
	p := r.process.Load()
	r.kill()
	detail := p.exit()
	if words := p.reason(); words != "" {
		detail += ": " + words
	}
	g.log.Error("the plugin ended by itself", "how", detail, "ran", time.Since(started).Round(time.Millisecond))
	g.set(func() {
		if time.Since(started) > settledAfter {
			g.failures = 0
		}
		g.failures++
		g.restarts++
		g.err, g.running, g.pid = fmt.Errorf("plugin %q %s", g.name, detail), nil, ""
		g.panic, g.stderr = p.tail.panicText(), p.tail.stderr()
		g.state = Backoff
		if g.failures >= crashLoopAt {
			g.state = CrashLoop
		}
	})
	g.emit("crashed", detail)
}

// shut drains and ends a running plugin.
func (g *guest) shut(r *running, what string) {
	g.set(func() { g.state = Starting })
	r.drain(context.Background())
	g.set(func() { g.running, g.pid, g.failures = nil, "", 0 })
	g.emit(what, "")
}

// pause waits before the next start: a quarter of a second at first, doubling, with jitter. A wanted restart ends it.
func (g *guest) pause(ctx context.Context) {
	g.mu.Lock()
	n, refused := g.failures, g.state == Refused
	g.mu.Unlock()
	d := backoff(g.host.o, n, refused)
	g.set(func() { g.retryAt = time.Now().Add(d) })
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.again:
		g.set(func() { g.failures = 0 })
	case <-ctx.Done():
	}
}

// backoff is the pause after the n-th failure in a row; a refusal, which only a person ends, waits the longest at once.
func backoff(o Options, n int, refused bool) time.Duration {
	d := o.MinBackoff
	for i := 1; i < n && d < o.MaxBackoff; i++ {
		d *= 2
	}
	if d = min(d, o.MaxBackoff); refused {
		d = o.MaxBackoff
	}
	return d - time.Duration(rand.Float64()*float64(d)/4)
}

// await waits until the plugin runs or a start has failed, and returns that failure. When the plugin pauses after an
// earlier one, at once starts it now.
func (g *guest) await(ctx context.Context, atOnce bool) (*running, *protocol.Description, error) {
	g.mu.Lock()
	before := g.attempts
	pausing := g.state == Backoff || g.state == CrashLoop || g.state == Refused
	g.mu.Unlock()
	if pausing && atOnce {
		g.restart()
	}
	for {
		g.mu.Lock()
		r, desc, state, err, attempts, changed := g.running, g.desc, g.state, g.err, g.attempts, g.changed
		g.mu.Unlock()
		switch {
		case state == Running:
			return r, desc, nil
		case state == Stopped:
			return nil, nil, fmt.Errorf("plugin %q is stopped", g.name)
		case attempts > before && err != nil:
			return nil, nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("plugin %q is not up yet: %w", g.name, ctx.Err())
		}
	}
}

// restart wants the plugin to be started again.
func (g *guest) restart() {
	select {
	case g.again <- struct{}{}:
	default:
	}
}

// renew starts the plugin again with other settings, and waits until the process of before is gone.
func (g *guest) renew(ctx context.Context, settings site.Plugin) error {
	g.mu.Lock()
	g.settings = settings
	before := g.running
	g.mu.Unlock()
	g.restart()
	for {
		g.mu.Lock()
		now, changed := g.running, g.changed
		g.mu.Unlock()
		if before == nil || now != before {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("plugin %q does not end: %w", g.name, ctx.Err())
		}
	}
}

// refusal tells whether only a person can change what hinders a start.
func refusal(err error) bool {
	return errors.As(err, new(*ChecksumError)) || errors.As(err, new(*UnsuitableError)) || errors.Is(err, ErrNotFound)
}

// outage says why the plugin is not there, for somebody who wants to write right now.
func (g *guest) outage() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return fmt.Errorf("plugin %q does not run (%s): %w", g.name, g.state, g.err)
	}
	return fmt.Errorf("plugin %q does not run (%s)", g.name, g.state)
}

func (g *guest) emit(what, detail string) {
	if g.asked {
		return
	}
	g.host.emit(event.New(time.Now(), event.Plugin, "plugin", g.name, "event", what, "detail", detail))
}
