package compile

import (
	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/site"
)

// Refusal says, as Extra of a diagnostic, why a flow can't be loaded.
type Refusal string

// The refusals.
const (
	RefusedCycle       Refusal = "cycle"
	RefusedUnknownNode Refusal = "unknown_node"
	RefusedDuplicate   Refusal = "duplicate_id"
	RefusedUnknownName Refusal = "unknown_name"
	RefusedDepth       Refusal = "depth"
)

// Flow is an item of the rules library that is more than a condition with actions.
type Flow interface {
	compile(c *compiler, d *devices) (item, bool)
}

// Rules compiles rules and flows into a program of the rules library. names resolves the expressions that have no scope
// of their own.
func Rules(rules []*site.Rule, flows []Flow, names Resolver) (Program, hcl.Diagnostics) {
	c := &compiler{names: names}
	d := newDevices()
	var items []item
	for _, r := range rules {
		if it, ok := c.rule(d, r); ok {
			items = append(items, it)
		}
	}
	for _, f := range flows {
		if it, ok := f.compile(c, d); ok {
			items = append(items, it)
		}
	}
	return d.assemble("rules", items, false), c.diags
}

// bound is a Resolver that knows more names: those that a flow gives a value while it runs, with the Lua of each. Such a
// name stands before the point of the same name.
type bound struct {
	Resolver
	// lua gives the Lua of a name; false when it is none of the flow's.
	lua func(hcl.Traversal) (string, bool)
	// strict: a name of one word that the flow does not know is refused.
	strict bool
}

func (b *bound) name(c *checker, t hcl.Traversal, rng hcl.Range) (*node, bool) {
	if lua, ok := b.lua(t); ok {
		return &node{op: opName, kind: number, str: lua, rng: rng}, true
	}
	if b.strict && len(t) == 1 {
		c.refuse(rng, RefusedUnknownName, "Unknown name", "Nothing here gives %s a value.", t.RootName())
		return nil, true
	}
	return nil, false
}

func (c *checker) refuse(rng hcl.Range, why Refusal, summary, format string, args ...any) {
	c.fail(rng, summary, format, args...)
	(*c.diags)[len(*c.diags)-1].Extra = why
}

// checkBound checks an expression in which a flow's names stand.
func (c *compiler) checkBound(e site.Expr, lua func(hcl.Traversal) (string, bool), strict bool) *node {
	if !e.Given() {
		return nil
	}
	names := c.names
	if e.Scope != nil {
		names = scopeOf(e.Scope)
	}
	return c.checker(&bound{Resolver: names, lua: lua, strict: strict}).check(e.Expression)
}
