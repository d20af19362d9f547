package site

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/spelling"
)

// rootParameter is the first word of a parameter's name in a rule template.
const rootParameter = "param"

// bound is what a parameter that is no constant stands for.
type bound struct {
	// mapping is a value or a condition.
	mapping *Mapping
	// base is the name of a model, and label that of a model or an output as set blocks write it.
	base  hcl.Traversal
	label string
	kind  string
}

// templateUse is one rule block, or one of its instances, that uses a template.
type templateUse struct {
	instance
	template *RuleTemplate
	disabled bool
	doc      string
}

// bindTemplates reads all rule blocks that use templates: which, and with what parameters.
func (l *loader) bindTemplates() {
	for _, b := range l.blocks["rule"] {
		if l.find(b.body, "template") == nil {
			continue
		}
		l.uses[b] = []*templateUse{}
		l.instances(b, func(in instance) {
			before := l.count
			c := l.decode(in.body, l.made, in.rng, in.scope)
			u := &templateUse{disabled: !c.flag("enabled"), doc: c.text("description")}
			if e := c.expression("template"); e != nil {
				u.template = l.ruleTemplateOf(e)
			}
			if u.template == nil || u.template.broken {
				b.entry.broken = true
				return
			}
			u.instance = in
			u.scope = l.parameters(u.template, c, in.scope)
			if c.bad || l.count > before || u.scope == nil {
				b.entry.broken = true
				return
			}
			l.uses[b] = append(l.uses[b], u)
		})
	}
}

func (l *loader) ruleTemplateOf(e hcl.Expression) *RuleTemplate {
	name, ok := l.blockName(e, "rule_template")
	if !ok {
		return nil
	}
	if t := l.site.RuleTemplate(name); t != nil {
		return t
	}
	names := make([]string, len(l.site.RuleTemplates))
	for i, t := range l.site.RuleTemplates {
		names[i] = t.Name
	}
	hint := spelling.DidYouMean(name, names)
	if hint == "" {
		hint = " There are " + thereAre(names) + "."
	}
	l.fail(e.Range(), "Unknown template", "There is no rule_template %q.%s", name, hint)
	return nil
}

// parameters gives the parts of a template their scope. It is nil when a parameter is wrong.
func (l *loader) parameters(t *RuleTemplate, c *content, s *Scope) *Scope {
	constants := map[string]cty.Value{}
	inner := *l.scope
	inner.bound = map[string]*bound{}
	var names []string
	for _, p := range t.Parameters {
		names = append(names, p.Name)
	}
	given := map[string]bool{}
	sound := true
	for _, n := range l.mapOf(c.expression("parameters"), "NAME") {
		p := find(t.Parameters, func(p *Parameter) string { return p.Name }, n.name)
		if p == nil {
			l.take(noSuch(n.rng, "parameter", n.name, "rule_template "+t.Name, names))
			sound = false
			continue
		}
		given[n.name] = true
		sound = l.argument(p, n.value, s, constants, inner.bound) && sound
	}
	for _, p := range t.Parameters {
		if given[p.Name] {
			continue
		}
		if p.Default == nil {
			l.fail(c.rng, "Missing parameter", "A rule of template %s needs the parameter %q (%s).%s", t.Name, p.Name, p.Wanted(), docOf(p.Doc))
			sound = false
			continue
		}
		l.defaultArgument(p, constants, inner.bound)
	}
	if !sound {
		return nil
	}
	inner.Constants = l.scope.Constants.NewChild()
	inner.Constants.Variables = map[string]cty.Value{rootParameter: cty.ObjectVal(constants)}
	return &inner
}

// Wanted says in a few words what a parameter takes.
func (p *Parameter) Wanted() string {
	switch {
	case p.Type == ModelParameter && p.Template != "":
		return "model of template " + p.Template
	case p.Unit != "":
		return p.Type + " in " + p.Unit
	}
	return p.Type
}

func (p *Parameter) live() bool { return p.Type == ValueParameter || p.Type == ConditionParameter }

func (p *Parameter) mapping(e Expr) *bound {
	return &bound{kind: p.Type, mapping: &Mapping{Measurement: &Measurement{Name: p.Name, Unit: p.Unit, Doc: p.Doc}, Value: e}}
}

func (l *loader) defaultArgument(p *Parameter, constants map[string]cty.Value, to map[string]*bound) {
	var v cty.Value
	switch x := p.Default.(type) {
	case float64:
		v = cty.NumberFloatVal(x)
	case bool:
		v = cty.BoolVal(x)
	case string:
		v = cty.StringVal(x)
	}
	if p.live() {
		to[p.Name] = p.mapping(Expr{Expression: &hclsyntax.LiteralValueExpr{Val: v, SrcRange: p.Range}, Scope: l.scope})
		return
	}
	constants[p.Name] = v
}

// argument reads what a rule gives for a parameter.
func (l *loader) argument(p *Parameter, e hcl.Expression, s *Scope, constants map[string]cty.Value, to map[string]*bound) bool {
	switch {
	case p.live():
		x, ok := l.native(e)
		if !ok {
			return false
		}
		expr := Expr{Expression: x, Scope: s}
		refs, ok := l.checkLive(expr)
		for _, r := range refs {
			ok = ok && !r.bad
		}
		to[p.Name] = p.mapping(expr)
		return ok
	case p.Type == ModelParameter, p.Type == OutputParameter:
		to[p.Name] = l.referenceArgument(p, e, s)
		return to[p.Name] != nil
	}
	v, ok := l.value(e, s)
	if !ok {
		return false
	}
	if v.IsNull() {
		if p.Default == nil {
			l.fail(e.Range(), "Missing parameter", "The parameter %q (%s) has no default, so it can't be null.", p.Name, p.Wanted())
			return false
		}
		l.defaultArgument(p, constants, to)
		return true
	}
	if v.ContainsMarked() {
		l.fail(e.Range(), "Secret as a parameter", "Parameters become part of rules, which are shown to people, and this has a secret in it.")
		return false
	}
	x, ok := l.constantParameter(p, v, e.Range())
	if !ok {
		return false
	}
	given := *p
	given.Default = x
	l.defaultArgument(&given, constants, to)
	return true
}

// referenceArgument is the model or output that is given; nil: it is wrong, which has been told.
func (l *loader) referenceArgument(p *Parameter, e hcl.Expression, s *Scope) *bound {
	native, ok := l.native(e)
	if !ok {
		return nil
	}
	t, ok := s.asTraversal(native)
	if !ok || t.RootName() != rootModel && (p.Type == ModelParameter || t.RootName() != rootDevice) {
		form := "model.NAME"
		if p.Type == OutputParameter {
			form = "model.NAME.ACTION, or device.NAME.POINT"
		}
		l.fail(e.Range(), "Wrong value", "The parameter %s is of type %s: write %s.", p.Name, p.Type, form)
		return nil
	}
	item, rest, quiet, diags := s.findItem(t.RootName(), t)
	if l.take(diags); quiet || item == nil {
		return nil
	}
	base := t[:len(t)-len(rest)]
	name, _, _ := attributeOf(base)
	if len(base) > 2 {
		key, _ := keyText(base[2].(hcl.TraverseIndex).Key)
		name = InstanceName(name, key)
	}
	b := &bound{kind: p.Type, base: base, label: t.RootName() + "." + name}
	if p.Type == OutputParameter {
		return l.outputArgument(b, item, rest, t, e.Range())
	}
	m := item.(*Model)
	switch {
	case len(rest) > 0:
		l.fail(rest.SourceRange(), "Name too long", "The parameter %s is a whole model: %s.", p.Name, traversalText(base))
	case m.Template == nil || m.broken:
	case p.Template != "" && !m.Template.is(p.Template):
		l.fail(e.Range(), "Wrong model", "The parameter %s is a model of template %s, and model %s is of template %s.", p.Name, p.Template, m.Name, m.Template.Name)
	default:
		return b
	}
	return nil
}

func (l *loader) outputArgument(b *bound, item any, rest, t hcl.Traversal, rng hcl.Range) *bound {
	part, _, ok := attributeOf(append(hcl.Traversal{hcl.TraverseRoot{}}, rest...))
	if !ok || len(rest) != 1 {
		l.fail(rng, "Wrong value", "%s is no output: name one, as in model.NAME.ACTION or device.NAME.POINT.", traversalText(t))
		return nil
	}
	b.label += "." + part
	if d, isDevice := item.(*Device); isDevice {
		ok = l.targetPoint(&Set{}, d, part, rng)
	} else {
		ok = l.targetAction(&Set{}, item.(*Model), part, rng)
	}
	if !ok {
		return nil
	}
	return b
}

// is tells whether a template is the one of this name, or extends it.
func (t *Template) is(name string) bool {
	for ; t != nil; t = t.base {
		if t.Name == name {
			return true
		}
	}
	return false
}

// resolveParameter resolves param.NAME, and param.NAME.MEASUREMENT of a model.
func (s *Scope) resolveParameter(t hcl.Traversal) (Ref, bool, hcl.Diagnostics) {
	name, _, _ := attributeOf(t)
	b := s.bound[name]
	switch {
	case b == nil:
		ok, diags := s.checkConstant(t)
		return Ref{}, !ok && !diags.HasErrors(), diags
	case b.kind == ModelParameter:
		return s.resolve(append(append(hcl.Traversal{}, b.base...), t[2:]...))
	case b.kind == OutputParameter:
		return Ref{}, false, complaint(t.SourceRange(), "Output in an expression", "param.%s is an output: it can be set, not read.", name)
	case len(t) > 2:
		return Ref{}, false, complaint(t[2:].SourceRange(), "Name too long", "param.%s is a single value.", name)
	}
	return Ref{Mapping: b.mapping}, false, nil
}

// boundLabel is the label of a set block with a parameter in it as it would be written without: param.battery.power,
// param.output. Other labels stay as they are.
func (l *loader) boundLabel(c *content, s *Scope) (string, bool) {
	m := parameterTarget.FindStringSubmatch(c.label)
	if m == nil || s.bound == nil {
		return c.label, true
	}
	name, part := m[1], m[2]
	b := s.bound[name]
	switch {
	case b != nil && b.kind == ModelParameter && part != "":
		return b.label + "." + part, true
	case b != nil && b.kind == OutputParameter && part == "":
		return b.label, true
	case b != nil && b.kind == ModelParameter:
		l.fail(c.labelRange, "Wrong target", "param.%s is a model: say which of its actions is set, as in set \"param.%s.power\".", name, name)
	case b != nil && b.kind == OutputParameter:
		l.fail(c.labelRange, "Wrong target", "param.%s is an output itself: write set \"param.%s\".", name, name)
	default:
		var names []string
		for _, n := range sortedKeys(s.bound) {
			if s.bound[n].base != nil {
				names = append(names, n)
			}
		}
		l.take(noSuch(c.labelRange, "model or output among its parameters", name, "the template", names))
	}
	return "", false
}

// each part of a use, with its name: the use's own for the only rule of a template.
func (u *templateUse) part(l *loader, p *part, short bool) instance {
	in := instance{block: p.block, full: u.full, scope: u.scope}
	if !short {
		in.full += "." + p.name
	}
	return in
}

func (u *templateUse) made() *Made {
	return &Made{Template: u.template.Name, Rule: u.full, Use: u.rng, body: u.template.whole}
}

// explain calls f, and adds to what it complains about where it comes from.
func (l *loader) explain(m *Made, f func()) {
	before := len(l.diags)
	f()
	m.Explain(l.diags[before:])
}

// madeRules reads the rules that a rule block makes of templates.
func (l *loader) madeRules(b *block) {
	for _, u := range l.uses[b] {
		made := u.made()
		for _, p := range u.template.rules {
			in := u.part(l, p, len(u.template.rules) == 1)
			l.explain(made, func() {
				before := l.count
				r, sound := l.rule(in)
				r.Made = made
				r.Disabled = l.switched(r.Name, r.Disabled || u.disabled)
				if u.doc != "" {
					r.Description = u.doc
				}
				if in.full == u.full {
					b.entry.items[u.key] = r
				} else {
					l.site.index.put(&entry{kind: "rule", name: in.full, rng: in.rng, items: map[string]any{"": r}})
				}
				if sound && l.count == before {
					l.site.Rules = append(l.site.Rules, r)
				}
			})
		}
	}
}

// madeAlarms reads the alarms that rule blocks make of templates.
func (l *loader) madeAlarms() (checks []func()) {
	for _, b := range l.blocks["rule"] {
		for _, u := range l.uses[b] {
			made := u.made()
			for _, p := range u.template.alarms {
				in := u.part(l, p, false)
				l.explain(made, func() {
					a, check := l.oneAlarm(in)
					a.Made = made
					a.Disabled = a.Disabled || l.switched(u.full, u.disabled)
					l.site.index.put(&entry{kind: rootAlarm, name: in.full, rng: in.rng, items: map[string]any{"": a}})
					checks = append(checks, func() { l.explain(made, check) })
				})
			}
		}
	}
	return checks
}
