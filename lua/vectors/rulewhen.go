package main

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
)

// Resolve makes a point of source.value.
func (s *sources) Resolve(t hcl.Traversal) (site.Ref, hcl.Diagnostics) {
	if len(t) == 2 {
		if attr, ok := t[1].(hcl.TraverseAttr); ok {
			return site.Ref{Point: s.point(t.RootName(), attr.Name)}, nil
		}
	}
	return site.Ref{}, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Unknown name", Subject: t.SourceRange().Ptr()}}
}

// Context has no constants.
func (s *sources) Context() *hcl.EvalContext { return nil }

// declare makes points of all that the events name, so that frames have one table throughout.
func (s *sources) declare(events []ruleEvent) {
	for _, e := range events {
		names := make([]string, 0, len(e.Values))
		for name := range e.Values {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			s.point(e.Source, name)
		}
	}
}

// ruleProgram compiles a case's rule; refused is why it can't be loaded, in the cases' words.
func ruleProgram(c ruleCase) (p compile.Program, s *sources, refused string, err error) {
	s = &sources{}
	s.declare(c.Events)
	var rules []*site.Rule
	var flows []site.Flow
	if c.Rule.When != "" {
		rule, err := whenRule(c.Rule)
		if err != nil {
			return p, nil, "", err
		}
		rules = append(rules, rule)
	} else {
		flow, err := flowOf(c.Rule, s)
		if err != nil {
			return p, nil, "", err
		}
		flows = append(flows, flow)
	}
	p, diags := compile.Rules(rules, flows, s)
	for _, d := range diags {
		if why, ok := d.Extra.(compile.Refusal); ok {
			return p, s, string(why), nil
		}
	}
	if diags.HasErrors() {
		return p, nil, "", diags
	}
	return p, s, "", nil
}

func whenRule(def ruleDef) (*site.Rule, error) {
	when, err := readExpr(def.When)
	if err != nil {
		return nil, err
	}
	r := &site.Rule{
		Name: "r", When: site.Expr{Expression: when}, On: def.Edge, Initial: def.Initial, Unknown: site.Unknown(def.Unknown),
	}
	if r.On == "" {
		r.On = "rising"
	}
	if r.For, err = duration(def.For); err != nil {
		return nil, fmt.Errorf("for: %w", err)
	}
	if r.KeepFor, err = duration(def.KeepFor); err != nil {
		return nil, fmt.Errorf("keep_for: %w", err)
	}
	if r.Cooldown, err = duration(def.Cooldown); err != nil {
		return nil, fmt.Errorf("cooldown: %w", err)
	}
	if def.Hysteresis != nil {
		r.Hysteresis = &site.Hysteresis{On: def.Hysteresis.On, Off: def.Hysteresis.Off}
	}
	if def.Throttle != nil {
		per, err := duration(def.Throttle.Per)
		if err != nil {
			return nil, fmt.Errorf("throttle: %w", err)
		}
		r.Throttle = &site.Throttle{Count: def.Throttle.Count, Per: per}
	}
	return r, nil
}
