package main

import (
	"math"
	"slices"
)

// says is the verdict about the current values: yes, no or nothing; with the level, for level alarms.
func (o *oracle) says(a *oracleAlarm) (verdict *bool, level string) {
	yes, no := true, false
	d := a.def
	p := o.points[d.Point]
	limit := func(x float64) *bool {
		if x > d.Limit {
			return &yes
		}
		if x < d.Limit-d.Deadband {
			return &no
		}
		return nil
	}
	switch d.Kind {
	case "expression":
		v, known := o.eval(d.Expr).(bool)
		if !known {
			return nil, ""
		}
		return &v, ""
	case "stale":
		return nil, ""
	}
	if p == nil || p.bad {
		return nil, ""
	}
	switch d.Kind {
	case "high", "high_high":
		return limit(p.value), ""
	case "low", "low_low":
		if p.value < d.Limit {
			return &yes, ""
		}
		if p.value > d.Limit+d.Deadband {
			return &no, ""
		}
		return nil, ""
	case "deviation":
		aim := d.Setpoint
		if aim == nil {
			sp := o.points[d.SetpointPoint]
			if sp == nil || sp.bad {
				return nil, ""
			}
			aim = &sp.value
		}
		return limit(math.Abs(p.value - *aim)), ""
	case "rate":
		if !p.hasRate {
			return nil, ""
		}
		switch d.Direction {
		case "up":
			return limit(p.rate), ""
		case "down":
			return limit(-p.rate), ""
		}
		return limit(math.Abs(p.rate)), ""
	case "discrete":
		v := slices.Contains(d.AlarmStates, p.value)
		if d.NormalState != nil {
			v = p.value != *d.NormalState
		}
		return &v, ""
	case "level":
		return o.levelSays(a, p.value)
	}
	panic("kind " + d.Kind)
}

// levelSays keeps a verdict for each level, as if each were an alarm of its own.
func (o *oracle) levelSays(a *oracleAlarm, v float64) (*bool, string) {
	yes, no := true, false
	back := true
	for level, limit := range a.def.Limits {
		low := oracleRank[level] < 0
		switch {
		case low && v < limit, !low && v > limit:
			a.flags[level] = true
			back = false
		case low && v > limit+a.def.Deadband, !low && v < limit-a.def.Deadband:
			a.flags[level] = false
		case oracleRank[level]*oracleRank[a.level] > 0: // in the deadband, on the side where the alarm stands
			back = false
		}
	}
	for _, level := range []string{"high_high", "high", "low_low", "low"} {
		if a.flags[level] {
			return &yes, level
		}
	}
	if back {
		return &no, ""
	}
	return nil, ""
}

// eval gives a float64, a bool, or nil for unknown.
func (o *oracle) eval(e any) any {
	switch e := e.(type) {
	case float64, bool:
		return e
	case map[string]any:
		p := o.points[e["point"].(string)]
		if p == nil || p.bad {
			return nil
		}
		return p.value
	case []any:
		var args []any
		for _, x := range e[1:] {
			args = append(args, o.eval(x))
		}
		return oracleOp(e[0].(string), args)
	}
	return nil
}

func oracleOp(op string, args []any) any {
	switch op {
	case "and":
		if slices.Contains(args, any(false)) {
			return false
		}
		if slices.Contains(args, nil) {
			return nil
		}
		return true
	case "or":
		if slices.Contains(args, any(true)) {
			return true
		}
		if slices.Contains(args, nil) {
			return nil
		}
		return false
	}
	if slices.Contains(args, nil) {
		return nil
	}
	if op == "not" {
		return !args[0].(bool)
	}
	x := args[0].(float64)
	if op == "abs" {
		return math.Abs(x)
	}
	y := args[1].(float64)
	switch op {
	case ">":
		return x > y
	case ">=":
		return x >= y
	case "<":
		return x < y
	case "<=":
		return x <= y
	case "==":
		return x == y
	case "!=":
		return x != y
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	}
	if y == 0 {
		return nil
	}
	return x / y
}
