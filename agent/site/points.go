package site

import (
	"math"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/sdk"
)

// isHostPoint tells whether an attribute of a point is the host's own.
func isHostPoint(name string) bool {
	switch name {
	case "address", "type", "unit", "scale", "offset", "valid_min", "valid_max", "access", "description", "tags":
		return true
	}
	return false
}

// place is where an attribute stands, in half the room of a hcl.Range: there are tens of thousands.
type place struct {
	name, file string
	start, end [3]int32 // line, column, byte
}

func newPlace(name string, r hcl.Range) place {
	pos := func(p hcl.Pos) [3]int32 { return [3]int32{int32(p.Line), int32(p.Column), int32(p.Byte)} }
	return place{name: name, file: r.Filename, start: pos(r.Start), end: pos(r.End)}
}

func (p place) hclRange() hcl.Range {
	pos := func(p [3]int32) hcl.Pos { return hcl.Pos{Line: int(p[0]), Column: int(p[1]), Byte: int(p[2])} }
	return hcl.Range{Filename: p.file, Start: pos(p.start), End: pos(p.end)}
}

// point makes a point of what is said of it; nil: it can't be used at all, as it is only written and takes no set-points.
func (l *loader) point(d *Device, c *content, p *pluginInfo) *Point {
	pt := &Point{
		Device: d, Name: l.intern(c.label), Type: c.text("type"), Unit: c.text("unit"), Scale: c.number("scale"), Offset: c.number("offset"),
		Address: c.text("address"), Description: c.text("description"), Tags: c.texts("tags"), Range: c.rng,
	}
	pt.Text, pt.Bool = kindOfType(pt.Type)
	if pt.Unit != "" {
		l.checkUnit(pt.Unit, c.at("unit"))
	}
	if pt.Scale == 0 && !c.bad {
		l.fail(c.at("scale"), "Wrong value", "\"scale\": with a scale of 0 every value would be the offset.")
	}
	l.valid(pt, c)
	if p != nil {
		pt.Config = l.pointConfig(c)
	}
	pt.places = make([]place, 0, len(c.attrs))
	for i := range c.attrs {
		pt.places = append(pt.places, newPlace(c.attrs[i].name, c.attrs[i].rng))
	}
	if !l.access(pt, c) {
		return nil
	}
	return pt
}

// valid takes the range that a value can be in.
func (l *loader) valid(pt *Point, c *content) {
	given := false
	v := Valid{Min: math.Inf(-1), Max: math.Inf(1)}
	for name, to := range map[string]*float64{"valid_min": &v.Min, "valid_max": &v.Max} {
		if c.value(name) == nil {
			continue
		}
		given, *to = true, c.number(name)
		if pt.Text || pt.Bool {
			l.fail(c.at(name), "Range of what is no number", "%q: the point %s is of type %s.", name, pt.Name, pt.Type)
		}
	}
	if v.Min > v.Max {
		l.fail(c.at("valid_min"), "Wrong range", "\"valid_min\" is %s, which is above \"valid_max\", %s.", formatNumber(v.Min), formatNumber(v.Max))
	}
	if given {
		pt.Valid = &v
	}
}

// kindOfType tells text and truth from numbers, by the names that types have in all protocols.
func kindOfType(t string) (text, truth bool) {
	return t == "string" || t == "text", t == "bool" || t == "bit"
}

// access says whether the point is read and whether it takes set-points.
func (l *loader) access(pt *Point, c *content) bool {
	access, w := c.text("access"), c.block("write")
	mayRead, mayWrite := access != "w", access != "r"
	pt.Readable = mayRead
	switch {
	case w == nil && access == "" || w == nil && access == "r":
		return true
	case w == nil && c.table:
		// A register map says what a device can do; an output is made by the site.
		return mayRead
	case w == nil && !c.bad:
		l.fail(c.rng, "Output without a safe value", "The point %s takes set-points, so say how: add write { min = … max = … safe = … }, or leave access out.", pt.Name)
		return mayRead
	case w == nil:
		return mayRead
	case access == "" || mayWrite:
	default:
		l.fail(w.rng, "Write to a read-only point", "The point %s can't be written: its access is \"r\", at %s.", pt.Name, lineOf(c.at("access")))
	}
	pt.Write = l.write(pt, w)
	return true
}

func (l *loader) write(pt *Point, c *content) *Write {
	w := &Write{
		Min: c.number("min"), Max: c.number("max"), Ramp: c.number("ramp"), Safe: c.number("safe"),
		MinInterval: c.duration("min_interval"), Refresh: c.duration("refresh"), Range: c.rng,
	}
	if pt.Text {
		l.fail(c.rng, "Text as an output", "The point %s is a text; set-points are numbers.", pt.Name)
		return w
	}
	if pt.Bool {
		if c.value("max") == nil {
			w.Max = 1
		}
	}
	if !l.limits(pt, c) {
		return w
	}
	switch {
	case w.Min > w.Max:
		l.fail(c.at("min"), "Wrong range", "\"min\" is %s, which is above \"max\", %s.", formatNumber(w.Min), formatNumber(w.Max))
	case w.Safe < w.Min || w.Safe > w.Max:
		l.fail(c.at("safe"), "Wrong safe value", "\"safe\" is %s, which is outside of the range from %s to %s.", formatNumber(w.Safe), formatNumber(w.Min), formatNumber(w.Max))
	}
	if c.given("ramp") && w.Ramp <= 0 {
		l.fail(c.at("ramp"), "Wrong value", "\"ramp\": with a ramp of 0 the output would never move; leave it out for none.")
	}
	if w.Refresh > 0 && w.Refresh < w.MinInterval {
		l.fail(c.at("refresh"), "Wrong value", "\"refresh\" is shorter than \"min_interval\", so it could never be kept.")
	}
	return w
}

// limits tells which of the limits of an output are missing.
func (l *loader) limits(pt *Point, c *content) bool {
	ok := !c.bad
	for _, name := range []string{"min", "max"} {
		if !pt.Bool && c.find(name) == nil && !c.misspelt[name] {
			l.fail(c.rng, "Output without limits", "A write block needs %q: it is the range that is never left, whoever asks.", name)
			ok = false
		}
	}
	if c.find("safe") == nil && !c.misspelt["safe"] {
		l.fail(c.rng, "Output without a safe value", "A write block needs \"safe\": it is what is written when nobody holds the output, and when the agent is gone.")
		ok = false
	}
	return ok
}

// readBack says how a write is verified, when all points of the device are known.
func (l *loader) readBack(d *Device, pt *Point, c *content) {
	r := c.block("write").block("read_back")
	if r == nil {
		return
	}
	rb := &ReadBack{Within: r.number("within"), After: r.duration("after")}
	pt.Write.ReadBack = rb
	of := pt
	if name := r.text("point"); name != "" {
		if of = d.byName[name]; of == nil {
			if !d.incomplete {
				l.take(noSuch(r.at("point"), "point", name, "device "+d.Name, pointNames(d)))
			}
			return
		}
		if of.Text || of.Unit != pt.Unit {
			l.fail(r.at("point"), "Different units", "What is written to %s can't be compared with %s: they differ in unit or type.", pt.Name, of.Name)
		}
		if of != pt {
			rb.Point = of
		}
	}
	if !of.Readable {
		l.fail(r.rng, "Write-only point", "The point %s can't be read, so writing it can't be verified by it. Name another with \"point\".", of.Name)
	}
}

// pointConfig holds the plugin's own attributes. Points mostly have the same, so they share one.
func (l *loader) pointConfig(c *content) Config {
	out := Config{Range: c.rng}
	var key strings.Builder
	simple := true
	values := sdk.Values{}
	put := func(name string, v any) {
		values[name] = v
		switch v := v.(type) {
		case string:
			key.WriteString(name + "=" + strconv.Quote(v) + ";")
		case float64:
			key.WriteString(name + "=" + formatNumber(v) + ";")
		case bool:
			key.WriteString(name + "=" + strconv.FormatBool(v) + ";")
		default:
			simple = false
		}
	}
	for i := range c.shape.defaults {
		if d := &c.shape.defaults[i]; !isHostPoint(d.name) && c.find(d.name) == nil {
			put(d.name, d.value)
		}
	}
	for _, name := range c.shape.order {
		if a := c.find(name); a != nil && !isHostPoint(name) {
			put(name, a.value)
			if a.sensitive {
				if out.Sensitive == nil {
					out.Sensitive = map[string]bool{}
				}
				out.Sensitive[name] = true
			}
		}
	}
	for _, b := range c.blocks {
		if b.kind == "write" {
			continue
		}
		simple = false
		sub := content{shape: c.shape, rng: c.rng, blocks: []*content{b}}
		nested := Config{Ranges: map[string]hcl.Range{}, Sensitive: map[string]bool{}}
		for name, v := range sub.values("", &nested) {
			if name == b.kind {
				mergeBlock(values, name, v)
			}
		}
		out.Ranges = mergeRanges(out.Ranges, nested.Ranges)
	}
	if len(values) == 0 {
		return out
	}
	out.Values = values
	if simple {
		if kept, ok := l.shared[key.String()]; ok {
			out.Values = kept
		} else {
			l.shared[key.String()] = values
		}
	}
	return out
}

func mergeBlock(values sdk.Values, name string, v any) {
	if list, ok := v.([]sdk.Values); ok {
		before, _ := values[name].([]sdk.Values)
		v = append(before, list...)
	}
	values[name] = v
}

func mergeRanges(a, b map[string]hcl.Range) map[string]hcl.Range {
	if a == nil {
		return b
	}
	for k, v := range b {
		a[k] = v
	}
	return a
}

func formatNumber(f float64) string {
	if math.Abs(f) < 1e15 && (f == 0 || math.Abs(f) >= 1e-6) {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
