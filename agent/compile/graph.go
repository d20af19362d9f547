package compile

import "github.com/hashicorp/hcl/v2"

// order checks a chain's graph and gives its nodes in the order in which they run: behind all that lead to them, then by
// priority, then by id.
func (ch *Chain) order(c *compiler) ([]*ChainNode, bool) {
	nodes, incoming, ok := ch.edges(c)
	if !ok {
		return nil, false
	}
	depth := map[string]int{}
	var out []*ChainNode
	for len(out) < len(nodes) {
		var first *ChainNode
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
			c.refuse(ch.Range, RefusedCycle, "Chain goes in a circle", "The nodes of the chain %s lead back to themselves: %s.", ch.Name, names(incoming))
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
func (ch *Chain) edges(c *compiler) (map[string]*ChainNode, map[string]int, bool) {
	ok := true
	nodes, incoming := map[string]*ChainNode{}, map[string]int{}
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
					c.refuse(n.Range, RefusedUnknownNode, "Unknown node", "%s leads to %s, which the chain %s does not have.%s", n.ID, to, ch.Name, didYouMean(to, sortedKeys(nodes)))
					ok = false
				}
				incoming[to]++
			}
		}
	}
	return nodes, incoming, ok
}

func names(m map[string]int) string {
	out := ""
	for i, name := range sortedKeys(m) {
		if i > 0 {
			out += ", "
		}
		out += name
	}
	return out
}

func (c *compiler) refuse(rng hcl.Range, why Refusal, summary, format string, args ...any) {
	c.checker(c.names).refuse(rng, why, summary, format, args...)
}
