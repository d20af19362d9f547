package compile

import "math"

// fold computes a node of constants, with the arithmetic of the libraries.
func (c *checker) fold(n *node) *node {
	for _, a := range n.args {
		if !a.constant() {
			return n
		}
	}
	switch {
	case n.op == opAll || n.op == opAny:
		return boolNode(foldLogic(n), n.rng)
	case n.op == opNo:
		return boolNode(!n.args[0].truth, n.rng)
	case n.op == opEq || n.op == opNe:
		a, b := n.args[0], n.args[1]
		same := a.num == b.num && a.truth == b.truth && a.str == b.str
		return boolNode(same == (n.op == opEq), n.rng)
	case n.kind == boolean:
		return boolNode(foldOrder(n.op, n.args[0].num, n.args[1].num), n.rng)
	}
	v := foldNumber(n)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return c.fail(n.rng, "Result not finite", "The result of this constant expression is not a finite number.")
	}
	out := numberNode(v, n.rng)
	out.unit = n.unit
	return out
}

func foldLogic(n *node) bool {
	for _, a := range n.args {
		if a.truth == (n.op == opAny) {
			return a.truth
		}
	}
	return n.op == opAll
}

func foldOrder(o op, a, b float64) bool {
	switch o {
	case opLt:
		return a < b
	case opLe:
		return a <= b
	case opGt:
		return a > b
	}
	return a >= b
}

func foldNumber(n *node) float64 {
	a := n.args[0].num
	switch n.op {
	case opMinus:
		return -a
	case "abs":
		return math.Abs(a)
	case "floor":
		return math.Floor(a)
	case "ceil":
		return math.Ceil(a)
	case "round":
		return math.Round(a)
	case "clamp":
		lo, hi := n.args[1].num, n.args[2].num
		if lo > hi {
			return math.NaN()
		}
		return math.Max(lo, math.Min(hi, a))
	case "avg":
		return foldMany("sum", n.args) / float64(len(n.args))
	case "sum", "min", "max":
		return foldMany(n.op, n.args)
	}
	b := n.args[1].num
	switch n.op {
	case opAdd:
		return a + b
	case opSub:
		return a - b
	case opMul:
		return a * b
	case opDiv:
		return a / b
	}
	return math.Mod(a, b)
}

func foldMany(o op, args []*node) float64 {
	v := args[0].num
	for _, a := range args[1:] {
		switch o {
		case "sum":
			v += a.num
		case "min":
			v = math.Min(v, a.num)
		default:
			v = math.Max(v, a.num)
		}
	}
	return v
}
