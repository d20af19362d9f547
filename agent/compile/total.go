package compile

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/site"
)

const (
	// opEnergy sums up a power over time, opCounter what a meter's reading rises by.
	opEnergy  op = "energy"
	opCounter op = "counter"
	// shortGap, or gapPolls polls if that is longer, may lie between two values of which energy takes the mean.
	shortGap = 5 * time.Minute
	gapPolls = 3
)

// total is a sum that the models library keeps from frame to frame.
type total struct {
	kind op
	// number is its place among the totals of the program, from 1; of is the measurement in whose expression it stands.
	number int
	of     string
	value  *node
	// limit is the longest gap of energy in ms, or the reading at which a counter begins anew; 0: none.
	limit float64
	unit  string
}

// totals are those of the models' program, by the measurement in whose expression they stand.
type totals struct {
	all  []*total
	of   map[*site.Mapping][]*total
	name map[*site.Mapping]string
}

func newTotals(models []*site.Model) *totals {
	t := &totals{of: map[*site.Mapping][]*total{}, name: map[*site.Mapping]string{}}
	for _, m := range models {
		for _, x := range m.Measurements {
			t.name[x] = m.Name + "." + x.Measurement.Name
		}
	}
	return t
}

// owner is the measurement whose expression is read, and how many totals were met in it.
type owner struct {
	totals      *totals
	measurement *site.Mapping
	met         int
}

// keep makes a total. A measurement that is read once more, by another one, has the totals that it had before.
func (w *owner) keep(t *total) *total {
	made := w.totals.of[w.measurement]
	w.met++
	if w.met <= len(made) {
		return made[w.met-1]
	}
	t.of, t.number = w.totals.name[w.measurement], len(w.totals.all)+1
	w.totals.all = append(w.totals.all, t)
	w.totals.of[w.measurement] = append(made, t)
	return t
}

// summed makes a node of a total. what says what is wrong with an argument that reads nothing, or is a total itself.
func (c *checker) summed(rng hcl.Range, o op, x, limit *node, unit string) *node {
	switch {
	case c.owner == nil:
		if len(c.within) > 0 {
			rng = c.outer
		}
		return c.fail(rng, "Total in a condition",
			"%s is a total that the models library keeps from frame to frame, for measurements of models only. Use the value that it sums up, or collect that in a window.", o)
	case len(points(x)) == 0:
		return c.fail(x.rng, "Total of a constant", "%s sums up a value that changes; this reads no point.", o)
	case x.hasTotal():
		return c.fail(x.rng, "Total of a total", "%s sums up a measured value; this is a total already.", o)
	}
	t := c.owner.keep(&total{kind: o, value: x, limit: limit.num, unit: unit})
	return &node{op: o, kind: number, unit: unit, args: []*node{x, limit}, total: t, rng: rng, depth: x.depth + 1}
}

func (n *node) hasTotal() bool {
	if n.total != nil {
		return true
	}
	for _, a := range n.args {
		if a.hasTotal() {
			return true
		}
	}
	return false
}

// numbersOf are the totals that nodes read, each once.
func numbersOf(n *node, seen map[*total]bool) []string {
	var out []string
	if n.total != nil && !seen[n.total] {
		seen[n.total] = true
		out = append(out, fmt.Sprint(n.total.number))
	}
	for _, a := range n.args {
		out = append(out, numbersOf(a, seen)...)
	}
	return out
}

// energy is energy(power), or energy(power, "10m") with the longest gap that it bridges.
func energy(c *checker, rng hcl.Range, args []*node) *node {
	x := c.numeric(args[0])
	if x == nil {
		return nil
	}
	if x, unit := c.perHour(x); x != nil {
		if gap, ok := c.gap(x, args[1:]); ok {
			return c.summed(rng, opEnergy, x, numberNode(float64(gap.Milliseconds()), rng), unit)
		}
	}
	return nil
}

// perHour gives the unit that a value has when it is summed up over hours, and the value in a unit that has one.
func (c *checker) perHour(x *node) (*node, string) {
	of := func(unit string) (string, bool) {
		if amount, ok := strings.CutSuffix(unit, "/h"); ok {
			return amount, true
		}
		_, ok := site.LookupUnit(unit + "h")
		return unit + "h", ok
	}
	if x.unit == "" {
		return x, ""
	}
	if unit, ok := of(x.unit); ok {
		return x, unit
	}
	for _, other := range []string{"kW", "kVA", "kvar", "A", "m³/h", "kg/h"} {
		if _, ok := site.ConvertUnit(x.unit, other); ok {
			unit, _ := of(other)
			return c.converted(x, other, x.rng), unit
		}
	}
	return c.fail(x.rng, "No power", "energy sums up a power over time (kW to kWh), a current or a flow. This is in %s.", x.unit), ""
}

// gap is the longest time between two values that energy bridges: what was written, or what suits the devices.
func (c *checker) gap(x *node, args []*node) (time.Duration, bool) {
	var slowest time.Duration
	for _, p := range points(x) {
		slowest = max(slowest, p.Device.Every)
	}
	if len(args) == 0 {
		return max(shortGap, gapPolls*slowest), true
	}
	n := args[0]
	if !n.constant() || n.kind != text {
		c.fail(n.rng, "Duration expected", "The second argument of energy is the longest gap that it bridges, such as \"10m\".")
		return 0, false
	}
	gap, err := site.ParseDuration(n.str)
	switch {
	case err != nil:
		c.fail(n.rng, "Duration expected", "The second argument of energy is the longest gap that it bridges: %v.", err)
	case gap <= slowest:
		c.fail(n.rng, "Gap too short", "Values come every %s, so a gap of at most %s would bridge none of them. Give a longer one than that.",
			site.FormatDuration(max(slowest, time.Millisecond)), site.FormatDuration(gap))
	default:
		return gap, true
	}
	return 0, false
}

// counter is counter(reading), or counter(reading, 1000000) with the reading at which the meter begins at 0 again.
func counter(c *checker, rng hcl.Range, args []*node) *node {
	x := c.numeric(args[0])
	if x == nil {
		return nil
	}
	limit := numberNode(0, rng)
	if len(args) > 1 {
		if limit = c.numeric(args[1]); limit == nil {
			return nil
		}
		if !limit.constant() || limit.num <= 0 {
			return c.fail(limit.rng, "Constant expected", "The second argument of counter is the reading, above 0, at which the meter begins at 0 again.")
		}
	}
	return c.summed(rng, opCounter, x, limit, x.unit)
}

// totalItem writes a total as an item of the program.
func (c *compiler) totalItem(d *devices, t *total) (item, bool) {
	lua, fits := d.whole(t.value)
	if !fits {
		c.tooLarge(t.value.rng)
		return item{}, false
	}
	o := &object{}
	o.raw("total", fmt.Sprint(t.number))
	o.raw("of", quote(t.of))
	o.text("kind", string(t.kind))
	// What it sums up is another value when the unit of its points is another. Quantity and scale let a sum go on in another
	// unit of the same quantity.
	o.revised.WriteString("unit=" + t.value.unit + ";")
	quantity, scale := t.unit, 1.0
	if u, ok := site.LookupUnit(t.unit); ok {
		quantity, scale = u.Dimension, u.Factor
	}
	o.raw("quantity", quote(quantity))
	o.raw("scale", formatNumber(scale))
	o.raw("limit", formatNumber(t.limit))
	dev := d.sources(o, t.value)
	o.expression("value", t.value, lua)
	return item{lua: o.finish(), dev: dev}, true
}
