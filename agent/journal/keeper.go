package journal

import (
	"errors"
	"path/filepath"
	"time"
)

// keep brings what was appended to the disk, every Options.Sync, and looks after age. It ends with the journal.
func (j *Journal) keep() {
	defer j.keeper.Done()
	tick := time.NewTicker(j.options.Sync)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			j.tidy()
		case <-j.wake:
		case <-j.done:
			j.bring()
			return
		}
		j.bring()
	}
}

func (j *Journal) wakeKeeper() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// tidy lets go of what is too old, even where nothing is appended.
func (j *Journal) tidy() {
	if j.options.MaxAge <= 0 {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	// A segment goes as a whole: it must not gather records for long.
	now := j.options.Now()
	s := j.segments[len(j.segments)-1]
	if s.LastSeq > 0 && s.First < now.Add(-max(j.options.MaxAge/16, time.Minute)).UnixMilli() && !j.broken {
		if err := j.rotate(); err != nil {
			j.log.Warn("could not begin a segment", "error", err)
		}
		return
	}
	j.retain()
}

// bring syncs the segments, and writes the index and the cursors that changed.
func (j *Journal) bring() {
	j.mu.Lock()
	retired := j.retired
	j.retired = nil
	current, dirty := j.current, j.dirty
	j.dirty = false
	var x *index
	if j.indexDirty {
		now := j.index()
		x, j.indexDirty = &now, false
	}
	cursors := make([]*Cursor, 0, len(j.cursors))
	for _, c := range j.cursors {
		cursors = append(cursors, c)
	}
	j.mu.Unlock()

	var errs []error
	for _, f := range retired {
		errs = append(errs, f.Sync(), f.Close())
	}
	// Only this goroutine closes the current file: it is not closed before it is retired, and that happens here.
	if dirty && current != nil {
		errs = append(errs, current.Sync())
	}
	if x != nil {
		if err := replaceFile(filepath.Join(j.options.Dir, indexName), x); err != nil {
			errs = append(errs, err)
			j.mu.Lock()
			j.indexDirty = true
			j.mu.Unlock()
		}
	}
	for _, c := range cursors {
		errs = append(errs, c.persist())
	}
	j.synced(errors.Join(errs...))
}

func (j *Journal) synced(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err == nil {
		j.counts.syncErr = nil
		return
	}
	j.syncFailed(err)
}

// syncFailed counts, and logs the first of a row.
func (j *Journal) syncFailed(err error) {
	j.counts.syncFailures++
	if j.counts.syncErr == nil {
		j.log.Error("could not bring the journal to the disk: what was appended since may not survive a loss of power", "error", err)
	}
	j.counts.syncErr = err
}

// index is what is to be known of the closed segments.
func (j *Journal) index() index {
	x := index{Stream: j.stream, NextSeq: j.seq + 1, Dropped: j.counts.dropped}
	for _, s := range j.segments {
		if s.closed {
			c := *s
			x.Segments = append(x.Segments, &c)
		}
	}
	return x
}
