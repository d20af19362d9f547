package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
)

// Plan says what a reload would change.
func (a *Agent) Plan(ctx context.Context) (api.Plan, error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	_, _, p := a.plan(ctx)
	return p, nil
}

// Reload makes the agent run its site as it is written now. A site with errors changes nothing, and is no error: its
// diagnostics are in the plan.
func (a *Agent) Reload(ctx context.Context) (api.Plan, error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	checked, diff, p := a.plan(ctx)
	if checked == nil {
		a.emit(event.New(time.Now(), event.Agent, "event", "reload refused", "detail", fmt.Sprintf("%d diagnostics; the site before goes on", len(p.Diagnostics))))
		return p, nil
	}
	if err := a.apply(ctx, checked, diff); err != nil {
		a.emit(event.New(time.Now(), event.Agent, "event", "reload failed", "detail", err.Error()))
		return p, err
	}
	p.Applied = true
	a.emit(event.New(time.Now(), event.Agent, "event", "reloaded", "detail", fmt.Sprintf("site revision %s, %d changes", p.Revision, len(p.Changes))))
	return p, nil
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
		a.log.Info("reloaded", "changes", len(p.Changes), "revision", p.Revision)
	}
}

// plan reads the site as it is now; a nil Checked is one that can't be run.
func (a *Agent) plan(ctx context.Context) (*Checked, site.Plan, api.Plan) {
	now := a.current()
	checked := check(ctx, a.host, a.o.Site, a.o.Variables)
	p := api.Plan{Changes: []api.PlanChange{}, Diagnostics: Diagnostics(checked.Diagnostics, checked.Sources)}
	if checked.Diagnostics.HasErrors() {
		a.host.Configure(now.Plugins)
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
	return checked, diff, p
}

// apply brings the agent from the site that runs to a checked one. The programs come first: Redis tries them before it
// takes them, and when it refuses them nothing has changed.
func (a *Agent) apply(ctx context.Context, c *Checked, diff site.Plan) error {
	old, s := a.current(), c.Site
	if err := a.appendTables(s, old); err != nil {
		return err
	}
	if err := a.store.LoadPrograms(ctx, c.Programs); err != nil {
		return fmt.Errorf("the new programs are refused, nothing has changed: %w", err)
	}
	var errs []error
	for _, name := range a.host.Configure(s.Plugins) {
		errs = append(errs, a.host.Restart(name))
	}
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
	a.intake.Reconfigure(s)
	a.mu.Lock()
	a.site = s
	a.mu.Unlock()
	for _, ch := range s.Channels {
		if diff.Changed("channel", ch.Name) {
			errs = append(errs, a.openChannel(ctx, s, ch))
			a.control.ReapplyChannel(ch.Name)
		}
	}
	for _, k := range s.Sinks {
		if diff.Changed("sink", k.Name) {
			errs = append(errs, a.openSink(ctx, s, k))
		}
	}
	errs = append(errs, a.host.Prune(ctx))
	return errors.Join(errs...)
}
