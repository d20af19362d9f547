package sink

import (
	"math"
	"slices"
	"time"

	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// batch gathers samples and events. Its items are the samples, then the events.
type batch struct {
	filter  filter
	samples []sdk.Sample
	events  []sdk.Event
	// end is the place behind its last record.
	end     journal.Position
	records int
	// perRecord is how many items a record gave so far, to ask for as many records as will fit.
	perRecord float64
}

func (b *batch) reset() {
	clear(b.samples)
	clear(b.events)
	b.samples, b.events, b.records = b.samples[:0], b.events[:0], 0
}

func (b *batch) len() int    { return len(b.samples) + len(b.events) }
func (b *batch) empty() bool { return b.records == 0 }

// room is how many records to ask for when the batch is to have size items.
func (b *batch) room(size int) int {
	return min(int(float64(size-b.len())/max(b.perRecord, 1))+1, size)
}

func (b *batch) add(r *journal.Record) {
	before := b.len()
	if r.Kind == journal.Event {
		e := r.Event
		b.events = append(b.events, sdk.Event{ID: e.ID, Time: e.Time(), Kind: e.Kind, Fields: e.Fields})
	} else if v, err := frame.Parse(r.Packed, nil); err == nil {
		b.addFrame(r, v)
	}
	b.end = r.Position
	b.records++
	b.perRecord += (float64(b.len()-before) - b.perRecord) / 16
}

func (b *batch) addFrame(r *journal.Record, v frame.View) {
	at := time.UnixMilli(r.Millis).UTC()
	if !math.IsNaN(v.Millis()) && math.Abs(v.Millis()) < 1<<53 {
		at = v.Time()
	}
	slots := b.filter.slots(r.Table)
	for _, i := range slots.numbers {
		c := &r.Table.Numbers[i]
		b.samples = append(b.samples, sdk.Sample{
			Device: r.Table.Device, Point: c.Name, Unit: c.Unit, Time: at, Quality: v.Quality(i), Value: v.Value(i),
		})
	}
	for _, i := range slots.texts {
		c := &r.Table.Texts[i]
		b.samples = append(b.samples, sdk.Sample{
			Device: r.Table.Device, Point: c.Name, Unit: c.Unit, Time: at, Quality: v.TextQuality(i), Text: v.Text(i), IsText: true, Value: math.NaN(),
		})
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
