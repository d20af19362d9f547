package compile

import (
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/site"
)

// isConstant tells whether a name is one of the constants.
func (c *checker) isConstant(t hcl.Traversal) bool {
	_, ok := c.constantValue(t)
	return ok
}

func (c *checker) constantValue(t hcl.Traversal) (*node, bool) {
	if t.IsRelative() {
		return nil, false
	}
	for ctx := c.constants; ctx != nil; ctx = ctx.Parent() {
		if _, ok := ctx.Variables[t.RootName()]; !ok {
			continue
		}
		v, diags := t.TraverseAbs(c.constants)
		if diags.HasErrors() {
			return nil, false
		}
		var quiet hcl.Diagnostics
		sub := checker{diags: &quiet}
		return sub.value(v, t.SourceRange()), true
	}
	return nil, false
}

// asTraversal joins an index with a constant key to the name before it: device.meter[each.key].power.
func (c *checker) asTraversal(e hclsyntax.Expression) (hcl.Traversal, bool) {
	switch e := e.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return e.Traversal, true
	case *hclsyntax.ParenthesesExpr:
		return c.asTraversal(e.Expression)
	case *hclsyntax.RelativeTraversalExpr:
		t, ok := c.asTraversal(e.Source)
		if !ok {
			return nil, false
		}
		return append(append(hcl.Traversal{}, t...), e.Traversal...), true
	case *hclsyntax.IndexExpr:
		t, ok := c.asTraversal(e.Collection)
		if !ok {
			return nil, false
		}
		for _, v := range e.Key.Variables() {
			if !c.isConstant(v) {
				return nil, false
			}
		}
		key, diags := e.Key.Value(c.constants)
		key, _ = key.Unmark()
		if diags.HasErrors() || !key.IsKnown() || key.IsNull() {
			return nil, false
		}
		return append(append(hcl.Traversal{}, t...), hcl.TraverseIndex{Key: key, SrcRange: e.Range()}), true
	}
	return nil, false
}

// traversal is what a name stands for.
func (c *checker) traversal(t hcl.Traversal, rng hcl.Range) *node {
	if n, ok := c.constantValue(t); ok {
		if n == nil {
			v, _ := t.TraverseAbs(c.constants)
			return c.value(v, rng)
		}
		n.rng = rng
		return n
	}
	if b, ok := c.names.(*bound); ok {
		if n, ok := b.name(c, t, rng); ok {
			return n
		}
	}
	ref, diags := c.names.Resolve(t)
	if diags.HasErrors() {
		*c.diags = append(*c.diags, diags...)
		return nil
	}
	switch {
	case ref.Point != nil:
		return c.point(ref.Point, rng)
	case ref.Mapping != nil:
		return c.measurement(ref.Mapping, t, rng)
	case ref.Live != nil:
		return c.inline(*ref.Live, traversalText(t), rng)
	case ref.Property != nil:
		return c.property(ref.Property, rng)
	case ref.Model != nil:
		return c.fail(rng, "Name of a model", "%s is a whole model. Name one of its measurements or properties, such as %s.%s.",
			traversalText(t), traversalText(t), firstMeasurement(ref.Model))
	}
	return c.fail(rng, "Name without a value", "%s stands for nothing that has a value.", traversalText(t))
}

func firstMeasurement(m *site.Model) string {
	if len(m.Measurements) > 0 {
		return m.Measurements[0].Measurement.Name
	}
	return "NAME"
}

func (c *checker) point(p *site.Point, rng hcl.Range) *node {
	switch {
	case p.Text:
		return c.fail(rng, "Text point", "%s is a text; conditions and values are made of numbers and of true and false.", p.FullName())
	case !p.Readable:
		return c.fail(rng, "Write-only point", "%s can only be written, so its value is never known.", p.FullName())
	}
	n := &node{op: opPoint, kind: number, point: p, unit: p.Unit, rng: rng}
	if p.Bool {
		n.unit = ""
		return call(opTruth, boolean, "", rng, n)
	}
	return n
}

func (c *checker) measurement(m *site.Mapping, t hcl.Traversal, rng hcl.Range) *node {
	k := *c
	if c.owner != nil {
		k.owner = &owner{totals: c.owner.totals, measurement: m}
	}
	n := k.inline(m.Value, traversalText(t), rng)
	c.nodes = k.nodes
	if n == nil {
		return nil
	}
	return c.converted(n, m.Measurement.Unit, rng)
}

// converted gives a node the unit that is wanted.
func (c *checker) converted(n *node, unit string, rng hcl.Range) *node {
	if unit == "" || n.unit == unit || n.kind != number {
		return n
	}
	if n.unit == "" {
		copied := *n
		copied.unit = unit
		return &copied
	}
	factor, offset, ok := site.LinearUnit(n.unit, unit)
	switch {
	case !ok:
		return c.fail(rng, "Different units", "This is in %s, and %s is wanted. %s", n.unit, unit, howToConvert(unit, n.unit))
	case offset != 0 && !reading(n):
		return c.fail(rng, "Different units", "This is computed in %s, and %s is wanted. A difference is converted in another way than a temperature is: compute it in %s from the beginning.", n.unit, unit, unit)
	}
	copied := *n
	copied.unit = unit
	out := &copied
	if factor != 1 {
		out = c.fold(call(opMul, number, unit, rng, n, numberNode(factor, rng)))
	}
	if offset != 0 {
		out = c.fold(call(opAdd, number, unit, rng, out, numberNode(offset, rng)))
	}
	return out
}

// reading tells whether a number is a value of a scale, and not a difference, product or quotient of such.
func reading(n *node) bool {
	switch n.op {
	case opConst, opPoint, opName:
		return true
	case "min", "max", "avg", "clamp", "coalesce", "round", "floor", "ceil":
		for _, a := range n.args {
			if !reading(a) {
				return false
			}
		}
		return true
	}
	return false
}

// inline reads another expression in its own scope: a live local, or a measurement's mapping.
func (c *checker) inline(e site.Expr, name string, rng hcl.Range) *node {
	for i, w := range c.within {
		if w == name {
			return c.fail(rng, "Names that go in a circle", "%s is defined by itself: %s.", name, strings.Join(append(c.within[i:], name), " → "))
		}
	}
	if !e.Given() {
		return c.fail(rng, "Name without a value", "%s has no value.", name)
	}
	sub := *c
	if len(c.within) == 0 {
		sub.outer = rng
	}
	sub.within = append(append([]string{}, c.within...), name)
	if e.Scope != nil {
		names := scopeOf(e.Scope)
		sub.names, sub.constants = names, names.Context()
	}
	n := sub.check(e.Expression)
	c.nodes = sub.nodes
	if n == nil {
		return nil
	}
	copied := *n
	copied.rng = rng
	if copied.origin == (hcl.Range{}) { // else it is a name for a name
		copied.origin = e.Range()
	}
	return &copied
}

func (c *checker) property(v any, rng hcl.Range) *node {
	switch v := v.(type) {
	case float64:
		return numberNode(v, rng)
	case bool:
		return boolNode(v, rng)
	case string:
		return textNode(v, rng)
	}
	return c.fail(rng, "Property without a value", "This property has no value.")
}

func traversalText(t hcl.Traversal) string {
	var b strings.Builder
	for _, step := range t {
		switch s := step.(type) {
		case hcl.TraverseRoot:
			b.WriteString(s.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + s.Name)
		case hcl.TraverseIndex:
			switch s.Key.Type() {
			case cty.String:
				b.WriteString("[" + strconv.Quote(s.Key.AsString()) + "]")
			case cty.Number:
				b.WriteString("[" + s.Key.AsBigFloat().String() + "]")
			default:
				b.WriteString("[…]")
			}
		}
	}
	return b.String()
}

// scope makes a Resolver of a site's scope.
type scope struct{ *site.Scope }

func (s scope) Context() *hcl.EvalContext { return s.Constants }

func scopeOf(s *site.Scope) Resolver { return scope{s} }
