package compile

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/site"
)

// sequenceWriter writes a sequence's steps.
type sequenceWriter struct {
	c     *compiler
	d     *devices
	s     *site.Sequence
	names map[string]*site.Device
	o     *object
	ok    bool
}

func (c *compiler) sequence(d *devices, s *site.Sequence) (item, bool) {
	w := &sequenceWriter{c: c, d: d, s: s, names: map[string]*site.Device{}, o: &object{takes: "C"}, ok: true}
	var sources []*site.Device
	seen := map[*site.Device]bool{}
	var repeated []string
	for _, p := range s.Parts() {
		if p.As != "" {
			w.names[p.As] = p.Device
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
	w.refuse()
	w.crowd()
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
	w.o.number("priority", float64(s.Priority))
	w.o.flag("disabled", s.Disabled)
	does := c.deeds(s.Actions, func(e site.Expr) *node { return c.checkBound(e, w.captured, false) })
	w.ok = does.ok && does.write(c, d, w.o) && w.ok
	dev, fields := w.fields(sources)
	w.o.raw("dev", numbers(dev))
	w.o.raw("fields", fields)
	d.inputs(w.o, w.o.nodes...)
	if !w.ok {
		return item{}, false
	}
	return item{lua: w.o.finish(), dev: append(w.o.reads, dev...), name: s.Name}, true
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

func (w *sequenceWriter) step(step site.Step) string {
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

func (w *sequenceWriter) list(kind string, parts []site.Part) string {
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

func (w *sequenceWriter) part(p site.Part) *object {
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
	w.o.nodes = append(w.o.nodes, o.nodes...)
	return o
}

// captured is a value of a captured frame.
func (w *sequenceWriter) captured(t hcl.Traversal) (binding, bool) {
	device := w.names[t.RootName()]
	if device == nil || len(t) < 2 {
		return binding{}, false
	}
	name, index := t.RootName(), "nil"
	if key, ok := t[1].(hcl.TraverseIndex); ok && key.Key.Type() == cty.Number {
		n, _ := key.Key.AsBigFloat().Float64()
		index = formatNumber(n)
		t = t[1:]
	}
	if len(t) != 2 {
		return binding{}, false
	}
	value, ok := t[1].(hcl.TraverseAttr)
	if !ok {
		return binding{}, false
	}
	b := binding{lua: fmt.Sprintf("H.captured(C, %s, %s, %s)", quote(name), index, quote(value.Name))}
	if p := device.Point(value.Name); p != nil {
		b.unit, b.bit = p.Unit, p.Bool
	}
	return b, true
}

// refuse tells which steps can't stand where they do: what they mean there is not clear.
func (w *sequenceWriter) refuse() {
	steps := w.s.Steps
	for i, step := range steps {
		if !step.Repeat {
			continue
		}
		last := i == len(steps)-1
		open := !last && (step.Max == 0 || step.Max > step.Min)
		switch {
		case step.Min == 0 && (i == 0 || last):
			w.failAt(step, "The first and the last step can't be passed over: min is 1 at least.")
		case open && steps[i+1].Absent:
			w.failAt(step, "A repeat without a fixed number can't stand before what must not come: it is not known when the waiting begins. Give it a min and max that are equal.")
		case open && w.s.Every && !w.s.Strict && i+1 == max(w.s.Group, 1):
			w.failAt(step, "A repeat without a fixed number can't end a group: it is not known when the next attempt begins. Give it a min and max that are equal, or another group.")
		case open && w.s.Strict && steps[i+1].Repeat:
			w.failAt(step, "In a strict sequence a repeat without a fixed number can't stand before another repeat: it is not known to which of them a frame belongs.")
		}
	}
	if w.s.Strict && w.s.Group > 1 {
		w.fail("A strict sequence begins an attempt at each frame: it has no group.")
	}
}

// crowd warns of a sequence that ends with a wait, which is begun by each frame that fits the first step: while such frames come, it acts at
// each of them.
func (w *sequenceWriter) crowd() {
	s := w.s
	if !s.Every || s.Strict || s.Disabled || max(s.Group, 1) >= len(s.Steps) || !s.Steps[len(s.Steps)-1].Absent {
		return
	}
	w.c.diags = append(w.c.diags, &hcl.Diagnostic{
		Severity: hcl.DiagWarning, Summary: "Sequence that acts at each frame", Subject: s.Range.Ptr(),
		Detail: fmt.Sprintf("Each frame that fits its first step waits by itself for what is to stay away, so while such frames come it acts at each of them. "+
			"With group = %d it waits anew when all its steps were there.", len(s.Steps)),
	})
}

func (w *sequenceWriter) failAt(step site.Step, text string) {
	rng := step.Range
	if rng.Empty() {
		rng = w.s.Range
	}
	w.c.fail(rng, "Sequence not possible", "%s", text)
	w.ok = false
}

func (w *sequenceWriter) fail(text string) {
	w.c.fail(w.s.Range, "Sequence not possible", "%s", text)
	w.ok = false
}
