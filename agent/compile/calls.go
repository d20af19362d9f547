package compile

import (
	"slices"
	"strings"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/spelling"
)

// deepestCalls bounds the chains of which each is called by the one before.
const deepestCalls = 8

// calls refuses chains that call each other in a circle, calls that lead too deep, and those of chains that are not there or run at frames
// anyway.
func (c *compiler) calls(rules []*site.Rule, flows []site.Flow) {
	chains := map[string]*site.Chain{}
	for _, f := range flows {
		if ch, ok := f.(*site.Chain); ok {
			chains[ch.Name] = ch
		}
	}
	check := func(of string, effects []*site.Effect) {
		for _, e := range effects {
			switch ch := chains[e.Name]; {
			case e.Kind != site.EffectCall:
			case ch == nil:
				c.refuse(e.Range, RefusedUnknownName, "Unknown chain", "%s calls %s, which is no chain.%s", of, e.Name, spelling.DidYouMean(e.Name, sortedKeys(chains)))
			case !ch.Called:
				c.fail(e.Range, "Chain that is not called", "%s calls %s, which runs at each frame of what it reads. Write on = \"call\" in it.", of, e.Name)
			}
		}
	}
	for _, r := range rules {
		check("rule "+r.Name, r.Effects)
	}
	for _, f := range flows {
		switch f := f.(type) {
		case *site.Chain:
			for _, n := range f.Nodes {
				check("chain "+f.Name, n.Effects)
			}
		case *site.Window:
			check("window "+f.Name, f.Effects)
		case *site.Sequence:
			check("sequence "+f.Name, f.Effects)
		}
	}
	depth := map[string]int{}
	for _, name := range sortedKeys(chains) {
		c.callDepth(chains, name, nil, depth)
	}
}

// callDepth is how many chains a call of one comes to, one behind the other; path are those that led to it.
func (c *compiler) callDepth(chains map[string]*site.Chain, name string, path []string, depth map[string]int) int {
	ch := chains[name]
	if known, ok := depth[name]; ok || ch == nil {
		return known
	}
	path = append(path, name)
	depth[name] = 1
	most := 0
	for i := range ch.Nodes {
		for _, e := range ch.Nodes[i].Effects {
			if e.Kind != site.EffectCall {
				continue
			}
			if at := slices.Index(path, e.Name); at >= 0 {
				c.refuse(e.Range, RefusedCycle, "Chains call each other in a circle", "They call each other without an end: %s.", strings.Join(append(slices.Clone(path[at:]), e.Name), " → "))
				continue
			}
			most = max(most, c.callDepth(chains, e.Name, path, depth))
		}
	}
	depth[name] = most + 1
	if depth[name] == deepestCalls+1 {
		c.refuse(ch.Range, RefusedDepth, "Calls too deep", "The chain %s calls one that calls another, and so on, %d chains in a row; %d are allowed.", name, depth[name], deepestCalls)
	}
	return depth[name]
}
