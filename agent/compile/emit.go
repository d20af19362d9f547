package compile

import (
	"fmt"
	"sort"
	"strings"

	"github.com/voltage-edge/voltage/agent/site"
)

// devices numbers the devices that a program reads, in the order in which they are first read.
type devices struct {
	index map[*site.Device]int
	list  []*site.Device
	used  map[*site.Device]map[int]bool
	aged  map[*site.Device]bool
	// graded are those whose qualities are asked for.
	graded map[*site.Device]bool
}

func newDevices() *devices {
	return &devices{index: map[*site.Device]int{}, used: map[*site.Device]map[int]bool{}, aged: map[*site.Device]bool{}, graded: map[*site.Device]bool{}}
}

// of is the number of a device, from 1.
func (d *devices) of(dev *site.Device) int {
	if i, ok := d.index[dev]; ok {
		return i
	}
	d.list = append(d.list, dev)
	d.index[dev] = len(d.list)
	d.used[dev] = map[int]bool{}
	return len(d.list)
}

// slot says that a point is read, and where it is found.
func (d *devices) slot(p *site.Point) (device, slot int) {
	device = d.of(p.Device)
	d.used[p.Device][p.Index+1] = true
	return device, p.Index + 1
}

const (
	// maxNesting is how deeply calls are nested before a part becomes a local: Lua's parser takes 200 levels.
	maxNesting = 40
	// maxLocals bounds the locals of one function: Lua takes 200.
	maxLocals = 150
	// maxUpvalues bounds how many devices one function reads by a local of their own: Lua takes 60 upvalues.
	maxUpvalues = 50
	// maxArguments bounds the arguments of one call: Lua has 250 registers.
	maxArguments = 50
)

// writer writes one Lua function body.
type writer struct {
	devices *devices
	// direct: values stand in locals d1, d2, … of the chunk.
	direct bool
	locals []string
	// known are nodes whose values stand somewhere already, and where; nil: none.
	known map[*node]string
	// exact is false when the fast form could differ from the three-valued one.
	exact bool
}

func (d *devices) writer(nodes ...*node) *writer {
	seen := map[*site.Device]bool{}
	for _, p := range points(nodes...) {
		seen[p.Device] = true
	}
	return &writer{devices: d, direct: len(seen) <= maxUpvalues, exact: true}
}

func (w *writer) place(p *site.Point) string {
	device, slot := w.devices.slot(p)
	if w.direct {
		return fmt.Sprintf("d%d[%d]", device, slot)
	}
	return fmt.Sprintf("D[%d][%d]", device, slot)
}

// local puts an expression into a local and gives its name.
func (w *writer) local(expr string) string {
	name := fmt.Sprintf("x%d", len(w.locals)+1)
	w.locals = append(w.locals, "local "+name+" = "+expr)
	return name
}

func (w *writer) constant(n *node) string {
	switch n.kind {
	case number:
		if n.num < 0 {
			return "(" + formatNumber(n.num) + ")"
		}
		return formatNumber(n.num)
	case boolean:
		return fmt.Sprint(n.truth)
	}
	return quote(n.str)
}

// whole writes a three-valued function body. It fails when the expression is too large for one.
func (d *devices) whole(n *node) (string, bool) {
	w := d.writer(n)
	expr := w.threeValued(n, 0)
	if len(w.locals) > maxLocals {
		return "", false
	}
	return body(w.locals, expr), true
}

func body(locals []string, expr string) string {
	if len(locals) == 0 {
		return "return " + expr
	}
	return strings.Join(locals, " ") + " return " + expr
}

// threeValued writes a node as calls of shared/logic.lua, where nil is unknown.
func (w *writer) threeValued(n *node, nesting int) string {
	if nesting >= maxNesting && n.depth > 0 {
		return w.local(w.threeValued(n, 0))
	}
	if place, ok := w.known[n]; ok {
		return place
	}
	switch n.op {
	case opConst:
		return w.constant(n)
	case opName:
		return n.str
	case opPoint:
		return w.place(n.point)
	case opAge:
		p := n.args[0].point
		device, _ := w.devices.slot(p)
		w.devices.aged[p.Device] = true
		return fmt.Sprintf("H.age(D, %d)", device)
	case opEnergy, opCounter:
		return fmt.Sprintf("D.totals[%d]", n.total.number)
	case opGood:
		p := n.args[0].point
		device, slot := w.devices.slot(p)
		w.devices.graded[p.Device] = true
		return fmt.Sprintf("H.good(D, %d, %d)", device, slot)
	case "avg":
		total := *n
		total.op = "sum"
		return fmt.Sprintf("H.div(%s, %d)", w.threeValued(&total, nesting+1), len(n.args))
	}
	args := make([]string, len(n.args))
	for i, a := range n.args {
		args[i] = w.threeValued(a, nesting+1+levels(n))
	}
	switch n.op {
	case opAll, opAny:
		return balanced(string(n.op), args)
	case "sum", "min", "max", "coalesce":
		for len(args) > maxArguments {
			head := "H." + string(n.op) + "(" + strings.Join(args[:maxArguments], ", ") + ")"
			args = append([]string{w.local(head)}, args[maxArguments:]...)
		}
	}
	return "H." + string(n.op) + "(" + strings.Join(args, ", ") + ")"
}

// levels is how much deeper a balanced tree of a node's arguments is than one call.
func levels(n *node) int {
	l := 0
	if n.op == opAll || n.op == opAny {
		for k := len(n.args); k > 2; k /= 2 {
			l++
		}
	}
	return l
}

func balanced(name string, args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	half := (len(args) + 1) / 2
	return "H." + name + "(" + balanced(name, args[:half]) + ", " + balanced(name, args[half:]) + ")"
}

// fast writes a function body that is valid while all values are known, in plain Lua. It gives nil where it is not sure,
// as with a number that is not finite; then the three-valued form is asked. False: there is no such form.
func (d *devices) fast(n *node) (string, bool) {
	if n.depth > maxNesting {
		return "", false
	}
	w := d.writer(n)
	expr := w.plain(n)
	if !w.exact || len(w.locals) > maxLocals {
		return "", false
	}
	return body(w.locals, expr), true
}

var plainOperators = map[op]string{
	opAll: " and ", opAny: " or ", opEq: " == ", opNe: " ~= ", opLt: " < ", opLe: " <= ", opGt: " > ", opGe: " >= ",
	opAdd: " + ", opSub: " - ", opMul: " * ",
}

func (w *writer) plain(n *node) string {
	switch n.op {
	case opConst:
		return w.constant(n)
	case opName:
		w.exact = false
		return n.str
	case opPoint:
		return w.place(n.point)
	case opTruth:
		return "(" + w.plain(n.args[0]) + " ~= 0)"
	case opNo:
		return "(not " + w.plain(n.args[0]) + ")"
	case opMinus:
		return "(-" + w.finite(n.args[0]) + ")"
	case "abs", "floor", "ceil", "round", "min", "max", "clamp":
		return w.plainCall(n)
	}
	operator, ok := plainOperators[n.op]
	if !ok {
		if n.op == opDiv && divisorPlain(n.args[1]) {
			operator, ok = " / ", true
		}
	}
	if !ok || len(n.args) > 2*maxArguments {
		w.exact = false
		return "nil"
	}
	args := make([]string, len(n.args))
	for i, a := range n.args {
		switch n.op {
		case opAdd, opSub, opMul, opDiv:
			args[i] = w.plain(a)
		default:
			args[i] = w.finite(a)
		}
	}
	return "(" + strings.Join(args, operator) + ")"
}

// divisorPlain tells whether a quotient by n that is not finite can be seen by its result: n is finite itself.
func divisorPlain(n *node) bool { return n.op == opPoint || n.op == opConst }

func (w *writer) plainCall(n *node) string {
	if n.op == "clamp" && !(n.args[1].constant() && n.args[2].constant() && n.args[1].num <= n.args[2].num) || len(n.args) > maxArguments {
		w.exact = false
		return "nil"
	}
	args := make([]string, len(n.args))
	for i, a := range n.args {
		args[i] = w.finite(a)
	}
	return "H." + string(n.op) + "(" + strings.Join(args, ", ") + ")"
}

// finite writes an argument of what would hide that a number is not finite. Sums and products that are not finite stay so, up
// to here.
func (w *writer) finite(n *node) string {
	expr := w.plain(n)
	switch n.op {
	case opAdd, opSub, opMul, opDiv:
		name := w.local(expr)
		w.locals = append(w.locals, fmt.Sprintf("if %s - %s ~= 0 then return nil end", name, name))
		return name
	}
	return expr
}

// quote writes a Lua string of any bytes.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c >= 0x7f:
			fmt.Fprintf(&b, "\\%03d", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// usedSlots are the slots of a device that the program reads, rising.
func (d *devices) usedSlots(dev *site.Device) []int {
	out := make([]int, 0, len(d.used[dev]))
	for s := range d.used[dev] {
		out = append(out, s)
	}
	sort.Ints(out)
	return out
}
