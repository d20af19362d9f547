package site

import (
	"slices"
	"time"
)

// windowUses are the attributes that each kind of window has: required ones first.
var windowUses = map[string]struct{ needs, takes []string }{
	"tumbling": {needs: []string{"size"}},
	"hopping":  {needs: []string{"size", "every"}},
	"sliding":  {needs: []string{"size"}},
	"session":  {needs: []string{"gap"}},
	"count":    {needs: []string{"count"}, takes: []string{"count_every"}},
	"state":    {needs: []string{"begin"}, takes: []string{"emit"}},
}

// declaredWindow is a window whose names are known, and whose expressions are not read yet: those of others may name its aggregates.
type declaredWindow struct {
	in      instance
	content *content
	window  *Window
	sound   bool
}

func (l *loader) declareWindows() {
	for _, b := range l.blocks[rootWindow] {
		l.instances(b, func(in instance) {
			before := l.count
			d := declaredWindow{in: in, content: l.decode(in.body, l.shapes[rootWindow], in.rng, in.scope), window: &Window{}}
			d.sound = l.count == before
			d.window.results = l.windowDevice(in, d.content)
			b.entry.items[in.key] = d.window
			l.windows = append(l.windows, d)
		})
	}
}

// windowDevice is the virtual device of a window's results. What is a point's value, and is not added up or counted, has its unit.
func (l *loader) windowDevice(in instance, c *content) *Device {
	var names []string
	units := map[string]string{}
	source := l.deviceNamed(c, "source", in.scope)
	c.each("aggregate", func(b *content) {
		names = append(names, b.label)
		if e := b.expression("value"); e != nil && source != nil && b.text("fn") != "count" {
			if t, ok := in.scope.asTraversal(e); ok && len(t) == 1 && source.Point(t.RootName()) != nil {
				units[b.label] = source.Point(t.RootName()).Unit
			}
		}
	})
	d := virtualDevice(SourceWindow, in.full, names, in.rng)
	for _, p := range d.Points {
		p.Bool, p.Unit = false, units[p.Name]
	}
	return d
}

func (l *loader) loadWindows() {
	for _, d := range l.windows {
		before := l.count
		w, sound := l.aggregating(d.in, d.content)
		w.results, w.Device = d.window.results, d.window.Device
		*d.window = *w
		if sound && d.sound && l.count == before {
			l.site.Windows = append(l.site.Windows, d.window)
		}
	}
}

// aggregating reads a window.
func (l *loader) aggregating(in instance, c *content) (*Window, bool) {
	w := &Window{
		Name: in.full, Description: c.text("description"), Kind: c.text("kind"), Size: c.duration("size"), Every: c.duration("every"), Gap: c.duration("gap"),
		Count: int(c.number("count")), CountEvery: int(c.number("count_every")), Priority: int(c.number("priority")), Disabled: l.switched(in.full, !c.flag("enabled")), Range: in.rng,
	}
	l.windowKind(w, c)
	w.Source = l.deviceNamed(c, "source", in.scope)
	own := pointsOf(w.Source)
	sound := w.Source != nil
	var names []string
	c.each("aggregate", func(b *content) {
		if !l.ownName(b.label, b.labelRange) {
			return
		}
		if slices.Contains(names, b.label) {
			l.fail(b.labelRange, "Duplicate name", "This window has an aggregate %q already.", b.label)
		}
		names = append(names, b.label)
		a := Aggregate{Function: b.text("fn"), As: b.label}
		var ok bool
		a.Value, ok = l.optional(b, "value", in.scope, own)
		if !b.given("value") && a.Function != "count" && a.Function != "" && !b.bad {
			l.fail(b.rng, "Missing attribute", "An aggregate of %s needs \"value\": of what.", a.Function)
		}
		sound = sound && ok
		w.Aggregates = append(w.Aggregates, a)
	})
	for _, x := range []struct {
		name string
		into *Expr
	}{{"where", &w.Where}, {"begin", &w.Begin}, {"emit", &w.Emit}} {
		var ok bool
		*x.into, ok = l.optional(c, x.name, in.scope, own)
		sound = sound && ok
	}
	results := words("aggregate", names)
	var ok bool
	w.Having, ok = l.optional(c, "having", in.scope, results)
	sound = sound && ok
	w.Actions, ok = l.someFiring(c, in.scope, results, true)
	l.heldFrames(w, c)
	return w, sound && ok && !c.bad
}

// windowKind checks that the attributes fit the kind.
func (l *loader) windowKind(w *Window, c *content) {
	uses, known := windowUses[w.Kind]
	if !known {
		return
	}
	for _, name := range uses.needs {
		if c.find(name) == nil && !c.misspelt[name] {
			l.fail(c.rng, "Missing attribute", "A window of kind %s needs %q.", w.Kind, name)
		}
	}
	for _, name := range []string{"size", "every", "gap", "count", "count_every", "begin", "emit"} {
		if c.find(name) != nil && !slices.Contains(uses.needs, name) && !slices.Contains(uses.takes, name) {
			l.fail(c.at(name), "Attribute without a use", "%q is of no use in a window of kind %s, which has %s.", name, w.Kind, thereAre(slices.Concat(uses.needs, uses.takes)))
		}
	}
}

// heldFrames refuses a window that would hold more frames than it can.
func (l *loader) heldFrames(w *Window, c *content) {
	if w.Source == nil || w.Source.Every <= 0 || w.Size <= 0 {
		return
	}
	if frames := int64(w.Size / max(w.Source.Every, time.Millisecond)); w.Holds() && frames > mostHeld {
		l.fail(c.at("size"), "Window too large", "%s gives a frame each %s, which are %d in this window; it holds at most %d. Take a tumbling window without a median, which holds none.",
			w.Source.Name, FormatDuration(w.Source.Every), frames, mostHeld)
	}
}

// Holds tells whether the window has to hold its frames' values, and not only what they come to.
func (w *Window) Holds() bool {
	switch w.Kind {
	case "hopping", "sliding", "count":
		return true
	}
	return slices.ContainsFunc(w.Aggregates, func(a Aggregate) bool { return a.Function == "median" })
}
