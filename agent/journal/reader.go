package journal

import (
	"io"
	"time"
)

// Reader reads the journal from a time on: for replay. It is used by one goroutine at a time.
type Reader struct {
	w    *walker
	from int64
	// first and lost are what the walker had passed over at the first and at the last record that was given.
	begun       bool
	first, lost uint64
}

// ReadFrom makes a reader that begins at the first record that was accepted at or after a time; the zero time is the
// oldest record. Segments that end before it are not read.
func (j *Journal) ReadFrom(from time.Time) *Reader {
	r := &Reader{w: j.newWalker(0)}
	if !from.IsZero() {
		r.from = from.UnixMilli()
		r.w.wanted = func(s *segment) bool { return !s.closed || s.Last >= r.from }
	}
	return r
}

// ReadAfter makes a reader that begins behind a record, by its number.
func (j *Journal) ReadAfter(seq uint64) *Reader { return &Reader{w: j.newWalker(seq)} }

// Next gives the next record, and io.EOF when there is none; after more were appended it gives those. A frame's bytes
// stand until the next call.
func (r *Reader) Next() (Record, error) {
	var rec Record
	for {
		ok, err := r.w.next(&rec)
		if err != nil {
			return Record{}, err
		}
		if !ok {
			return Record{}, io.EOF
		}
		if r.from == 0 || rec.Millis >= r.from {
			if !r.begun {
				r.begun, r.first = true, rec.Position.Dropped
			}
			r.lost = rec.Position.Dropped
			return rec, nil
		}
	}
}

// Close frees what the reader holds.
func (r *Reader) Close() error {
	r.w.close()
	return nil
}
