package sink

import (
	"slices"
	"time"

	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// batch gathers samples and events. Its items are the samples, then the events.
type batch struct {
	layouts *layouts
	samples []sdk.Sample
	events  []sdk.Event
	// end is the place behind its last record.
	end     journal.Position
	records int
	// perRecord is how many items a record gave so far, to ask for as many records as will fit.
	perRecord float64
	// counts of each route.
	counts []Counts
}

func (b *batch) reset() {
	clear(b.samples)
	clear(b.events)
	b.samples, b.events, b.records = b.samples[:0], b.events[:0], 0
	clear(b.counts)
}

func (b *batch) len() int    { return len(b.samples) + len(b.events) }
func (b *batch) empty() bool { return b.records == 0 }

// room is how many records to ask for when the batch is to have size items.
func (b *batch) room(size int) int {
	return min(int(float64(size-b.len())/max(b.perRecord, 1))+1, size)
}

// add adds what goes out of a record. shaped are the samples that the program made of it.
func (b *batch) add(r *journal.Record, shaped []byte) error {
	before := b.len()
	var err error
	if r.Kind == journal.Event {
		b.addEvent(r)
	} else if v, problem := frame.Parse(r.Packed, nil); problem == nil {
		err = b.addFrame(r, v, shaped)
	}
	b.end = r.Position
	b.records++
	b.perRecord += (float64(b.len()-before) - b.perRecord) / 16
	return err
}

func (b *batch) addEvent(r *journal.Record) {
	route := b.layouts.routing.events(r.Event.Kind)
	if route < 0 {
		return
	}
	e := r.Event
	b.events = append(b.events, sdk.Event{ID: e.ID, Time: e.Time(), Kind: e.Kind, Fields: e.Fields})
	b.counts[route].Events++
}

func (b *batch) addFrame(r *journal.Record, v frame.View, shaped []byte) error {
	at := sampleTime(r, v)
	x := b.layouts.of(r.Table)
	for i := range x.plain {
		p := &x.plain[i]
		if p.text {
			s := p.stream.sample(at, v.TextQuality(p.slot))
			s.Text, s.IsText = v.Text(p.slot), true
			b.samples = append(b.samples, s)
		} else {
			s := p.stream.sample(at, v.Quality(p.slot))
			s.Value = v.Value(p.slot)
			b.samples = append(b.samples, s)
		}
		b.counts[p.route].Taken++
		b.counts[p.route].Passed++
	}
	if len(shaped) == 0 {
		return nil
	}
	return b.layouts.routing.unpackSamples(shaped, func(g *Group, stream *Stream, q frame.Quality, value float64) {
		s := stream.sample(at, q)
		if g.Device != "" {
			slot := x.slot(stream, g.Text)
			if slot < 0 {
				return // the device did not have the point then
			}
			if g.Text {
				s.Text, s.IsText = v.Text(slot), true
			}
		}
		if !g.Text && !q.IsBad() {
			s.Value = value
		}
		b.samples = append(b.samples, s)
	})
}

// count adds the counts of groups to their routes.
func (b *batch) count(counts []GroupCounts) {
	for _, c := range counts {
		if groups := b.layouts.routing.Groups; c.Group >= 1 && c.Group <= len(groups) {
			b.counts[groups[c.Group-1].Route].add(c.Counts)
		}
	}
}

// request holds the items from one to another.
func (b *batch) request(from, to int) sdk.SinkWriteRequest {
	n := len(b.samples)
	return sdk.SinkWriteRequest{
		Samples: b.samples[min(from, n):min(to, n):min(to, n)],
		Events:  b.events[max(from-n, 0):max(to-n, 0):max(to-n, 0)],
	}
}

// proof is a copy of one item, to stay when the batch is reset.
func (b *batch) proof(i int) sdk.SinkWriteRequest {
	req := b.request(i, i+1)
	return sdk.SinkWriteRequest{Samples: slices.Clone(req.Samples), Events: slices.Clone(req.Events)}
}

// name says what an item is.
func (b *batch) name(i int) string {
	if i < len(b.samples) {
		s := &b.samples[i]
		return s.Device + "." + s.Point + " of " + s.Time.Format(time.RFC3339Nano)
	}
	e := &b.events[i-len(b.samples)]
	return e.Kind + " event " + e.ID
}
