package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/voltage-edge/voltage/agent/site"
)

// Program is what site.hcl says, compiled for one library.
type Program struct {
	// Library is models, alarms or rules.
	Library string
	// Revision is the hash of the chunks.
	Revision string
	// Chunks are Lua function bodies in the form that lua/README.md describes. The first item of the first is the head.
	Chunks []string
	// Devices are the names of those that its items read. Frames of other devices make no difference to it.
	Devices []string
}

// Programs are those of a site.
type Programs struct {
	Models, Alarms, Rules Program
	// Routes are those of the sinks that have routes.
	Routes []*Routing
}

const (
	// maxChunk bounds a chunk's length in bytes, and maxItems the items in it.
	maxChunk = 64 << 10
	maxItems = 200
	// programSchema is the number of the form that the chunks have.
	programSchema = 1
	// maxDirect bounds the locals of a chunk that hold devices.
	maxDirect = 150
)

// item is one entry of a program: its Lua, and the devices that it reads.
type item struct {
	lua string
	dev []int
	// sweep is the condition as one plain expression, of a rule that can be evaluated in a sweep of its device's rules.
	name, sweep string
	sweepDevice int
}

// object writes a Lua table, field by field.
type object struct {
	b strings.Builder
	// reads are the devices that its functions read, and nodes what they are made of.
	reads []int
	nodes []*node
	// takes are the parameters of its functions.
	takes string
	// revised has everything that the item's revision depends on.
	revised strings.Builder
}

func (o *object) raw(name, lua string) {
	if o.b.Len() > 0 {
		o.b.WriteString(", ")
	}
	o.b.WriteString(name + " = " + lua)
}

// field writes a field whose value the revision depends on.
func (o *object) field(name, lua string) {
	o.raw(name, lua)
	o.revised.WriteString(name + "=" + lua + ";")
}

func (o *object) text(name, v string) { o.field(name, quote(v)) }

func (o *object) number(name string, v float64) { o.field(name, formatNumber(v)) }

func (o *object) flag(name string, v bool) {
	if v {
		o.field(name, "true")
	}
}

// expression writes a function field; the revision depends on what it means.
func (o *object) expression(name string, n *node, lua string) {
	o.raw(name, "function("+o.takes+") "+lua+" end")
	o.revised.WriteString(name + "=")
	n.canonical(&o.revised)
	o.revised.WriteByte(';')
}

// finish adds the revision and gives the table.
func (o *object) finish() string {
	o.raw("rev", quote(shortHash(o.revised.String())))
	return "{ " + o.b.String() + " }"
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

func list(items []string) string { return "{" + strings.Join(items, ", ") + "}" }

// sources writes what an item reads: the devices' numbers, and the inputs with name, device and slot.
func (d *devices) sources(o *object, nodes ...*node) []int {
	var dev []int
	seen := map[int]bool{}
	for _, p := range points(nodes...) {
		if i := d.of(p.Device); !seen[i] {
			seen[i] = true
			dev = append(dev, i)
		}
	}
	o.raw("dev", numbers(dev))
	d.inputs(o, nodes...)
	return dev
}

// inputs writes what an item reads: name, device and slot of each point.
func (d *devices) inputs(o *object, nodes ...*node) {
	var inputs []string
	for _, p := range points(nodes...) {
		i, slot := d.slot(p)
		inputs = append(inputs, fmt.Sprintf("{%s, %d, %d}", quote(p.FullName()), i, slot))
	}
	o.raw("inputs", list(inputs))
}

// assemble puts items into chunks.
func (d *devices) assemble(library string, items []item, points bool) Program {
	p := Program{Library: library, Devices: d.readBy(items)}
	var texts []string
	var swept []item
	direct := map[int]bool{}
	size := 0
	flush := func() {
		if len(texts) == 0 && len(p.Chunks) > 0 {
			return
		}
		var b strings.Builder
		for i := 1; i <= len(d.list); i++ {
			if direct[i] {
				fmt.Fprintf(&b, "local d%d = D[%d]\n", i, i)
			}
		}
		b.WriteString("return {\n")
		if len(p.Chunks) == 0 {
			b.WriteString("HEAD")
		}
		for _, t := range texts {
			b.WriteString(t)
			b.WriteString(",\n")
		}
		b.WriteString(sweeps(swept))
		b.WriteString("}\n")
		p.Chunks = append(p.Chunks, b.String())
		texts, swept, direct, size = nil, nil, map[int]bool{}, 0
	}
	for _, it := range items {
		added := 0
		for _, i := range it.dev {
			if !direct[i] {
				added++
			}
		}
		if size > 0 && (size+len(it.lua) > maxChunk || len(texts) >= maxItems || len(direct)+added > maxDirect) {
			flush()
		}
		if len(it.dev) <= maxUpvalues {
			for _, i := range it.dev {
				direct[i] = true
			}
		}
		texts = append(texts, it.lua)
		if it.sweep != "" {
			swept = append(swept, it)
		}
		size += len(it.lua) + len(it.sweep)
	}
	flush()
	heads := d.heads(points)
	p.Revision = shortHash(heads + strings.Join(p.Chunks, "\x00"))
	head := fmt.Sprintf("{ head = true, schema = %d, rev = %s, devices = %s },\n", programSchema, quote(p.Revision), heads)
	p.Chunks[0] = strings.Replace(p.Chunks[0], "return {\nHEAD", "return {\n"+head, 1)
	return p
}

// readBy are the names of the devices that items read, in the order of the head.
func (d *devices) readBy(items []item) []string {
	read := make([]bool, len(d.list))
	for _, it := range items {
		for _, i := range it.dev {
			read[i-1] = true
		}
	}
	var names []string
	for i, dev := range d.list {
		if read[i] {
			names = append(names, dev.Name)
		}
	}
	return names
}

// sweeps writes, for each device, one function that evaluates all its plain conditions and lists those whose verdict is
// not the one that was seen last. That costs a third of a call for each.
func sweeps(items []item) string {
	byDevice := map[int][]item{}
	var order []int
	for _, it := range items {
		if byDevice[it.sweepDevice] == nil {
			order = append(order, it.sweepDevice)
		}
		byDevice[it.sweepDevice] = append(byDevice[it.sweepDevice], it)
	}
	var b strings.Builder
	for _, device := range order {
		names := make([]string, len(byDevice[device]))
		fmt.Fprintf(&b, "{ sweep = %d, run = function(Q, F)\nlocal d%d, n = d%d, 0\n", device, device, device)
		for i, it := range byDevice[device] {
			names[i] = quote(it.name)
			fmt.Fprintf(&b, "if %s ~= Q[%d] then n = n + 1 F[n] = %d end\n", it.sweep, i+1, i+1)
		}
		fmt.Fprintf(&b, "return n\nend, rules = %s },\n", list(names))
	}
	return b.String()
}

// heads describes the devices.
func (d *devices) heads(points bool) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, dev := range d.list {
		if i > 0 {
			b.WriteString(",\n")
		}
		table := dev.Table()
		used := strings.Trim(strings.ReplaceAll(fmt.Sprint(d.usedSlots(dev)), " ", ","), "[]")
		fmt.Fprintf(&b, "{name=%s, n=%d, id=%d, used={%s}", quote(dev.Name), len(table.Numbers), table.TableID(), used)
		if d.aged[dev] {
			b.WriteString(", aged=true")
		}
		if d.graded[dev] {
			b.WriteString(", graded=true")
		}
		if points {
			b.WriteString(", points={" + pointList(dev) + "}")
		}
		b.WriteByte('}')
	}
	b.WriteByte('}')
	return b.String()
}

func pointList(dev *site.Device) string {
	var out []string
	for _, p := range dev.Points {
		if p.Readable && !p.Text {
			out = append(out, "{"+quote(p.Name)+", "+quote(p.Unit)+"}")
		}
	}
	return strings.Join(out, ",")
}
