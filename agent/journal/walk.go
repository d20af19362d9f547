package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// walker goes through the records of the segments, in order.
type walker struct {
	j *Journal
	// seq is the number of the last record that was passed, given out or lost.
	seq  uint64
	lost uint64 // records that are not there any more, or can't be decoded

	index  int // of the open segment, or of the one that was closed last
	file   *segmentReader
	closed bool // nothing more comes to the open segment
	dec    decoder
	// wanted, when set, says which segments are worth reading.
	wanted                 func(*segment) bool
	skipFrames, skipEvents bool
	// ctx, when set, ends the walk between two segments.
	ctx context.Context
}

// newWalker makes a walker that begins behind a record.
func (j *Journal) newWalker(after uint64) *walker { return &walker{j: j, seq: after, index: -1} }

func (w *walker) close() {
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
}

// next gives the next record, false when there is none yet. The record's bytes stand until the next call.
func (w *walker) next(r *Record) (bool, error) {
	for {
		if w.file == nil {
			if ok, err := w.open(); !ok {
				return false, err
			}
		}
		raw, ok := w.file.next(!w.closed)
		if !ok {
			if w.more() {
				continue
			}
			if !w.closed {
				return false, nil
			}
			w.close()
			continue
		}
		if w.decode(raw, r) {
			return true, nil
		}
	}
}

// more asks the journal how far the open segment may be read, and says whether that is further than before.
func (w *walker) more() bool {
	if w.closed {
		return false
	}
	w.j.mu.Lock()
	defer w.j.mu.Unlock()
	limit := w.file.limit
	w.closed = true
	for _, s := range w.j.segments {
		if s.Index == w.index {
			w.file.limit, w.closed = s.Bytes, s.closed || w.j.closed
		}
	}
	// A segment that was closed is looked at once more: what a reader waited for may not come.
	return w.file.limit > limit || w.closed && w.file.offset() < w.file.limit
}

// open opens the next segment that has something to give.
func (w *walker) open() (bool, error) {
	for {
		if w.ctx != nil && w.ctx.Err() != nil {
			return false, w.ctx.Err()
		}
		s, ok := w.pick()
		if !ok {
			return false, nil
		}
		file, err := openSegment(w.j.options.Dir, s.Index)
		w.index = s.Index
		if errors.Is(err, os.ErrNotExist) {
			continue // it was dropped this moment
		}
		if err != nil {
			return false, fmt.Errorf("read the journal: %w", err)
		}
		file.limit = s.Bytes
		w.file, w.closed = file, s.closed
		w.dec.reset()
		return true, nil
	}
}

func (w *walker) pick() (segment, bool) {
	w.j.mu.Lock()
	defer w.j.mu.Unlock()
	for _, s := range w.j.segments {
		if s.Index <= w.index || s.closed && s.LastSeq <= w.seq {
			continue
		}
		if w.wanted == nil || w.wanted(s) {
			return *s, true
		}
	}
	return segment{}, false
}

// decode looks at a record, and says whether it is one to give out.
func (w *walker) decode(raw []byte, r *Record) bool {
	s := &scanner{b: raw}
	h, err := readHeader(s)
	if err != nil {
		return false // the gap in the numbers will tell
	}
	if h.kind == recordTable {
		_ = w.dec.table(s) // without it the frames behind it are lost, and counted
		return false
	}
	fresh := h.seq > w.seq
	if fresh {
		w.lost += h.seq - w.seq - 1
		w.seq = h.seq
	}
	*r = Record{Position: Position{Seq: h.seq, Segment: w.index, Offset: w.file.offset(), Millis: h.millis, Dropped: w.lost}, Millis: h.millis, Kind: Event}
	if h.kind == recordEvent {
		if !fresh || w.skipEvents {
			return false
		}
		r.Event, err = readEvent(h, s)
	} else {
		if w.skipFrames {
			return false
		}
		r.Kind = Frame
		r.Table, r.Packed, err = w.dec.frame(h, s)
	}
	if err != nil && fresh {
		w.lost++
	}
	return err == nil && fresh && (r.Kind == Event || r.Packed != nil)
}
