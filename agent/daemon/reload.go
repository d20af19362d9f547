package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/plugin"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
)

// Plan says what a reload would change.
func (a *Agent) Plan(ctx context.Context) (api.Plan, error) {
	defer giveBack()
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if a.isStopping() {
		return api.Plan{}, fmt.Errorf("%w: %w", api.ErrUnavailable, errStopping)
	}
	_, _, p := a.plan(ctx, a.asWritten())
	return p, a.host.Prune(ctx)
}

// rolloutTimeout bounds a reload, and once more the way back.
const rolloutTimeout = 30 * time.Second

// Reload makes the agent run its site as it is written now. A site with errors changes nothing, and is no error: its
// diagnostics are in the plan. What was begun is brought to its end also when ctx ends.
func (a *Agent) Reload(ctx context.Context) (api.Plan, error) {
	defer giveBack()
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if a.isStopping() {
		return api.Plan{}, fmt.Errorf("%w: %w", api.ErrUnavailable, errStopping)
	}
	from := a.asWritten()
	checked, diff, p := a.plan(ctx, from)
	if checked == nil {
		a.tell("reload refused", fmt.Sprintf("%d diagnostics; the site before goes on", len(p.Diagnostics)))
		return p, a.host.Prune(ctx)
	}
	if err := a.apply(context.WithoutCancel(ctx), checked, diff, from, "the site was reloaded"); err != nil {
		a.tell("reload failed", err.Error())
		return p, err
	}
	p.Applied = true
	a.setTrouble(aboutSite, "")
	a.tell("reloaded", fmt.Sprintf("site revision %s, %d changes", p.Revision, len(p.Changes)))
	return p, nil
}

// apply makes a checked site the one that runs.
func (a *Agent) apply(ctx context.Context, next *Checked, diff site.Plan, from source, because string) error {
	if err := a.rollOut(ctx, next, diff); err != nil {
		return err
	}
	a.origin = from
	a.endShadow(because)
	a.keepGood(ctx, next.Site, from)
	return nil
}

// asWritten is the site as it is written now.
func (a *Agent) asWritten() source {
	return source{path: a.o.Site, variables: a.o.Variables, made: a.ruleFiles.read()}
}

func (a *Agent) reloadBySignal(ctx context.Context) {
	p, err := a.Reload(ctx)
	switch {
	case err != nil:
		a.log.Error("reload failed", "error", err)
	case !p.Applied:
		for _, d := range p.Diagnostics {
			a.log.Error(d.Summary, "detail", d.Detail, "file", d.File, "line", d.Line)
		}
		a.log.Error("the site as it is written now can't be run; the one before goes on")
	default:
		for _, d := range p.Diagnostics {
			a.log.Warn(d.Summary, "detail", d.Detail, "file", d.File, "line", d.Line)
		}
		a.log.Info("reloaded", "changes", len(p.Changes), "revision", p.Revision)
	}
}

// plan reads a site; a nil Checked is one that can't be run.
func (a *Agent) plan(ctx context.Context, from source) (*Checked, site.Plan, api.Plan) {
	now := a.current()
	checked := check(ctx, a.host, from)
	a.host.Configure(now.Plugins) // until it is rolled out
	p := api.Plan{Changes: []api.PlanChange{}, Diagnostics: Diagnostics(checked.Diagnostics, checked.Sources)}
	if checked.Diagnostics.HasErrors() {
		p.Text = "The site has errors; nothing would change."
		return nil, site.Plan{}, p
	}
	diff := site.Diff(now, checked.Site)
	p.Revision, p.Empty, p.Text = checked.Site.Revision, diff.Empty(), diff.String()
	for _, c := range diff.Changes {
		p.Changes = append(p.Changes, api.PlanChange{Action: c.Action, Kind: c.Kind, Name: c.Name, Detail: c.Detail})
	}
	for _, reason := range diff.Restart {
		p.Diagnostics = append(p.Diagnostics, api.Diagnostic{Severity: "error", Summary: "A reload can't change this", Detail: reason})
	}
	if len(diff.Restart) > 0 {
		return nil, site.Plan{}, p
	}
	for _, reason := range waitForRestart(a.booted, checked.Site) {
		p.Text += "Not before a restart of the agent: " + reason + "\n"
		p.Diagnostics = append(p.Diagnostics, api.Diagnostic{Severity: "warning", Summary: "Not before a restart", Detail: reason})
	}
	return checked, diff, p
}

// waitForRestart says what of a site the agent does as the site said that it was started with.
func waitForRestart(booted, s *site.Site) []string {
	var out []string
	if booted.Hash("api", "") != s.Hash("api", "") {
		out = append(out, "The api block differs from that of the start: the API goes on listening as it does.")
	}
	if booted.Hash("journal", "") != s.Hash("journal", "") {
		out = append(out, "The journal block differs from that of the start: the limits of then go on.")
	}
	return out
}

// rollOut brings the agent from the site that runs to a checked one. Libraries and programs come first: Redis tries them
// before it takes them, and when it refuses them nothing has changed. When a plugin then refuses a channel, the site before
// is put back.
func (a *Agent) rollOut(ctx context.Context, next *Checked, diff site.Plan) error {
	if !a.equipped {
		return fmt.Errorf("%w: Redis is not there yet, and takes the new programs first; nothing has changed", api.ErrUnavailable)
	}
	ctx, cancel := context.WithTimeout(ctx, rolloutTimeout)
	defer cancel()
	before := &Checked{Site: a.current(), Programs: a.programs}
	if err := a.loadLogic(ctx, before.Site, next, diff); err != nil {
		return err
	}
	errs := []error{a.swap(ctx, next.Site, diff)}
	refused := a.refusedChannels(ctx, next.Site, diff)
	if refused == nil {
		return errors.Join(errs...)
	}
	back, cancelBack := context.WithTimeout(context.WithoutCancel(ctx), rolloutTimeout)
	defer cancelBack()
	diff = site.Diff(next.Site, before.Site)
	err := errors.Join(a.loadLogic(back, next.Site, before, diff), a.swap(back, before.Site, diff))
	if err != nil {
		return errors.Join(refused, fmt.Errorf("and the site before is not wholly back: %w", err))
	}
	return fmt.Errorf("%w: %w; the site before runs again", api.ErrInvalid, refused)
}

// loadLogic gives Redis the libraries and programs of a site. When it refuses one, those of the site before are there.
func (a *Agent) loadLogic(ctx context.Context, before *site.Site, next *Checked, diff site.Plan) error {
	libraries := anyOf(diff, "library")
	if libraries {
		if err := a.ensureLibraries(ctx, newLibrarySources(next.Site)); err != nil {
			return errors.Join(notTaken("a library", err), a.ensureLibraries(ctx, newLibrarySources(before)))
		}
	}
	if err := a.store.LoadPrograms(ctx, next.Programs); err != nil {
		err = notTaken("a program", err)
		if libraries {
			err = errors.Join(err, a.ensureLibraries(ctx, newLibrarySources(before)))
		}
		return err
	}
	a.mu.Lock()
	a.programs = next.Programs
	a.mu.Unlock()
	if libraries {
		a.setSources(newLibrarySources(next.Site))
		a.shown.forget()
	}
	return nil
}

// notTaken is the error of what Redis does not take, or is not there to take.
func notTaken(what string, err error) error {
	if store.Away(err) {
		return fmt.Errorf("%w: %s of the site can't be given to Redis, nothing has changed: %w", api.ErrUnavailable, what, err)
	}
	return fmt.Errorf("%w: %s of the site is refused, nothing has changed: %w", api.ErrInvalid, what, err)
}

func anyOf(diff site.Plan, kind string) bool {
	for _, c := range diff.Changes {
		if c.Kind == kind {
			return true
		}
	}
	return false
}

// swap puts a site in the place of the one that runs; what diff does not name goes on untouched.
func (a *Agent) swap(ctx context.Context, s *site.Site, diff site.Plan) error {
	old := a.current()
	var errs []error
	// Outputs that are gone are written safe while their channels are still open.
	errs = append(errs, a.control.Reconfigure(ctx, outputsOf(s)))
	for _, ch := range old.Channels {
		if diff.Changed("channel", ch.Name) {
			a.closeChannel(ctx, ch)
		}
	}
	for _, k := range old.Sinks {
		if diff.Changed("sink", k.Name) {
			a.closeSink(ctx, k.Name)
		}
	}
	for _, name := range a.host.Configure(s.Plugins) {
		errs = append(errs, a.host.Renew(ctx, name))
	}
	a.intake.Reconfigure(s)
	a.mu.Lock()
	a.site = s
	a.mu.Unlock()
	// What rules ask for that are gone now: the last events of theirs may still be on the way.
	a.resync.Store(afterBatch)
	for _, ch := range s.Channels {
		if diff.Changed("channel", ch.Name) {
			errs = append(errs, a.openChannel(ctx, s, ch))
			a.control.ReapplyChannel(ch.Name)
		}
	}
	for _, k := range s.Sinks {
		if diff.Changed("sink", k.Name) {
			errs = append(errs, a.openSink(ctx, s, k))
		} else {
			errs = append(errs, a.reroute(s, k))
		}
	}
	errs = append(errs, a.applyNotifications(s), a.host.Prune(ctx))
	return errors.Join(errs...)
}

// channelPatience is how long a changed channel may take to open before a reload counts as done; one that takes longer goes
// on trying, and shows in the status.
const channelPatience = 5 * time.Second

// refusedChannels waits for the changed channels, and says which of them their plugins do not take, or have no plugin. A
// device that does not answer is no reason: that a wire is cut is not the new site's fault.
func (a *Agent) refusedChannels(ctx context.Context, s *site.Site, diff site.Plan) error {
	ctx, cancel := context.WithTimeout(ctx, channelPatience)
	defer cancel()
	var refused []string
	for _, c := range s.Channels {
		if !diff.Changed("channel", c.Name) {
			continue
		}
		a.mu.RLock()
		ch := a.channels[c.Name]
		a.mu.RUnlock()
		if ch == nil {
			refused = append(refused, "channel "+c.Name+" can't be opened")
			continue
		}
		err := ch.Wait(ctx)
		switch {
		case err == nil:
		case ch.Status().State == plugin.Refused || a.pluginDown(c.Plugin):
			refused = append(refused, "channel "+c.Name+": "+err.Error())
		default:
			a.log.Warn("a changed channel is not open yet", "channel", c.Name, "error", err)
		}
	}
	if refused == nil {
		return nil
	}
	return errors.New(strings.Join(refused, "; "))
}

// pluginDown tells whether a plugin can't be started, or ends again and again.
func (a *Agent) pluginDown(name string) bool {
	for _, p := range a.host.Status().Plugins {
		if p.Name == name {
			return p.State == plugin.Refused || p.State == plugin.Backoff || p.State == plugin.CrashLoop
		}
	}
	return false
}
