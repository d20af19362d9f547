// Package daemon is the running agent: it starts the rooms in their order, joins what flows between them, applies a plan,
// and stops them in order. It implements what the API shows.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/control"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/intake"
	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/plugin"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
)

// Options say what to run, and where.
type Options struct {
	// Site is a file or a folder, Data the folder that belongs to this agent alone.
	Site, Data string
	Variables  map[string]string
	Version    string
	Log        hclog.Logger
	// Ready is called once, when the API answers.
	Ready func()
}

// stopTimeout bounds an orderly end: safe values written, plugins drained.
const stopTimeout = 10 * time.Second

// Agent is a running agent. It implements api.Agent.
type Agent struct {
	o       Options
	log     hclog.Logger
	started time.Time

	host    *plugin.Host
	journal *journal.Journal
	store   *store.Store
	intake  *intake.Intake
	live    *intake.Live
	control *control.Controller
	hub     *api.Hub
	server  *api.Server

	sources *librarySources

	// reloading is held while a plan is made or applied.
	reloading sync.Mutex

	mu       sync.RWMutex
	site     *site.Site
	channels map[string]*plugin.Channel
	sinks    map[string]*sinkHandle
	states   map[string]string // of devices, to see a change
	stopping bool
}

// Run runs an agent until ctx ends, and leaves the outputs at their safe values and no process behind. A site with errors is
// an *InvalidSite.
func Run(ctx context.Context, o Options) error {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	unlock, err := lockData(o.Data)
	if err != nil {
		return err
	}
	defer unlock()
	a := &Agent{
		o: o, log: o.Log, started: time.Now(),
		channels: map[string]*plugin.Channel{}, sinks: map[string]*sinkHandle{}, states: map[string]string{},
	}
	a.hub = api.NewHub(8192, time.Now)
	defer a.stop()
	if err := a.start(ctx); err != nil {
		return err
	}
	return a.serve(ctx)
}

// start brings the rooms up, each on those before it.
func (a *Agent) start(ctx context.Context) error {
	checked, err := a.openSite(ctx)
	if err != nil {
		return err
	}
	s := checked.Site
	a.site = s
	if a.journal, err = journal.Open(journal.Options{
		Dir: filepath.Join(a.o.Data, "journal"), MaxBytes: s.Journal.MaxBytes, MaxAge: s.Journal.MaxAge, Sync: s.Journal.Sync, Log: a.log.Named("journal"),
	}); err != nil {
		return fmt.Errorf("open the journal: %w", err)
	}
	a.emit(event.New(time.Now(), event.Agent, "event", "started", "detail", "version "+a.o.Version+", site revision "+s.Revision))
	if err := a.appendTables(s, nil); err != nil {
		return err
	}
	if a.store, err = store.Open(ctx, store.Options{
		Site: s.Name, Config: s.Store, DataDir: a.o.Data, RunDir: a.runDir(), Log: a.log.Named("store"),
		LastEvent: a.journal.LastEventID(), Notify: a.emit,
	}); err != nil {
		return err
	}
	a.sources = newLibrarySources(s)
	if err := a.ensureLibraries(ctx); err != nil {
		return err
	}
	if err := a.store.LoadPrograms(ctx, checked.Programs); err != nil {
		return err
	}
	a.intake = intake.New(intake.Options{
		Journal: a.journal, Store: a.store, Events: a.fromLibraries, Watching: a.hub.Active, Changed: a.publish, Log: a.log.Named("intake"),
	}, s)
	a.live = a.intake.Live()
	requests, err := liveRequests(ctx, a.store)
	if err != nil {
		return err
	}
	if a.control, err = control.New(control.Options{
		Outputs: outputsOf(s), Requests: requests, Writer: a, Reader: reader{a}, Emit: a.emit, Log: a.log.Named("control"),
	}); err != nil {
		return err
	}
	a.server, err = api.New(api.Options{
		Agent: a, Data: a.o.Data, Listen: s.API.Listen, CertFile: s.API.CertFile, KeyFile: s.API.KeyFile, Token: s.API.Token,
		Version: a.o.Version, Log: a.log.Named("api"),
	})
	if err != nil {
		return err
	}
	return a.openAll(ctx, s)
}

// openSite starts the plugin host and reads the site with what the plugins say of themselves.
func (a *Agent) openSite(ctx context.Context) (*Checked, error) {
	dir, err := agentDir()
	if err != nil {
		return nil, err
	}
	if a.host, err = plugin.NewHost(plugin.Options{
		AgentDir: dir, DataDir: a.o.Data, RunDir: filepath.Join(a.runDir(), "plugins"), LockPath: lockPath(a.o.Site), Log: a.log.Named("plugin"),
		OnFrame: a.frame, OnStatus: a.deviceStatus, Events: a.emit,
	}); err != nil {
		return nil, err
	}
	checked := check(ctx, a.host, a.o.Site, a.o.Variables)
	for _, d := range checked.Diagnostics {
		if d.Severity != diagError {
			a.log.Warn(d.Summary, "detail", d.Detail, "at", place(d))
		}
	}
	if checked.Diagnostics.HasErrors() {
		return nil, &InvalidSite{Diagnostics: checked.Diagnostics, Sources: checked.Sources}
	}
	return checked, nil
}

// openAll opens the site's channels and sinks; none of them keeps another waiting.
func (a *Agent) openAll(ctx context.Context, s *site.Site) error {
	for _, c := range s.Channels {
		if err := a.openChannel(ctx, s, c); err != nil {
			return err
		}
	}
	for _, k := range s.Sinks {
		if err := a.openSink(ctx, s, k); err != nil {
			return err
		}
	}
	// Plugins that were only asked for their schema.
	return a.host.Prune(ctx)
}

// openPatience is how long the first writes wait for the channels; who comes later is written to when it comes.
const openPatience = 2 * time.Second

// awaitChannels waits until each channel was tried once.
func (a *Agent) awaitChannels(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	a.mu.RLock()
	channels := slices.Collect(maps.Values(a.channels))
	a.mu.RUnlock()
	for _, ch := range channels {
		if err := ch.Wait(ctx); err != nil {
			a.log.Warn("channel is not open yet", "channel", ch.Name(), "error", err)
		}
	}
}

// serve runs until ctx ends.
func (a *Agent) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	intakeCtx, stopIntake := context.WithCancel(context.Background())
	defer stopIntake()
	all.Go(func() { a.intake.Run(intakeCtx) })
	all.Go(func() { a.sources.watch(ctx, a) })
	a.server.Start()
	if a.o.Ready != nil {
		a.o.Ready()
	}
	a.awaitChannels(ctx)
	a.control.Start()
	a.log.Info("running", "site", a.site.Name, "data", a.o.Data, "api", a.server.URL())

	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
		case <-hup:
			a.reloadBySignal(ctx)
		}
	}
	a.mu.Lock()
	a.stopping = true
	a.mu.Unlock()
	a.log.Info("stopping")
	a.leaveSafe()
	return nil
}

// leaveSafe writes the safe values and drains the plugins, while frames and writes still flow.
func (a *Agent) leaveSafe() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := a.control.Stop(ctx); err != nil {
		a.log.Error("not every output is at its safe value", "error", err)
	}
	for name, k := range a.sinks {
		if err := k.stop(ctx); err != nil {
			a.log.Warn("sink did not end in order; it goes on from its cursor", "sink", name, "error", err)
		}
	}
	if err := a.host.Close(ctx); err != nil {
		a.log.Warn("a plugin did not end in order", "error", err)
	}
}

// stop ends what start began, in the opposite order.
func (a *Agent) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if a.server != nil {
		if err := a.server.Stop(ctx); err != nil {
			a.log.Warn("close the API", "error", err)
		}
	}
	a.hub.Close()
	if a.host != nil {
		if err := a.host.Close(ctx); err != nil {
			a.log.Warn("close the plugins", "error", err)
		}
	}
	if a.store != nil {
		a.store.Close()
	}
	if a.journal != nil {
		a.emit(event.New(time.Now(), event.Agent, "event", "stopped"))
		if err := a.journal.Close(); err != nil {
			a.log.Warn("close the journal", "error", err)
		}
	}
}

// fromLibraries takes the events of the libraries: first whoever acts, then whoever remembers.
func (a *Agent) fromLibraries(events []event.Event) {
	for _, e := range events {
		a.control.Handle(e)
	}
	if err := a.journal.AppendEvents(events); err != nil {
		a.log.Error("events are not in the journal", "count", len(events), "error", err)
	}
	for _, e := range events {
		a.hub.Event(e)
	}
}

// emit takes an event of the agent's own.
func (a *Agent) emit(e event.Event) {
	if a.journal != nil {
		if err := a.journal.AppendEvent(e); err != nil {
			a.log.Error("an event is not in the journal", "kind", e.Kind, "error", err)
		}
	}
	a.hub.Event(e)
}

// current is the site that runs.
func (a *Agent) current() *site.Site {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.site
}

func (a *Agent) runDir() string { return filepath.Join(a.o.Data, "run") }

func agentDir() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the agent's own folder, for the plugins beside it: %w", err)
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	return filepath.Dir(exe), nil
}

// lockPath is the lock file beside a site.
func lockPath(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		path = filepath.Dir(path)
	}
	return filepath.Join(path, "voltage.lock.hcl")
}

// lockData takes the data folder for this process alone.
func lockData(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "voltage.pid"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		pid := make([]byte, 16)
		n, _ := f.Read(pid)
		f.Close()
		return nil, fmt.Errorf("another agent runs on the data folder %s (process %s): stop it, or give this one a folder of its own with --data", dir, pid[:n])
	}
	if err := errors.Join(f.Truncate(0), writePid(f)); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	return func() { f.Close() }, nil
}

func writePid(f *os.File) error {
	_, err := f.WriteAt(fmt.Appendf(nil, "%d", os.Getpid()), 0)
	return err
}
