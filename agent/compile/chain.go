package compile

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/site"
)

// Chain is a graph of nodes that runs at each frame of a device that it reads.
type Chain struct {
	Name     string
	Priority int
	// MaxDepth bounds the nodes on the longest way; 0: 32.
	MaxDepth int
	Nodes    []ChainNode
	// Every: an event at each run that acts, not only when what it does changed.
	Every bool
	Range hcl.Range
}

// ChainNode is one node: condition, switch, transform, merge or action.
type ChainNode struct {
	ID       string
	Kind     string
	Priority int
	// Next has the nodes behind each port: true, false, unknown of a condition; those of the cases and default of a switch;
	// out of a transform and a merge.
	Next map[string][]string
	// When of a condition.
	When site.Expr
	// Cases of a switch: the first that is true.
	Cases []ChainCase
	// Set of a transform: names and their values.
	Set map[string]site.Expr
	// All of a merge: it waits for all its edges, not for any.
	All bool
	// Output, Value and TTL of an action. Target as in a rule's set.
	Action *site.Set
	Range  hcl.Range
}

// ChainCase is a case of a switch.
type ChainCase struct {
	When site.Expr
	Port string
}

const defaultDepth = 32

func (ch *Chain) compile(c *compiler, d *devices) (item, bool) {
	order, ok := ch.order(c)
	if !ok {
		return item{}, false
	}
	set := map[string]bool{}
	for _, n := range ch.Nodes {
		for name := range n.Set {
			set[name] = true
		}
	}
	names := func(t hcl.Traversal) (string, bool) {
		return "T[" + quote(t.RootName()) + "]", len(t) == 1 && set[t.RootName()]
	}
	w := &chainWriter{c: c, d: d, names: names, place: map[string]int{}, incoming: map[string]int{}}
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
	o := &object{}
	o.text("name", ch.Name)
	o.text("kind", "chain")
	dev := d.sources(o, w.read...)
	o.number("priority", float64(ch.Priority))
	o.flag("every", ch.Every)
	o.raw("nodes", "{\n"+strings.Join(nodes, ",\n")+" }")
	o.revised.WriteString(w.revised.String())
	return item{lua: o.finish(), dev: dev, name: ch.Name}, true
}

// chainWriter writes a chain's nodes.
type chainWriter struct {
	c        *compiler
	d        *devices
	names    func(hcl.Traversal) (string, bool)
	place    map[string]int
	incoming map[string]int
	read     []*node
	revised  strings.Builder
	failed   bool
}

func (w *chainWriter) node(n *ChainNode) string {
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
		var sets []string
		for _, name := range sortedKeys(n.Set) {
			e := &object{takes: "T"}
			e.text("name", name)
			w.function(e, "value", n.Set[name], false)
			sets = append(sets, "{ "+e.b.String()+" }")
			o.revised.WriteString(e.revised.String())
		}
		o.raw("set", list(sets))
	case "merge":
		o.flag("all", n.All)
	case "action":
		output := n.Action.Target
		if n.Action.Output != nil {
			output = n.Action.Output.FullName()
		}
		o.text("output", output)
		w.function(o, "value", n.Action.Value, false)
		if n.Action.TTL > 0 {
			o.number("ttl_ms", float64(n.Action.TTL/time.Millisecond))
		}
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

// function writes an expression as a function of the transforms' values.
func (w *chainWriter) function(o *object, name string, e site.Expr, condition bool) {
	n := w.c.checkBound(e, w.names, true)
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
		return
	}
	lua, ok := w.d.whole(n)
	if !ok {
		w.c.tooLarge(e.Range())
		w.failed = true
		return
	}
	w.read = append(w.read, n)
	o.expression(name, n, lua)
}
