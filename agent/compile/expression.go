package compile

import (
	"fmt"
	"math"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/site"
)

// Resolver says what the names of an expression stand for.
type Resolver interface {
	// Resolve says what a name over live values stands for.
	Resolve(hcl.Traversal) (site.Ref, hcl.Diagnostics)
	// Context has the constants; nil: none.
	Context() *hcl.EvalContext
}

// maxNodes bounds one expression: a chunk of Lua has limits, and nobody reads longer ones.
const maxNodes = 5000

// maxDepth bounds how deeply conditionals, calls and signs are nested in each other: nobody reads deeper ones.
const maxDepth = 100

// checker turns expressions into nodes, and collects what is wrong with them.
type checker struct {
	names     Resolver
	constants *hcl.EvalContext
	nodes     int
	depth     int // of conditionals, calls and signs
	diags     *hcl.Diagnostics
	// within are the live locals and measurements that are being read, to find circles.
	within []string
	// outer is where the first of them stands.
	outer hcl.Range
	// owner is the measurement that is read; nil where totals can't stand.
	owner *owner
}

func (c *checker) fail(rng hcl.Range, summary, format string, args ...any) *node {
	*c.diags = append(*c.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: rng.Ptr(),
	})
	return nil
}

// check turns an expression into a node; nil when it can't be compiled, with the reason among the diagnostics.
func (c *checker) check(e hcl.Expression) *node {
	if c.nodes++; c.nodes > maxNodes {
		if c.nodes == maxNodes+1 {
			c.fail(e.Range(), "Expression too large", "This expression has more than %d parts with all that it refers to. Split it into several rules or alarms.", maxNodes)
		}
		return nil
	}
	syntax, ok := e.(hclsyntax.Expression)
	if !ok {
		return c.fail(e.Range(), "Unsupported expression", "This is no expression of the native syntax.")
	}
	switch e := syntax.(type) {
	case *hclsyntax.LiteralValueExpr:
		return c.value(e.Val, e.Range())
	case *hclsyntax.ParenthesesExpr:
		return c.check(e.Expression)
	case *hclsyntax.TemplateWrapExpr:
		return c.check(e.Wrapped)
	case *hclsyntax.ScopeTraversalExpr:
		return c.traversal(e.Traversal, e.Range())
	case *hclsyntax.IndexExpr, *hclsyntax.RelativeTraversalExpr:
		if t, ok := c.asTraversal(e); ok {
			return c.traversal(t, e.Range())
		}
	case *hclsyntax.BinaryOpExpr:
		return c.binary(e)
	case *hclsyntax.UnaryOpExpr, *hclsyntax.ConditionalExpr, *hclsyntax.FunctionCallExpr:
		return c.nested(e)
	}
	return c.folded(syntax)
}

// nested checks what stands within what, and bounds how deeply.
func (c *checker) nested(e hclsyntax.Expression) *node {
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > maxDepth {
		if c.depth == maxDepth+1 {
			c.fail(e.Range(), "Expression nested too deeply", "Conditionals, calls and signs are nested more than %d deep, with all that the expression refers to. Give parts of it names, as locals, or make several rules or alarms of it.", maxDepth)
		}
		return nil
	}
	switch e := e.(type) {
	case *hclsyntax.UnaryOpExpr:
		return c.unary(e)
	case *hclsyntax.ConditionalExpr:
		return c.conditional(e)
	case *hclsyntax.FunctionCallExpr:
		return c.function(e)
	}
	return nil
}

// folded is an expression of a kind that conditions don't have, if it is constant.
func (c *checker) folded(e hclsyntax.Expression) *node {
	for _, t := range e.Variables() {
		if !c.isConstant(t) {
			return c.fail(e.Range(), "Unsupported expression",
				"A condition or value can't have %s over live values. It has numbers, names, + - * / %%, comparisons, && || !, a ? b : c, and the functions %s.",
				describe(e), functionNames())
		}
	}
	v, diags := e.Value(c.constants)
	if diags.HasErrors() {
		*c.diags = append(*c.diags, diags...)
		return nil
	}
	return c.value(v, e.Range())
}

func describe(e hclsyntax.Expression) string {
	switch e.(type) {
	case *hclsyntax.TemplateExpr, *hclsyntax.TemplateJoinExpr:
		return "a text template"
	case *hclsyntax.TupleConsExpr:
		return "a list"
	case *hclsyntax.ObjectConsExpr, *hclsyntax.ObjectConsKeyExpr:
		return "an object"
	case *hclsyntax.ForExpr:
		return "a for expression, except as the one argument of sum, avg, min and max,"
	case *hclsyntax.SplatExpr:
		return "a splat (*)"
	case *hclsyntax.IndexExpr, *hclsyntax.RelativeTraversalExpr:
		return "an index or attribute of something computed"
	}
	return "this"
}

// value is a constant.
func (c *checker) value(v cty.Value, rng hcl.Range) *node {
	v, _ = v.UnmarkDeep()
	switch {
	case !v.IsKnown():
		return c.fail(rng, "Value not known", "This value is not known when the site is read.")
	case v.IsNull():
		return c.fail(rng, "No value", "null is no value. Use known(x) to ask whether a value is known.")
	case v.Type() == cty.Number:
		f, _ := v.AsBigFloat().Float64()
		if math.IsInf(f, 0) {
			return c.fail(rng, "Number too large", "This number does not fit a 64 bit floating point number.")
		}
		return numberNode(f, rng)
	case v.Type() == cty.Bool:
		return boolNode(v.True(), rng)
	case v.Type() == cty.String:
		return textNode(v.AsString(), rng)
	}
	return c.fail(rng, "Wrong type", "A condition or value is made of numbers and of true and false; this is %s.", v.Type().FriendlyName())
}

func (c *checker) unary(e *hclsyntax.UnaryOpExpr) *node {
	v := c.check(e.Val)
	if v == nil {
		return nil
	}
	if e.Op == hclsyntax.OpLogicalNot {
		if v = c.condition(v); v == nil {
			return nil
		}
		return c.fold(call(opNo, boolean, "", e.Range(), v))
	}
	if v = c.numeric(v); v == nil {
		return nil
	}
	return c.fold(call(opMinus, number, v.unit, e.Range(), v))
}

func (c *checker) conditional(e *hclsyntax.ConditionalExpr) *node {
	cond, yes, no := c.check(e.Condition), c.check(e.TrueResult), c.check(e.FalseResult)
	if cond != nil {
		cond = c.condition(cond)
	}
	if cond == nil || yes == nil || no == nil {
		return nil
	}
	if yes.kind != no.kind {
		return c.fail(e.Range(), "Results of different types", "The one result is %s, the other %s.", yes.kind, no.kind)
	}
	unit, ok := c.sameUnit(e.Range(), yes, no)
	if !ok {
		return nil
	}
	if cond.constant() {
		if cond.truth {
			return yes
		}
		return no
	}
	return call("choose", yes.kind, unit, e.Range(), cond, yes, no)
}

var binaryOps = map[*hclsyntax.Operation]op{
	hclsyntax.OpLogicalAnd: opAll, hclsyntax.OpLogicalOr: opAny,
	hclsyntax.OpEqual: opEq, hclsyntax.OpNotEqual: opNe,
	hclsyntax.OpLessThan: opLt, hclsyntax.OpLessThanOrEqual: opLe,
	hclsyntax.OpGreaterThan: opGt, hclsyntax.OpGreaterThanOrEqual: opGe,
	hclsyntax.OpAdd: opAdd, hclsyntax.OpSubtract: opSub,
	hclsyntax.OpMultiply: opMul, hclsyntax.OpDivide: opDiv, hclsyntax.OpModulo: opMod,
}

func (c *checker) binary(e *hclsyntax.BinaryOpExpr) *node {
	o, known := binaryOps[e.Op]
	if !known {
		return c.fail(e.Range(), "Unsupported operator", "A condition or value can't have this operator.")
	}
	a, b := c.check(e.LHS), c.check(e.RHS)
	want := c.numeric
	switch o {
	case opAll, opAny:
		want = c.condition
	case opEq, opNe:
		want = func(n *node) *node { return n }
	}
	if a != nil {
		a = want(a)
	}
	if b != nil {
		b = want(b)
	}
	if a == nil || b == nil {
		return nil
	}
	switch o {
	case opAll, opAny:
		return c.fold(call(o, boolean, "", e.Range(), a, b))
	case opEq, opNe:
		return c.equality(o, e.Range(), a, b)
	}
	switch o {
	case opMul, opDiv:
		if o == opDiv && b.constant() && b.num == 0 {
			return c.fail(b.rng, "Division by zero", "This divisor is zero, so the result is never known.")
		}
		return c.fold(call(o, number, "", e.Range(), a, b))
	}
	unit, ok := c.sameUnit(e.Range(), a, b)
	if !ok {
		return nil
	}
	k := number
	switch o {
	case opLt, opLe, opGt, opGe:
		k, unit = boolean, ""
	}
	return c.fold(call(o, k, unit, e.Range(), a, b))
}

func (c *checker) equality(o op, rng hcl.Range, a, b *node) *node {
	if a.kind != b.kind {
		// A boolean point may be compared with 0 and 1 as well as with true and false.
		if isBit(a) && b.kind == number && b.constant() && (b.num == 0 || b.num == 1) {
			b = boolNode(b.num == 1, b.rng)
		} else if isBit(b) && a.kind == number && a.constant() && (a.num == 0 || a.num == 1) {
			a = boolNode(a.num == 1, a.rng)
		} else {
			return c.fail(rng, "Comparison of different types", "The one side is %s, the other %s; they are never equal.", a.kind, b.kind)
		}
	}
	if _, ok := c.sameUnit(rng, a, b); !ok {
		return nil
	}
	return c.fold(call(o, boolean, "", rng, a, b))
}

func isBit(n *node) bool { return n.op == opTruth }

// condition takes a node where true or false is wanted.
func (c *checker) condition(n *node) *node {
	switch {
	case n.kind == boolean:
		return n
	case n.kind == text:
		return c.fail(n.rng, "Condition expected", "Here stands %s, where a condition is wanted.", n.kind)
	}
	return c.fail(n.rng, "Condition expected", "Here stands a number, where a condition is wanted. Compare it, as in x > 0.")
}

// numeric takes a node where a number is wanted.
func (c *checker) numeric(n *node) *node {
	switch {
	case n.kind == number:
		return n
	case isBit(n):
		return c.fail(n.rng, "Number expected", "%s is true or false and can't be counted or compared by size. Use it as a condition, or write %s ? 1 : 0.",
			n.args[0].point.FullName(), n.args[0].point.FullName())
	}
	return c.fail(n.rng, "Number expected", "Here stands %s, where a number is wanted.", n.kind)
}

// sameUnit gives the unit that the nodes share, or says how to convert.
func (c *checker) sameUnit(rng hcl.Range, nodes ...*node) (string, bool) {
	var with *node
	for _, n := range nodes {
		switch {
		case n.unit == "":
		case with == nil:
			with = n
		case n.unit != with.unit:
			c.fail(rng, "Different units", "The one side is in %s, the other in %s. %s", with.unit, n.unit, howToConvert(with.unit, n.unit))
			return "", false
		}
	}
	if with == nil {
		return "", true
	}
	return with.unit, true
}
