package compile

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/site"
)

func (c *compiler) chain(d *devices, ch *site.Chain) (item, bool) {
	order, ok := c.order(ch)
	if !ok {
		return item{}, false
	}
	w := &chainWriter{c: c, d: d, units: map[string]string{}, written: map[string]string{}, place: map[string]int{}, incoming: map[string]int{}}
	for _, n := range ch.Nodes {
		for name := range n.Set {
			w.units[name] = ""
		}
	}
	for i, n := range order {
		w.place[n.ID] = i + 1
		for _, port := range sortedKeys(n.Next) {
			for _, to := range n.Next[port] {
				w.incoming[to]++
			}
		}
	}
	nodes := make([]string, len(order))
	for i, n := range order {
		nodes[i] = w.node(n)
	}
	if w.failed {
		return item{}, false
	}
	if len(points(w.read...)) == 0 && !ch.Called {
		c.fail(ch.Range, "Chain without live values", "No node of this chain reads a point, so it never runs.")
		return item{}, false
	}
	o := &object{}
	o.text("name", ch.Name)
	o.text("kind", "chain")
	dev := d.sources(o, w.read...)
	o.number("priority", float64(ch.Priority))
	o.flag("tells", ch.Tells)
	o.flag("called", ch.Called)
	o.flag("disabled", ch.Disabled)
	o.raw("nodes", "{\n"+strings.Join(nodes, ",\n")+" }")
	o.revised.WriteString(w.revised.String())
	return item{lua: o.finish(), dev: dev, name: ch.Name}, true
}

// chainWriter writes a chain's nodes.
type chainWriter struct {
	c *compiler
	d *devices
	// units are those of the transforms' values, by name, as far as they were written.
	units, written map[string]string
	place          map[string]int
	incoming       map[string]int
	read           []*node
	revised        strings.Builder
	failed         bool
}

// bind finds a transform's value.
func (w *chainWriter) bind(t hcl.Traversal) (binding, bool) {
	if len(t) != 1 {
		return binding{}, false
	}
	unit, ok := w.units[t.RootName()]
	return binding{lua: "T[" + quote(t.RootName()) + "]", unit: unit}, ok
}

func (w *chainWriter) check(e site.Expr) *node { return w.c.checkBound(e, w.bind, true) }

func (w *chainWriter) node(n *site.ChainNode) string {
	o := &object{takes: "T"}
	o.text("id", n.ID)
	o.text("kind", n.Kind)
	o.number("incoming", float64(w.incoming[n.ID]))
	switch n.Kind {
	case "condition":
		w.function(o, "when", n.When, true)
	case "switch":
		cases := make([]string, len(n.Cases))
		for i, k := range n.Cases {
			e := &object{takes: "T"}
			w.function(e, "when", k.When, true)
			e.text("port", k.Port)
			cases[i] = "{ " + e.b.String() + " }"
			o.revised.WriteString(e.revised.String())
		}
		o.raw("cases", list(cases))
	case "transform":
		w.transform(o, n)
	case "merge":
		o.flag("all", n.All)
	case "action":
		does := w.c.deeds(n.Actions, w.check)
		if !does.ok || !does.write(w.c, w.d, o) {
			w.failed = true
			break
		}
		w.read = append(w.read, does.nodes()...)
	}
	ports := make([]string, 0, len(n.Next))
	for _, port := range sortedKeys(n.Next) {
		targets := make([]string, len(n.Next[port]))
		for i, to := range n.Next[port] {
			targets[i] = fmt.Sprint(w.place[to])
		}
		ports = append(ports, "["+quote(port)+"] = "+list(targets))
	}
	o.field("next", list(ports))
	w.revised.WriteString(o.revised.String())
	return "{ " + o.b.String() + " }"
}

// transform writes the names that a node gives values. They are read by those that run later, so all is checked first.
func (w *chainWriter) transform(o *object, n *site.ChainNode) {
	var sets []string
	units := map[string]string{}
	for _, name := range sortedKeys(n.Set) {
		e := &object{takes: "T"}
		e.text("name", name)
		units[name] = w.function(e, "value", n.Set[name], false)
		sets = append(sets, "{ "+e.b.String()+" }")
		o.revised.WriteString(e.revised.String())
	}
	for name, unit := range units {
		if before, ok := w.written[name]; ok && before != unit {
			unit = "" // what it is depends on the way that was gone
		}
		w.units[name], w.written[name] = unit, unit
	}
	o.raw("set", list(sets))
}

// function writes an expression as a function of the transforms' values, and gives its unit.
func (w *chainWriter) function(o *object, name string, e site.Expr, condition bool) (unit string) {
	n := w.check(e)
	k := w.c.checker(w.c.names)
	switch {
	case n == nil:
	case condition:
		n = k.condition(n)
	case n.kind == boolean:
		n = call(opBit, number, "", n.rng, n)
	default:
		n = k.numeric(n)
	}
	if n == nil {
		w.failed = true
		return ""
	}
	lua, ok := w.d.whole(n)
	if !ok {
		w.c.tooLarge(e.Range())
		w.failed = true
		return ""
	}
	w.read = append(w.read, n)
	o.expression(name, n, lua)
	return n.unit
}
