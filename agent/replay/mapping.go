package replay

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// mapping brings frames that were taken for one site's point tables into those of another, point by point, by name.
type mapping struct {
	devices map[string]*target
	plans   map[*journal.Table]*plan
	notes   map[string]bool
	seen    map[string]bool
}

// target is a device of the site that runs.
type target struct {
	device         *site.Device
	table          frame.Table
	id             uint32
	numbers, texts []*site.Point
}

// plan is how frames of one table become frames of a device; a nil builder: as they are.
type plan struct {
	to    *target
	build *frame.Builder
	// numbers and texts are the slots to take, -1 where the frames have none.
	numbers, texts []int
}

// TableOf is what the slots of a device's frames mean, as the journal keeps it.
func TableOf(d *site.Device) journal.Table {
	numbers, texts := d.Slots()
	columns := func(points []*site.Point) []journal.Column {
		var out []journal.Column
		for _, p := range points {
			out = append(out, journal.Column{Name: p.Name, Unit: p.Unit, Bool: p.Bool})
		}
		return out
	}
	return journal.Table{Device: d.Name, Numbers: columns(numbers), Texts: columns(texts)}
}

func newMapping(s *site.Site) *mapping {
	m := &mapping{devices: map[string]*target{}, plans: map[*journal.Table]*plan{}, notes: map[string]bool{}, seen: map[string]bool{}}
	for _, d := range s.Devices {
		t := &target{device: d, table: d.Table()}
		t.id = t.table.TableID()
		t.numbers, t.texts = d.Slots()
		m.devices[d.Name] = t
	}
	return m
}

// take gives the frame for the site's device; false when the site has none of that name. The bytes are the caller's.
func (m *mapping) take(t *journal.Table, packed []byte) ([]byte, bool, error) {
	p, ok := m.plans[t]
	if !ok {
		var err error
		if p, err = m.plan(t); err != nil {
			return nil, false, err
		}
		m.plans[t] = p
	}
	if p == nil {
		return nil, false, nil
	}
	if p.build == nil {
		return slices.Clone(packed), true, nil
	}
	v, err := frame.Parse(packed, nil)
	if err != nil {
		return nil, false, fmt.Errorf("a frame of %s: %w", t.Device, err)
	}
	for i, from := range p.numbers {
		if from < 0 {
			p.build.SetBad(i, frame.NeverRead)
		} else {
			p.build.SetQuality(i, v.Value(from), v.Quality(from))
		}
	}
	for i, from := range p.texts {
		if from < 0 || v.TextQuality(from).IsBad() {
			p.build.SetTextBad(i, frame.NeverRead)
		} else {
			p.build.SetText(i, v.Text(from))
		}
	}
	return p.build.Pack(nil, time.UnixMicro(int64(v.Millis()*1000))), true, nil
}

func (m *mapping) note(format string, args ...any) { m.notes[fmt.Sprintf(format, args...)] = true }

// plan compares a table with the device's; nil when the site has no such device.
func (m *mapping) plan(t *journal.Table) (*plan, error) {
	to := m.devices[t.Device]
	if to == nil {
		if site.IsVirtual(t.Device) {
			return nil, nil // the engine makes the frames of the site's own
		}
		m.note("device %s: the site does not have it; its frames are left out", t.Device)
		return nil, nil
	}
	m.seen[t.Device] = true
	p := &plan{to: to}
	same := to.id == t.Frame().TableID()
	for _, pt := range to.numbers {
		from := slices.IndexFunc(t.Numbers, func(c journal.Column) bool { return c.Name == pt.Name })
		if from < 0 {
			m.note("point %s: nothing was read of it then; it is unknown", pt.FullName())
		} else if was := t.Numbers[from].Unit; was != pt.Unit && was != "" {
			m.note("point %s: it was read in %s then and is in %q now; it is unknown", pt.FullName(), was, pt.Unit)
			from = -1
		}
		same = same && from >= 0
		p.numbers = append(p.numbers, from)
	}
	for _, pt := range to.texts {
		from := slices.IndexFunc(t.Texts, func(c journal.Column) bool { return c.Name == pt.Name })
		if from < 0 {
			m.note("point %s: nothing was read of it then; it is unknown", pt.FullName())
		}
		same = same && from >= 0
		p.texts = append(p.texts, from)
	}
	for _, c := range slices.Concat(t.Numbers, t.Texts) {
		if !slices.ContainsFunc(slices.Concat(to.numbers, to.texts), func(pt *site.Point) bool { return pt.Name == c.Name }) {
			m.note("point %s.%s: the site does not have it; it is left out", t.Device, c.Name)
		}
	}
	if same {
		return p, nil
	}
	b, err := frame.NewBuilder(to.table)
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", t.Device, err)
	}
	p.build = b
	return p, nil
}

// told are the notes, in order.
func (m *mapping) told() []string {
	notes := maps.Clone(m.notes)
	for name, t := range m.devices {
		if !m.seen[name] && len(t.numbers)+len(t.texts) > 0 {
			notes[fmt.Sprintf("device %s: there is no frame of it; its points are unknown", name)] = true
		}
	}
	return slices.Sorted(maps.Keys(notes))
}
