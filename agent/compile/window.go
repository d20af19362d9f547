package compile

import (
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/site"
)

// Window collects a device's frames and gives aggregates of them.
type Window struct {
	Name string
	// Kind is tumbling, hopping, sliding, session, count or state.
	Kind string
	// Size and Every of tumbling, hopping and sliding; Gap of session.
	Size, Every, Gap time.Duration
	// Count and CountEvery of count.
	Count, CountEvery int
	// Begin and Emit of state.
	Begin, Emit site.Expr
	// Source is the device; its points stand in expressions by their own names.
	Source *site.Device
	// Where decides what enters, Having what is put out; it reads the aggregates by name.
	Where, Having site.Expr
	Aggregates    []Aggregate
	Range         hcl.Range
}

// Aggregate is one result: avg, sum, min, max, count, first, last, stddev or median of a value. A count without a value
// counts frames.
type Aggregate struct {
	Function string
	Value    site.Expr
	As       string
}

var aggregateFunctions = []string{"avg", "count", "first", "last", "max", "median", "min", "stddev", "sum"}

// ofEvent is a Resolver by which a name of one word is a point of the device that a frame came from.
type ofEvent struct {
	Resolver
	device *site.Device
}

func (e ofEvent) Resolve(t hcl.Traversal) (site.Ref, hcl.Diagnostics) {
	if len(t) == 1 {
		for _, p := range e.device.Points {
			if p.Name == t.RootName() {
				return site.Ref{Point: p}, nil
			}
		}
	}
	return e.Resolver.Resolve(t)
}

// checkEvent checks an expression over a frame's own values, and captured ones if there are any.
func (c *compiler) checkEvent(e site.Expr, device *site.Device, lua func(hcl.Traversal) (string, bool)) *node {
	if !e.Given() {
		return nil
	}
	names := c.names
	if e.Scope != nil {
		names = scopeOf(e.Scope)
	}
	var r Resolver = ofEvent{names, device}
	if lua != nil {
		r = &bound{Resolver: r, lua: lua}
	}
	return c.checker(r).check(e.Expression)
}

// predicate writes a condition over a frame's own values as a field. It is fine that there is none.
func (c *compiler) predicate(d *devices, o *object, name string, e site.Expr, device *site.Device, lua func(hcl.Traversal) (string, bool)) bool {
	if !e.Given() {
		return true
	}
	n := c.checkEvent(e, device, lua)
	if n != nil {
		n = c.checker(c.names).condition(n)
	}
	return n != nil && c.writeFunction(d, o, name, n, e.Range())
}

func (c *compiler) writeFunction(d *devices, o *object, name string, n *node, rng hcl.Range) bool {
	lua, ok := d.whole(n)
	if !ok {
		c.tooLarge(rng)
		return false
	}
	for _, p := range points(n) {
		o.reads = append(o.reads, d.of(p.Device))
	}
	o.expression(name, n, lua)
	return true
}

func (w *Window) compile(c *compiler, d *devices) (item, bool) {
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
	ok := c.predicate(d, o, "where", w.Where, w.Source, nil)
	ok = c.predicate(d, o, "begin", w.Begin, w.Source, nil) && ok
	ok = c.predicate(d, o, "emit", w.Emit, w.Source, nil) && ok
	aggregates := make([]string, len(w.Aggregates))
	names := map[string]bool{}
	for i, a := range w.Aggregates {
		names[a.As] = true
		e := &object{}
		if !slices.Contains(aggregateFunctions, a.Function) {
			c.fail(w.Range, "Unknown aggregate", "There is no aggregate %s.%s", a.Function, didYouMean(a.Function, aggregateFunctions))
			return item{}, false
		}
		e.text("fn", a.Function)
		e.text("as", a.As)
		if a.Value.Given() {
			n := c.checkEvent(a.Value, w.Source, nil)
			if n != nil {
				n = c.checker(c.names).numeric(n)
			}
			ok = n != nil && c.writeFunction(d, e, "value", n, a.Value.Range()) && ok
		}
		aggregates[i] = "{ " + e.b.String() + " }"
		o.reads = append(o.reads, e.reads...)
		o.revised.WriteString(e.revised.String())
	}
	o.raw("aggregates", list(aggregates))
	having := c.checkBound(w.Having, func(t hcl.Traversal) (string, bool) {
		return "T[" + quote(t.RootName()) + "]", len(t) == 1 && names[t.RootName()]
	}, true)
	if w.Having.Given() {
		if having != nil {
			having = c.checker(c.names).condition(having)
		}
		ok = having != nil && c.writeFunction(d, o, "having", having, w.Having.Range()) && ok
	}
	if !ok {
		return item{}, false
	}
	o.raw("dev", numbers([]int{source}))
	o.field("source", quote(w.Source.Name))
	return item{lua: o.finish(), dev: append(o.reads, source), name: w.Name}, true
}

func numbers(list []int) string {
	out := "{"
	for i, n := range list {
		if i > 0 {
			out += ", "
		}
		out += formatNumber(float64(n))
	}
	return out + "}"
}
