package compile

import (
	"github.com/voltage-edge/voltage/agent/site"
)

func (c *compiler) alarms(s *site.Site) Program {
	d := newDevices()
	var items []item
	for _, a := range s.Alarms {
		before := len(c.diags)
		if it, ok := c.alarm(d, a); ok {
			items = append(items, it)
		}
		a.Made.Explain(c.diags[before:])
	}
	return d.assemble("alarms", items, false)
}

// limit is a condition of the form value > constant, or the like.
type limit struct {
	kind  string
	input *node
	value float64
}

// limitOf recognises a limit: one side constant, the comparison strict, as an alarm's limit is.
func limitOf(n *node) (limit, bool) {
	if len(n.args) != 2 || n.op != opGt && n.op != opLt {
		return limit{}, false
	}
	a, b := n.args[0], n.args[1]
	kind := "high"
	if n.op == opLt {
		kind = "low"
	}
	if a.constant() {
		a, b = b, a
		kind = map[string]string{"high": "low", "low": "high"}[kind]
	}
	if !b.constant() || a.constant() {
		return limit{}, false
	}
	return limit{kind: kind, input: a, value: b.num}, true
}

func (c *compiler) alarm(d *devices, a *site.Alarm) (item, bool) {
	o := &object{}
	o.text("name", a.Name)
	reads, ok := c.watched(d, o, a)
	if !ok {
		return item{}, false
	}
	if !c.readsNoAlarm(a, reads) {
		return item{}, false
	}
	dev := d.sources(o, reads...)
	c.alarmTiming(o, a)
	return item{lua: o.finish(), dev: dev}, true
}

// watched writes what the alarm watches, and gives the nodes that it reads for that.
func (c *compiler) watched(d *devices, o *object, a *site.Alarm) ([]*node, bool) {
	if a.Value.Given() {
		return c.watchedValue(d, o, a)
	}
	when := c.condition(a.When)
	if when == nil || !c.live(when, a.When.Range(), "alarm") {
		return nil, false
	}
	l, isLimit := limitOf(when)
	if a.Deadband != 0 && !isLimit {
		c.fail(a.When.Range(), "Deadband without a limit",
			"A deadband belongs to a limit: a condition of the form value > number or value < number. Write the condition so, or leave deadband out.")
		return nil, false
	}
	input := when
	if isLimit {
		input = l.input
		o.text("kind", l.kind)
		o.number("limit", l.value)
		o.number("deadband", a.Deadband)
		o.raw("unit", quote(input.unit))
	} else {
		o.text("kind", "expression")
	}
	return []*node{input}, c.reading(d, o, "input", input, a.When)
}

// reading writes a function of the alarm.
func (c *compiler) reading(d *devices, o *object, name string, n *node, e site.Expr) bool {
	lua, ok := d.whole(n)
	if !ok {
		c.tooLarge(e.Range())
		return false
	}
	o.expression(name, n, lua)
	return true
}

func (c *compiler) alarmTiming(o *object, a *site.Alarm) {
	o.number("on_delay_ms", millis(a.For))
	o.number("off_delay_ms", millis(a.OffDelay))
	o.text("priority", a.Priority)
	// What people read does not make another alarm of it.
	o.raw("message", quote(a.Message))
	if a.Latching {
		o.field("latching", "true")
	}
	o.flag("confirm", a.Confirm)
	o.number("re_alarm_ms", millis(a.ReAlarm))
	o.number("max_shelve_ms", millis(a.MaxShelve))
	unknown := a.Unknown
	if unknown == "" {
		unknown = site.UnknownHold
	}
	o.text("unknown", string(unknown))
	if len(a.SuppressedBy) > 0 {
		parents := make([]string, len(a.SuppressedBy))
		for i, p := range a.SuppressedBy {
			parents[i] = quote(p)
		}
		o.field("suppressed_by", list(parents))
	}
	if a.FirstOut != "" {
		o.text("first_out", a.FirstOut)
	}
	o.flag("disabled", a.Disabled)
}
