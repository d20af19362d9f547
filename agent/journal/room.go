package journal

import (
	"errors"
	"os"
	"syscall"

	"github.com/prometheus/prometheus/tsdb/wlog"
)

// full tells whether an error means that there is no room left for the file.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// ready makes sure that the current segment can take a record.
func (j *Journal) ready() error {
	if !j.broken && j.segments[len(j.segments)-1].Bytes < j.options.SegmentBytes {
		return nil
	}
	return j.rotate()
}

// rotate begins a new segment.
func (j *Journal) rotate() error {
	last := j.segments[len(j.segments)-1]
	index, err := j.wl.NextSegment()
	if err != nil {
		j.broken = true
		return err
	}
	last.closed = true
	if j.broken {
		// What a failed write left behind the last good record must not come to life when the segment is read again.
		if err := os.Truncate(wlog.SegmentName(j.options.Dir, last.Index), last.Bytes); err != nil {
			j.log.Warn("could not cut off the rest of a failed write", "segment", last.Index, "error", err)
		}
	}
	j.broken = false
	if j.current != nil {
		j.retired = append(j.retired, j.current)
		j.current = nil
	}
	j.begin(index)
	j.retain()
	return nil
}

// begin takes the segment that the write log just made as the current one.
func (j *Journal) begin(index int) {
	f, err := os.Open(wlog.SegmentName(j.options.Dir, index))
	if err != nil {
		j.syncFailed(err)
	} else {
		j.current = f
	}
	j.segments = append(j.segments, &segment{Index: index})
	for _, d := range j.devices {
		d.written, d.seq = false, 0
	}
	j.indexDirty = true
	j.wakeKeeper()
}

// retain drops the oldest segments until size and age are within bounds.
func (j *Journal) retain() {
	total := int64(0)
	for _, s := range j.segments {
		total += s.size()
	}
	for len(j.segments) > 1 && total > j.options.MaxBytes {
		total -= j.segments[0].size()
		if !j.drop("its size is beyond max_bytes") {
			return
		}
	}
	if j.options.MaxAge <= 0 {
		return
	}
	oldest := j.options.Now().Add(-j.options.MaxAge).UnixMilli()
	for len(j.segments) > 1 && j.segments[0].Last < oldest {
		if !j.drop("it is older than max_age") {
			return
		}
	}
}

// drop removes the oldest segment.
func (j *Journal) drop(why string) bool {
	s := j.segments[0]
	name := wlog.SegmentName(j.options.Dir, s.Index)
	// A reader may have the file open: cutting it gives its space back at once.
	err := os.Truncate(name, 0)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = os.Remove(name)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		j.log.Error("could not drop a segment", "segment", s.Index, "error", err)
		return false
	}
	j.segments = j.segments[1:]
	j.counts.dropped += s.records()
	j.indexDirty = true
	j.log.Info("dropped the oldest segment", "segment", s.Index, "records", s.records(), "bytes", s.Bytes, "why", why)
	return true
}

// makeRoom gives up what is oldest when an append failed for want of room. It says whether another try makes sense.
func (j *Journal) makeRoom(err error) bool {
	if !full(err) {
		return false
	}
	if len(j.segments) > 1 {
		return j.drop("the disk is full")
	}
	// Nothing is left but the current segment. If it holds much, its past goes for the sake of what comes.
	s := j.segments[0]
	if s.Bytes < smallestSegment {
		return false
	}
	if err := os.Truncate(wlog.SegmentName(j.options.Dir, s.Index), 0); err != nil {
		j.log.Error("could not empty the segment", "segment", s.Index, "error", err)
		return false
	}
	j.counts.dropped += s.records()
	j.log.Warn("emptied the only segment", "segment", s.Index, "records", s.records(), "bytes", s.Bytes, "why", "the disk is full")
	*s = segment{Index: s.Index}
	j.broken = true
	return true
}
