package main

import (
	"fmt"
	"strconv"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
)

// flowOf makes the flow of a case.
func flowOf(def ruleDef, s *sources) (compile.Flow, error) {
	if def.Chain != nil {
		return chainOf(def.Chain)
	}
	return nil, fmt.Errorf("a rule of a kind that is not known")
}

// exprOf reads an expression, or a number.
func exprOf(v any) (site.Expr, error) {
	text, ok := v.(string)
	if n, isNumber := v.(float64); isNumber {
		text, ok = strconv.FormatFloat(n, 'f', -1, 64), true
	}
	if !ok {
		return site.Expr{}, fmt.Errorf("%v is no expression", v)
	}
	if text == "" {
		return site.Expr{}, nil
	}
	e, err := readExpr(text)
	return site.Expr{Expression: e}, err
}

func chainOf(def *chainDef) (*compile.Chain, error) {
	ch := &compile.Chain{Name: "r", MaxDepth: def.MaxDepth, Every: true}
	for _, n := range def.Nodes {
		node := compile.ChainNode{ID: n.ID, Kind: n.Kind, Priority: n.Priority, Next: n.Next, All: n.Mode == "all"}
		var err error
		switch n.Kind {
		case "condition":
			node.When, err = exprOf(n.When)
		case "switch":
			for _, k := range n.Cases {
				var when site.Expr
				if when, err = exprOf(k.When); err != nil {
					break
				}
				node.Cases = append(node.Cases, compile.ChainCase{When: when, Port: k.Port})
			}
		case "transform":
			node.Set = map[string]site.Expr{}
			for name, v := range n.Set {
				if node.Set[name], err = exprOf(v); err != nil {
					break
				}
			}
		case "action":
			var value site.Expr
			value, err = exprOf(n.Value)
			node.Action = &site.Set{Target: n.Output, Value: value}
		}
		if err != nil {
			return nil, fmt.Errorf("node %s: %w", n.ID, err)
		}
		ch.Nodes = append(ch.Nodes, node)
	}
	return ch, nil
}
