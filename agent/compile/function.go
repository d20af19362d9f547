package compile

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/spelling"
)

// signature is a function over live values.
type signature struct {
	usage    string
	min, max int // of arguments; max 0: any number
	// lists says that one argument may be a list, which is then the arguments.
	lists bool
	build func(c *checker, rng hcl.Range, args []*node) *node
}

func functionNames() string { return strings.Join(sortedKeys(functions()), ", ") }

// functions are those over live values. Constant arguments may go to any function of site.hcl.
func functions() map[string]signature {
	return map[string]signature{
		"min":      {"min(a, b, …)", 1, 0, true, arithmetic("min")},
		"max":      {"max(a, b, …)", 1, 0, true, arithmetic("max")},
		"sum":      {"sum(a, b, …)", 1, 0, true, arithmetic("sum")},
		"avg":      {"avg(a, b, …)", 1, 0, true, arithmetic("avg")},
		"abs":      {"abs(x)", 1, 1, false, arithmetic("abs")},
		"round":    {"round(x)", 1, 1, false, arithmetic("round")},
		"floor":    {"floor(x)", 1, 1, false, arithmetic("floor")},
		"ceil":     {"ceil(x)", 1, 1, false, arithmetic("ceil")},
		"clamp":    {"clamp(x, low, high)", 3, 3, false, arithmetic("clamp")},
		"coalesce": {"coalesce(a, b, …)", 1, 0, false, coalesce},
		"known":    {"known(x)", 1, 1, false, known},
		"age":      {"age(x)", 1, 1, false, age},
		"is_good":  {"is_good(x)", 1, 1, false, isGood},
		"energy":   {"energy(power), or energy(power, \"10m\")", 1, 2, false, energy},
		"counter":  {"counter(reading), or counter(reading, highest)", 1, 2, false, counter},
	}
}

func (c *checker) function(e *hclsyntax.FunctionCallExpr) *node {
	live := false
	for _, t := range e.Variables() {
		live = live || !c.isConstant(t)
	}
	f, known := functions()[e.Name]
	if !known {
		if !live {
			return c.folded(e)
		}
		return c.fail(e.NameRange, "Function not possible", "%s can't be called with live values.%s The functions for them are %s.",
			e.Name, spelling.DidYouMean(e.Name, sortedKeys(functions())), functionNames())
	}
	if e.ExpandFinal {
		return c.fail(e.Range(), "Unsupported expression", "The arguments of %s can't be expanded with \"...\" here. Give it the list itself.", e.Name)
	}
	args, ok := c.arguments(e, f)
	if !ok {
		return nil
	}
	if len(args) < f.min || f.max > 0 && len(args) > f.max {
		return c.fail(e.Range(), "Wrong number of arguments", "It is %s.", f.usage)
	}
	return f.build(c, e.Range(), args)
}

// arguments checks all arguments, so that what is wrong with each is told.
func (c *checker) arguments(e *hclsyntax.FunctionCallExpr, f signature) ([]*node, bool) {
	exprs := e.Args
	if f.lists && len(exprs) == 1 {
		switch list := exprs[0].(type) {
		case *hclsyntax.TupleConsExpr:
			exprs = list.Exprs
		case *hclsyntax.ForExpr:
			return c.expand(list)
		}
	}
	args := make([]*node, 0, len(exprs))
	for _, a := range exprs {
		if n := c.check(a); n != nil {
			args = append(args, n)
		}
	}
	return args, len(args) == len(exprs)
}

// expand unrolls a for expression over a constant collection.
func (c *checker) expand(e *hclsyntax.ForExpr) ([]*node, bool) {
	for _, t := range e.CollExpr.Variables() {
		if !c.isConstant(t) {
			c.fail(e.CollExpr.Range(), "Collection not constant", "A for expression over live values needs a collection that is known when the site is read.")
			return nil, false
		}
	}
	if e.KeyExpr != nil || e.Group {
		c.fail(e.Range(), "Unsupported expression", "A for expression over live values makes a list, with [ ], not an object.")
		return nil, false
	}
	coll, diags := e.CollExpr.Value(c.constants)
	coll, _ = coll.Unmark()
	if diags.HasErrors() {
		*c.diags = append(*c.diags, diags...)
		return nil, false
	}
	if coll.IsNull() || !coll.IsKnown() || !coll.CanIterateElements() {
		c.fail(e.CollExpr.Range(), "No collection", "A for expression goes over a list, set or map.")
		return nil, false
	}
	var args []*node
	all := true
	for it := coll.ElementIterator(); it.Next(); {
		k, v := it.Element()
		sub := *c
		sub.constants = c.constants.NewChild()
		sub.constants.Variables = map[string]cty.Value{e.ValVar: v}
		if e.KeyVar != "" {
			sub.constants.Variables[e.KeyVar] = k
		}
		keep := true
		if e.CondExpr != nil {
			cond := sub.check(e.CondExpr)
			if cond == nil || !cond.constant() || cond.kind != boolean {
				c.fail(e.CondExpr.Range(), "Condition not constant", "The if of a for expression must be known when the site is read.")
				return nil, false
			}
			keep = cond.truth
		}
		if keep {
			n := sub.check(e.ValExpr)
			args, all = append(args, n), all && n != nil
		}
		c.nodes = sub.nodes
	}
	return args, all
}

func arithmetic(o op) func(*checker, hcl.Range, []*node) *node {
	return func(c *checker, rng hcl.Range, args []*node) *node {
		for i, a := range args {
			if args[i] = c.numeric(a); args[i] == nil {
				return nil
			}
		}
		unit, ok := c.sameUnit(rng, args...)
		if !ok {
			return nil
		}
		return c.fold(call(o, number, unit, rng, args...))
	}
}

func coalesce(c *checker, rng hcl.Range, args []*node) *node {
	for _, a := range args {
		if a.kind != args[0].kind {
			return c.fail(a.rng, "Arguments of different types", "The first argument is %s, this one %s.", args[0].kind, a.kind)
		}
	}
	unit, ok := c.sameUnit(rng, args...)
	if !ok {
		return nil
	}
	if args[0].constant() {
		return args[0]
	}
	return call("coalesce", args[0].kind, unit, rng, args...)
}

func known(_ *checker, rng hcl.Range, args []*node) *node {
	if args[0].constant() {
		return boolNode(true, rng)
	}
	return call("known", boolean, "", rng, args[0])
}

func age(c *checker, rng hcl.Range, args []*node) *node {
	n := args[0]
	if isBit(n) {
		n = n.args[0]
	}
	if n.op != opPoint {
		return c.fail(n.rng, "Name of a point expected", "age tells how old the reading of one point is, in seconds: age(device.meter.power).")
	}
	return &node{op: opAge, kind: number, unit: "s", args: []*node{n}, rng: rng, depth: 1}
}

// isGood tells whether all points of an expression are of good quality: neither bad nor uncertain. It is never unknown.
func isGood(_ *checker, rng hcl.Range, args []*node) *node {
	var all []*node
	for _, p := range points(args[0]) {
		all = append(all, &node{op: opGood, kind: boolean, args: []*node{{op: opPoint, kind: number, point: p, rng: rng}}, rng: rng, depth: 1})
	}
	switch len(all) {
	case 0:
		return boolNode(true, rng)
	case 1:
		return all[0]
	}
	return call(opAll, boolean, "", rng, all...)
}
