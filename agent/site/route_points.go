package site

import (
	"slices"

	"github.com/voltage-edge/voltage/agent/spelling"
)

// shapeOf is a shape block of a route, made ready.
type shapeOf struct {
	content *content
	pattern *Pattern
	thin    Thinning
	tags    map[string]string
	used    bool
	told    bool
}

// pointStreams finds the points that a route takes, and shapes each.
func (l *loader) pointStreams(r *Route, c *content, thin Thinning) {
	shapes := l.shapesOf(r, c, thin)
	sel := NewSelection(r.Include, r.Exclude)
	used := make([]bool, len(sel.include)+len(sel.exclude))
	for _, d := range l.site.Devices {
		for _, p := range d.Points {
			if p.Index < 0 || !p.Readable {
				continue
			}
			name := p.FullName()
			for i, pattern := range sel.include {
				used[i] = used[i] || pattern.Match(name)
			}
			for i, pattern := range sel.exclude {
				used[len(sel.include)+i] = used[len(sel.include)+i] || pattern.Match(name)
			}
			if !sel.Match(name) || !hasTags(p, r.Tags) {
				continue
			}
			if s := l.pointStream(p, name, c, thin, shapes); s != nil {
				r.Streams = append(r.Streams, s)
			}
		}
	}
	l.unusedPatterns(r, c, used)
	for _, s := range shapes {
		if !s.used && !s.told {
			l.warn(s.content.labelRange, "Pattern that fits nothing", "No point of this route fits %q, or an earlier shape takes them all.%s", s.content.label, spelling.DidYouMean(s.content.label, l.pointPatterns()))
		}
	}
}

// unusedPatterns says which patterns fit no point of the site.
func (l *loader) unusedPatterns(r *Route, c *content, used []bool) {
	for i, p := range slices.Concat(r.Include, r.Exclude) {
		if used[i] || len(l.site.Devices) == 0 {
			continue
		}
		attribute := "include"
		if i >= len(r.Include) {
			attribute = "exclude"
		}
		l.warn(c.at(attribute), "Pattern that fits nothing", "No point fits %q.%s", p, spelling.DidYouMean(p, l.pointPatterns()))
	}
}

// pointPatterns are names that a misspelt pattern may mean.
func (l *loader) pointPatterns() []string {
	var out []string
	for _, d := range l.site.Devices {
		out = append(out, d.Name+".*")
		for _, p := range d.Points {
			if len(out) < 2000 {
				out = append(out, p.FullName())
			}
		}
	}
	return out
}

func (l *loader) shapesOf(r *Route, c *content, thin Thinning) []*shapeOf {
	var out []*shapeOf
	c.each("shape", func(b *content) {
		s := &shapeOf{content: b, pattern: NewPattern(b.label), thin: thinningOf(b, thin), tags: joinTags(c.texts("add_tags"), b.texts("add_tags"))}
		if b.label == "" {
			l.fail(b.labelRange, "Wrong pattern", "A shape has a pattern of names, such as \"battery.*\".")
			s.told = true
		}
		if name := b.text("name"); name != "" {
			if err := s.pattern.checkRename(name); err != nil {
				l.fail(b.at("name"), "Wrong name", "%s.", capital(err.Error()))
				s.told = true
			}
		}
		l.checkUnit(b.text("unit"), b.at("unit"))
		l.checkAddTags(b)
		l.checkThinning(b, s.thin)
		s.told = s.told || b.bad
		out = append(out, s)
	})
	return out
}

func hasTags(p *Point, tags map[string]string) bool {
	for name, value := range tags {
		if got, ok := p.Tags[name]; !ok || value != "*" && got != value {
			return false
		}
	}
	return true
}

// pointStream is a point as it goes out; nil when something is wrong with that.
func (l *loader) pointStream(p *Point, name string, c *content, thin Thinning, shapes []*shapeOf) *Stream {
	s := &Stream{Point: p, Device: p.Device.Name, Name: p.Name, Unit: p.Unit, Gain: 1, Thinning: thin, Tags: c.texts("add_tags"), Range: c.rng}
	i := slices.IndexFunc(shapes, func(x *shapeOf) bool { return x.pattern.Match(name) })
	if i < 0 {
		return s
	}
	sh := shapes[i]
	sh.used = true
	b := sh.content
	s.Thinning, s.Tags, s.Range = sh.thin, sh.tags, b.rng
	if sh.told {
		return nil
	}
	if to := b.text("name"); to != "" {
		full, _ := sh.pattern.Rename(name, to)
		if !l.named(s, full, b.at("name")) {
			sh.told = true
			return nil
		}
	}
	unit := b.text("unit")
	if unit == "" {
		return s
	}
	gain, offset, ok := LinearUnit(p.Unit, unit)
	switch {
	case p.Text || p.Bool:
		l.fail(b.at("unit"), "Different units", "%s has no unit: it is no number. Narrow the pattern %q.", name, b.label)
	case p.Unit == "":
		l.fail(b.at("unit"), "Different units", "%s has no unit, so it can't be converted to %s. Give the point its unit, or narrow the pattern %q.", name, unit, b.label)
	case !ok:
		l.fail(b.at("unit"), "Different units", "%s is in %s, which can't be converted to %s: they measure different things, or one is not known.", name, p.Unit, unit)
	default:
		s.Unit, s.Gain, s.Offset = unit, gain, offset
		return s
	}
	sh.told = true
	return nil
}
