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

// Rules compiles rules and flows into a program of the rules library. names resolves the expressions that have no scope
// of their own.
func Rules(rules []*site.Rule, flows []site.Flow, names Resolver) (Program, hcl.Diagnostics) {
	c := &compiler{names: names}
	return c.ruleProgram(newDevices(), rules, flows), c.diags
}

// ruleProgram compiles rules and flows, and numbers the devices that they read.
func (c *compiler) ruleProgram(d *devices, rules []*site.Rule, flows []site.Flow) Program {
	c.calls(rules, flows)
	var items []item
	for _, r := range rules {
		before := len(c.diags)
		if it, ok := c.rule(d, r); ok {
			items = append(items, it)
		}
		r.Made.Explain(c.diags[before:])
	}
	for _, f := range flows {
		var it item
		var ok bool
		switch f := f.(type) {
		case *site.Chain:
			it, ok = c.chain(d, f)
		case *site.Window:
			it, ok = c.window(d, f)
		case *site.Sequence:
			it, ok = c.sequence(d, f)
		}
		if ok {
			items = append(items, it)
		}
	}
	return d.assemble("rules", items, false)
}

// binding is what a flow's own name stands for while it runs.
type binding struct {
	lua, unit string
	// bit: it is 0 or 1, and stands for a condition.
	bit bool
}

// bindings finds a flow's own names; false for any other.
type bindings func(hcl.Traversal) (binding, bool)

// bound is a Resolver that knows more names: those that a flow gives a value while it runs. Such a name stands before the
// point of the same name.
type bound struct {
	Resolver
	bind bindings
	// strict: a name of one word that the flow does not know is refused.
	strict bool
}

func (b *bound) name(c *checker, t hcl.Traversal, rng hcl.Range) (*node, bool) {
	if x, ok := b.bind(t); ok {
		n := &node{op: opName, kind: number, str: x.lua, unit: x.unit, rng: rng}
		if x.bit {
			return call(opTruth, boolean, "", rng, n), true
		}
		return n, true
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

func (c *compiler) refuse(rng hcl.Range, why Refusal, summary, format string, args ...any) {
	c.checker(c.names).refuse(rng, why, summary, format, args...)
}

// checkBound checks an expression in which a flow's names stand.
func (c *compiler) checkBound(e site.Expr, bind bindings, strict bool) *node {
	if !e.Given() {
		return nil
	}
	return c.checker(&bound{Resolver: c.resolver(e), bind: bind, strict: strict}).check(e.Expression)
}

// resolver is that of an expression.
func (c *compiler) resolver(e site.Expr) Resolver {
	if e.Scope != nil {
		return scopeOf(e.Scope)
	}
	return c.names
}

// ofEvent is a Resolver by which a name of one word is a point of the device that a frame came from.
type ofEvent struct {
	Resolver
	device *site.Device
}

func (e ofEvent) Resolve(t hcl.Traversal) (site.Ref, hcl.Diagnostics) {
	if len(t) == 1 {
		for _, p := range e.device.Points {
			if p.Name == t.RootName() {
				return site.Ref{Point: p}, nil
			}
		}
	}
	return e.Resolver.Resolve(t)
}

// checkEvent checks an expression over a frame's own values, and captured ones if there are any.
func (c *compiler) checkEvent(e site.Expr, device *site.Device, bind bindings) *node {
	if !e.Given() {
		return nil
	}
	var r Resolver = ofEvent{c.resolver(e), device}
	if bind != nil {
		r = &bound{Resolver: r, bind: bind}
	}
	return c.checker(r).check(e.Expression)
}

// predicate writes a condition over a frame's own values as a field. It is fine that there is none.
func (c *compiler) predicate(d *devices, o *object, name string, e site.Expr, device *site.Device, bind bindings) bool {
	if !e.Given() {
		return true
	}
	n := c.checkEvent(e, device, bind)
	if n != nil {
		n = c.checker(c.names).condition(n)
	}
	return n != nil && c.writeFunction(d, o, name, n, e.Range())
}

// writeFunction writes an expression as a field, and notes what it reads.
func (c *compiler) writeFunction(d *devices, o *object, name string, n *node, rng hcl.Range) bool {
	lua, ok := d.whole(n)
	if !ok {
		c.tooLarge(rng)
		return false
	}
	o.note(d, n)
	o.expression(name, n, lua)
	return true
}

// note keeps what a function of the object reads.
func (o *object) note(d *devices, nodes ...*node) {
	o.nodes = append(o.nodes, nodes...)
	for _, p := range points(nodes...) {
		o.reads = append(o.reads, d.of(p.Device))
	}
}

func numbers(list []int) string {
	out := "{"
	for i, n := range list {
		if i > 0 {
			out += ", "
		}
		out += formatNumber(float64(n))
	}
	return out + "}"
}
