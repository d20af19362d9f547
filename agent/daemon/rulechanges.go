package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
)

// rulesEdit is a change of the rules that were made while the site ran.
type rulesEdit struct {
	rule, by string
	// edit makes the change, and says what it is, for the event.
	edit func(m *madeRules) (what string, err error)
}

// put gives a rule that was made while the site ran its definition.
func (a *Agent) put(c api.RuleChange) rulesEdit {
	return rulesEdit{rule: c.Name, by: c.By, edit: func(m *madeRules) (string, error) {
		b := site.RuleBlock{Kind: c.Kind, Name: c.Name, Body: c.Definition}
		if err := b.Check(); err != nil {
			return "", fmt.Errorf("%w: %w", api.ErrInvalid, err)
		}
		if err := a.ownedBySite(c.Name); err != nil {
			return "", err
		}
		path, what := a.ruleFiles.path(c.Name), "changed"
		if m.files[path] == nil {
			what = "created"
		}
		m.files[path] = b.File()
		return what, nil
	}}
}

// ownedBySite is the error of a change of what stands in the site's own files; nil: it does not.
func (a *Agent) ownedBySite(name string) error {
	place := placeOfRule(a.current(), name)
	if place.Filename == "" || a.ruleFiles.hold(place) {
		return nil
	}
	return fmt.Errorf("%w: %s stands in %s: change it there, and reload; only enable and disable work from here", api.ErrConflict, name, placeText(place))
}

// placeOfRule is where a rule or flow is written, or the block that makes several; empty: there is none.
func placeOfRule(s *site.Site, name string) hcl.Range {
	for _, r := range s.Rules {
		if madeBy(r.Name, name) {
			return written(r)
		}
	}
	for _, x := range s.Flows() {
		if madeBy(x.FlowName(), name) {
			return x.Place()
		}
	}
	return hcl.Range{}
}

// written is where a rule's block stands: its own, or the one that uses the template.
func written(r *site.Rule) hcl.Range {
	if r.Made != nil {
		return r.Made.Use
	}
	return r.Range
}

func placeText(r hcl.Range) string {
	if r.Filename == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line)
}

// PutRule makes a rule, or gives it another definition.
func (a *Agent) PutRule(ctx context.Context, c api.RuleChange) (api.Plan, error) {
	return a.changeRules(ctx, a.put(c), false)
}

// ValidateRule is PutRule without the change.
func (a *Agent) ValidateRule(ctx context.Context, c api.RuleChange) (api.Plan, error) {
	return a.changeRules(ctx, a.put(c), true)
}

// DeleteRule removes a rule that was made while the site ran.
func (a *Agent) DeleteRule(ctx context.Context, name, by string) (api.Plan, error) {
	return a.changeRules(ctx, rulesEdit{rule: name, by: by, edit: func(m *madeRules) (string, error) {
		path := a.ruleFiles.path(name)
		if m.files[path] == nil {
			if err := a.ownedBySite(name); err != nil {
				return "", err
			}
			return "", unknown("rule that was made while the site ran:", name, m.names())
		}
		delete(m.files, path)
		m.unswitch(name)
		return "deleted", nil
	}}, false)
}

// EnableRule enables a rule, whatever its definition says: one, or all that a block of this name makes.
func (a *Agent) EnableRule(ctx context.Context, name, by string) (api.Plan, error) {
	return a.switchRule(ctx, name, true, by)
}

// DisableRule disables a rule, as EnableRule enables it.
func (a *Agent) DisableRule(ctx context.Context, name, by string) (api.Plan, error) {
	return a.switchRule(ctx, name, false, by)
}

func (a *Agent) switchRule(ctx context.Context, name string, enabled bool, by string) (api.Plan, error) {
	return a.changeRules(ctx, rulesEdit{rule: name, by: by, edit: func(m *madeRules) (string, error) {
		s, found, contrary := a.current(), false, false
		for _, r := range s.Rules {
			if madeBy(r.Name, name) {
				found, contrary = true, contrary || r.Disabled == enabled != s.Switched(r.Name)
			}
		}
		for _, x := range s.Flows() {
			if madeBy(x.FlowName(), name) {
				found, contrary = true, contrary || x.Off() == enabled != s.Switched(x.FlowName())
			}
		}
		if !found {
			return "", unknown("rule", name, ruleNames(s))
		}
		// A switch that says what the definition says would outlive it, but for one against the switch of the whole block.
		m.unswitch(name)
		for of := range m.switches {
			contrary = contrary || madeBy(name, of)
		}
		if contrary {
			m.switches[name] = enabled
		}
		if enabled {
			return "enabled", nil
		}
		return "disabled", nil
	}}, false)
}

// madeBy tells whether a rule is of this name, or was made by the block, instance or template of this name.
func madeBy(rule, name string) bool {
	rest, ok := strings.CutPrefix(rule, name)
	return ok && (rest == "" || rest[0] == '[' || rest[0] == '.')
}

// unswitch forgets the switches of a rule, and of those that it makes.
func (m *madeRules) unswitch(name string) {
	maps.DeleteFunc(m.switches, func(of string, _ bool) bool { return madeBy(of, name) })
}

func ruleNames(s *site.Site) []string {
	var out []string
	for _, r := range s.Rules {
		out = append(out, r.Name)
	}
	for _, x := range s.Flows() {
		out = append(out, x.FlowName())
	}
	return out
}

// changeRules runs the site with other rules, and keeps them; with check it only says what would be. A change that can't be run is
// refused with what is wrong with it, and nothing has changed.
func (a *Agent) changeRules(ctx context.Context, e rulesEdit, checkOnly bool) (api.Plan, error) {
	defer giveBack()
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if a.isStopping() {
		return api.Plan{}, fmt.Errorf("%w: %w", api.ErrUnavailable, errStopping)
	}
	from, before, what, err := a.edited(ctx, e)
	if err != nil {
		return api.Plan{}, err
	}
	checked, diff, p := a.plan(ctx, from)
	if checkOnly || checked == nil {
		if err := a.host.Prune(ctx); err != nil || checkOnly {
			return p, err
		}
		return p, refusedRule(e.rule, what, p)
	}
	if before.same(from.made) {
		p.Applied = true
		return p, a.host.Prune(ctx)
	}
	ctx = context.WithoutCancel(ctx)
	change, err := a.ruleFiles.prepare(before, from.made)
	if err != nil {
		return p, fmt.Errorf("%w; nothing has changed", err)
	}
	if err := a.apply(ctx, checked, diff, from, "rule "+e.rule+" was "+what); err != nil {
		return p, errors.Join(err, change.drop())
	}
	p.Applied = true
	a.emit(event.New(time.Now(), event.Rule, "rule", e.rule, "event", what, "by", e.by))
	if err := change.finish(); err != nil {
		return p, fmt.Errorf("rule %s is %s, but that is not stored, and gone with the next reload: %w", e.rule, what, err)
	}
	return p, nil
}

// edited is the site that runs with other rules, and the rules as they were. What was written into the site's files since it was loaded is
// no part of it: whoever changes a rule does not reload what somebody else has half written.
func (a *Agent) edited(ctx context.Context, e rulesEdit) (from source, before madeRules, what string, err error) {
	from = a.asWritten()
	if from.made.problem != nil {
		return from, before, "", fmt.Errorf("%w: %w", api.ErrConflict, from.made.problem)
	}
	if good, err := a.lastGood.read(a.o.Site); err == nil && good.Revision == a.current().Revision {
		from.overlay = good.overlay
	} else if now := check(ctx, a.host, from); now.Diagnostics.HasErrors() || now.Site.Revision != a.current().Revision {
		a.host.Configure(a.current().Plugins)
		return from, before, "", fmt.Errorf("%w: the site was changed and not reloaded: do that first; voltage plan shows what it would change", api.ErrConflict)
	}
	before, from.made = from.made, from.made.clone()
	// A switch without a rule would switch one that gets the name some day.
	names := ruleNames(a.current())
	maps.DeleteFunc(from.made.switches, func(of string, _ bool) bool {
		return !slices.ContainsFunc(names, func(rule string) bool { return madeBy(rule, of) })
	})
	what, err = e.edit(&from.made)
	return from, before, what, err
}

// refusedRule is the error of a change that can't be run.
func refusedRule(rule, what string, p api.Plan) error {
	n := 0
	for _, d := range p.Diagnostics {
		if d.Severity == "error" {
			n++
		}
	}
	errs := "an error"
	if n > 1 {
		errs = fmt.Sprintf("%d errors", n)
	}
	return &api.Error{
		Code: "invalid", Detail: fmt.Sprintf("rule %s is not %s, the site would have %s: %s", rule, what, errs, firstError(p.Diagnostics)),
		Hint: "nothing has changed", Diagnostics: p.Diagnostics,
	}
}

// names are those of the rules.
func (m madeRules) names() []string {
	var out []string
	for _, x := range m.additions() {
		if b, diags := site.ReadRuleBlock(x.Content, x.Path); !diags.HasErrors() {
			out = append(out, b.Name)
		}
	}
	return out
}

// RuleDefinition is a rule with where it comes from.
func (a *Agent) RuleDefinition(ctx context.Context, name string) (api.RuleDefinition, error) {
	made := a.ruleFiles.read()
	out := api.RuleDefinition{Name: name, Place: placeText(placeOfRule(a.current(), name)), Rules: []api.Rule{}}
	path := a.ruleFiles.path(name)
	if content := made.files[path]; content != nil {
		b, diags := site.ReadRuleBlock(content, path)
		if diags.HasErrors() {
			return out, fmt.Errorf("%s can't be read: %w", path, diags)
		}
		out.Kind, out.Stored, out.Definition, out.Place = b.Kind, true, b.Body, path
	}
	rules, err := a.Rules(ctx)
	if err != nil {
		return out, err
	}
	for _, r := range rules {
		if madeBy(r.Name, name) {
			out.Rules = append(out.Rules, r)
		}
	}
	if len(out.Rules) == 0 && !out.Stored {
		return out, unknown("rule", name, ruleNames(a.current()))
	}
	if out.Kind == "" {
		out.Kind, out.Place = out.Rules[0].Kind, placeText(placeOfRule(a.current(), out.Rules[0].Name))
	}
	return out, nil
}
