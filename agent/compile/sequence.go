package compile

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/site"
)

// Sequence waits for frames that come one after the other, or stay away.
type Sequence struct {
	Name  string
	Steps []Step
	// Every: a new attempt starts when one has done its first Group steps (0: 1). Else there is one attempt.
	Every bool
	Group int
	// Within is the longest time from the first captured frame; 0: any.
	Within time.Duration
	// Strict: a frame that an attempt has no use for breaks it.
	Strict bool
	Range  hcl.Range
}

// Step is one step: a part, which may repeat, or all or any of several.
type Step struct {
	Part
	// Repeat: the part matches Min to Max times; Max 0: any number.
	Repeat   bool
	Min, Max int
	All, Any []Part
}

// Part is a frame of a device that meets a condition, or its absence.
type Part struct {
	// As names the captured frame.
	As     string
	Device *site.Device
	// Where has the frame's points by their own names, and captured ones as NAME.POINT, NAME[0].POINT, NAME[-1].POINT.
	Where site.Expr
	// Absent: no such frame for the time For; in All it may be 0: not before the others.
	Absent bool
	For    time.Duration
}

// sequenceWriter writes a sequence's steps.
type sequenceWriter struct {
	c     *compiler
	d     *devices
	s     *Sequence
	names map[string]bool
	o     *object
	ok    bool
}

func (s *Sequence) compile(c *compiler, d *devices) (item, bool) {
	w := &sequenceWriter{c: c, d: d, s: s, names: map[string]bool{}, o: &object{takes: "C"}, ok: true}
	var sources []*site.Device
	seen := map[*site.Device]bool{}
	var repeated []string
	for _, p := range s.parts() {
		if p.As != "" {
			w.names[p.As] = true
		}
		if !seen[p.Device] {
			seen[p.Device] = true
			sources = append(sources, p.Device)
		}
	}
	for _, step := range s.Steps {
		if step.Repeat && step.As != "" {
			repeated = append(repeated, "["+quote(step.As)+"] = true")
		}
	}
	w.o.text("name", s.Name)
	w.o.text("kind", "sequence")
	steps := make([]string, len(s.Steps))
	for i, step := range s.Steps {
		steps[i] = w.step(step)
	}
	w.o.raw("steps", "{\n"+strings.Join(steps, ",\n")+" }")
	w.o.flag("every", s.Every)
	w.o.flag("strict", s.Strict)
	w.o.number("group", float64(max(s.Group, 1)))
	if s.Within > 0 {
		w.o.number("within", millis(s.Within))
	}
	w.o.raw("repeated", list(repeated))
	dev, fields := w.fields(sources)
	w.o.raw("dev", numbers(dev))
	w.o.raw("fields", fields)
	if !w.ok {
		return item{}, false
	}
	return item{lua: w.o.finish(), dev: append(w.o.reads, dev...), name: s.Name}, true
}

func (s *Sequence) parts() []Part {
	var out []Part
	for _, step := range s.Steps {
		if len(step.All)+len(step.Any) == 0 {
			out = append(out, step.Part)
		}
		out = append(append(out, step.All...), step.Any...)
	}
	return out
}

// fields are the values that a captured frame of each device has: all its points.
func (w *sequenceWriter) fields(sources []*site.Device) (dev []int, lua string) {
	var out []string
	for _, source := range sources {
		i := w.d.of(source)
		dev = append(dev, i)
		var names []string
		for _, p := range source.Points {
			if p.Readable && !p.Text {
				_, slot := w.d.slot(p)
				names = append(names, fmt.Sprintf("{%s, %d}", quote(p.Name), slot))
			}
		}
		out = append(out, fmt.Sprintf("[%d] = %s", i, list(names)))
	}
	return dev, list(out)
}

func (w *sequenceWriter) step(step Step) string {
	switch {
	case len(step.All) > 0:
		return "{ all = " + w.list("all", step.All) + " }"
	case len(step.Any) > 0:
		return "{ any = " + w.list("any", step.Any) + " }"
	}
	if step.Absent && step.For <= 0 {
		w.fail("An absent step needs the time for which nothing may come.")
	}
	o := w.part(step.Part)
	if step.Repeat {
		o.number("min", float64(step.Min))
		if step.Max > 0 {
			o.number("max", float64(step.Max))
		}
	}
	w.o.revised.WriteString("step{" + o.revised.String() + "}")
	return "{ " + o.b.String() + " }"
}

func (w *sequenceWriter) list(kind string, parts []Part) string {
	out := make([]string, len(parts))
	for i, p := range parts {
		if p.Absent && p.For <= 0 && kind == "any" {
			w.fail("An absent part of any needs the time for which nothing may come.")
		}
		o := w.part(p)
		w.o.revised.WriteString(kind + "{" + o.revised.String() + "}")
		out[i] = "{ " + o.b.String() + " }"
	}
	return list(out)
}

func (w *sequenceWriter) part(p Part) *object {
	o := &object{takes: "C"}
	o.raw("dev", fmt.Sprint(w.d.of(p.Device)))
	o.revised.WriteString("dev=" + quote(p.Device.Name) + ";")
	if p.As != "" {
		o.text("as", p.As)
	}
	o.flag("absent", p.Absent)
	if p.For > 0 {
		o.number("for_ms", millis(p.For))
	}
	w.ok = w.c.predicate(w.d, o, "where", p.Where, p.Device, w.captured) && w.ok
	w.o.reads = append(w.o.reads, o.reads...)
	return o
}

// captured is the Lua of a value of a captured frame.
func (w *sequenceWriter) captured(t hcl.Traversal) (string, bool) {
	if !w.names[t.RootName()] || len(t) < 2 {
		return "", false
	}
	name, index := t.RootName(), "nil"
	if key, ok := t[1].(hcl.TraverseIndex); ok && key.Key.Type() == cty.Number {
		n, _ := key.Key.AsBigFloat().Float64()
		index = formatNumber(n)
		t = t[1:]
	}
	if len(t) != 2 {
		return "", false
	}
	value, ok := t[1].(hcl.TraverseAttr)
	if !ok {
		return "", false
	}
	return fmt.Sprintf("H.captured(C, %s, %s, %s)", quote(name), index, quote(value.Name)), true
}

func (w *sequenceWriter) fail(text string) {
	w.c.fail(w.s.Range, "Sequence not possible", "%s", text)
	w.ok = false
}
