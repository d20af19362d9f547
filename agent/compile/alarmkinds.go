package compile

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/site"
)

// watchedValue writes the value that an alarm watches and what of it is wrong.
func (c *compiler) watchedValue(d *devices, o *object, a *site.Alarm) ([]*node, bool) {
	k := a.Kind
	value := c.alarmValue(a)
	var setpoint *node
	ok := value != nil && c.live(value, a.Value.Range(), "alarm")
	if k.Deviation != nil {
		setpoint = c.setpoint(k.Deviation.Setpoint, value)
		ok = ok && setpoint != nil
	}
	if !ok {
		return nil, false
	}
	reads := []*node{value}
	switch {
	case k.Levels != nil:
		o.text("kind", "level")
		o.field("levels", levelTable(k.Levels))
		o.number("deadband", a.Deadband)
	case k.Deviation != nil:
		o.text("kind", "deviation")
		o.number("limit", k.Deviation.Limit)
		o.number("deadband", a.Deadband)
		if setpoint.constant() {
			o.number("setpoint", setpoint.num)
			break
		}
		reads = append(reads, setpoint)
		ok = c.reading(d, o, "setpoint", setpoint, k.Deviation.Setpoint)
	case k.Rate != nil:
		o.text("kind", "rate")
		o.number("limit", k.Rate.Limit)
		o.number("deadband", a.Deadband)
		o.text("direction", k.Rate.Direction)
	case k.Discrete != nil:
		o.text("kind", "discrete")
		if len(k.Discrete.Alarm) > 0 {
			o.field("alarm_states", numberList(k.Discrete.Alarm))
		} else {
			o.number("normal_state", k.Discrete.Normal)
		}
	default:
		ok = c.readOften(a, value)
		o.text("kind", "stale")
		o.number("timeout_ms", millis(k.Stale))
	}
	o.raw("unit", quote(value.unit))
	return reads, c.reading(d, o, "input", value, a.Value) && ok
}

// readOften checks that readings of a stale alarm's value come, and more often than it waits for one.
func (c *compiler) readOften(a *site.Alarm, value *node) bool {
	for _, p := range points(value) {
		switch d := p.Device; {
		case d.Source != "":
			c.fail(a.Value.Range(), "Value without readings", "%s changes by itself and is never stale.", p.FullName())
			return false
		case d.Every > a.Kind.Stale:
			rng := a.Range
			c.diags = append(c.diags, &hcl.Diagnostic{
				Severity: hcl.DiagWarning, Summary: "Stale between two readings", Subject: &rng,
				Detail: fmt.Sprintf("%s is read every %s, so this alarm is raised in between: make \"stale\" some times as long.", p.FullName(), site.FormatDuration(d.Every)),
			})
		}
	}
	return true
}

// alarmValue is the number that is watched. Where states are compared or only its age counts, true and false do too.
func (c *compiler) alarmValue(a *site.Alarm) *node {
	n := c.check(a.Value)
	if n == nil {
		return nil
	}
	if n.kind == boolean && (a.Kind.Discrete != nil || a.Kind.Stale > 0) {
		return call(opBit, number, "", n.rng, n)
	}
	return c.checker(c.names).numeric(n)
}

// setpoint is where the value should be, in its unit.
func (c *compiler) setpoint(e site.Expr, value *node) *node {
	k := c.checker(c.names)
	n := c.check(e)
	if n != nil {
		n = k.numeric(n)
	}
	if n == nil || value == nil {
		return n
	}
	if _, ok := k.sameUnit(e.Range(), value, n); !ok {
		return nil
	}
	return n
}

func levelTable(l *site.Levels) string {
	var fields []string
	for _, x := range l.List() {
		fields = append(fields, x.Name+" = "+formatNumber(x.Limit))
	}
	return list(fields)
}

func numberList(values []float64) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = formatNumber(v)
	}
	return list(out)
}
