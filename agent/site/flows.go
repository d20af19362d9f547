package site

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/spelling"
)

// mostHeld bounds the frames that a window holds.
const mostHeld = 100_000

var aggregateFunctions = []string{"avg", "count", "first", "last", "max", "median", "min", "stddev", "sum"}

// AggregateFunctions are what a window can compute.
func AggregateFunctions() []string { return slices.Clone(aggregateFunctions) }

// reservedNames can't be names of a flow's own: they begin other names.
var reservedNames = []string{rootVariable, rootLocal, rootEach, rootDevice, rootModel, rootAlarm, rootSchedule, rootWindow, "true", "false", "null"}

// ownName checks a name that a flow gives a value.
func (l *loader) ownName(name string, rng hcl.Range) bool {
	if !l.goodName(name, rng) {
		return false
	}
	if slices.Contains(reservedNames, name) {
		l.fail(rng, "Wrong name", "%q has a meaning of its own in expressions. Take another name.", name)
		return false
	}
	return true
}

// loadFlows reads chains, windows and sequences.
func (l *loader) loadFlows() {
	for _, b := range l.blocks["chain"] {
		l.instances(b, func(in instance) {
			loadFlow(l, b, in, l.chain, &l.site.Chains)
		})
	}
	l.loadWindows()
	for _, b := range l.blocks["sequence"] {
		l.instances(b, func(in instance) {
			loadFlow(l, b, in, l.sequence, &l.site.Sequences)
		})
	}
	l.checkClears()
	l.checkCalls()
}

func loadFlow[T any](l *loader, b *block, in instance, read func(instance, *content) (T, bool), into *[]T) {
	before := l.count
	c := l.decode(in.body, l.shapes[b.kind.Name], in.rng, in.scope)
	x, sound := read(in, c)
	b.entry.items[in.key] = x
	if sound && l.count == before {
		*into = append(*into, x)
	}
}

// checkClears warns of alarms that something clears and nothing raises.
func (l *loader) checkClears() {
	raised := map[string]bool{}
	var clears []*Effect
	for _, e := range l.site.allEffects() {
		switch e.Kind {
		case EffectRaise:
			raised[e.Name] = true
		case EffectClear:
			clears = append(clears, e)
		}
	}
	for _, e := range clears {
		if !raised[e.Name] {
			l.warn(e.Range, "Alarm that nothing raises", "Nothing in this site raises the alarm %q.%s", e.Name, spelling.DidYouMean(e.Name, sortedKeys(raised)))
		}
	}
}

// allEffects are those of all rules and flows.
func (s *Site) allEffects() []*Effect {
	var out []*Effect
	for _, r := range s.Rules {
		out = append(out, r.Effects...)
	}
	for _, c := range s.Chains {
		for _, n := range c.Nodes {
			out = append(out, n.Effects...)
		}
	}
	for _, w := range s.Windows {
		out = append(out, w.Effects...)
	}
	for _, q := range s.Sequences {
		out = append(out, q.Effects...)
	}
	return out
}

// Acts tells whether a rule or flow raises or clears alarms.
func (s *Site) Acts() bool {
	return slices.ContainsFunc(s.allEffects(), func(e *Effect) bool { return e.Kind == EffectRaise || e.Kind == EffectClear })
}

// words are own names of one word each, such as the aggregates of a window. What is asked for by what, as in "aggregate".
func words(what string, names []string) ownNames {
	return func(t hcl.Traversal) (bool, hcl.Diagnostics) {
		if len(t) != 1 {
			return false, nil
		}
		if slices.Contains(names, t.RootName()) {
			return true, nil
		}
		hint := spelling.DidYouMean(t.RootName(), names)
		if hint == "" && len(names) > 0 {
			hint = " There are " + thereAre(names) + "."
		}
		return true, complaint(t.SourceRange(), "Unknown name", "There is no %s %q here.%s", what, t.RootName(), hint)
	}
}

// pointsOf are the points of a device by their own names.
func pointsOf(d *Device) ownNames {
	return func(t hcl.Traversal) (bool, hcl.Diagnostics) {
		if len(t) != 1 {
			return false, nil
		}
		if d == nil || d.Point(t.RootName()) != nil || d.incomplete {
			return true, nil
		}
		return true, noSuch(t.SourceRange(), "point", t.RootName(), "device "+d.Name, pointNames(d))
	}
}

// firstOf asks several own names, the first that knows one.
func firstOf(all ...ownNames) ownNames {
	return func(t hcl.Traversal) (bool, hcl.Diagnostics) {
		for _, names := range all {
			if own, diags := names(t); own {
				return own, diags
			}
		}
		return false, nil
	}
}

// deviceNamed is the device that an attribute names; nil: none, which has been told.
func (l *loader) deviceNamed(c *content, name string, s *Scope) *Device {
	e := c.expression(name)
	if e == nil {
		return nil
	}
	t, ok := s.asTraversal(e)
	if !ok || t.RootName() != rootDevice {
		l.fail(e.Range(), "Wrong value", "A device is wanted: device.NAME.")
		return nil
	}
	item, rest, quiet, diags := s.findItem(rootDevice, t)
	if l.take(diags); quiet || diags.HasErrors() {
		return nil
	}
	if len(rest) > 0 {
		l.fail(rest.SourceRange(), "Name too long", "A device is wanted: %s. Its points stand in the expressions.", traversalText(t[:len(t)-len(rest)]))
		return nil
	}
	d, _ := item.(*Device)
	return d
}

// optional is live for an expression that may be left out.
func (l *loader) optional(c *content, name string, s *Scope, names ownNames) (Expr, bool) {
	if c.expression(name) == nil {
		return Expr{}, true
	}
	return l.live(c.expression(name), s, names)
}

// captured are the frames of a sequence's steps: NAME.POINT, NAME[0].POINT, NAME[-1].POINT.
func captured(devices map[string]*Device, lists map[string]bool) ownNames {
	return func(t hcl.Traversal) (bool, hcl.Diagnostics) {
		name := t.RootName()
		d, ok := devices[name]
		if !ok {
			return false, nil
		}
		rest := t[1:]
		if len(rest) > 0 {
			if x, indexed := rest[0].(hcl.TraverseIndex); indexed && x.Key.Type() == cty.Number {
				if !lists[name] {
					return true, complaint(x.SrcRange, "Key not possible", "The step %s captures one frame: write %s.POINT.", name, name)
				}
				rest = rest[1:]
			} else if lists[name] {
				return true, complaint(t.SourceRange(), "Key missing", "The step %s repeats: say which of its frames, as in %s[0].POINT or, of the last, %s[-1].POINT.", name, name, name)
			}
		}
		if len(rest) != 1 {
			return true, complaint(t.SourceRange(), "Unknown name", "%s is a whole frame: name one of its points, as in %s.POINT.", name, name)
		}
		point, at, ok := attributeOf(hcl.Traversal{hcl.TraverseRoot{}, rest[0]})
		switch {
		case !ok:
			return true, complaint(rest.SourceRange(), "Unknown name", "The name of a point is wanted here.")
		case d == nil || d.incomplete || d.Point(point) != nil:
			return true, nil
		}
		return true, noSuch(at, "point", point, "device "+d.Name, pointNames(d))
	}
}

// flow hashes a chain, window or sequence.
func (d *digest) flow(l *loader, x Flow) {
	switch x := x.(type) {
	case *Chain:
		d.chain(l, x)
	case *Window:
		d.window(l, x)
	case *Sequence:
		d.sequence(l, x)
	}
}

func (d *digest) actions(l *loader, a Actions) {
	for _, s := range a.Sets {
		d.text(s.Target, s.Output.FullName())
		d.number(s.Factor)
		d.int(int64(s.TTL))
		d.expression(l, s.Value)
	}
	for _, e := range a.Effects {
		d.text(e.Kind, e.Name, e.Priority, e.Message)
		for _, name := range sortedKeys(e.Fields) {
			d.text(name)
			d.expression(l, e.Fields[name])
		}
	}
}

func (d *digest) chain(l *loader, c *Chain) {
	d.text(c.Description)
	d.int(int64(c.Priority), int64(c.MaxDepth))
	d.flag(c.Disabled, c.Called)
	for _, n := range c.Nodes {
		d.text("node", n.ID, n.Kind)
		d.int(int64(n.Priority))
		d.flag(n.All)
		for _, port := range sortedKeys(n.Next) {
			d.text(port, strings.Join(n.Next[port], " "))
		}
		d.expression(l, n.When)
		for _, k := range n.Cases {
			d.text(k.Port)
			d.expression(l, k.When)
		}
		for _, name := range sortedKeys(n.Set) {
			d.text(name)
			d.expression(l, n.Set[name])
		}
		d.actions(l, n.Actions)
	}
}

func (d *digest) window(l *loader, w *Window) {
	d.text(w.Description, w.Kind, w.Source.Name)
	d.int(int64(w.Size), int64(w.Every), int64(w.Gap), int64(w.Count), int64(w.CountEvery), int64(w.Priority))
	d.flag(w.Disabled)
	for _, e := range []Expr{w.Begin, w.Emit, w.Where, w.Having} {
		d.expression(l, e)
	}
	for _, a := range w.Aggregates {
		d.text(a.Function, a.As)
		d.expression(l, a.Value)
	}
	d.actions(l, w.Actions)
}

func (d *digest) sequence(l *loader, q *Sequence) {
	d.text(q.Description)
	d.int(int64(q.Group), int64(q.Within), int64(q.Priority))
	d.flag(q.Every, q.Strict, q.Disabled)
	part := func(p Part) {
		name := ""
		if p.Device != nil {
			name = p.Device.Name
		}
		d.text(p.As, name)
		d.flag(p.Absent)
		d.int(int64(p.For))
		d.expression(l, p.Where)
	}
	for _, s := range q.Steps {
		d.text("step")
		d.flag(s.Repeat)
		d.int(int64(s.Min), int64(s.Max), int64(len(s.All)), int64(len(s.Any)))
		part(s.Part)
		for _, p := range slices.Concat(s.All, s.Any) {
			part(p)
		}
	}
	d.actions(l, q.Actions)
}

// flowDetail says in words what differs.
func flowDetail(a, b Flow) string {
	if a != nil && b != nil && a.Off() != b.Off() {
		return enabledDetail(b.Off())
	}
	return ""
}
