package driver

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/plugins/modbus/plan"
	"github.com/voltage-edge/voltage/plugins/modbus/register"
	"github.com/voltage-edge/voltage/plugins/modbus/wire"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
	"github.com/voltage-edge/voltage/sdk/poll"
)

const (
	// splitsPerPoll is how many requests of one poll are divided when the device refuses them; the rest waits for the next.
	splitsPerPoll = 64
	// refusedEvery is how often a device is asked again for what it has refused.
	refusedEvery = time.Minute
)

// device is one unit: its points, and the requests that read them.
type device struct {
	unit     byte
	multiple bool
	points   []point
	outputs  map[string]*point // by name
	requests []request
	// refused are the points that the device has refused alone, with its words.
	refused map[int]string
	retry   time.Time
	problem error // of refused, or nil
}

// request is one request with what to do with its answer.
type request struct {
	plan.Request
	slots []slot
}

// slot is one value of an answer.
type slot struct {
	*point
	offset int // in bytes; in bits for coils and discrete inputs
	size   int // in bytes
}

// newDevice plans the requests of a device that was checked.
func newDevice(spec *sdk.DeviceSpec, l plan.Limits) *device {
	d := &device{
		unit: byte(spec.Config.Int("unit")), multiple: spec.Config.Bool("write_multiple"),
		points: make([]point, len(spec.Points)), outputs: map[string]*point{}, refused: map[int]string{},
	}
	var items []plan.Item
	for i := range spec.Points {
		d.points[i], _ = newPoint(&spec.Points[i], spec.Config)
		p := &d.points[i]
		if p.spec.Writable {
			d.outputs[p.spec.Name] = p
		}
		if p.spec.Readable {
			items = append(items, plan.Item{Cells: p.cells(), ID: i})
		}
	}
	d.requests = d.prepare(plan.Build(items, l))
	return d
}

func (d *device) prepare(requests []plan.Request) []request {
	prepared := make([]request, len(requests))
	for i, r := range requests {
		slots := make([]slot, len(r.Items))
		for k, item := range r.Items {
			distance := int(item.Address) - int(r.Address)
			slots[k] = slot{point: &d.points[item.ID], offset: distance, size: 2 * int(item.Quantity)}
			if !r.Table.Bits() {
				slots[k].offset *= 2
			}
		}
		prepared[i] = request{Request: r, slots: slots}
	}
	return prepared
}

// poll reads the device. What it refuses is narrowed down to single points, which are left out from then on.
func (d *device) poll(ctx context.Context, line *wire.Line, r *poll.Reading) error {
	if len(d.refused) > 0 && !time.Now().Before(d.retry) {
		d.reconsider()
	}
	var busy error
	splits := 0
	for i, asked := 0, false; i < len(d.requests); asked = true {
		if asked {
			if err := r.Next(ctx); err != nil {
				return err
			}
		}
		q := &d.requests[i]
		b, err := line.Read(ctx, d.unit, q.Cells)
		code, refused := wire.Exception(err)
		switch {
		case err == nil:
			q.decode(b, r.Frame)
			i++
		case !refused:
			return fmt.Errorf("read unit %d, %s:%d, %d cells: %w", d.unit, q.Table, q.Address, q.Quantity, err)
		case fromGateway(code):
			return fmt.Errorf("read unit %d: %s", d.unit, exceptionText(code))
		case refusesAddress(code) && splits < splitsPerPoll && !d.last(q):
			splits++
			d.divide(i, code)
		default:
			q.refuse(r.Frame)
			busy = fmt.Errorf("%s:%d, %d cells: %s", q.Table, q.Address, q.Quantity, exceptionText(code))
			i++
		}
	}
	for id := range d.refused {
		refuse(d.points[id].spec, r.Frame)
	}
	if busy == nil {
		busy = d.problem
	}
	return poll.Partial(busy)
}

// last tells whether the request is the last one, of one point. It stays, so that the device is asked for something and
// its silence is noticed.
func (d *device) last(q *request) bool { return len(d.requests) == 1 && len(q.Items) == 1 }

// divide replaces a refused request by smaller ones. A point that is refused alone is left out.
func (d *device) divide(i int, code byte) {
	q := d.requests[i]
	var parts []request
	if len(q.Items) == 1 {
		d.refused[q.Items[0].ID] = exceptionText(code)
		d.retry = time.Now().Add(refusedEvery)
		d.describe()
	} else {
		parts = d.prepare(plan.Split(q.Request))
	}
	rest := append(parts, d.requests[i+1:]...)
	d.requests = append(d.requests[:i:i], rest...)
}

// reconsider asks again for all that was refused, in as few requests as the protocol allows and without gaps.
func (d *device) reconsider() {
	items := make([]plan.Item, 0, len(d.refused))
	for id := range d.points {
		if _, ok := d.refused[id]; ok {
			items = append(items, plan.Item{Cells: d.points[id].cells(), ID: id})
		}
	}
	d.requests = append(d.requests, d.prepare(plan.Build(items, plan.Limits{Registers: plan.MaxRegisters, Bits: plan.MaxBits}))...)
	clear(d.refused)
	d.problem = nil
}

// describe says what the device has refused.
func (d *device) describe() {
	const most = 5
	var names []string
	for id := range d.points {
		if text, ok := d.refused[id]; ok && len(names) < most {
			names = append(names, fmt.Sprintf("%s (%s, %s)", d.points[id].spec.Name, d.points[id].address, text))
		}
	}
	more := ""
	if n := len(d.refused) - len(names); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	d.problem = fmt.Errorf("the device refuses %s%s", strings.Join(names, ", "), more)
}

// decode sets the points of an answer.
func (q *request) decode(b []byte, f *frame.Builder) {
	bits := q.Table.Bits()
	for i := range q.slots {
		s := &q.slots[i]
		spec := s.spec
		switch {
		case bits:
			f.Set(spec.Index, spec.ToUnit(float64(b[s.offset/8]>>(s.offset%8)&1)))
		case spec.Text:
			f.SetText(spec.Index, s.encoding.Text(b[s.offset:s.offset+s.size]))
		default:
			v, ok := s.encoding.Number(b[s.offset : s.offset+s.size])
			if !ok {
				f.SetBad(spec.Index, frame.NotANumber)
				continue
			}
			f.Set(spec.Index, spec.ToUnit(v))
		}
	}
}

// refuse makes all points of a request bad.
func (q *request) refuse(f *frame.Builder) {
	for i := range q.slots {
		refuse(q.slots[i].spec, f)
	}
}

func refuse(spec *sdk.PointSpec, f *frame.Builder) {
	if spec.Text {
		f.SetTextBad(spec.Index, frame.Refused)
		return
	}
	f.SetBad(spec.Index, frame.Refused)
}

// bits tells whether the point is a coil or discrete input.
func (p *point) bits() bool { return p.address.Table.Bits() }

// wholeWord tells whether the point is not one bit of a register.
func (p *point) wholeWord() bool { return p.encoding.Bit == register.NoBit }
