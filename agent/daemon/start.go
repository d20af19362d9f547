package daemon

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/control"
	"github.com/voltage-edge/voltage/agent/durable"
	"github.com/voltage-edge/voltage/agent/intake"
	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/plugin"
	"github.com/voltage-edge/voltage/agent/replay"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/agent/virtual"
)

// start brings the rooms up, each on those before it.
func (a *Agent) start(ctx context.Context) error {
	checked, refused, err := a.openSite(ctx)
	if err != nil {
		return err
	}
	s := checked.Site
	a.site, a.booted, a.programs, a.sources = s, s, checked.Programs, newLibrarySources(s)
	if a.journal, err = journal.Open(journal.Options{
		Dir: filepath.Join(a.o.Data, "journal"), MaxBytes: s.Journal.MaxBytes, MaxAge: s.Journal.MaxAge, Sync: s.Journal.Sync, Log: a.log.Named("journal"),
	}); err != nil {
		return fmt.Errorf("open the journal: %w", err)
	}
	if err := os.RemoveAll(a.shadowDir()); err != nil {
		a.log.Warn("can't remove what a candidate left", "error", err)
	}
	for _, e := range a.early.release() {
		a.remember(e)
	}
	a.tell("started", "version "+a.o.Version+", site revision "+s.Revision)
	if refused != "" {
		a.tell("site_refused", refused)
		a.setTrouble(aboutSite, refused)
	}
	// One clock for frames and calls: what a person asks for is dated like the frames, so that neither is ahead. Control
	// has the machine's own: it moves its deadlines along when that one is set, which a clock that never goes back hides.
	clock := intake.NewClock()
	a.clock = clock
	if err := a.openStore(ctx, s, clock); err != nil {
		return err
	}
	a.intake = intake.New(intake.Options{
		Clock: clock, Journal: a.journal, Table: func(d *site.Device) error { return a.journal.AppendTable(replay.TableOf(d)) },
		Store: applier{a}, States: a.libraryStates, Events: a.fromLibraries, Watching: a.hub.Active, Changed: a.publish, Log: a.log.Named("intake"),
	}, s)
	a.live = a.intake.Live()
	var requests []control.Request
	if a.equipped {
		if requests, err = a.requests(ctx, s); err != nil {
			return err
		}
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
	if err := a.applyNotifications(s); err != nil {
		return err
	}
	return a.openAll(ctx, s)
}

// openSite starts the plugin host and reads the site with what the plugins say of themselves. When the site has errors, it
// is the last good one, and refused says why.
func (a *Agent) openSite(ctx context.Context) (checked *Checked, refused string, err error) {
	dir, err := agentDir()
	if err != nil {
		return nil, "", err
	}
	if a.host, err = plugin.NewHost(plugin.Options{
		AgentDir: dir, DataDir: a.o.Data, RunDir: filepath.Join(a.runDir(), "plugins"), LockPath: lockPath(a.o.Site), Log: a.log.Named("plugin"),
		OnFrame: a.frame, OnStatus: a.deviceStatus, Events: a.emit,
	}); err != nil {
		return nil, "", err
	}
	if err := durable.Tidy(a.ruleFiles.dir); err != nil {
		a.log.Warn("can't remove what a change of rules left", "error", err)
	}
	a.origin = a.asWritten()
	checked = check(ctx, a.host, a.origin)
	a.logDiagnostics(checked.Diagnostics)
	if !checked.Diagnostics.HasErrors() {
		return checked, "", nil
	}
	invalid := &InvalidSite{Diagnostics: checked.Diagnostics, Sources: checked.Sources}
	if a.o.Strict {
		return nil, "", invalid
	}
	good, err := a.lastGood.read(a.o.Site)
	if err != nil {
		a.log.Error("there is no last good site to run in its place", "error", err)
		return nil, "", invalid
	}
	// A plugin that was asked runs with the settings of the site with errors.
	if err := a.host.Prune(ctx); err != nil {
		a.log.Warn("end the plugins that were asked", "error", err)
	}
	a.origin = good.source(a.o.Site, a.o.Variables)
	before := check(ctx, a.host, a.origin)
	if before.Diagnostics.HasErrors() {
		a.logDiagnostics(before.Diagnostics)
		a.log.Error("the last good site can't be run either", "of", good.Saved, "variables", good.Variables)
		return nil, "", invalid
	}
	refused = fmt.Sprintf("the site as it is written now has %s, and is not run; the last good one runs, of %s; see voltage plan",
		countErrors(checked.Diagnostics), good.Saved.Local().Format(time.DateTime))
	a.log.Error(refused)
	return before, refused, nil
}

func countErrors(diags hcl.Diagnostics) string {
	n := 0
	for _, d := range diags {
		if d.Severity == diagError {
			n++
		}
	}
	if n == 1 {
		return "an error"
	}
	return fmt.Sprintf("%d errors", n)
}

func (a *Agent) logDiagnostics(diags hcl.Diagnostics) {
	for _, d := range diags {
		if d.Severity == diagError {
			a.log.Error(d.Summary, "detail", d.Detail, "at", place(d))
		} else {
			a.log.Warn(d.Summary, "detail", d.Detail, "at", place(d))
		}
	}
}

// openStore opens the store and gives it what the site needs. An external Redis that is away is waited for by serve.
func (a *Agent) openStore(ctx context.Context, s *site.Site, clock intake.Clock) error {
	var err error
	if a.store, err = store.Open(ctx, store.Options{
		Site: s.Name, Config: s.Store, DataDir: a.o.Data, RunDir: a.runDir(), Log: a.log.Named("store"),
		LastEvent: a.journal.LastEventID(), Notify: a.storeEvent, Now: clock.Now, Patient: true,
		Derived: virtual.FromLibraries,
	}); err != nil {
		return err
	}
	err = a.equip(ctx)
	if err != nil && !s.Store.Embedded && store.Away(err) {
		a.setTrouble(aboutStore, waitsForRedis)
		return nil
	}
	return err
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
