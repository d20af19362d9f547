package journal

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/prometheus/tsdb/wlog"
)

// OpenReader makes a reader of a journal as it is at this moment, without changing anything in its folder: also beside the
// agent that writes it. It begins as ReadFrom does. What is appended later is not read; what retention takes while it reads is
// counted by Lost.
func OpenReader(dir string, from time.Time) (*Reader, error) {
	j := &Journal{options: Options{Dir: dir}, log: hclog.NewNullLogger()}
	if err := j.look(); err != nil {
		return nil, fmt.Errorf("read the journal in %s: %w", dir, err)
	}
	return j.ReadFrom(from), nil
}

// look learns what is in the segments, and takes all of them as closed.
func (j *Journal) look() error {
	indexes, err := segmentFiles(j.options.Dir)
	if err != nil {
		return err
	}
	known, err := readIndex(j.options.Dir)
	if err != nil {
		known.Segments = nil // all are read instead
	}
	byIndex := make(map[int]*segment, len(known.Segments))
	for _, s := range known.Segments {
		byIndex[s.Index] = s
	}
	for _, i := range indexes {
		info, err := os.Stat(wlog.SegmentName(j.options.Dir, i))
		if errors.Is(err, os.ErrNotExist) {
			continue // it was dropped this moment
		}
		if err != nil {
			return err
		}
		s := byIndex[i]
		if s == nil || s.Bytes > info.Size() || info.Size() > s.size() {
			s, _, err = scanSegment(j.options.Dir, i)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
		}
		j.segments = append(j.segments, s)
	}
	return nil
}

// Span is the time between the oldest and the newest record that the reader's journal has; false when it has none.
func (r *Reader) Span() (oldest, newest time.Time, ok bool) {
	j := r.w.j
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.segments {
		if s.LastSeq == 0 {
			continue
		}
		if !ok || s.First < oldest.UnixMilli() {
			oldest = time.UnixMilli(s.First)
		}
		if !ok || s.Last > newest.UnixMilli() {
			newest = time.UnixMilli(s.Last)
		}
		ok = true
	}
	return oldest, newest, ok
}

// EventsOnly makes a reader that has given nothing yet pass over the frames.
func (r *Reader) EventsOnly() *Reader {
	r.w.skipFrames = true
	return r
}

// Lost counts the records that should have come between those that the reader gave, and could not be read.
func (r *Reader) Lost() uint64 { return r.lost - r.first }
