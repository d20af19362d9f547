package compile

import (
	"fmt"
	"strconv"

	"github.com/voltage-edge/voltage/agent/site"
)

func (c *compiler) models(s *site.Site) Program {
	d := newDevices()
	for _, dev := range s.Devices {
		d.of(dev)
	}
	var items []item
	mapped := map[*site.Point]bool{}
	sums := newTotals(s.Models)
	for _, m := range s.Models {
		for _, a := range m.Actions {
			mapped[a.Output] = true
		}
		if it, ok := c.model(d, m, sums); ok {
			items = append(items, it)
		}
	}
	for _, t := range sums.all {
		if it, ok := c.totalItem(d, t); ok {
			items = append(items, it)
		}
	}
	for _, dev := range s.Devices {
		for _, p := range dev.Points {
			if p.Write != nil && !mapped[p] && !p.Text {
				items = append(items, item{lua: outputItem(p)})
			}
		}
	}
	return d.assemble("models", items, true)
}

func (c *compiler) model(d *devices, m *site.Model, sums *totals) (item, bool) {
	o := &object{}
	o.text("name", m.Name)
	o.text("template", m.Template.Name)
	properties := make([]string, 0, len(m.Properties))
	for _, name := range sortedKeys(m.Properties) {
		properties = append(properties, "["+quote(name)+"] = "+quote(propertyText(m.Properties[name])))
	}
	o.field("properties", list(properties))
	var units []string
	for _, p := range m.Template.Properties {
		if p.Unit != "" {
			units = append(units, "["+quote(p.Name)+"] = "+quote(p.Unit))
		}
	}
	o.field("property_units", list(units))
	values := make([]*node, len(m.Measurements))
	ok := true
	for i, mapping := range m.Measurements {
		values[i] = c.measured(mapping, sums)
		ok = ok && values[i] != nil
	}
	if !ok {
		return item{}, false
	}
	measurements := make([]string, len(values))
	for i, n := range values {
		lua, fits := d.whole(n)
		if !fits {
			c.tooLarge(m.Measurements[i].Value.Range())
			return item{}, false
		}
		measurement := m.Measurements[i].Measurement
		e := &object{}
		e.text("name", measurement.Name)
		e.text("unit", measurement.Unit)
		d.sources(e, n)
		if read := numbersOf(n, map[*total]bool{}); len(read) > 0 {
			e.raw("totals", list(read))
		}
		e.expression("value", n, lua)
		fmt.Fprintf(&o.revised, "measurement%d={%s};", i, e.revised.String())
		measurements[i] = "{ " + e.b.String() + " }"
	}
	dev := d.sources(o, values...)
	o.raw("measurements", list(measurements))
	actions := make([]string, len(m.Actions))
	for i, a := range m.Actions {
		actions[i] = actionItem(a)
	}
	o.field("actions", list(actions))
	return item{lua: o.finish(), dev: dev}, true
}

// measured is a measurement's value in its unit.
func (c *compiler) measured(m *site.Mapping, sums *totals) *node {
	names := c.names
	if m.Value.Scope != nil {
		names = scopeOf(m.Value.Scope)
	}
	k := c.checker(names)
	k.owner = &owner{totals: sums, measurement: m}
	n := k.check(m.Value.Expression)
	if n == nil {
		return nil
	}
	if n.kind == boolean {
		return call(opBit, number, "", n.rng, n)
	}
	if n = k.numeric(n); n == nil {
		return nil
	}
	return k.converted(n, m.Measurement.Unit, m.Value.Range())
}

func actionItem(a *site.ActionMapping) string {
	factor := a.Factor
	if factor == 0 {
		factor = 1
	}
	e := &object{}
	e.text("name", a.Action.Name)
	e.text("unit", a.Action.Unit)
	e.text("output", a.Output.FullName())
	e.number("factor", factor)
	if w := a.Output.Write; w != nil {
		// The range is the output's, in its own unit.
		e.number("min", w.Min)
		e.number("max", w.Max)
	}
	return "{ " + e.b.String() + " }"
}

func outputItem(p *site.Point) string {
	e := &object{}
	e.text("output", p.FullName())
	e.number("min", p.Write.Min)
	e.number("max", p.Write.Max)
	e.text("unit", p.Unit)
	return "{ " + e.b.String() + " }"
}

func propertyText(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	}
	return ""
}
