package compile_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua/luatest"
)

// chainPorts are the ports that each kind of node may have.
var chainPorts = map[string][]string{
	"condition": {"true", "false", "unknown"}, "switch": {"low", "high", "default"}, "transform": {"out"}, "merge": {"out"},
}

// place is a point: device and number.
type place [2]int

func (p place) text() string { return fmt.Sprintf("device.d%d.p%d", p[0], p[1]) }

// chainDraw is a chain with what its expressions mean: the point that each node reads; nil: none, or what transforms set.
type chainDraw struct {
	*site.Chain
	reads map[string]*place
}

// drawChain draws a chain whose edges lead to nodes of a higher number.
func drawChain(t *rapid.T, name string) chainDraw {
	c := chainDraw{&site.Chain{Name: name, Tells: rapid.Bool().Draw(t, "tells")}, map[string]*place{}}
	count := rapid.IntRange(1, 8).Draw(t, "nodes")
	transforms := false
	for i := range count {
		p := rapid.SampledFrom([]place{{0, 0}, {0, 1}, {1, 2}}).Draw(t, "point")
		node := site.ChainNode{
			ID: fmt.Sprintf("n%d", i), Kind: rapid.SampledFrom([]string{"condition", "condition", "switch", "transform", "merge", "action", "action"}).Draw(t, "kind"),
			Priority: rapid.IntRange(0, 2).Draw(t, "priority"), Next: map[string][]string{},
		}
		if i == 0 && node.Kind == "merge" { // something must be read
			node.Kind = "condition"
		}
		c.reads[node.ID] = &p
		switch node.Kind {
		case "condition":
			node.When = flowExpr(t, p.text()+" > 0")
		case "switch":
			node.Cases = []site.ChainCase{{When: flowExpr(t, p.text()+" < 0"), Port: "low"}, {When: flowExpr(t, p.text()+" > 1"), Port: "high"}}
		case "transform":
			transforms = true
			node.Set = map[string]site.Expr{"x": flowExpr(t, p.text()+" + 1"), "y": flowExpr(t, p.text()+" * 2")}
		case "merge":
			c.reads[node.ID] = nil
			node.All = rapid.Bool().Draw(t, "all")
		case "action":
			node.Sets = []*site.Set{{Target: "o." + node.ID, Value: flowExpr(t, p.text())}}
		}
		for _, port := range chainPorts[node.Kind] {
			for to := i + 1; to < count; to++ {
				if rapid.IntRange(0, 3).Draw(t, "edge") == 0 {
					node.Next[port] = append(node.Next[port], fmt.Sprintf("n%d", to))
				}
			}
		}
		c.Nodes = append(c.Nodes, node)
	}
	for i := range c.Nodes {
		if n := &c.Nodes[i]; transforms && n.Kind == "action" && rapid.Bool().Draw(t, "reads") {
			n.Sets[0].Value = flowExpr(t, "x + y")
			c.reads[n.ID] = nil
		}
	}
	return c
}

// leading counts the edges that lead to each node.
func (c chainDraw) leading() map[string]int {
	out := map[string]int{}
	for _, n := range c.Nodes {
		for _, targets := range n.Next {
			for _, to := range targets {
				out[to]++
			}
		}
	}
	return out
}

// order is that of running: of the nodes to which only earlier ones lead, the highest priority, then the smallest id.
func (c chainDraw) order() []site.ChainNode {
	open := c.leading()
	rest := slices.Clone(c.Nodes)
	var out []site.ChainNode
	for len(rest) > 0 {
		best := -1
		for i, n := range rest {
			if open[n.ID] == 0 && (best < 0 || n.Priority > rest[best].Priority) {
				best = i
			}
		}
		n := rest[best]
		out, rest = append(out, n), slices.Delete(rest, best, best+1)
		for _, targets := range n.Next {
			for _, to := range targets {
				open[to]--
			}
		}
	}
	return out
}

// run gives the actions of one run, in order.
func (c chainDraw) run(last [2][3]float64) []map[string]any {
	leading, come := c.leading(), map[string]int{}
	x, y := math.NaN(), math.NaN()
	var actions []map[string]any
	for _, n := range c.order() {
		if leading[n.ID] > 0 && (come[n.ID] == 0 || n.All && come[n.ID] < leading[n.ID]) {
			continue
		}
		v := x + y
		if p := c.reads[n.ID]; p != nil {
			v = last[p[0]][p[1]]
		}
		port := "out"
		switch n.Kind {
		case "condition":
			port = "unknown"
			if !math.IsNaN(v) {
				port = fmt.Sprint(v > 0)
			}
		case "switch":
			port = "default"
			if v < 0 {
				port = "low"
			} else if v > 1 {
				port = "high"
			}
		case "transform":
			x, y = v+1, v*2
		case "action":
			port = ""
			if !math.IsNaN(v) {
				actions = append(actions, map[string]any{"node": n.ID, "output": n.Sets[0].Target, "value": v})
			}
		}
		for _, to := range n.Next[port] {
			come[to]++
		}
	}
	return actions
}

func (c chainDraw) outputs(steps []step) []string {
	nan := math.NaN()
	last := [2][3]float64{{nan, nan, nan}, {nan, nan, nan}}
	concerns := map[int]bool{}
	for _, p := range c.reads {
		if p != nil {
			concerns[p[0]] = true
		}
	}
	var out []string
	path := ""
	for _, s := range steps {
		last[s.device] = s.values
		if !concerns[s.device] {
			continue
		}
		actions := c.run(last)
		var nodes []string
		var list []any
		for _, a := range actions {
			nodes = append(nodes, a["node"].(string))
			list = append(list, map[string]any(a))
		}
		now := strings.Join(nodes, " ")
		if now != "" && (c.Tells || now != path) {
			b, _ := json.Marshal(rounded(list))
			out = append(out, fmt.Sprintf("%09d %s %s", s.t, c.Name, b))
		}
		path = now
	}
	return out
}

func TestChainsOnRandomStreams(t *testing.T) {
	server := luatest.Start(t)
	loadLibrary(t, server.Client, "rules")
	n := flowNames()
	k := keys("chains", "rules")
	rapid.Check(t, func(t *rapid.T) {
		var flows []site.Flow
		var chains []chainDraw
		for i := range rapid.IntRange(1, 4).Draw(t, "chains") {
			c := drawChain(t, fmt.Sprintf("c%d", i))
			flows, chains = append(flows, c.Chain), append(chains, c)
		}
		p, diags := compile.Rules(nil, flows, n)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		steps := drawSteps(t, []int{0, 1000})
		var want []string
		for _, c := range chains {
			want = append(want, c.outputs(steps)...)
		}
		for _, way := range ways {
			if got := played(t, server, k, p, steps, feeding{way: way}, "actions"); !slices.Equal(got, want) {
				t.Fatalf("%s: got\n%s\nexpected\n%s", way, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	})
}
