package compile

import (
	"slices"
	"strings"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/spelling"
)

const defaultDepth = 32

// order checks a chain's graph and gives its nodes in the order in which they run: behind all that lead to them, then by
// priority, then by id.
func (c *compiler) order(ch *site.Chain) ([]*site.ChainNode, bool) {
	nodes, incoming, ok := c.edges(ch)
	if !ok {
		return nil, false
	}
	depth := map[string]int{}
	var out []*site.ChainNode
	for len(out) < len(nodes) {
		var first *site.ChainNode
		for i := range ch.Nodes {
			n := &ch.Nodes[i]
			if waiting, open := incoming[n.ID]; !open || waiting > 0 {
				continue
			}
			if first == nil || n.Priority > first.Priority || n.Priority == first.Priority && n.ID < first.ID {
				first = n
			}
		}
		if first == nil {
			path := circle(nodes, incoming)
			c.refuse(nodes[path[0]].Range, RefusedCycle, "Chain goes in a circle", "The nodes of the chain %s lead back to themselves: %s.", ch.Name, strings.Join(path, " → "))
			return nil, false
		}
		delete(incoming, first.ID)
		out = append(out, first)
		for _, targets := range first.Next {
			for _, to := range targets {
				incoming[to]--
				depth[to] = max(depth[to], depth[first.ID]+1)
			}
		}
	}
	limit := ch.MaxDepth
	if limit == 0 {
		limit = defaultDepth
	}
	for _, n := range out {
		if depth[n.ID]+1 > limit {
			c.refuse(n.Range, RefusedDepth, "Chain too deep", "The longest way to %s has %d nodes; %d are allowed.", n.ID, depth[n.ID]+1, limit)
			return nil, false
		}
	}
	return out, true
}

// edges finds the nodes by id, and counts the edges that lead to each.
func (c *compiler) edges(ch *site.Chain) (map[string]*site.ChainNode, map[string]int, bool) {
	ok := true
	nodes, incoming := map[string]*site.ChainNode{}, map[string]int{}
	for i := range ch.Nodes {
		n := &ch.Nodes[i]
		if nodes[n.ID] != nil {
			c.refuse(n.Range, RefusedDuplicate, "Duplicate node", "The chain %s has two nodes %s.", ch.Name, n.ID)
			ok = false
		}
		nodes[n.ID], incoming[n.ID] = n, 0
	}
	for _, n := range nodes {
		for _, targets := range n.Next {
			for _, to := range targets {
				if nodes[to] == nil {
					c.refuse(n.Range, RefusedUnknownNode, "Unknown node", "%s leads to %s, which the chain %s does not have.%s", n.ID, to, ch.Name, spelling.DidYouMean(to, sortedKeys(nodes)))
					ok = false
				}
				incoming[to]++
			}
		}
	}
	return nodes, incoming, ok
}

// circle is a way through the nodes that are left that comes back to where it began: each of them has one that leads to it.
func circle(nodes map[string]*site.ChainNode, left map[string]int) []string {
	behind := map[string]string{}
	for _, id := range sortedKeys(left) {
		for _, port := range sortedKeys(nodes[id].Next) {
			for _, to := range nodes[id].Next[port] {
				if _, open := left[to]; open && behind[to] == "" {
					behind[to] = id
				}
			}
		}
	}
	path := []string{sortedKeys(left)[0]}
	for {
		next := behind[path[0]]
		if i := slices.Index(path, next); i >= 0 {
			return append([]string{next}, path[:i+1]...)
		}
		path = append([]string{next}, path...)
	}
}
