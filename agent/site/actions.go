package site

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/spelling"
)

// actionKinds are the blocks that act.
var actionKinds = []string{"set", EffectRaise, EffectClear, EffectPublish, EffectCall}

// firing reads what a block does when it fires; it does something at least. names are its own names. edged says that it
// acts in an instant, and does not withdraw what it asked for.
func (l *loader) firing(c *content, s *Scope, names ownNames, edged bool) (Actions, bool) {
	a, sound := l.someFiring(c, s, names, edged)
	missing := len(a.Sets)+len(a.Effects) == 0 && !slices.ContainsFunc(c.blocks, func(b *content) bool { return slices.Contains(actionKinds, b.kind) })
	if missing && !slices.ContainsFunc(actionKinds, func(kind string) bool { return c.misspelt[kind] }) {
		l.fail(c.rng, "Missing block", "%s does something: it needs a set, raise, clear, publish or call block.", capital(c.shape.title))
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
		case EffectRaise, EffectClear, EffectPublish, EffectCall:
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
	if c.kind == EffectCall {
		return e, l.callee(e, c, s)
	}
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

// chainPattern takes the label of a call apart: NAME, or NAME[KEY].
var chainPattern = regexp.MustCompile(`^([^.\[\]]+)(?:\[([^\[\]]+)\])?$`)

// callee reads which chain a call means; that there is one is checked when all chains were read.
func (l *loader) callee(e *Effect, c *content, s *Scope) bool {
	m := chainPattern.FindStringSubmatch(c.label)
	if m == nil {
		l.fail(c.labelRange, "Wrong name", "%q is no chain: write its name, as in call \"night\" {}, or that of an instance, as in call \"night[each.key]\" {}.", c.label)
		return false
	}
	name, key := m[1], strings.Trim(m[2], `"`)
	key, ok := l.labelKey(key, s, c.labelRange)
	if !ok {
		return false
	}
	e.Name = name
	if key != "" {
		e.Name = InstanceName(name, key)
	}
	l.calls = append(l.calls, chainCall{name: name, key: key, rng: c.labelRange})
	return true
}

// chainCall is a call of a chain, as it is written.
type chainCall struct {
	name, key string
	rng       hcl.Range
}

// checkCalls refuses calls of chains that are not there, and warns of chains that wait for a call in vain.
func (l *loader) checkCalls() {
	for _, c := range l.calls {
		x := l.site.index.find("chain", c.name)
		switch {
		case x == nil:
			l.fail(c.rng, "Unknown chain", "There is no chain %q.%s", c.name, spelling.DidYouMean(c.name, l.site.index.names("chain")))
		case x.broken:
		case x.each && c.key == "":
			l.take(needsKey(x, c.rng))
		case x.each && !slices.Contains(x.keys, c.key):
			l.take(noSuch(c.rng, "instance", c.key, "chain "+c.name, x.keys))
		case !x.each && c.key != "":
			l.fail(c.rng, "Key not possible", "Chain %s has no for_each, so it has no keys.", c.name)
		}
	}
	called := map[string]bool{}
	for _, e := range l.site.allEffects() {
		called[e.Name] = called[e.Name] || e.Kind == EffectCall
	}
	for _, ch := range l.site.Chains {
		if ch.Called && !called[ch.Name] {
			l.warn(ch.Range, "Chain that nothing calls", "The chain %s runs when it is called, and no rule or flow calls it.", ch.Name)
		}
	}
}

// labelKey is the key in a label: a word, each.key or each.value.
func (l *loader) labelKey(key string, s *Scope, rng hcl.Range) (string, bool) {
	if key != "each.key" && key != "each.value" {
		return key, true
	}
	v, ok := s.constant(rootEach)
	if !ok {
		l.fail(rng, "No for_each", "%s is there in blocks with for_each only.", key)
		return "", false
	}
	text, isKey := keyText(v.GetAttr(strings.TrimPrefix(key, "each.")))
	if !isKey {
		l.fail(rng, "Wrong target", "each.value is no text here; use each.key.")
	}
	return text, isKey
}
