package site

import (
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/spelling"
)

func (l *loader) loadRules() {
	for _, b := range l.blocks["rule"] {
		if _, made := l.uses[b]; made {
			l.madeRules(b)
			continue
		}
		l.instances(b, func(in instance) {
			before := l.count
			r, sound := l.rule(in)
			r.Disabled = l.switched(r.Name, r.Disabled)
			b.entry.items[in.key] = r
			if sound && l.count == before {
				l.site.Rules = append(l.site.Rules, r)
			}
		})
	}
}

// switched tells whether a rule or flow is disabled, given what its block says. A switch of the block that made it counts when it has
// none of its own: of b for b[x], of self and self[x] for self[x].part.
func (l *loader) switched(name string, disabled bool) bool {
	for of := name; of != ""; of = of[:max(strings.LastIndexAny(of, ".["), 0)] {
		on, ok := l.options.Switches[of]
		if !ok {
			continue
		}
		if on == disabled {
			l.site.switched[name] = true
		}
		return !on
	}
	return disabled
}

func (l *loader) rule(in instance) (*Rule, bool) {
	c := l.decode(in.body, l.shapes["rule"], in.rng, in.scope)
	r := &Rule{
		Name: in.full, Description: c.text("description"), On: c.text("on"), Initial: c.text("initial"), For: c.duration("for"),
		KeepFor: c.duration("keep_for"), Cooldown: c.duration("cooldown"), Unknown: Unknown(c.text("unknown")),
		Priority: int(c.number("priority")), Disabled: !c.flag("enabled"), Range: in.rng,
	}
	if h := c.block("hysteresis"); h != nil {
		r.Hysteresis = &Hysteresis{On: h.number("on"), Off: h.number("off")}
		if r.Hysteresis.On == r.Hysteresis.Off && !h.bad {
			l.fail(h.rng, "Wrong value", "\"on\" and \"off\" of a hysteresis differ: between them the state stays what it was.")
		}
	}
	if t := c.block("throttle"); t != nil {
		r.Throttle = &Throttle{Count: int(t.number("count")), Per: t.duration("per")}
	}
	var sound bool
	r.When, sound = l.condition(c, "when", in.scope)
	does, ok := l.firing(c, in.scope, nil, r.On != "while")
	r.Sets, r.Effects = does.Sets, does.Effects
	return r, sound && ok && !c.bad
}

// targetPattern takes the label of a set block apart: [device.|model.]NAME[KEY].ACTION.
var targetPattern = regexp.MustCompile(`^(?:(device|model)\.)?([^.\[\]]+)(?:\[([^\[\]]+)\])?\.([^.\[\]]+)$`)

// parameterTarget takes the label of a set block of a rule template apart: param.NAME, or param.NAME.ACTION.
var parameterTarget = regexp.MustCompile(`^param\.([^.\[\]]+)(?:\.([^.\[\]]+))?$`)

// target finds the output that a set block means.
func (l *loader) target(set *Set, c *content, s *Scope) bool {
	label, ok := l.boundLabel(c, s)
	if !ok {
		return false
	}
	m := targetPattern.FindStringSubmatch(label)
	if m == nil {
		l.fail(c.labelRange, "Wrong target", "%q is no target. Write an action of a model (\"bess.power\") or a point of a device (\"battery.setpoint\").", c.label)
		return false
	}
	kind, name, key, part := m[1], m[2], strings.Trim(m[3], `"`), m[4]
	if key, ok = l.labelKey(key, s, c.labelRange); !ok {
		return false
	}
	if kind == "" {
		kind = rootModel
		if l.site.index.find(rootModel, name) == nil {
			kind = rootDevice
		}
	}
	t := hcl.Traversal{hcl.TraverseRoot{Name: kind, SrcRange: c.labelRange}, hcl.TraverseAttr{Name: name, SrcRange: c.labelRange}}
	set.Target = name
	if key != "" {
		t = append(t, hcl.TraverseIndex{Key: cty.StringVal(key), SrcRange: c.labelRange})
		set.Target = InstanceName(name, key)
	}
	set.Target += "." + part
	if l.site.index.find(kind, name) == nil {
		names := l.site.index.names(rootDevice, rootModel)
		l.fail(c.labelRange, "Unknown target", "There is no model or device %q.%s", name, spelling.DidYouMean(name, names))
		return false
	}
	item, _, quiet, diags := s.findItem(kind, t)
	if l.take(diags); quiet || item == nil {
		return false
	}
	if d, ok := item.(*Device); ok {
		return l.targetPoint(set, d, part, c.labelRange)
	}
	return l.targetAction(set, item.(*Model), part, c.labelRange)
}

func (l *loader) targetPoint(set *Set, d *Device, part string, rng hcl.Range) bool {
	p := d.Point(part)
	if p == nil {
		if !d.incomplete {
			l.take(noSuch(rng, "point", part, "device "+d.Name, pointNames(d)))
		}
		return false
	}
	if !l.checkWritable(p, rng) {
		return false
	}
	set.Output, set.Factor = p, 1
	return true
}

func (l *loader) targetAction(set *Set, m *Model, part string, rng hcl.Range) bool {
	if a := m.action(part); a != nil {
		set.Output, set.Factor = a.Output, a.Factor
		return true
	}
	if m.Template == nil || m.Template.broken || m.tried["action "+part] {
		return false
	}
	if find(m.Template.Actions, func(x *Action) string { return x.Name }, part) != nil {
		l.fail(rng, "Action without a mapping", "Model %s doesn't say what its action %s sets. Add it: actions = { %s = device.… }.", m.Name, part, part)
		return false
	}
	if m.measurement(part) != nil {
		l.fail(rng, "Write to a measurement", "%s is a measurement of model %s: it can be read, not set.", part, m.Name)
		return false
	}
	names := make([]string, len(m.Actions))
	for i, a := range m.Actions {
		names[i] = a.Action.Name
	}
	l.take(noSuch(rng, "action", part, "model "+m.Name, names))
	return false
}
