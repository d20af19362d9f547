package site

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/spelling"
)

// Resolve says what a name over live values stands for. Constants (var, each, constant locals) are in s.Constants and
// resolve to nothing. A name that refers to something that is wrong itself, and was told so, resolves to nothing with an
// error too.
func (s *Scope) Resolve(t hcl.Traversal) (Ref, hcl.Diagnostics) {
	ref, quiet, diags := s.resolve(t)
	if quiet && !diags.HasErrors() {
		diags = complaint(t.SourceRange(), "Name of something wrong", "%s refers to something that has an error itself.", traversalText(t))
	}
	return ref, diags
}

// resolve is Resolve; quiet says that what the name refers to is wrong, and has been told.
func (s *Scope) resolve(t hcl.Traversal) (ref Ref, quiet bool, diags hcl.Diagnostics) {
	root := t.RootName()
	if isLiveRoot(root) && s.site == nil {
		return Ref{}, false, complaint(t.SourceRange(), "Unknown name", "%s can't be used here.", traversalText(t))
	}
	switch root {
	case rootDevice, rootModel:
		return s.resolveItem(root, t)
	case rootAlarm, rootSchedule, rootWindow:
		return s.resolveVirtual(root, t)
	case rootParameter:
		return s.resolveParameter(t)
	case rootLocal:
		if name, _, ok := attributeOf(t); ok {
			if e, live := s.Live[name]; live {
				if len(t) > 2 {
					return Ref{}, false, complaint(t[2:].SourceRange(), "Name too long", "local.%s is a single value.", name)
				}
				return Ref{Live: &e}, s.broken(root, name), nil
			}
		}
		fallthrough
	case rootVariable, rootEach:
		ok, diags := s.checkConstant(t)
		return Ref{}, !ok && !diags.HasErrors(), diags
	}
	return Ref{}, false, complaint(t.SourceRange(), "Unknown name", "%s stands for nothing. Names begin with device, model, alarm, schedule, window, var, local or each.%s",
		traversalText(t), spelling.DidYouMean(root, []string{rootDevice, rootModel, rootAlarm, rootSchedule, rootWindow, rootVariable, rootLocal, rootEach}))
}

// resolveItem resolves device.NAME.POINT, device.NAME["key"].POINT, and the same of models.
func (s *Scope) resolveItem(kind string, t hcl.Traversal) (Ref, bool, hcl.Diagnostics) {
	item, rest, quiet, diags := s.findItem(kind, t)
	if quiet || diags.HasErrors() {
		return Ref{}, quiet, diags
	}
	if m, ok := item.(*Model); ok && len(rest) == 0 {
		return Ref{Model: m}, m.broken, nil
	}
	if len(rest) == 0 {
		d := item.(*Device)
		return Ref{}, false, complaint(t.SourceRange(), "Name of a device", "%s is a whole device. Name one of its points: %s.", traversalText(t), thereAre(pointNames(d)))
	}
	name, at, ok := attributeOf(append(hcl.Traversal{hcl.TraverseRoot{}}, rest...))
	if !ok {
		return Ref{}, false, complaint(rest.SourceRange(), "Unknown name", "A name is wanted here.")
	}
	if len(rest) > 1 {
		return Ref{}, false, complaint(rest[1:].SourceRange(), "Name too long", "%s is a single value.", traversalText(t[:len(t)-len(rest)+1]))
	}
	if d, ok := item.(*Device); ok {
		if p := d.Point(name); p != nil {
			return Ref{Point: p}, false, nil
		}
		if d.incomplete {
			return Ref{}, true, nil
		}
		return Ref{}, false, noSuch(at, "point", name, "device "+d.Name, pointNames(d))
	}
	return resolveModel(item.(*Model), name, at)
}

func resolveModel(m *Model, name string, at hcl.Range) (Ref, bool, hcl.Diagnostics) {
	if x := m.measurement(name); x != nil {
		return Ref{Mapping: x}, x.node != nil && x.node.bad, nil
	}
	if v, ok := m.Properties[name]; ok {
		return Ref{Property: v}, false, nil
	}
	if m.Template == nil || m.Template.broken || m.tried["measurement "+name] || m.tried["property "+name] {
		return Ref{}, true, nil
	}
	has := func(n string) bool { return n == name }
	switch t := m.Template; {
	case slices.ContainsFunc(t.Measurements, func(x *Measurement) bool { return has(x.Name) }):
		return Ref{}, false, complaint(at, "Measurement without a mapping", "Model %s doesn't say what its %s is. Add it: measurements = { %s = device.… }.", m.Name, name, name)
	case slices.ContainsFunc(t.Properties, func(x *Property) bool { return has(x.Name) }):
		return Ref{}, false, complaint(at, "Property without a value", "Model %s gives its %s no value, and template %s has no default. Add it: properties = { %s = … }.", m.Name, name, t.Name, name)
	case slices.ContainsFunc(t.Actions, func(x *Action) bool { return has(x.Name) }):
		return Ref{}, false, complaint(at, "Action in an expression", "%s is an action of model %s: it can be set, not read.", name, m.Name)
	}
	var names []string
	for _, x := range m.Measurements {
		names = append(names, x.Measurement.Name)
	}
	return Ref{}, false, noSuch(at, "measurement or property", name, "model "+m.Name, append(names, sortedKeys(m.Properties)...))
}

// findItem finds the block that a name begins with, and what is left of the name.
func (s *Scope) findItem(kind string, t hcl.Traversal) (item any, rest hcl.Traversal, quiet bool, diags hcl.Diagnostics) {
	name, at, ok := attributeOf(t)
	if !ok {
		return nil, nil, false, complaint(t.SourceRange(), "Unknown name", "%s stands for nothing by itself: name one, as in %s.NAME.", kind, kind)
	}
	e := s.site.index.find(kind, name)
	if e == nil {
		return nil, nil, false, s.noBlock(kind, name, at)
	}
	if e.broken {
		return nil, nil, true, nil
	}
	rest = t[2:]
	if !e.each {
		if len(rest) > 0 {
			if x, ok := rest[0].(hcl.TraverseIndex); ok && !isPointKey(e.items[""], x.Key) {
				return nil, nil, false, complaint(x.SrcRange, "Key not possible", "%s %s has no for_each, so it has no keys.", capital(kind), name)
			}
		}
		return e.items[""], rest, false, nil
	}
	if len(rest) == 0 {
		return nil, nil, false, needsKey(e, t.SourceRange())
	}
	x, ok := rest[0].(hcl.TraverseIndex)
	if !ok {
		return nil, nil, false, needsKey(e, t.SourceRange())
	}
	key, ok := keyText(x.Key)
	if item = e.items[key]; !ok || item == nil {
		return nil, nil, false, noSuch(x.SrcRange, "instance", key, kind+" "+name, e.keys)
	}
	return item, rest[1:], false, nil
}

// isPointKey tells whether device.meter["power"] is meant as device.meter.power.
func isPointKey(item any, key cty.Value) bool {
	d, ok := item.(*Device)
	return ok && isText(key) && d.Point(key.AsString()) != nil
}

// keyText is a key of for_each; a number counts as its text.
func keyText(v cty.Value) (string, bool) {
	v, _ = v.Unmark()
	if s, err := toText(v, func(s string) string { return s }); err == nil {
		return s, true
	}
	return "", false
}

func needsKey(e *entry, rng hcl.Range) hcl.Diagnostics {
	if len(e.keys) == 0 {
		return complaint(rng, "No instances", "%s %s has for_each over nothing, so there is none.", capital(e.kind), e.name)
	}
	return complaint(rng, "Key missing", "%s %s has for_each: say which one, as in %s.%s[%q]. There are %s.", capital(e.kind), e.name, e.kind, e.name, e.keys[0], thereAre(e.keys))
}

func (s *Scope) noBlock(kind, name string, at hcl.Range) hcl.Diagnostics {
	hint := spelling.DidYouMean(name, s.site.index.names(kind))
	for _, other := range []string{rootDevice, rootModel} {
		if other != kind && s.site.index.find(other, name) != nil {
			hint = fmt.Sprintf(" There is a %s of this name: %s.%s.", other, other, name)
		}
	}
	if hint == "" {
		if names := s.site.index.names(kind); len(names) > 0 {
			hint = " There are " + thereAre(names) + "."
		}
	}
	return complaint(at, "Unknown "+kind, "There is no %s %q.%s", kind, name, hint)
}

func noSuch(at hcl.Range, what, name, of string, names []string) hcl.Diagnostics {
	hint := spelling.DidYouMean(name, names)
	if hint == "" && len(names) > 0 {
		hint = " It has " + thereAre(names) + "."
	}
	return complaint(at, "Unknown "+what, "%s has no %s %q.%s", capital(of), what, name, hint)
}

func pointNames(d *Device) []string {
	out := make([]string, len(d.Points))
	for i, p := range d.Points {
		out[i] = p.Name
	}
	return out
}
