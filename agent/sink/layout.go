package sink

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// layouts are what becomes of the frames of each point table.
type layouts struct {
	routing *Routing
	tables  map[*journal.Table]*layout
	program map[string]*journal.Table
}

// layout is what becomes of the frames of one point table.
type layout struct {
	// plain are the points that go out as they are.
	plain []plainPoint
	// program is the table that the program has of the device; nil: it is not given its frames.
	program *journal.Table
	// numbers and texts say where the program's points stand in the table, -1: nowhere. They are nil when the tables are the same.
	numbers, texts []int
	builder        *frame.Builder
}

type plainPoint struct {
	route, slot int
	text        bool
	stream      *Stream
}

// rememberedTables bounds what is kept of tables that may have gone.
const rememberedTables = 1024

func newLayouts(r *Routing) *layouts {
	l := &layouts{routing: r, tables: map[*journal.Table]*layout{}, program: map[string]*journal.Table{}}
	for _, t := range r.Tables {
		l.program[t.Device] = t
	}
	return l
}

func (l *layouts) of(t *journal.Table) *layout {
	if x, ok := l.tables[t]; ok {
		return x
	}
	if len(l.tables) >= rememberedTables {
		clear(l.tables)
	}
	x := &layout{program: l.program[t.Device]}
	l.points(x, t, t.Numbers, false)
	l.points(x, t, t.Texts, true)
	if p := x.program; p != nil {
		numbers, sameNumbers := places(p.Numbers, t.Numbers)
		texts, sameTexts := places(p.Texts, t.Texts)
		if !sameNumbers || !sameTexts {
			x.numbers, x.texts = numbers, texts
			// The table is the site's own, which is within the bounds.
			x.builder, _ = frame.NewBuilder(p.Frame())
		}
	}
	l.tables[t] = x
	return x
}

// points finds out where the columns of a table go.
func (l *layouts) points(x *layout, t *journal.Table, columns []journal.Column, text bool) {
	for slot, c := range columns {
		known := false
		for g := range l.routing.Groups {
			group := &l.routing.Groups[g]
			if group.Device != t.Device || group.Text != text {
				continue
			}
			for i := range group.Streams {
				s := &group.Streams[i]
				if s.Point != c.Name || s.FromUnit != c.Unit {
					continue
				}
				known = true
				if !group.Shaped {
					x.plain = append(x.plain, plainPoint{route: group.Route, slot: slot, text: text, stream: s})
				}
			}
		}
		if known {
			continue
		}
		for route := range l.routing.Routes {
			if takes := l.routing.Routes[route].Takes; takes != nil && takes(t.Device+"."+c.Name) {
				s := &Stream{Point: c.Name, FromUnit: c.Unit, Slot: slot, Device: t.Device, Name: c.Name, Unit: c.Unit}
				x.plain = append(x.plain, plainPoint{route: route, slot: slot, text: text, stream: s})
				break
			}
		}
	}
}

// places finds columns in a table that may be an older one. A point whose unit was another is another point.
func places(wanted, have []journal.Column) (at []int, same bool) {
	at = make([]int, len(wanted))
	same = len(wanted) == len(have)
	for i, w := range wanted {
		at[i] = -1
		for j, h := range have {
			if w.Name == h.Name && w.Unit == h.Unit {
				at[i] = j
			}
		}
		same = same && at[i] == i
	}
	return at, same
}

// forProgram is a frame as the program knows its device; false: it is not given the frame.
func (x *layout) forProgram(r *journal.Record) ([]byte, bool) {
	if x.program == nil {
		return nil, false
	}
	if x.builder == nil {
		return r.Packed, true
	}
	v, err := frame.Parse(r.Packed, nil)
	if err != nil {
		return nil, false
	}
	for i, j := range x.numbers {
		if j < 0 {
			x.builder.SetBad(i, frame.NeverRead)
		} else {
			x.builder.SetQuality(i, v.Value(j), v.Quality(j))
		}
	}
	for i, j := range x.texts {
		switch {
		case j < 0 || v.TextQuality(j).IsBad():
			q := frame.NeverRead
			if j >= 0 {
				q = v.TextQuality(j)
			}
			x.builder.SetTextBad(i, q)
		default:
			x.builder.SetText(i, v.Text(j))
		}
	}
	return x.builder.Pack(nil, sampleTime(r, v)), true
}

// sampleTime is the time of a frame's samples.
func sampleTime(r *journal.Record, v frame.View) time.Time {
	if !math.IsNaN(v.Millis()) && math.Abs(v.Millis()) < 1<<53 {
		return v.Time()
	}
	return time.UnixMilli(r.Millis).UTC()
}

// slot is where a point of the program stands in the table, -1: nowhere.
func (x *layout) slot(s *Stream, text bool) int {
	switch {
	case x.builder == nil:
		return s.Slot
	case text:
		return x.texts[s.Slot]
	}
	return x.numbers[s.Slot]
}

// errSamples is what the program answers in another form than the one that is known.
var errSamples = errors.New("what the routes library answers is not in the form that the agent knows")

// unpackSamples goes through the samples of a frame.
func (r *Routing) unpackSamples(b []byte, each func(g *Group, s *Stream, q frame.Quality, value float64)) error {
	for len(b) > 0 {
		if len(b) < 4 {
			return errSamples
		}
		group, n := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
		b = b[4:]
		if group < 1 || group > len(r.Groups) || len(b) < 11*n {
			return errSamples
		}
		g := &r.Groups[group-1]
		for range n {
			i := int(binary.LittleEndian.Uint16(b))
			if i < 1 || i > len(g.Streams) {
				return errSamples
			}
			each(g, &g.Streams[i-1], frame.Quality(b[2]), math.Float64frombits(binary.LittleEndian.Uint64(b[3:])))
			b = b[11:]
		}
	}
	return nil
}

// sample makes a sample of a stream, without a value.
func (s *Stream) sample(at time.Time, q frame.Quality) sdk.Sample {
	return sdk.Sample{Device: s.Device, Point: s.Name, Unit: s.Unit, Tags: s.Tags, Time: at, Quality: q, Value: math.NaN()}
}
