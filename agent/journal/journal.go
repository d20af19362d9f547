package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/prometheus/tsdb/wlog"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// Options say where the journal is and how much it keeps.
type Options struct {
	Dir string
	// MaxBytes bounds the segments on disk; 0: 1 GiB.
	MaxBytes int64
	// MaxAge bounds the age of the records; 0: no bound.
	MaxAge time.Duration
	// Sync is the longest time that a record stays out of the disk's own memory; 0: 1 s.
	Sync time.Duration
	// SegmentBytes is the size at which a new segment begins; 0: a sixteenth of MaxBytes, between 1 and 16 MiB.
	SegmentBytes int64
	// Now is the clock of retention and lag; nil: time.Now.
	Now func() time.Time
	Log hclog.Logger
}

const (
	defaultMaxBytes = 1 << 30
	largestSegment  = 16 << 20
	smallestSegment = 1 << 20
	// ceiling is the size at which the write log would begin a segment by itself, beyond any that this package lets grow.
	ceiling = 1 << 30

	// MaxRecord bounds a frame or event in bytes.
	MaxRecord = 8 << 20

	// A device's frame is written complete at the latest after so many, and after so long.
	completeFrames = 1000
	completeMillis = 60_000
)

func (o *Options) fill() {
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.Sync <= 0 {
		o.Sync = time.Second
	}
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = min(max(o.MaxBytes/16, smallestSegment), largestSegment)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
}

// The errors of an append. Each is wrapped with what was found.
var (
	// ErrTable: the frame was packed for another point table than the device's.
	ErrTable = errors.New("the frame does not fit the device's point table")
	// ErrFull: the disk is full, and dropping the oldest segments did not help.
	ErrFull = errors.New("the disk is full")
	// ErrClosed: the journal is closed.
	ErrClosed = errors.New("the journal is closed")
)

// Journal is an open journal. Its methods may be called from any goroutine.
type Journal struct {
	options Options
	log     hclog.Logger
	lock    *os.File

	mu       sync.Mutex
	wl       *wlog.WL
	segments []*segment // oldest first; the last is the current one
	devices  map[string]*device
	seq      uint64 // of the last record
	newest   int64
	stream   string
	// broken is set when a write failed: the current segment may end with part of a record, and must not be gone on with.
	broken  bool
	closed  bool
	encoder encoder
	buf     []byte
	records [][]byte
	blank   []byte
	cursors map[string]*Cursor
	counts  counts
	latency latency

	// What the keeper has to bring to the disk.
	dirty      bool       // the current segment
	current    *os.File   // the current segment
	retired    []*os.File // earlier ones
	indexDirty bool

	wake   chan struct{}
	done   chan struct{}
	keeper sync.WaitGroup
}

// device is what encoding knows of a device.
type device struct {
	id    uint64
	table *Table
	shape shape
	// written tells that the table stands in the current segment.
	written bool
	// last is the frame that was journalled last in the current segment, seq its number; 0: none.
	last     []byte
	seq      uint64
	complete int64 // when a frame was last written complete
	frames   int   // since then
}

// counts are the journal's counters.
type counts struct {
	frames, events, bytes  uint64
	dropped                uint64
	failures, syncFailures uint64
	damaged                int64
	err                    error
	syncErr                error
}

// AppendTable says what the slots of a device's frames mean from now on. The table is written before the device's next
// frame.
func (j *Journal) AppendTable(t Table) error {
	if err := t.check(); err != nil {
		return err
	}
	t.id = t.Frame().TableID()
	j.mu.Lock()
	defer j.mu.Unlock()
	d := j.devices[t.Device]
	if d == nil {
		d = &device{id: uint64(len(j.devices))}
		j.devices[t.Device] = d
	} else if d.table.equal(&t) {
		return nil
	}
	d.table, d.written, d.seq = &t, false, 0
	d.shape = shape{id: t.id, points: len(t.Numbers), texts: len(t.Texts)}
	return nil
}

// AppendFrame appends a packed frame of a device, accepted at millis. The bytes may be used again afterwards.
func (j *Journal) AppendFrame(millis int64, name string, packed []byte) error {
	view, err := frame.Parse(packed, nil)
	if err != nil {
		return fmt.Errorf("journal a frame of %s: %w", name, err)
	}
	if len(packed) > MaxRecord {
		return fmt.Errorf("journal a frame of %s: it has %d bytes, at most %d can be journalled", name, len(packed), MaxRecord)
	}
	start := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	d := j.devices[name]
	if d == nil {
		return fmt.Errorf("journal a frame of %s: %w: it has none", name, ErrTable)
	}
	if view.TableID() != d.shape.id || view.Len() != d.shape.points || view.Texts() != d.shape.texts {
		return fmt.Errorf("journal a frame of %s: %w: its table id is %08x with %d points, expected %08x with %d", name, ErrTable, view.TableID(), view.Len(), d.shape.id, d.shape.points)
	}
	source := summary{header: header{kind: recordDelta, seq: j.seq + 1, millis: millis}, source: millis}
	if ms := view.Millis(); ms > -(1<<53) && ms < 1<<53 {
		source.source = int64(ms)
	}
	complete := false
	err = j.append(1, func() {
		complete = j.encodeFrame(d, millis, packed)
	})
	if err != nil {
		return fmt.Errorf("journal a frame of %s: %w", name, err)
	}
	d.written, d.seq = true, j.seq
	d.last = append(d.last[:0], packed...)
	d.frames++
	if complete {
		d.complete, d.frames = millis, 0
	}
	j.published(source)
	j.counts.frames++
	j.latency.add(time.Since(start))
	return nil
}

// encodeFrame puts a frame's record, and its table's when the segment does not have it, into j.records. It says whether
// the frame is complete.
func (j *Journal) encodeFrame(d *device, millis int64, packed []byte) (complete bool) {
	b, seq := j.buf[:0], j.seq+1
	j.records = j.records[:0]
	end := 0
	if !d.written {
		b = appendHeader(b, recordTable, seq, millis)
		b = appendUint(b, d.id)
		b = d.table.append(b)
		end = len(b)
	}
	complete = d.seq == 0 || d.frames >= completeFrames || millis-d.complete >= completeMillis || millis < d.complete
	base := d.last
	if complete {
		j.blank = d.shape.blank(j.blank)
		base = j.blank
		b = appendHeader(b, recordComplete, seq, millis)
		b = appendUint(b, d.id)
	} else {
		b = appendHeader(b, recordDelta, seq, millis)
		b = appendUint(b, d.id)
		b = appendUint(b, seq-d.seq)
	}
	b = j.encoder.frame(b, d.shape, millis, packed, base)
	if end > 0 {
		j.records = append(j.records, b[:end])
	}
	j.records = append(j.records, b[end:])
	j.buf = b
	return complete
}

// AppendEvent appends an event.
func (j *Journal) AppendEvent(e event.Event) error { return j.AppendEvents([]event.Event{e}) }

// AppendEvents appends events, in one write: all of them or none.
func (j *Journal) AppendEvents(events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	start := time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.append(uint64(len(events)), func() { j.encodeEvents(events) }); err != nil {
		return fmt.Errorf("journal %d events: %w", len(events), err)
	}
	first := j.seq - uint64(len(events)) + 1
	for i, e := range events {
		sum := summary{header: header{kind: recordEvent, seq: first + uint64(i), millis: e.Millis}, source: e.Millis}
		if isStreamID(e.ID) {
			sum.stream, j.stream = e.ID, e.ID
		}
		j.published(sum)
	}
	j.counts.events += uint64(len(events))
	j.latency.add(time.Since(start))
	return nil
}

func (j *Journal) encodeEvents(events []event.Event) {
	b := j.buf[:0]
	ends := make([]int, len(events))
	for i, e := range events {
		b = appendHeader(b, recordEvent, j.seq+1+uint64(i), e.Millis)
		b = appendEvent(b, e)
		ends[i] = len(b)
	}
	j.records = j.records[:0]
	from := 0
	for _, to := range ends {
		j.records = append(j.records, b[from:to])
		from = to
	}
	j.buf = b
}

// append writes the records that encode makes, which take n sequence numbers. When the disk is full it drops the oldest
// segments and tries again; encode is called anew for each try, as another segment asks for complete frames.
func (j *Journal) append(n uint64, encode func()) error {
	if j.closed {
		return ErrClosed
	}
	for {
		err := j.ready()
		if err == nil {
			encode()
			if err = j.wl.Log(j.records...); err == nil {
				break
			}
			j.broken = true
		}
		if !j.makeRoom(err) {
			return j.refuse(err)
		}
	}
	if j.counts.err != nil {
		j.log.Info("the journal takes records again")
		j.counts.err = nil
	}
	j.seq += n
	s := j.segments[len(j.segments)-1]
	for _, r := range j.records {
		s.Bytes = advance(s.Bytes, len(r))
		j.counts.bytes += uint64(len(r))
	}
	j.dirty = true
	return nil
}

// refuse counts a failed append, and logs the first of a row.
func (j *Journal) refuse(err error) error {
	if full(err) {
		err = fmt.Errorf("%w: free some space, or set a smaller max_bytes of the journal: %w", ErrFull, err)
	}
	j.counts.failures++
	if j.counts.err == nil {
		j.log.Error("the journal takes no records", "error", err)
	}
	j.counts.err = err
	return err
}

// published takes a written record into account and wakes those who wait for it.
func (j *Journal) published(r summary) {
	j.segments[len(j.segments)-1].add(r)
	j.newest = r.millis
	for _, c := range j.cursors {
		select {
		case c.notify <- struct{}{}:
		default:
		}
	}
}

// advance is where the write log's file ends when a record of size bytes is appended at offset: a record is cut at
// pages of 32 KB, each part has a header of 7 bytes, and a page with no room for a header is filled up.
func advance(offset int64, size int) int64 {
	const part = 7
	for {
		left := int(pageSize - offset%pageSize)
		n := min(size, left-part)
		offset += int64(n + part)
		size -= n
		if left-n-part < part {
			offset = (offset + pageSize - 1) / pageSize * pageSize
		}
		if size == 0 {
			return offset
		}
	}
}

// LastEventID is the Redis stream id of the newest event that has one, empty when there is none: where the store goes on
// reading its stream.
func (j *Journal) LastEventID() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.stream
}

// writerLog gives the write log's own messages to the journal's logger.
func writerLog(log hclog.Logger) *slog.Logger {
	return slog.New(slog.NewTextHandler(log.StandardWriter(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}), nil))
}
