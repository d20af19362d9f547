package compile

import (
	"math"
	"sort"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/site"
)

// kind is the type of an expression's value.
type kind int

const (
	number kind = iota
	boolean
	text
)

func (k kind) String() string {
	return [...]string{"a number", "a condition (true or false)", "a text"}[k]
}

// op is what a node does. All but constant, point, age and good are the names of functions in lua/shared/logic.lua.
type op string

const (
	opConst op = "const"
	opPoint op = "point"
	opName  op = "name" // a value that the program binds while it runs, such as a transform's
	opAge   op = "age"
	opGood  op = "good"
	opAll   op = "all"
	opAny   op = "any"
	opNo    op = "no"
	opEq    op = "eq"
	opNe    op = "ne"
	opLt    op = "lt"
	opLe    op = "le"
	opGt    op = "gt"
	opGe    op = "ge"
	opAdd   op = "add"
	opSub   op = "sub"
	opMul   op = "mul"
	opDiv   op = "div"
	opMod   op = "mod"
	opMinus op = "minus"
	opTruth op = "truth"
	opBit   op = "bit"
)

// node is a checked expression: types and units agree, constants are folded, names are resolved.
type node struct {
	op    op
	kind  kind
	args  []*node
	num   float64
	truth bool
	str   string // a text constant, or the Lua of a bound name
	point *site.Point
	total *total
	unit  string
	rng   hcl.Range
	// origin is where the expression stands that a name stands for, when the node is such a name.
	origin hcl.Range
	// depth is how deeply nodes are nested below this one.
	depth int
}

func (n *node) constant() bool { return n.op == opConst }

func numberNode(v float64, rng hcl.Range) *node {
	return &node{op: opConst, kind: number, num: v, rng: rng}
}

func boolNode(v bool, rng hcl.Range) *node {
	return &node{op: opConst, kind: boolean, truth: v, rng: rng}
}

func textNode(v string, rng hcl.Range) *node {
	return &node{op: opConst, kind: text, str: v, rng: rng}
}

// call makes a node of an operator. Chains of the same all or any become one node.
func call(o op, k kind, unit string, rng hcl.Range, args ...*node) *node {
	n := &node{op: o, kind: k, unit: unit, rng: rng}
	for _, a := range args {
		if (o == opAll || o == opAny) && a.op == o {
			n.args = append(n.args, a.args...)
		} else {
			n.args = append(n.args, a)
		}
	}
	for _, a := range n.args {
		n.depth = max(n.depth, a.depth+1)
	}
	return n
}

// canonical writes the node in a form that says what it means and does not depend on where devices and points stand
// in the site: the revision of a rule is made of it.
func (n *node) canonical(b *strings.Builder) {
	switch n.op {
	case opConst:
		switch n.kind {
		case number:
			b.WriteString(formatNumber(n.num))
		case boolean:
			b.WriteString(strconv.FormatBool(n.truth))
		default:
			b.WriteString(strconv.Quote(n.str))
		}
	case opPoint:
		b.WriteString(strconv.Quote(n.point.FullName()))
	case opName:
		b.WriteString(n.str)
	default:
		b.WriteByte('(')
		b.WriteString(string(n.op))
		for _, a := range n.args {
			b.WriteByte(' ')
			a.canonical(b)
		}
		b.WriteByte(')')
	}
}

// points are the points that the nodes read, each once, in the order of site.hcl's expressions.
func points(nodes ...*node) []*site.Point {
	var out []*site.Point
	seen := map[*site.Point]bool{}
	var walk func(*node)
	walk = func(n *node) {
		if n == nil {
			return
		}
		if n.point != nil && !seen[n.point] {
			seen[n.point] = true
			out = append(out, n.point)
		}
		for _, a := range n.args {
			walk(a)
		}
	}
	for _, n := range nodes {
		walk(n)
	}
	return out
}

func formatNumber(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "math.huge"
	case math.IsInf(v, -1):
		return "-math.huge"
	}
	return strconv.FormatFloat(v, 'g', 17, 64)
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
