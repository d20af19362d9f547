package site

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/spelling"
)

func (l *loader) loadModels() {
	for _, b := range l.blocks["model"] {
		l.instances(b, func(in instance) {
			m := l.model(in)
			b.entry.items[in.key] = m
			l.site.Models = append(l.site.Models, m)
		})
	}
}

func (l *loader) model(in instance) *Model {
	before := l.count
	c := l.decode(in.body, l.shapes["model"], in.rng, in.scope)
	m := &Model{Name: in.full, Description: c.text("description"), Properties: map[string]any{}, tried: map[string]bool{}, Range: in.rng, broken: c.bad}
	if e := c.expression("template"); e != nil {
		m.Template = l.templateOf(e)
	}
	if m.Template == nil {
		m.broken = true
		return m
	}
	l.properties(m, c, in.scope)
	l.measurements(m, c, in.scope)
	l.actions(m, c, in.scope)
	m.broken = m.broken || m.Template.broken || l.count > before
	return m
}

func (l *loader) templateOf(e hcl.Expression) *Template {
	name, ok := l.blockName(e, "template")
	if !ok {
		return nil
	}
	if t := l.site.Template(name); t != nil {
		return t
	}
	names := make([]string, len(l.site.Templates))
	for i, t := range l.site.Templates {
		names[i] = t.Name
	}
	hint := spelling.DidYouMean(name, names)
	if hint == "" {
		hint = " There are " + thereAre(names) + "."
	}
	l.fail(e.Range(), "Unknown template", "There is no template %q.%s", name, hint)
	return nil
}

// named is one element of a map that is written out.
type named struct {
	name  string
	rng   hcl.Range
	value hcl.Expression
}

// mapOf takes a map apart without evaluating it.
func (l *loader) mapOf(e hcl.Expression, what string) []named {
	if e == nil {
		return nil
	}
	pairs, diags := hcl.ExprMap(e)
	if diags.HasErrors() {
		l.fail(e.Range(), "Wrong value", "A map is wanted here: { %s = … }.", what)
		return nil
	}
	out := make([]named, 0, len(pairs))
	seen := map[string]bool{}
	for _, p := range pairs {
		key, diags := p.Key.Value(nil)
		if diags.HasErrors() || !isText(key) {
			l.fail(p.Key.Range(), "Wrong name", "A name is wanted here, not an expression.")
			continue
		}
		n := named{name: key.AsString(), rng: p.Key.Range(), value: p.Value}
		if seen[n.name] {
			l.fail(n.rng, "Duplicate name", "%q stands here twice.", n.name)
			continue
		}
		seen[n.name] = true
		out = append(out, n)
	}
	return out
}

func (l *loader) properties(m *Model, c *content, s *Scope) {
	t := m.Template
	var names []string
	for _, p := range t.Properties {
		names = append(names, p.Name)
		if p.Default != nil {
			m.Properties[p.Name] = p.Default
		}
	}
	for _, n := range l.mapOf(c.expression("properties"), "NAME") {
		p := find(t.Properties, func(p *Property) string { return p.Name }, n.name)
		if p == nil {
			l.notInTemplate(t, "property", n, names)
			continue
		}
		m.tried["property "+n.name] = true
		v, ok := l.value(n.value, s)
		if !ok || v.IsNull() {
			continue
		}
		if v.ContainsMarked() {
			l.fail(n.value.Range(), "Secret as a property", "Properties are shown to people, and this has a secret in it.")
			continue
		}
		if x, ok := l.propertyValue(p, v, n.value.Range()); ok {
			m.Properties[p.Name] = x
		}
	}
	for _, p := range t.Properties {
		if _, ok := m.Properties[p.Name]; p.Required && !ok && !m.tried["property "+p.Name] {
			l.fail(c.rng, "Missing property", "A model of template %s needs the property %q.%s", t.Name, p.Name, docOf(p.Doc))
		}
	}
}

func (l *loader) notInTemplate(t *Template, what string, n named, names []string) {
	if t.broken {
		return
	}
	l.take(noSuch(n.rng, what, n.name, "template "+t.Name, names))
}

func find[T any](all []*T, nameOf func(*T) string, name string) *T {
	for _, x := range all {
		if nameOf(x) == name {
			return x
		}
	}
	return nil
}

func (l *loader) measurements(m *Model, c *content, s *Scope) {
	t := m.Template
	var names []string
	for _, x := range t.Measurements {
		names = append(names, x.Name)
	}
	for _, n := range l.mapOf(c.expression("measurements"), "MEASUREMENT") {
		x := find(t.Measurements, func(x *Measurement) string { return x.Name }, n.name)
		if x == nil {
			l.notInTemplate(t, "measurement", n, names)
			continue
		}
		m.tried["measurement "+n.name] = true
		e, ok := l.native(n.value)
		if !ok {
			continue
		}
		expr := Expr{Expression: e, Scope: s}
		node := &liveNode{name: "model." + m.Name + "." + n.name, expr: expr, unit: x.Unit, model: m}
		l.nodes = append(l.nodes, node)
		m.Measurements = append(m.Measurements, &Mapping{Measurement: x, Value: expr, node: node})
	}
	for _, x := range t.Measurements {
		if x.Required && !m.tried["measurement "+x.Name] {
			l.fail(c.rng, "Missing measurement", "A model of template %s needs the measurement %q.%s", t.Name, x.Name, docOf(x.Doc))
		}
	}
}

// checkMeasured compares the unit of a measurement with that of the point that it is, when it is just a point.
func (l *loader) checkMeasured(n *liveNode) {
	t, _, ok := l.signed(n.expr.Expression, n.expr.Scope)
	if !ok || n.bad || n.unit == "" {
		return
	}
	ref, _, diags := n.expr.Scope.resolve(t)
	if diags.HasErrors() || ref.Point == nil {
		return
	}
	if _, _, ok := LinearUnit(ref.Point.Unit, n.unit); !ok {
		l.fail(n.expr.Range(), "Different units", "%s is in %s, and the measurement in %s; they measure different things.", ref.Point.FullName(), ref.Point.Unit, n.unit)
		n.bad = true
	}
}

// signed takes a name with or without a minus before it.
func (l *loader) signed(e hcl.Expression, s *Scope) (t hcl.Traversal, sign float64, ok bool) {
	if u, isUnary := e.(*hclsyntax.UnaryOpExpr); isUnary && u.Op == hclsyntax.OpNegate {
		t, ok = s.asTraversal(u.Val)
		return t, -1, ok
	}
	t, ok = s.asTraversal(e)
	return t, 1, ok
}

func (l *loader) actions(m *Model, c *content, s *Scope) {
	t := m.Template
	var names []string
	for _, x := range t.Actions {
		names = append(names, x.Name)
	}
	for _, n := range l.mapOf(c.expression("actions"), "ACTION") {
		a := find(t.Actions, func(x *Action) string { return x.Name }, n.name)
		if a == nil {
			l.notInTemplate(t, "action", n, names)
			continue
		}
		m.tried["action "+n.name] = true
		if mapping := l.actionMapping(a, n, s); mapping != nil {
			m.Actions = append(m.Actions, mapping)
		} else {
			m.broken = true
		}
	}
	for _, x := range t.Actions {
		if x.Required && !m.tried["action "+x.Name] {
			l.fail(c.rng, "Missing action", "A model of template %s needs the action %q.%s", t.Name, x.Name, docOf(x.Doc))
		}
	}
}

func (l *loader) actionMapping(a *Action, n named, s *Scope) *ActionMapping {
	rng := n.value.Range()
	e, ok := l.native(n.value)
	if !ok {
		return nil
	}
	t, sign, ok := l.signed(e, s)
	if !ok || t.RootName() != rootDevice {
		l.fail(rng, "Wrong value", "An action sets a point: device.NAME.POINT, or -device.NAME.POINT to turn the sign.")
		return nil
	}
	ref, quiet, diags := s.resolve(t)
	if l.take(diags); quiet || ref.Point == nil {
		return nil
	}
	if !l.checkWritable(ref.Point, rng) {
		return nil
	}
	factor, ok := ConvertUnit(a.Unit, ref.Point.Unit)
	if !ok {
		l.fail(rng, "Different units", "The action %s is in %s, and %s in %s; they measure different things.", a.Name, a.Unit, ref.Point.FullName(), ref.Point.Unit)
		return nil
	}
	return &ActionMapping{Action: a, Output: ref.Point, Factor: sign * factor, Range: rng}
}

// checkWritable tells that a point takes no set-points.
func (l *loader) checkWritable(p *Point, rng hcl.Range) bool {
	if p.Write == nil {
		l.fail(rng, "Write to a read-only point", "%s takes no set-points. If the device allows it, give the point in device %s a write block: write { min = … max = … safe = … }.", p.FullName(), p.Device.Name)
	}
	return p.Write != nil
}

// constantText is a text that must be constant.
func (l *loader) constantText(e hcl.Expression, s *Scope) (string, bool) {
	v, ok := l.value(e, s)
	if !ok {
		return "", false
	}
	if v, _ = v.Unmark(); v.Type() != cty.String || v.IsNull() {
		l.fail(e.Range(), "Wrong value", "Text is wanted, and this is %s.", found(v))
		return "", false
	}
	return v.AsString(), true
}

// docOf is a description behind a sentence.
func docOf(doc string) string {
	if doc == "" {
		return ""
	}
	return " " + doc
}
