package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/voltage-edge/voltage/sdk/frame"
)

// alarmPoints gives each point of a case a device of its own, as a sample is one of one point.
type alarmPoints struct {
	slots map[string]int
	names []string
}

// read is the Lua text that reads a point.
func (p *alarmPoints) read(name string) (text string, device int) {
	if _, ok := p.slots[name]; !ok {
		p.names = append(p.names, name)
		p.slots[name] = len(p.names)
	}
	device = p.slots[name]
	return fmt.Sprintf("D[%d][1]", device), device
}

func alarmTable(point string) frame.Table { return frame.Table{Numbers: []string{point}} }

// alarmProgram writes the alarms of a case as the compiler would.
func alarmProgram(defs []alarmDef, points *alarmPoints) (string, error) {
	var items strings.Builder
	for _, def := range defs {
		item, err := alarmItem(def, points)
		if err != nil {
			return "", fmt.Errorf("alarm %s: %w", def.ID, err)
		}
		items.WriteString(item)
	}
	var head strings.Builder
	for _, name := range points.names {
		fmt.Fprintf(&head, "{name=%q,n=1,id=%d,used={1}},", name, alarmTable(name).TableID())
	}
	return fmt.Sprintf("return {{head=true,schema=1,rev='1',devices={%s}},%s}", head.String(), items.String()), nil
}

func alarmItem(def alarmDef, points *alarmPoints) (string, error) {
	var devices []int
	read := func(point string) string {
		text, device := points.read(point)
		if !slices.Contains(devices, device) {
			devices = append(devices, device)
		}
		return text
	}
	point := def.Point
	if point == "" {
		point = "pv"
	}
	input := ""
	if def.Kind == "expression" {
		text, err := alarmExpr(def.Expr, read)
		if err != nil {
			return "", err
		}
		input = text
	} else {
		input = read(point)
	}
	setpoint := ""
	switch {
	case def.Setpoint != nil:
		setpoint = number(*def.Setpoint)
	case def.SetpointPoint != "":
		setpoint = "function() return " + read(def.SetpointPoint) + " end"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "{name=%q,rev='1',kind=%q,limit=%s,deadband=%s,input=function() return %s end,", def.ID, def.Kind, number(def.Limit), number(def.Deadband), input)
	if setpoint != "" {
		fmt.Fprintf(&b, "setpoint=%s,", setpoint)
	}
	if def.Kind == "level" {
		b.WriteString("levels={")
		for level, limit := range def.Limits {
			fmt.Fprintf(&b, "%s=%s,", level, number(limit))
		}
		b.WriteString("},")
	}
	if def.Direction != "" {
		fmt.Fprintf(&b, "direction=%q,", def.Direction)
	}
	if def.NormalState != nil {
		fmt.Fprintf(&b, "normal_state=%s,", number(*def.NormalState))
	} else if def.Kind == "discrete" {
		b.WriteString("alarm_states={")
		for _, s := range def.AlarmStates {
			b.WriteString(number(s) + ",")
		}
		b.WriteString("},")
	}
	fmt.Fprintf(&b, "timeout_ms=%d,on_delay_ms=%d,off_delay_ms=%d,latching=%t,confirm=%t,re_alarm_ms=%d,", def.Timeout, def.OnDelay, def.OffDelay, def.Latching, def.Confirm, def.ReAlarm)
	if def.MaxShelve > 0 {
		fmt.Fprintf(&b, "max_shelve_ms=%d,", def.MaxShelve)
	}
	if def.FirstOut != "" {
		fmt.Fprintf(&b, "first_out=%q,", def.FirstOut)
	}
	b.WriteString("unknown='hold',priority='high',message='',suppressed_by={")
	for _, parent := range def.SuppressedBy {
		fmt.Fprintf(&b, "%q,", parent)
	}
	b.WriteString("},dev={")
	for _, d := range devices {
		fmt.Fprintf(&b, "%d,", d)
	}
	b.WriteString("},inputs={")
	for _, d := range devices {
		fmt.Fprintf(&b, "{%q,%d,1},", points.names[d-1], d)
	}
	b.WriteString("}},")
	return b.String(), nil
}

// alarmOps are the three-valued helpers of the operators.
var alarmOps = map[string]string{
	"and": "all", "or": "any", "not": "no", ">": "gt", ">=": "ge", "<": "lt", "<=": "le", "==": "eq", "!=": "ne",
	"+": "add", "-": "sub", "*": "mul", "/": "div", "abs": "abs",
}

// alarmExpr writes an expression tree as Lua text.
func alarmExpr(e any, read func(string) string) (string, error) {
	switch e := e.(type) {
	case float64:
		return number(e), nil
	case bool:
		return strconv.FormatBool(e), nil
	case map[string]any:
		name, ok := e["point"].(string)
		if !ok {
			return "", fmt.Errorf("%v is no point", e)
		}
		return read(name), nil
	case []any:
		return alarmCall(e, read)
	}
	return "", fmt.Errorf("%v is no expression", e)
}

func alarmCall(e []any, read func(string) string) (string, error) {
	if len(e) < 2 {
		return "", fmt.Errorf("%v has no arguments", e)
	}
	op, _ := e[0].(string)
	helper, ok := alarmOps[op]
	if !ok {
		return "", fmt.Errorf("there is no operator %v", e[0])
	}
	args := make([]string, 0, len(e)-1)
	for _, a := range e[1:] {
		text, err := alarmExpr(a, read)
		if err != nil {
			return "", err
		}
		args = append(args, text)
	}
	if len(args) == 1 {
		switch op {
		case "-":
			return "H.minus(" + args[0] + ")", nil
		case "and", "or", "+", "*":
			return args[0], nil
		}
		return "H." + helper + "(" + args[0] + ")", nil
	}
	text := args[0]
	for _, a := range args[1:] {
		text = "H." + helper + "(" + text + ", " + a + ")"
	}
	return text, nil
}

// number writes a number so that Lua reads the same one.
func number(f float64) string {
	text := strconv.FormatFloat(f, 'g', 17, 64)
	if f < 0 {
		return "(" + text + ")"
	}
	return text
}
