package intake

import (
	"sync/atomic"
	"time"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// Value is one point as it is now.
type Value struct {
	// Name is device.point.
	Name string
	// Value of a number, NaN while it is unknown; Text of a text.
	Value  float64
	Text   string
	IsText bool
	// Bool says that the value is 0 or 1.
	Bool    bool
	Unit    string
	Quality frame.Quality
	// Time of the reading at the device; zero when there was none.
	Time time.Time
}

// Reading is the newest frame of a device.
type Reading struct {
	View frame.View
	// Millis is the clock when it was accepted.
	Millis int64
}

// Live is the newest frame of every device, in memory. Reading it costs nobody anything.
type Live struct{ layout atomic.Pointer[layout] }

// layout is the site as the live picture has it. It is replaced as a whole.
type layout struct {
	devices []*device
	byName  map[string]*device
	points  map[string]*site.Point
	all     []*site.Point
}

// device is a device of the layout.
type device struct {
	name    string
	table   frame.Table
	id      uint32
	numbers []*site.Point
	texts   []*site.Point
	limited []int // the numbers whose range is declared
	patient int64 // ms without a frame until its values are stale; 0: they never are
	virtual bool  // the agent itself makes its frames
	*cell
}

// cell is what a device keeps over a change of the site that leaves its table alone.
type cell struct {
	newest atomic.Pointer[Reading]

	// What follows is the intake's, under its lock.
	last  int64 // clock of the last frame, or of the beginning
	ever  bool  // there was a frame
	stale bool  // the newest frame was made here: the device is silent
	mark  bool  // the next frame's mask of changes is of no use: all has changed
}

func newLayout(s *site.Site, before *layout, now int64) *layout {
	l := &layout{byName: map[string]*device{}, points: map[string]*site.Point{}}
	for _, sd := range s.AllDevices() {
		d := &device{name: sd.Name, table: sd.Table(), patient: sd.StaleAfter.Milliseconds(), virtual: sd.Source != ""}
		d.id = d.table.TableID()
		d.numbers, d.texts = sd.Slots()
		for i, p := range d.numbers {
			if p.Valid != nil {
				d.limited = append(d.limited, i)
			}
		}
		for _, p := range sd.Points {
			l.points[p.FullName()] = p
			l.all = append(l.all, p)
		}
		if old := before.byName[d.name]; old != nil && old.id == d.id {
			d.cell = old.cell
		} else {
			d.cell = &cell{last: now}
		}
		l.devices = append(l.devices, d)
		l.byName[d.name] = d
	}
	return l
}

func newLive() *Live {
	l := &Live{}
	l.layout.Store(&layout{})
	return l
}

// Get is the value of device.point; false when there is no such point.
func (l *Live) Get(name string) (Value, bool) {
	lay := l.layout.Load()
	p := lay.points[name]
	if p == nil {
		return Value{}, false
	}
	return valueOf(p, lay.byName[p.Device.Name].newest.Load()), true
}

// All are the values of all points, in the order of the site.
func (l *Live) All() []Value {
	lay := l.layout.Load()
	out := make([]Value, 0, len(lay.all))
	for _, p := range lay.all {
		out = append(out, valueOf(p, lay.byName[p.Device.Name].newest.Load()))
	}
	return out
}

// Newest is the newest frame of a device; false when there was none.
func (l *Live) Newest(name string) (Reading, bool) {
	d := l.layout.Load().byName[name]
	if d == nil {
		return Reading{}, false
	}
	r := d.newest.Load()
	if r == nil {
		return Reading{}, false
	}
	return *r, true
}

// valueOf is a point of a frame.
func valueOf(p *site.Point, r *Reading) Value {
	v := Value{Name: p.FullName(), IsText: p.Text, Bool: p.Bool, Unit: p.Unit, Quality: frame.Bad | frame.NeverRead}
	if r == nil || !p.Readable {
		if !p.Text {
			v.Value = nan
		}
		return v
	}
	v.Time = r.View.Time()
	if p.Text {
		v.Text, v.Quality = r.View.Text(p.Index), r.View.TextQuality(p.Index)
		return v
	}
	v.Value, v.Quality = r.View.Value(p.Index), r.View.Quality(p.Index)
	return v
}

// changes are the values that a frame says to have changed.
func (d *device) changes(r *Reading) []Value {
	if !r.View.AnyChanged() {
		return nil
	}
	var out []Value
	for i, p := range d.numbers {
		if r.View.Changed(i) {
			out = append(out, valueOf(p, r))
		}
	}
	for i, p := range d.texts {
		if r.View.TextChanged(i) {
			out = append(out, valueOf(p, r))
		}
	}
	return out
}
