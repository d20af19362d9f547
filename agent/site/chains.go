package site

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/spelling"
)

// nodeKinds are the blocks of a chain's nodes.
var nodeKinds = []string{"transform", "condition", "switch", "merge", "action"}

// mostNodes bounds the nodes of one chain.
const mostNodes = 200

func (l *loader) chain(in instance, c *content) (*Chain, bool) {
	ch := &Chain{
		Name: in.full, Description: c.text("description"), Priority: int(c.number("priority")), MaxDepth: int(c.number("max_depth")),
		Disabled: l.switched(in.full, !c.flag("enabled")), Called: c.text("on") == "call", Range: in.rng,
	}
	var own []string
	c.each("transform", func(b *content) {
		for _, n := range l.mapOf(b.expression("set"), "NAME") {
			if l.ownName(n.name, n.rng) {
				own = append(own, n.name)
			}
		}
	})
	sound := true
	for _, b := range c.blocks {
		if !slices.Contains(nodeKinds, b.kind) {
			continue
		}
		n, ok := l.node(b, in.scope, words("transformed value", own), ch.Called)
		sound = sound && ok && l.goodName(b.label, b.labelRange)
		ch.Nodes = append(ch.Nodes, n)
	}
	if len(ch.Nodes) > mostNodes {
		l.fail(in.rng, "Too many nodes", "This chain has %d nodes; at most %d are possible.", len(ch.Nodes), mostNodes)
	}
	return ch, sound && !c.bad
}

func (l *loader) node(c *content, s *Scope, own ownNames, called bool) (ChainNode, bool) {
	n := ChainNode{ID: c.label, Kind: c.kind, Priority: int(c.number("priority")), Range: c.rng}
	sound, ok := true, true
	switch c.kind {
	case "transform":
		n.Set = map[string]Expr{}
		for _, x := range l.mapOf(c.expression("set"), "NAME") {
			n.Set[x.name], ok = l.live(x.value, s, own)
			sound = sound && ok
		}
		n.Next = map[string][]string{"out": c.list("next")}
	case "merge":
		n.All = c.text("mode") == "all"
		n.Next = map[string][]string{"out": c.list("next")}
	case "condition":
		n.When, sound = l.live(c.expression("when"), s, own)
		n.Next, ok = l.edges(c, s, []string{"true", "false", "unknown"})
	case "switch":
		ports := []string{"default"}
		c.each("case", func(b *content) {
			if slices.Contains(ports, b.label) {
				l.fail(b.labelRange, "Duplicate name", "This switch has two cases %q, or it is the way when none is true.", b.label)
			}
			ports = append(ports, b.label)
			when, ok := l.live(b.expression("when"), s, own)
			sound = sound && ok
			n.Cases = append(n.Cases, ChainCase{When: when, Port: b.label})
		})
		n.Next, ok = l.edges(c, s, ports)
	case "action":
		n.Actions, sound = l.firing(c, s, own, called)
	}
	return n, sound && ok
}

// edges reads next = { PORT = ["node"] }.
func (l *loader) edges(c *content, s *Scope, ports []string) (map[string][]string, bool) {
	out := map[string][]string{}
	sound := true
	for _, n := range l.mapOf(c.expression("next"), "PORT") {
		if !slices.Contains(ports, n.name) {
			hint := spelling.DidYouMean(n.name, ports)
			if hint == "" {
				hint = " It has " + thereAre(ports) + "."
			}
			l.fail(n.rng, "Unknown port", "%s %q has no way %q.%s", capital(c.kind), c.label, n.name, hint)
			sound = false
			continue
		}
		nodes, ok := l.nodeNames(n.value, s)
		sound = sound && ok
		out[n.name] = nodes
	}
	return out, sound
}

// nodeNames reads a list of names of nodes, or one.
func (l *loader) nodeNames(e hcl.Expression, s *Scope) ([]string, bool) {
	list, diags := hcl.ExprList(e)
	if diags.HasErrors() {
		list = []hcl.Expression{e}
	}
	var out []string
	for _, x := range list {
		v, ok := l.value(x, s)
		if !ok {
			return nil, false
		}
		if v.IsNull() || v.Type() != cty.String {
			l.fail(x.Range(), "Wrong value", "The name of a node is wanted here: [\"charge\"].")
			return nil, false
		}
		name, _ := v.Unmark()
		out = append(out, name.AsString())
	}
	return out, true
}
