package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/site"
)

// flowOf makes the flow of a case.
func flowOf(def ruleDef, s *sources) (site.Flow, error) {
	if def.Chain != nil {
		return chainOf(def.Chain)
	}
	if def.Window != nil {
		return windowOf(def, s)
	}
	if def.Sequence != nil {
		return sequenceOf(def.Sequence, s)
	}
	return nil, fmt.Errorf("a rule of a kind that is not known")
}

var bareName = regexp.MustCompile(`[A-Za-z_][\w.]*(\[[^\]]*\][\w.]*)?`)

// eventExpr reads an expression over a source's own values, and gives the source the points that it names.
func (s *sources) eventExpr(source string, v any) (site.Expr, error) {
	if text, ok := v.(string); ok {
		for _, word := range bareName.FindAllString(text, -1) {
			if !strings.ContainsAny(word, ".[") && word != "and" && word != "or" && word != "not" {
				s.point(source, word)
			}
		}
	}
	return exprOf(v)
}

func windowOf(def ruleDef, s *sources) (*site.Window, error) {
	s.momentary = true
	w := &site.Window{Name: "r", Tells: true, Kind: def.Window.Kind, Source: s.device(def.Source)}
	var problems []error
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	span := func(v any, to *time.Duration, count *int) {
		switch v := v.(type) {
		case string:
			var err error
			*to, err = duration(v)
			note(err)
		case float64:
			*count = int(v)
		}
	}
	span(def.Window.Size, &w.Size, &w.Count)
	span(def.Window.Every, &w.Every, &w.CountEvery)
	span(def.Window.Gap, &w.Gap, new(int))
	for _, x := range []struct {
		text string
		to   *site.Expr
	}{{def.Where, &w.Where}, {def.Window.Begin, &w.Begin}, {def.Window.Emit, &w.Emit}} {
		e, err := s.eventExpr(def.Source, x.text)
		note(err)
		*x.to = e
	}
	having, err := exprOf(def.Having)
	note(err)
	w.Having = having
	for _, a := range def.Aggregate {
		value, err := s.eventExpr(def.Source, a.Value)
		note(err)
		w.Aggregates = append(w.Aggregates, site.Aggregate{Function: a.Fn, Value: value, As: a.As})
	}
	return w, errors.Join(problems...)
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

func chainOf(def *chainDef) (*site.Chain, error) {
	ch := &site.Chain{Name: "r", MaxDepth: def.MaxDepth, Tells: true}
	for _, n := range def.Nodes {
		node := site.ChainNode{ID: n.ID, Kind: n.Kind, Priority: n.Priority, Next: n.Next, All: n.Mode == "all"}
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
				node.Cases = append(node.Cases, site.ChainCase{When: when, Port: k.Port})
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
			node.Sets = []*site.Set{{Target: n.Output, Value: value}}
		}
		if err != nil {
			return nil, fmt.Errorf("node %s: %w", n.ID, err)
		}
		ch.Nodes = append(ch.Nodes, node)
	}
	return ch, nil
}

func sequenceOf(def *sequenceDef, s *sources) (*site.Sequence, error) {
	s.momentary = true
	seq := &site.Sequence{Name: "r", Every: def.Every, Group: def.Group, Strict: def.Strict}
	var err error
	if seq.Within, err = duration(def.Within); err != nil {
		return nil, fmt.Errorf("within: %w", err)
	}
	for i, d := range def.Steps {
		step := site.Step{}
		if len(d.All)+len(d.Any) == 0 {
			step.Part, err = s.part(d.partDef)
		}
		for _, p := range d.All {
			part, problem := s.part(p)
			err = errors.Join(err, problem)
			step.All = append(step.All, part)
		}
		for _, p := range d.Any {
			part, problem := s.part(p)
			err = errors.Join(err, problem)
			step.Any = append(step.Any, part)
		}
		if err != nil {
			return nil, fmt.Errorf("step %d: %w", i, err)
		}
		if d.Repeat != nil {
			step.Repeat, step.Min = true, 1
			if d.Repeat.Min != nil {
				step.Min = *d.Repeat.Min
			}
			if d.Repeat.Max != nil {
				step.Max = *d.Repeat.Max
			}
		}
		seq.Steps = append(seq.Steps, step)
	}
	return seq, nil
}

func (s *sources) part(def partDef) (site.Part, error) {
	source, where := def.Source, def.Where
	if def.Absent != nil {
		source, where = def.Absent.Source, def.Absent.Where
	}
	p := site.Part{As: def.As, Device: s.device(source), Absent: def.Absent != nil}
	var err, problem error
	p.Where, err = s.eventExpr(source, where)
	p.For, problem = duration(def.For)
	return p, errors.Join(err, problem)
}
