package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// model is a journal beside a plain list of what was appended to it.
type model struct {
	t       *rapid.T
	dir     string
	options Options
	j       *Journal
	devices map[string]*modelDevice
	sent    []modelRecord // by sequence number, from 1
	cursors map[string]*modelCursor
}

type modelDevice struct {
	table   Table
	builder *frame.Builder
}

type modelRecord struct {
	device string
	packed []byte
	event  string
}

type modelCursor struct {
	c         *Cursor
	next      uint64 // the number that is to come, if it was not dropped
	committed Position
	given     []Position
	lost      uint64 // before next
}

func (m *model) open() {
	j, err := Open(m.options)
	if err != nil {
		m.t.Fatal(err)
	}
	m.j = j
	for _, d := range m.devices {
		m.check(j.AppendTable(d.table))
	}
	for name, c := range m.cursors {
		c.c, err = j.Cursor(name, Oldest)
		m.check(err)
		c.next, c.given, c.lost = c.committed.Seq+1, nil, c.committed.Dropped
	}
}

func (m *model) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) millis() int64 { return 1_700_000_000_000 + 1000*int64(len(m.sent)) }

// define gives a device a table, perhaps another one than it had.
func (m *model) define(t *rapid.T) {
	d := &modelDevice{table: Table{Device: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "device")}}
	for i := range rapid.IntRange(0, 30).Draw(t, "numbers") {
		d.table.Numbers = append(d.table.Numbers, Column{Name: fmt.Sprint("n", i), Unit: rapid.SampledFrom([]string{"", "kW"}).Draw(t, "unit")})
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "texts") {
		d.table.Texts = append(d.table.Texts, Column{Name: fmt.Sprint("t", i)})
	}
	var err error
	d.builder, err = frame.NewBuilder(d.table.Frame())
	m.check(err)
	m.devices[d.table.Device] = d
	m.check(m.j.AppendTable(d.table))
}

func (m *model) frames(t *rapid.T) {
	for name, d := range m.devices {
		for range rapid.IntRange(0, 20).Draw(t, "frames of "+name) {
			for i := range d.table.Numbers {
				switch rapid.IntRange(0, 9).Draw(t, "change") {
				case 0:
					d.builder.Set(i, rapid.Float64().Draw(t, "value"))
				case 1:
					d.builder.SetBad(i, frame.Quality(rapid.Byte().Draw(t, "quality")))
				}
			}
			for i := range d.table.Texts {
				if rapid.Bool().Draw(t, "change text") {
					d.builder.SetText(i, rapid.String().Draw(t, "text"))
				}
			}
			f := d.builder.Pack(nil, time.UnixMilli(m.millis()))
			if rapid.IntRange(0, 9).Draw(t, "skip") == 0 {
				continue // the journal does not get this one
			}
			m.check(m.j.AppendFrame(m.millis(), name, f))
			m.sent = append(m.sent, modelRecord{device: name, packed: f})
		}
	}
}

func (m *model) events(t *rapid.T) {
	var events []event.Event
	for range rapid.IntRange(1, 5).Draw(t, "events") {
		text := rapid.StringN(0, 300, 4000).Draw(t, "event")
		events = append(events, event.New(time.UnixMilli(m.millis()), "k", "text", text))
		m.sent = append(m.sent, modelRecord{event: text})
	}
	m.check(m.j.AppendEvents(events))
}

func (m *model) cursor(t *rapid.T) *modelCursor {
	name := rapid.SampledFrom([]string{"x", "y/z"}).Draw(t, "cursor")
	c := m.cursors[name]
	if c == nil {
		opened, err := m.j.Cursor(name, Oldest)
		m.check(err)
		c = &modelCursor{c: opened, next: opened.committed.Seq + 1, committed: opened.committed}
		m.cursors[name] = c
	}
	return c
}

func (m *model) read(t *rapid.T) {
	c := m.cursor(t)
	if uint64(len(m.sent)) < c.next {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	records, err := c.c.Next(ctx, rapid.IntRange(1, 50).Draw(t, "limit"))
	m.check(err)
	first := records[0].Position.Seq
	if first < c.next {
		t.Fatalf("the cursor was at %d and gives %d", c.next, first)
	}
	c.lost += first - c.next
	for i, r := range records {
		if r.Position.Seq != first+uint64(i) {
			t.Fatalf("record %d behind %d", r.Position.Seq, first+uint64(i)-1)
		}
		want := m.sent[r.Position.Seq-1]
		if r.Kind == Frame && (r.Table.Device != want.device || !bytes.Equal(r.Packed, want.packed)) || r.Kind == Event && r.Event.Get("text") != want.event {
			t.Fatalf("record %d is not what was appended", r.Position.Seq)
		}
		c.given = append(c.given, r.Position)
	}
	c.next = first + uint64(len(records))
}

func (m *model) commit(t *rapid.T) {
	c := m.cursor(t)
	if len(c.given) == 0 {
		return
	}
	n := rapid.IntRange(0, len(c.given)-1).Draw(t, "commit")
	m.check(c.c.Commit(c.given[n]))
	c.committed = c.given[n]
	c.given = c.given[n+1:]
}

func (m *model) reopen(*rapid.T) {
	m.check(m.j.Close())
	m.open()
}

// invariant: what the journal has is the end of what was appended, and every cursor's sums come out.
func (m *model) invariant(t *rapid.T) {
	s := m.j.Stats()
	if s.Seq != uint64(len(m.sent)) || s.Dropped+s.Records != s.Seq {
		t.Fatalf("%d appended; stats %+v", len(m.sent), s)
	}
	for name, c := range m.cursors {
		lag := c.c.Lag()
		oldest := s.Seq - s.Records
		if want := c.lost + max(oldest+1, c.next) - c.next; lag.Dropped != want {
			t.Fatalf("cursor %s: lag %+v, want %d dropped", name, lag, want)
		}
		if want := s.Seq - max(c.committed.Seq, oldest); lag.Records != want {
			t.Fatalf("cursor %s at %d of %d: lag %+v, want %d records", name, c.committed.Seq, s.Seq, lag, want)
		}
	}
}

func TestJournalAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "voltage-journal-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		m := &model{t: t, dir: dir, devices: map[string]*modelDevice{}, cursors: map[string]*modelCursor{}, options: Options{
			Dir: dir, Sync: time.Hour, SegmentBytes: pageSize, MaxBytes: rapid.Int64Range(2*pageSize, 8*pageSize).Draw(t, "max bytes"),
		}}
		m.open()
		defer func() {
			if err := m.j.Close(); err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		}()
		t.Repeat(map[string]func(*rapid.T){
			"define": m.define, "frames": m.frames, "more frames": m.frames, "events": m.events,
			"read": m.read, "commit": m.commit, "reopen": m.reopen, "": m.invariant,
		})
	})
}
