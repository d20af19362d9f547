package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
	"golang.org/x/sys/unix"
)

const (
	cursorFolder = "cursors"
	// largestHole is how many missing segments in a row are taken for lost.
	largestHole = 100_000
)

// Open opens the journal in a folder, which is made when it is not there. What a crash or a damaged disk left behind is
// put in order, counted and logged. A folder is open once at a time.
func Open(o Options) (*Journal, error) {
	o.fill()
	if err := os.MkdirAll(filepath.Join(o.Dir, cursorFolder), 0o700); err != nil {
		return nil, fmt.Errorf("make the journal's folder: %w", err)
	}
	lock, err := lockFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{
		options: o, log: o.Log, lock: lock,
		devices: map[string]*device{}, cursors: map[string]*Cursor{},
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if err := j.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the journal in %s: %w", o.Dir, err), lock.Close())
	}
	j.keeper.Add(1)
	go j.keep()
	return j, nil
}

func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the journal: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("the journal in %s is in use by another process: %w", dir, err)
	}
	return f, nil
}

func (j *Journal) open() error {
	known, err := readIndex(j.options.Dir)
	if err != nil {
		j.log.Warn("reading all segments of the journal", "error", err)
	}
	indexes, err := segmentFiles(j.options.Dir)
	if err != nil {
		return err
	}
	j.counts.dropped, j.stream = known.Dropped, known.Stream
	if err := j.take(indexes, known.Segments); err != nil {
		return err
	}
	if err := j.dropEmptyTail(); err != nil {
		return err
	}
	j.seq = max(known.NextSeq, 1) - 1
	for _, s := range j.segments {
		if s.LastSeq > 0 {
			j.seq, j.newest = max(j.seq, s.LastSeq), s.Last
		}
		if s.Stream != "" {
			j.stream = s.Stream
		}
	}
	// After a loss of power a cursor can be ahead of what is left of the journal. Its numbers must not be given twice.
	seq, err := j.highestCursor()
	if err != nil {
		return err
	}
	j.seq = max(j.seq, seq)
	return j.start()
}

// start makes the write log, which begins a new segment.
func (j *Journal) start() error {
	for {
		wl, err := wlog.NewSize(writerLog(j.log), nil, j.options.Dir, ceiling, compression.None)
		if err == nil {
			j.wl = wl
			break
		}
		if !full(err) || len(j.segments) == 0 || !j.drop("the disk is full") {
			return err
		}
	}
	_, last, err := wlog.Segments(j.options.Dir)
	if err != nil {
		return err
	}
	j.begin(last)
	j.retain()
	return nil
}

// take learns what is in the segments: from the index where it fits the file, else by reading them.
func (j *Journal) take(indexes []int, known []*segment) error {
	byIndex := make(map[int]*segment, len(known))
	for _, s := range known {
		byIndex[s.Index] = s
	}
	for i, index := range indexes {
		if i > 0 {
			if err := j.fillHole(indexes[i-1], index); err != nil {
				return err
			}
		}
		info, err := os.Stat(wlog.SegmentName(j.options.Dir, index))
		if err != nil {
			return err
		}
		if s := byIndex[index]; s != nil && s.Bytes <= info.Size() && info.Size() <= s.size() {
			j.segments = append(j.segments, s)
			continue
		}
		s, damaged, err := scanSegment(j.options.Dir, index)
		if err != nil {
			return err
		}
		if damaged > 0 {
			j.counts.damaged += damaged
			j.log.Warn("part of a segment is lost", "segment", index, "bytes", damaged, "records_left", s.records())
		}
		if i == len(indexes)-1 && s.Bytes < info.Size() {
			if err := os.Truncate(wlog.SegmentName(j.options.Dir, index), s.Bytes); err != nil {
				return err
			}
		}
		j.segments = append(j.segments, s)
	}
	return nil
}

// segmentFiles lists the numbers of the segments' files, lowest first.
func segmentFiles(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var indexes []int
	for _, e := range entries {
		i, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if e.Name() != filepath.Base(wlog.SegmentName(dir, i)) || i < 0 || e.IsDir() {
			return nil, fmt.Errorf("%s is no segment: move it away", filepath.Join(dir, e.Name()))
		}
		indexes = append(indexes, i)
	}
	slices.Sort(indexes)
	return indexes, nil
}

// fillHole puts empty files where segments are missing between two others, since the write log wants their numbers
// without a gap.
func (j *Journal) fillHole(before, after int) error {
	if after-before > largestHole {
		return fmt.Errorf("between segments %d and %d too many are missing: move the lower ones away", before, after)
	}
	for i := before + 1; i < after; i++ {
		j.log.Warn("a segment is missing", "segment", i)
		if err := os.WriteFile(wlog.SegmentName(j.options.Dir, i), nil, 0o600); err != nil {
			return err
		}
		j.segments = append(j.segments, &segment{Index: i, closed: true})
	}
	return nil
}

// dropEmptyTail removes the segments at the end that hold nothing: those of starts after which nothing came.
func (j *Journal) dropEmptyTail() error {
	for len(j.segments) > 0 {
		s := j.segments[len(j.segments)-1]
		if s.LastSeq > 0 {
			return nil
		}
		if err := os.Remove(wlog.SegmentName(j.options.Dir, s.Index)); err != nil {
			return err
		}
		j.segments = j.segments[:len(j.segments)-1]
	}
	return nil
}

// Close ends all readers, brings everything to the disk and closes the journal.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	j.closed = true
	cursors := make([]*Cursor, 0, len(j.cursors))
	for _, c := range j.cursors {
		cursors = append(cursors, c)
	}
	j.mu.Unlock()
	close(j.done)
	j.keeper.Wait()

	var errs []error
	for _, c := range cursors {
		errs = append(errs, c.Close())
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	errs = append(errs, j.closeLog())
	if j.current != nil {
		errs = append(errs, j.current.Sync(), j.current.Close())
	}
	errs = append(errs, replaceFile(filepath.Join(j.options.Dir, indexName), j.index()), j.lock.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close the journal: %w", err)
	}
	return nil
}

// closeLog closes the write log, which fills up its last page and so needs room.
func (j *Journal) closeLog() error {
	err := j.wl.Close()
	for full(err) && len(j.segments) > 1 && j.drop("the disk is full") {
		err = j.wl.Close()
	}
	last := j.segments[len(j.segments)-1]
	last.closed = true
	if j.broken || err != nil {
		err = errors.Join(err, os.Truncate(wlog.SegmentName(j.options.Dir, last.Index), last.Bytes))
	}
	return err
}
