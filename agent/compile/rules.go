package compile

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/voltage-edge/voltage/agent/site"
)

// rule compiles one rule.
func (c *compiler) rule(d *devices, r *site.Rule) (item, bool) {
	when := c.check(r.When)
	ok := when != nil
	if ok && r.Hysteresis == nil {
		when = c.checker(c.names).condition(when)
		ok = when != nil
	} else if ok {
		when = c.checker(c.names).numeric(when)
		ok = when != nil
	}
	ok = ok && c.live(when, r.When.Range(), "rule")
	does := c.deeds(site.Actions{Sets: r.Sets, Effects: r.Effects}, c.check)
	if !ok || !does.ok || !c.firings(r) {
		return item{}, false
	}
	reads := append([]*node{when}, does.nodes()...)
	c.renewed(r, reads)
	o := &object{}
	o.text("name", r.Name)
	dev := d.sources(o, reads...)
	it := item{dev: dev, name: r.Name}
	if !c.verdict(d, o, r, when, &it) {
		return item{}, false
	}
	c.timing(o, r)
	if !does.write(c, d, o) {
		return item{}, false
	}
	it.lua = o.finish()
	return it, true
}

// verdict writes the condition: the devices whose values it needs, and both forms.
func (c *compiler) verdict(d *devices, o *object, r *site.Rule, when *node, it *item) bool {
	o.raw("reads", d.numbers(when))
	if r.Hysteresis == nil {
		if lua, ok := d.fast(when); ok {
			o.raw("fast", "function() "+lua+" end")
			if plain, simple := strings.CutPrefix(lua, "return "); simple && !r.Disabled && len(it.dev) == 1 {
				it.sweep, it.sweepDevice = plain, it.dev[0]
			}
		}
	}
	lua, ok := d.whole(when)
	if !ok {
		c.tooLarge(r.When.Range())
		return false
	}
	o.expression("when", when, lua)
	return true
}

// numbers are the devices that a node reads.
func (d *devices) numbers(n *node) string {
	var out []string
	seen := map[int]bool{}
	for _, p := range points(n) {
		if i := d.of(p.Device); !seen[i] {
			seen[i] = true
			out = append(out, strconv.Itoa(i))
		}
	}
	return list(out)
}

func (c *compiler) timing(o *object, r *site.Rule) {
	on := r.On
	if on == "" {
		on = "while"
	}
	o.text("on", on)
	initial := r.Initial
	if initial == "" {
		initial = "arm"
	}
	o.text("initial", initial)
	unknown := r.Unknown
	if unknown == "" {
		unknown = site.UnknownHold
	}
	o.text("unknown", string(unknown))
	o.number("for_ms", millis(r.For))
	o.number("keep_ms", millis(r.KeepFor))
	o.number("cooldown_ms", millis(r.Cooldown))
	if r.Throttle != nil {
		o.field("throttle", fmt.Sprintf("{ count = %d, per_ms = %s }", r.Throttle.Count, formatNumber(millis(r.Throttle.Per))))
	}
	if r.Hysteresis != nil {
		o.field("hysteresis", fmt.Sprintf("{ on = %s, off = %s }", formatNumber(r.Hysteresis.On), formatNumber(r.Hysteresis.Off)))
	}
	o.number("priority", float64(r.Priority))
	o.flag("disabled", r.Disabled)
}

// firings refuses what would swallow one edge and leave the other: what the rule did could then stand the wrong way round.
func (c *compiler) firings(r *site.Rule) bool {
	if r.On == "both" && (r.Cooldown > 0 || r.Throttle != nil) {
		c.fail(r.Range, "Edges that get lost", "A rule on both edges with a cooldown or throttle would swallow one edge and act on the other. Make two rules of it, on rising and on falling.")
		return false
	}
	return true
}

// setValue takes what a rule wants to give an output, and turns it into the output's unit.
func (c *compiler) setValue(set *site.Set, n *node) *node {
	if n == nil {
		return nil
	}
	k := c.checker(c.names)
	if n.kind == boolean {
		if set.Output != nil && !set.Output.Bool {
			return k.fail(set.Value.Range(), "Number expected", "%s takes a number%s, and this is a condition. Write CONDITION ? a : b.",
				set.Target, inUnit(set.Output.Unit))
		}
		return call(opBit, number, "", n.rng, n)
	}
	if n = k.numeric(n); n == nil || set.Output == nil {
		return n
	}
	factor := set.Factor
	if factor == 0 {
		factor = 1
	}
	if n.unit != "" && set.Output.Unit != "" {
		// The value's unit is known, so is the output's: what is between them needs no factor of the action.
		scale, ok := site.ConvertUnit(n.unit, set.Output.Unit)
		if !ok {
			return k.fail(set.Value.Range(), "Different units", "This is in %s, and %s takes %s. %s", n.unit, set.Target, set.Output.Unit, howToConvert(set.Output.Unit, n.unit))
		}
		if math.Abs(scale-math.Abs(factor)) > 1e-9*math.Abs(factor) {
			return k.fail(set.Value.Range(), "Different units", "This is in %s, and %s is given in another unit. %s",
				n.unit, set.Target, "Divide or multiply it so that it is in the unit of "+set.Target+".")
		}
	}
	if factor == 1 {
		return n
	}
	return k.fold(call(opMul, number, set.Output.Unit, n.rng, n, numberNode(factor, n.rng)))
}

func inUnit(unit string) string {
	if unit == "" {
		return ""
	}
	return " in " + unit
}

func (c *compiler) set(d *devices, o *object, set *site.Set, value *node, i int) (string, bool) {
	lua, ok := d.whole(value)
	if !ok {
		c.tooLarge(set.Value.Range())
		return "", false
	}
	s := &object{takes: o.takes}
	output := set.Target
	if set.Output != nil {
		output = set.Output.FullName()
	}
	s.text("output", output)
	if value.constant() {
		s.field("constant", formatNumber(value.num))
	} else {
		s.expression("value", value, lua)
	}
	if set.TTL > 0 {
		s.number("ttl_ms", millis(set.TTL))
	}
	fmt.Fprintf(&o.revised, "set%d={%s};", i, s.revised.String())
	return "{ " + s.b.String() + " }", true
}
