package journal

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/voltage-edge/voltage/agent/event"
)

// A record begins with its kind, its sequence number and its time in ms; a table has the sequence number of the frame
// behind it. The kinds are below 128, so that a record whose log header was damaged into one of compressed data can't
// ask for much memory.
const (
	recordTable    = 1
	recordComplete = 2
	recordDelta    = 3
	recordEvent    = 4

	maxDevices = 1 << 20
)

func appendHeader(dst []byte, kind byte, seq uint64, millis int64) []byte {
	dst = append(dst, kind)
	dst = appendUint(dst, seq)
	return appendUint(dst, uint64(millis))
}

// header is the beginning of a record.
type header struct {
	kind   byte
	seq    uint64
	millis int64
}

func readHeader(s *scanner) (header, error) {
	h := header{kind: s.byte(), seq: s.uint(), millis: int64(s.uint())}
	if s.failed || h.kind < recordTable || h.kind > recordEvent || h.seq == 0 {
		return h, errRecord
	}
	return h, nil
}

func appendEvent(dst []byte, e event.Event) []byte {
	dst = appendString(dst, e.ID)
	dst = appendString(dst, e.Kind)
	dst = appendUint(dst, uint64(len(e.Fields)))
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		dst = appendString(dst, name)
		dst = appendString(dst, e.Fields[name])
	}
	return dst
}

func readEvent(h header, s *scanner) (event.Event, error) {
	e := event.Event{ID: s.string(), Millis: h.millis, Kind: s.string()}
	n := s.uint()
	if n > uint64(len(s.b)) {
		return e, errRecord
	}
	e.Fields = make(map[string]string, n)
	for range n {
		name := s.string()
		e.Fields[name] = s.string()
	}
	if e.ID == "" {
		e.ID = "j" + strconv.FormatUint(h.seq, 10)
	}
	return e, s.end()
}

// isStreamID tells whether an event's id is one of a Redis stream.
func isStreamID(id string) bool {
	dash := 0
	for i, c := range []byte(id) {
		switch {
		case c >= '0' && c <= '9':
		case c == '-' && dash == 0 && i > 0:
			dash = i
		default:
			return false
		}
	}
	return dash > 0 && dash < len(id)-1
}

// Kind tells frames and events apart.
type Kind uint8

// The kinds of records that readers give out.
const (
	Frame Kind = recordDelta
	Event Kind = recordEvent
)

// Record is one frame or event.
type Record struct {
	Position Position
	Kind     Kind
	// Millis is the clock when it was accepted.
	Millis int64

	// Of a frame: the table that it was packed for, and its bytes. They stand until the reader's next call.
	Table  *Table
	Packed []byte

	// Of an event. The agent's own events have "j" and the sequence number as their id.
	Event event.Event
}

// Position is a place in the journal, right behind a record.
type Position struct {
	// Seq is the sequence number of that record; 0 stands before the first.
	Seq uint64 `json:"seq"`
	// Segment and Offset say where that is, to tell what is behind it in bytes.
	Segment int   `json:"segment"`
	Offset  int64 `json:"offset"`
	// Millis is the record's time.
	Millis int64 `json:"millis"`
	// Dropped counts the records before it that a cursor did not get, since the cursor was made.
	Dropped uint64 `json:"dropped"`
}

// decoder decodes the records of one segment, in order.
type decoder struct {
	devices []*deviceState
	// known holds the tables of earlier segments, so that a device's table stays the same one while it does not change.
	known map[string]*Table
	// only, when set, is the one device whose frames are wanted.
	only string
}

// deviceState is what decoding knows of a device in a segment.
type deviceState struct {
	table *Table
	shape shape
	seq   uint64 // of the frame in state; 0: none
	state []byte
}

// reset forgets what belongs to a segment.
func (d *decoder) reset() { d.devices = d.devices[:0] }

// frame decodes a frame's record. The bytes are the device's state: they stand until its next frame.
func (d *decoder) frame(h header, s *scanner) (*Table, []byte, error) {
	i := s.uint()
	if i >= uint64(len(d.devices)) || d.devices[i] == nil {
		return nil, nil, fmt.Errorf("%w: a frame without a point table", errRecord)
	}
	dev := d.devices[i]
	if d.only != "" && dev.table.Device != d.only {
		return dev.table, nil, nil
	}
	if h.kind == recordComplete {
		dev.state = dev.shape.blank(dev.state)
	} else if base := h.seq - s.uint(); s.failed || dev.seq == 0 || base != dev.seq {
		dev.seq = 0
		return nil, nil, fmt.Errorf("%w: the frame before it is not there", errRecord)
	}
	dev.seq = 0
	state, err := decodeFrame(s, dev.shape, h.millis, dev.state)
	if err != nil {
		return nil, nil, err
	}
	dev.state, dev.seq = state, h.seq
	return dev.table, state, nil
}

func (d *decoder) table(s *scanner) error {
	i := s.uint()
	if s.failed || i >= maxDevices {
		return errRecord
	}
	t, err := readTable(s)
	if err != nil {
		return err
	}
	if old := d.known[t.Device]; old != nil && old.equal(t) {
		t = old
	} else {
		if d.known == nil {
			d.known = map[string]*Table{}
		}
		d.known[t.Device] = t
	}
	for uint64(len(d.devices)) <= i {
		d.devices = append(d.devices, nil)
	}
	d.devices[i] = &deviceState{table: t, shape: shape{id: t.id, points: len(t.Numbers), texts: len(t.Texts)}}
	return nil
}

// summary is what an index of a segment wants to know of a record.
type summary struct {
	header
	// source is a frame's source time in ms, the record's own time when there is none.
	source int64
	// stream is an event's Redis stream id.
	stream string
}

// summarize reads no more than the beginning of a record.
func summarize(raw []byte) (summary, error) {
	s := &scanner{b: raw}
	h, err := readHeader(s)
	sum := summary{header: h, source: h.millis}
	if err != nil {
		return sum, err
	}
	switch h.kind {
	case recordComplete, recordDelta:
		s.uint()
		if h.kind == recordDelta {
			s.uint()
		}
		_, _, source := sourceTime(s, h.millis)
		if ms := math.Float64frombits(source); !s.failed && math.Abs(ms) < 1<<53 {
			sum.source = int64(ms)
		}
	case recordEvent:
		if id := s.string(); isStreamID(id) {
			sum.stream = id
		}
	}
	if s.failed {
		return sum, errRecord
	}
	return sum, nil
}
