package compile

import (
	"fmt"
	"strings"

	"github.com/voltage-edge/voltage/agent/site"
)

// Routing is what the routes of one sink come to.
type Routing struct {
	Sink *site.Sink
	// Routes are those to the sink, in the order of the site; there is one at least.
	Routes []*site.Route
	// Groups are what goes out; a group is known by its number, from 1.
	Groups []Group
	// Program shapes the groups that are shaped. Its chunks are nil when none is: then the library is not asked.
	Program Program
	// Devices are those whose frames the program is given.
	Devices []*site.Device
}

// Group is a set of streams of one route and one device that are shaped alike; or one computed value.
type Group struct {
	// Route is its number among the routes.
	Route int
	// Device whose frames it is made of; nil for a computed value, which is in frames of several.
	Device *site.Device
	// Text tells that its points are texts.
	Text bool
	// Shaped by the library; else its values go out as they are.
	Shaped  bool
	Streams []*site.Stream
	// Unit of a computed value.
	Unit string
}

// routes compiles the routes of each sink that has some.
func (c *compiler) routes(s *site.Site) []*Routing {
	var out []*Routing
	for _, k := range s.Sinks {
		routes := s.RoutesTo(k)
		if len(routes) == 0 {
			continue
		}
		r := &Routing{Sink: k, Routes: routes}
		d := newDevices()
		var items []item
		for i, route := range routes {
			for _, g := range groupsOf(i, route) {
				r.Groups = append(r.Groups, g)
				if !g.Shaped {
					continue
				}
				if it, ok := c.group(d, route, &r.Groups[len(r.Groups)-1], len(r.Groups)); ok {
					items = append(items, it)
				}
			}
		}
		if len(r.Groups) > mostGroups {
			c.fail(k.Range, "Too many routes", "The routes of sink %s come to %d groups of points; at most %d are possible.", k.Name, len(r.Groups), mostGroups)
		}
		if len(items) > 0 {
			r.Program, r.Devices = d.assemble("routes", items, false), d.list
		}
		out = append(out, r)
	}
	return out
}

// mostGroups is what the numbers of groups have room for, and mostStreams those of the streams in one.
const (
	mostGroups  = 65535
	mostStreams = 65535
)

// groupsOf sorts the streams of a route into groups.
func groupsOf(number int, r *site.Route) []Group {
	type key struct {
		device       *site.Device
		text, shaped bool
		thinning     string
	}
	index := map[key]int{}
	var out []Group
	for _, s := range r.Streams {
		if s.Point == nil {
			out = append(out, Group{Route: number, Shaped: true, Streams: []*site.Stream{s}})
			continue
		}
		k := key{s.Point.Device, s.Point.Text, r.Shaped(s), thinningText(s.Thinning)}
		i, ok := index[k]
		if !ok || len(out[i].Streams) >= mostStreams {
			i = len(out)
			index[k] = i
			out = append(out, Group{Route: number, Device: k.device, Text: k.text, Shaped: k.shaped})
		}
		out[i].Streams = append(out[i].Streams, s)
	}
	return out
}

func thinningText(t site.Thinning) string {
	if t.Change == nil {
		return fmt.Sprint(t.Every, t.Align)
	}
	return fmt.Sprint(t.Every, t.Align, *t.Change)
}

// group writes one group as an item.
func (c *compiler) group(d *devices, r *site.Route, g *Group, number int) (item, bool) {
	o := &object{}
	first := g.Streams[0]
	o.raw("group", fmt.Sprint(number))
	var dev []int
	if first.Point == nil {
		value := c.computed(first)
		if value == nil {
			return item{}, false
		}
		g.Unit = first.Unit
		if g.Unit == "" {
			g.Unit = value.unit
		}
		lua, fits := d.whole(value)
		if !fits {
			c.tooLarge(first.Value.Range())
			return item{}, false
		}
		dev = d.sources(o, value)
		o.expression("value", value, lua)
	} else {
		i := d.of(g.Device)
		dev = []int{i}
		o.raw("device", fmt.Sprint(i))
		c.points(o, g)
	}
	// Two groups of a route are never of the same first stream.
	o.raw("name", quote("group "+r.Name+" "+first.FullName()))
	thinning(o, r, first.Thinning)
	return item{lua: o.finish(), dev: dev}, true
}

// points writes the slots of a group, and how their values are converted.
func (c *compiler) points(o *object, g *Group) {
	var slots, gains, offsets, names []string
	convert := false
	for _, s := range g.Streams {
		slots = append(slots, fmt.Sprint(s.Point.Index+1))
		gains, offsets = append(gains, formatNumber(s.Gain)), append(offsets, formatNumber(s.Offset))
		names = append(names, s.Source())
		convert = convert || s.Gain != 1 || s.Offset != 0
	}
	kind := "slots"
	if g.Text {
		kind = "texts"
	}
	o.raw(kind, list(slots))
	o.revised.WriteString(kind + "=" + strings.Join(names, "\x00") + ";")
	if convert {
		o.field("gain", list(gains))
		o.field("offset", list(offsets))
	}
}

// thinning writes what is left out.
func thinning(o *object, r *site.Route, t site.Thinning) {
	if len(r.Quality) > 0 {
		classes := map[string]string{"good": "[0] = true", "uncertain": "[1] = true", "bad": "[2] = true, [3] = true"}
		var keep []string
		for _, q := range r.Quality {
			keep = append(keep, classes[q])
		}
		o.field("keep", list(keep))
	}
	o.flag("thin", t.Every != 0 || t.Change != nil)
	if t.Every != 0 {
		o.number("every_ms", millis(t.Every))
		o.flag("align", t.Align)
	}
	if ch := t.Change; ch != nil {
		o.flag("change", true)
		o.number("deadband", ch.Deadband)
		o.number("percent", ch.Percent/100)
		if ch.MaxInterval != 0 {
			o.number("max_ms", millis(ch.MaxInterval))
		}
	}
}

// computed is a computed value in its unit.
func (c *compiler) computed(s *site.Stream) *node {
	n := c.check(s.Value)
	if n == nil {
		return nil
	}
	k := c.checker(scopeOf(s.Value.Scope))
	if n.kind == boolean {
		n = call(opBit, number, "", n.rng, n)
	} else if n = k.numeric(n); n == nil {
		return nil
	}
	if len(points(n)) == 0 {
		c.fail(s.Value.Range(), "Value without live values", "This value reads no point, so there is never a sample of it.")
		return nil
	}
	return k.converted(n, s.Unit, s.Value.Range())
}
