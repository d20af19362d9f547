package compile

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/spelling"
)

func (c *compiler) window(d *devices, w *site.Window) (item, bool) {
	o := &object{takes: "T"}
	o.text("name", w.Name)
	o.text("kind", "window")
	o.text("window", w.Kind)
	source := d.of(w.Source)
	o.number("size", millis(w.Size))
	o.number("every", millis(w.Every))
	o.number("gap", millis(w.Gap))
	o.number("count", float64(w.Count))
	o.number("count_every", float64(w.CountEvery))
	o.number("priority", float64(w.Priority))
	o.flag("disabled", w.Disabled)
	ok := c.predicate(d, o, "where", w.Where, w.Source, nil)
	ok = c.predicate(d, o, "begin", w.Begin, w.Source, nil) && ok
	ok = c.predicate(d, o, "emit", w.Emit, w.Source, nil) && ok
	units, sound := c.aggregates(d, o, w)
	// Aggregates are what having calls, so that only those are computed that it reads, and what actions are given as values.
	check := func(e site.Expr, read string) *node {
		return c.checkBound(e, func(t hcl.Traversal) (binding, bool) {
			if len(t) != 1 {
				return binding{}, false
			}
			unit, known := units[t.RootName()]
			return binding{lua: "T[" + quote(t.RootName()) + "]" + read, unit: unit}, known
		}, true)
	}
	having := check(w.Having, "()")
	if w.Having.Given() {
		if having != nil {
			having = c.checker(c.names).condition(having)
		}
		ok = having != nil && c.writeFunction(d, o, "having", having, w.Having.Range()) && ok
	}
	does := c.deeds(w.Actions, func(e site.Expr) *node { return check(e, "") })
	if !ok || !sound || !does.ok || !does.write(c, d, o) {
		return item{}, false
	}
	if w.Tells {
		o.raw("tells", "true")
	}
	if w.Device != nil {
		var names []string
		for _, p := range w.Device.Points {
			names = append(names, quote(p.Name))
		}
		o.raw("read", list(names))
	}
	o.raw("dev", numbers([]int{source}))
	d.inputs(o, o.nodes...)
	o.field("source", quote(w.Source.Name))
	return item{lua: o.finish(), dev: append(o.reads, source), name: w.Name}, true
}

// aggregates writes the values that are collected, each once, and what is computed of them. It gives the results' units.
func (c *compiler) aggregates(d *devices, o *object, w *site.Window) (units map[string]string, ok bool) {
	units, ok = map[string]string{}, true
	var values, aggregates []string
	columns := map[string]int{}
	for _, a := range w.Aggregates {
		if !slices.Contains(site.AggregateFunctions(), a.Function) {
			c.fail(w.Range, "Unknown aggregate", "There is no aggregate %s.%s", a.Function, spelling.DidYouMean(a.Function, site.AggregateFunctions()))
			return units, false
		}
		units[a.As] = ""
		e := &object{}
		e.text("fn", a.Function)
		e.text("as", a.As)
		if a.Value.Given() {
			n := c.checkEvent(a.Value, w.Source, nil)
			if n != nil && n.kind == boolean {
				n = call(opBit, number, "", n.rng, n)
			} else if n != nil {
				n = c.checker(c.names).numeric(n)
			}
			if n == nil {
				ok = false
				continue
			}
			var text strings.Builder
			n.canonical(&text)
			column, there := columns[text.String()]
			if !there {
				lua, fits := d.whole(n)
				if !fits {
					c.tooLarge(a.Value.Range())
					ok = false
					continue
				}
				values = append(values, "function() "+lua+" end")
				column = len(values)
				columns[text.String()] = column
				o.note(d, n)
				o.revised.WriteString("value=" + text.String() + ";")
			}
			e.number("of", float64(column))
			if a.Function != "count" {
				units[a.As] = n.unit
			}
		}
		aggregates = append(aggregates, "{ "+e.b.String()+" }")
		o.revised.WriteString(e.revised.String())
	}
	o.raw("values", list(values))
	o.raw("aggregates", list(aggregates))
	return units, ok
}
