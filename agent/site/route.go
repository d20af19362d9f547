package site

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/spelling"
)

// loadRoutes comes behind the sinks: routes name them.
func (l *loader) loadRoutes() {
	names := map[*Sink]map[string]*Stream{}
	for _, b := range l.blocks["route"] {
		l.instances(b, func(in instance) {
			before := l.count
			r, sound := l.route(in)
			b.entry.items[in.key] = r
			if sound && l.count == before {
				l.oneOfEach(r, names)
				l.site.Routes = append(l.site.Routes, r)
			}
		})
	}
}

// oneOfEach looks for names that a sink would get from two streams.
func (l *loader) oneOfEach(r *Route, names map[*Sink]map[string]*Stream) {
	for _, k := range r.Sinks {
		if names[k] == nil {
			names[k] = map[string]*Stream{}
		}
		told := 0
		for _, s := range r.Streams {
			other := names[k][s.FullName()]
			if other == nil {
				names[k][s.FullName()] = s
				continue
			}
			if told++; told > 3 {
				continue
			}
			if other.Source() == s.Source() && s.Point != nil {
				l.fail(s.Range, "Point routed twice", "%s goes to sink %s as %s by %s already. Exclude it there or here, or give it another name by a shape block.", s.Source(), k.Name, s.FullName(), lineOf(other.Range))
			} else {
				l.fail(s.Range, "Two points of one name", "%s would go to sink %s as %s, and %s does already, by %s. Give one of them another name.", s.Source(), k.Name, s.FullName(), other.Source(), lineOf(other.Range))
			}
		}
	}
}

func (l *loader) route(in instance) (*Route, bool) {
	c := l.decode(in.body, l.shapes["route"], in.rng, in.scope)
	r := &Route{
		Name: in.full, Description: c.text("description"), Include: c.list("include"), Exclude: c.list("exclude"), Tags: c.texts("tags"),
		Quality: slices.Compact(slices.Sorted(slices.Values(c.list("quality")))), Events: c.list("events"), Range: in.rng,
	}
	r.Sinks = l.sinksOf(c, in.scope)
	l.oneOf(c, "quality", r.Quality, qualityClasses, "class of quality")
	l.oneOf(c, "events", r.Events, append([]string{"*"}, eventKinds...), "kind of event")
	l.checkTags(c, r.Tags)
	l.checkAddTags(c)
	thin := thinningOf(c, Thinning{})
	l.checkThinning(c, thin)
	if len(r.Quality) == len(qualityClasses) {
		r.Quality = nil
	}
	own := c.given("include") || c.given("exclude") || c.given("tags") || c.block("shape") != nil
	r.Points = own || !c.given("events") && c.block("compute") == nil
	sound := !c.bad && len(r.Sinks) > 0
	if sound {
		for _, k := range r.Sinks {
			if len(k.Include)+len(k.Exclude) > 0 {
				l.fail(in.rng, "Filter beside routes", "Sink %s has an include or exclude of its own, which is for sinks without routes. Move it into its routes.", k.Name)
			}
		}
		if r.Points {
			l.pointStreams(r, c, thin)
		}
	}
	c.each("compute", func(b *content) {
		s, ok := l.compute(b, c, thin, in.scope)
		r.Streams = append(r.Streams, s)
		sound = sound && ok
	})
	return r, sound
}

// sinksOf are the sinks that a route names: sink.NAME, or a list.
func (l *loader) sinksOf(c *content, s *Scope) []*Sink {
	e := c.expression("sink")
	if e == nil {
		return nil
	}
	list, diags := hcl.ExprList(e)
	if diags.HasErrors() {
		list = []hcl.Expression{e}
	}
	var out []*Sink
	for _, x := range list {
		t, ok := s.asTraversal(x)
		if !ok || t.RootName() != "sink" {
			l.fail(x.Range(), "Wrong value", "A sink is wanted: sink.NAME. There are %s.", thereAre(l.site.index.names("sink")))
			continue
		}
		item, rest, quiet, diags := s.findItem("sink", t)
		if l.take(diags); quiet || diags.HasErrors() || item == nil {
			continue
		}
		k := item.(*Sink)
		switch {
		case len(rest) > 0:
			l.fail(rest.SourceRange(), "Name too long", "A sink is wanted: %s.", traversalText(t[:len(t)-len(rest)]))
		case slices.Contains(out, k):
			l.fail(x.Range(), "Sink named twice", "Sink %s stands in the list already.", k.Name)
		default:
			out = append(out, k)
		}
	}
	return out
}

// oneOf checks words against those that there are.
func (l *loader) oneOf(c *content, name string, words, all []string, what string) {
	for _, w := range words {
		if !slices.Contains(all, w) {
			hint := spelling.DidYouMean(w, all)
			if hint == "" {
				hint = " There are " + strings.Join(all, " ") + "."
			}
			l.fail(c.at(name), "Wrong value", "%q: there is no %s %q.%s", name, what, w, hint)
			c.bad = true
		}
	}
}

// checkTags looks for tags that no point has.
func (l *loader) checkTags(c *content, tags map[string]string) {
	for _, name := range sortedKeys(tags) {
		known := map[string]bool{}
		values := map[string]bool{}
		for _, d := range l.site.Devices {
			for _, p := range d.Points {
				for n, v := range p.Tags {
					known[n] = true
					if n == name {
						values[v] = true
					}
				}
			}
		}
		switch {
		case !known[name]:
			hint := spelling.DidYouMean(name, sortedKeys(known))
			if hint == "" && len(known) > 0 {
				hint = " There are " + thereAre(sortedKeys(known)) + "."
			}
			l.fail(c.at("tags"), "Unknown tag", "No point has a tag %q.%s", name, hint)
			c.bad = true
		case tags[name] != "*" && !values[tags[name]]:
			l.warn(c.at("tags"), "Tag that fits nothing", "No point has the tag %s = %q.%s", name, tags[name], spelling.DidYouMean(tags[name], sortedKeys(values)))
		}
	}
}

func (l *loader) checkAddTags(c *content) {
	for _, name := range sortedKeys(c.texts("add_tags")) {
		if !l.goodName(name, c.at("add_tags")) {
			c.bad = true
		}
	}
}

// thinningOf reads every, align and on_change; what is not given is as before.
func thinningOf(c *content, before Thinning) Thinning {
	t := before
	if c.given("every") {
		t.Every = c.duration("every")
	}
	if c.given("align") {
		t.Align = c.flag("align")
	}
	if b := c.block("on_change"); b != nil {
		t.Change = &OnChange{Deadband: b.number("deadband"), Percent: b.number("percent"), MaxInterval: b.duration("max_interval")}
	}
	return t
}

func (l *loader) checkThinning(c *content, t Thinning) {
	if t.Align && t.Every == 0 && !c.bad {
		l.fail(c.at("align"), "Attribute without a use", "\"align\" says how \"every\" counts: give that too.")
	}
	if t.Change != nil && t.Change.MaxInterval != 0 && t.Change.MaxInterval < t.Every {
		l.warn(c.rng, "Interval without an effect", "A sample goes at most every %s, so a max_interval of %s is never kept.", FormatDuration(t.Every), FormatDuration(t.Change.MaxInterval))
	}
}

// compute is a computed value of a route.
func (l *loader) compute(b, route *content, thin Thinning, s *Scope) (*Stream, bool) {
	x := &Stream{Gain: 1, Unit: b.text("unit"), Thinning: thin, Tags: joinTags(route.texts("add_tags"), b.texts("add_tags")), Range: b.rng}
	l.checkUnit(x.Unit, b.at("unit"))
	l.checkAddTags(b)
	ok := l.named(x, b.label, b.labelRange)
	var sound bool
	x.Value, sound = l.condition(b, "value", s)
	return x, ok && sound && !b.bad
}

// longestOutput bounds a name at a sink.
const longestOutput = 250

// named gives a stream the name that it goes by.
func (l *loader) named(x *Stream, full string, rng hcl.Range) bool {
	device, name, ok := cutLast(full)
	bad := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == '"' || r == unicode.ReplacementChar
	}
	if !ok || device == "" || name == "" || len(full) > longestOutput || strings.ContainsFunc(full, bad) {
		l.fail(rng, "Wrong name", "%q can't be the name of a value at a sink: it is DEVICE.POINT, without blanks, at most %d bytes.", full, longestOutput)
		return false
	}
	x.Device, x.Name = l.intern(device), l.intern(name)
	return true
}

func joinTags(all ...map[string]string) map[string]string {
	var out map[string]string
	for _, m := range all {
		if len(m) > 0 && out == nil {
			out = map[string]string{}
		}
		maps.Copy(out, m)
	}
	return out
}
