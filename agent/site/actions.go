package site

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// actionKinds are the blocks that act.
var actionKinds = []string{"set", EffectRaise, EffectClear, EffectPublish}

// firing reads what a block does when it fires; it does something at least. names are its own names. edged says that it
// acts in an instant, and does not withdraw what it asked for.
func (l *loader) firing(c *content, s *Scope, names ownNames, edged bool) (Actions, bool) {
	a, sound := l.someFiring(c, s, names, edged)
	missing := len(a.Sets)+len(a.Effects) == 0 && !slices.ContainsFunc(c.blocks, func(b *content) bool { return slices.Contains(actionKinds, b.kind) })
	if missing && !slices.ContainsFunc(actionKinds, func(kind string) bool { return c.misspelt[kind] }) {
		l.fail(c.rng, "Missing block", "%s does something: it needs a set, raise, clear or publish block.", capital(c.shape.title))
	}
	return a, sound
}

// someFiring is firing for a block that need not do anything.
func (l *loader) someFiring(c *content, s *Scope, names ownNames, edged bool) (Actions, bool) {
	var a Actions
	sound := true
	targets := map[*Point]hcl.Range{}
	for _, b := range c.blocks {
		ok := true
		switch b.kind {
		case "set":
			var set *Set
			set, ok = l.set(b, s, names, edged)
			a.Sets = append(a.Sets, set)
			if set.Output == nil {
				break
			}
			if before, twice := targets[set.Output]; twice {
				l.fail(b.labelRange, "Output set twice", "This block sets %s already, at %s.", set.Output.FullName(), lineOf(before))
			}
			targets[set.Output] = b.labelRange
		case EffectRaise, EffectClear, EffectPublish:
			var e *Effect
			e, ok = l.effect(b, s, names)
			a.Effects = append(a.Effects, e)
		}
		sound = sound && ok
	}
	return a, sound
}

func (l *loader) set(c *content, s *Scope, names ownNames, edged bool) (*Set, bool) {
	set := &Set{Target: c.label, TTL: c.duration("ttl"), Range: c.rng}
	sound := l.target(set, c, s)
	var ok bool
	set.Value, ok = l.live(c.expression("value"), s, names)
	if edged && !c.given("ttl") && !c.bad {
		l.warn(c.rng, "Wish without an end", "What acts in an instant, as a rule on an edge, a window or a sequence, does not withdraw what it set: without a ttl %s holds this value until somebody else sets it.", set.Target)
	}
	return set, sound && ok
}

// longestFields bounds the fields of an event that is published.
const longestFields = 50

func (l *loader) effect(c *content, s *Scope, names ownNames) (*Effect, bool) {
	e := &Effect{Kind: c.kind, Name: c.label, Range: c.rng}
	if !l.goodName(c.label, c.labelRange) {
		return e, false
	}
	if c.kind != EffectPublish {
		e.Priority, e.Message = c.text("priority"), c.text("message")
		if x := l.site.index.find(rootAlarm, c.label); x != nil {
			l.fail(c.labelRange, "Alarm with a condition", "The alarm %q has a block, at %s, whose condition raises and clears it. Give the one that is raised here a name of its own.", c.label, lineOf(x.rng))
			return e, false
		}
		if each, ok := s.constant(rootEach); ok {
			// Each instance has an alarm of its own.
			if key, isKey := keyText(each.GetAttr("key")); isKey {
				e.Name = InstanceName(c.label, key)
			}
		}
		return e, true
	}
	e.Fields = map[string]Expr{}
	sound := true
	fields := l.mapOf(c.expression("fields"), "NAME")
	if len(fields) > longestFields {
		l.fail(c.at("fields"), "Too many fields", "An event has %d fields here; at most %d are possible.", len(fields), longestFields)
	}
	for _, f := range fields {
		x, ok := l.live(f.value, s, names)
		sound = sound && ok && l.goodName(f.name, f.rng)
		e.Fields[f.name] = x
	}
	return e, sound
}
