package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/voltage-edge/voltage/agent/durable"
)

// Start says where a cursor that is new begins.
type Start int

// The starts.
const (
	// Oldest is the oldest record that the journal still has.
	Oldest Start = iota
	// Newest is behind the newest record: only what comes from now on.
	Newest
)

// batchBytes bounds what one call of Next copies.
const batchBytes = 1 << 20

// Cursor is a reader with a name, whose place is kept on disk. Next and Commit may be called from different goroutines,
// each by one at a time.
type Cursor struct {
	j      *Journal
	name   string
	path   string
	notify chan struct{}

	mu     sync.Mutex // of the walker
	walker *walker
	bytes  []byte
	closed chan struct{}
	once   sync.Once

	state sync.Mutex // of the rest
	// read is the place behind what Next gave, committed the one behind what was committed.
	read, committed Position
	lost            uint64 // as far as was read

	saving sync.Mutex
	kept   Position // as on disk
}

// Cursor opens a cursor by its name. A cursor that has no place on disk begins at start. A cursor is open once at a time.
func (j *Journal) Cursor(name string, start Start) (*Cursor, error) {
	c := &Cursor{j: j, name: name, path: j.cursorPath(name), notify: make(chan struct{}, 1), closed: make(chan struct{})}
	found, err := readCursor(c.path)
	if err != nil {
		j.log.Warn("the place of a cursor is damaged, it begins anew", "cursor", name, "error", err)
	}
	if err := j.register(c, found, start); err != nil {
		return nil, fmt.Errorf("open cursor %s: %w", name, err)
	}
	if err := c.persist(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (j *Journal) register(c *Cursor, found *Position, start Start) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return ErrClosed
	}
	if j.cursors[c.name] != nil {
		return errors.New("it is open already")
	}
	at := j.place(start)
	if found != nil {
		at, c.kept = *found, *found
	} else {
		c.kept.Segment = -1 // is nowhere on disk
	}
	at.Seq = min(at.Seq, j.seq) // where the journal was emptied by hand
	c.read, c.committed, c.lost = at, at, at.Dropped
	c.walker = j.newWalker(at.Seq)
	c.walker.lost = at.Dropped
	j.cursors[c.name] = c
	return nil
}

// place is where a new cursor begins.
func (j *Journal) place(start Start) Position {
	if start == Newest {
		s := j.segments[len(j.segments)-1]
		return Position{Seq: j.seq, Segment: s.Index, Offset: s.Bytes, Millis: j.newest}
	}
	for _, s := range j.segments {
		if s.LastSeq > 0 {
			return Position{Seq: s.FirstSeq - 1, Segment: s.Index, Millis: s.First}
		}
	}
	return Position{Seq: j.seq, Segment: j.segments[0].Index, Millis: j.newest}
}

func (j *Journal) cursorPath(name string) string {
	return filepath.Join(j.options.Dir, cursorFolder, url.PathEscape(name))
}

// readCursor reads a cursor's file; nil when there is none.
func readCursor(path string) (*Position, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := &Position{}
	if err := json.Unmarshal(b, p); err != nil {
		return nil, err
	}
	return p, nil
}

// highestCursor is the highest sequence number that a cursor has passed.
func (j *Journal) highestCursor() (uint64, error) {
	names, err := j.Cursors()
	if err != nil {
		return 0, err
	}
	highest := uint64(0)
	for _, name := range names {
		at, err := readCursor(j.cursorPath(name))
		if err == nil && at != nil { // what is wrong with it is told when it is opened
			highest = max(highest, at.Seq)
		}
	}
	return highest, nil
}

// Cursors lists the names of the cursors that have a place on disk, open or not.
func (j *Journal) Cursors() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(j.options.Dir, cursorFolder))
	if err != nil {
		return nil, fmt.Errorf("list the journal's cursors: %w", err)
	}
	var names []string
	for _, e := range entries {
		name, err := url.PathUnescape(e.Name())
		if err == nil && !durable.Unfinished(e.Name()) {
			names = append(names, name)
		}
	}
	return names, nil
}

// RemoveCursor forgets the place of a cursor that is not open.
func (j *Journal) RemoveCursor(name string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.cursors[name] != nil {
		return fmt.Errorf("remove cursor %s: it is open", name)
	}
	if err := os.Remove(j.cursorPath(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove cursor %s: %w", name, err)
	}
	return nil
}

// Name is the cursor's name.
func (c *Cursor) Name() string { return c.name }

// Next waits until there are records and gives up to limit of them, in order. The frames' bytes stand until the next call.
// It fails when ctx ends, and with ErrClosed when the cursor or the journal is closed.
func (c *Cursor) Next(ctx context.Context, limit int) ([]Record, error) {
	for {
		records, err := c.fill(limit)
		if len(records) > 0 || err != nil {
			return records, err
		}
		select {
		case <-c.notify:
		case <-c.closed:
			return nil, ErrClosed
		case <-c.j.done:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// fill gives what is there.
func (c *Cursor) fill(limit int) ([]Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.closed:
		return nil, ErrClosed
	default:
	}
	var records []Record
	var ends []int
	c.bytes = c.bytes[:0]
	var r Record
	for len(records) < limit && len(c.bytes) < batchBytes {
		ok, err := c.walker.next(&r)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		c.bytes = append(c.bytes, r.Packed...)
		records, ends = append(records, r), append(ends, len(c.bytes))
	}
	from := 0
	for i, to := range ends {
		if records[i].Kind == Frame {
			records[i].Packed = c.bytes[from:to:to]
		}
		from = to
	}
	c.state.Lock()
	defer c.state.Unlock()
	c.lost = c.walker.lost
	if n := len(records); n > 0 {
		c.read = records[n-1].Position
	}
	return records, nil
}

// Commit says that everything up to a position that Next gave is done with. It is on the disk Options.Sync later at most, and
// when the cursor is closed: after a crash a cursor gives the last records again.
func (c *Cursor) Commit(p Position) error {
	c.state.Lock()
	defer c.state.Unlock()
	if p.Seq > c.read.Seq {
		return fmt.Errorf("commit %s: record %d was not read yet", c.name, p.Seq)
	}
	if p.Seq >= c.committed.Seq {
		c.committed = p
	}
	return nil
}

// Committed is the place behind everything that is done with.
func (c *Cursor) Committed() Position {
	c.state.Lock()
	defer c.state.Unlock()
	return c.committed
}

// Keep has what was committed on the disk, now: no record up to there is given again.
func (c *Cursor) Keep() error { return c.persist() }

// persist writes the cursor's place when it changed.
func (c *Cursor) persist() error {
	c.saving.Lock()
	defer c.saving.Unlock()
	c.state.Lock()
	now := c.committed
	c.state.Unlock()
	if now == c.kept {
		return nil
	}
	if err := replaceFile(c.path, now); err != nil {
		return fmt.Errorf("keep the place of cursor %s: %w", c.name, err)
	}
	c.kept = now
	return nil
}

// Close keeps the cursor's place and ends a Next that waits.
func (c *Cursor) Close() error {
	first := false
	c.once.Do(func() { first = true })
	if !first {
		return nil
	}
	close(c.closed)
	c.mu.Lock()
	c.walker.close()
	c.mu.Unlock()
	err := c.persist()
	c.j.mu.Lock()
	delete(c.j.cursors, c.name)
	c.j.mu.Unlock()
	return err
}

// Lag is what a cursor has not committed yet.
type Lag struct {
	Records uint64
	Bytes   int64
	// Age of the oldest record that is not committed, as near as is known without reading it.
	Age time.Duration
	// Dropped counts the records that the cursor never got: retention or damage took them first.
	Dropped uint64
}

// Lag tells how far the cursor is behind.
func (c *Cursor) Lag() Lag {
	c.state.Lock()
	at, read, lost := c.committed, c.read, c.lost
	c.state.Unlock()
	j := c.j
	j.mu.Lock()
	defer j.mu.Unlock()
	lag := Lag{Dropped: lost}
	first := at.Seq // the last record that is not to come any more
	for _, s := range j.segments {
		if s.LastSeq > 0 {
			if s.FirstSeq > read.Seq+1 {
				lag.Dropped += s.FirstSeq - read.Seq - 1
			}
			first = max(first, s.FirstSeq-1)
			break
		}
	}
	if j.seq <= first {
		return lag
	}
	lag.Records = j.seq - first
	since := int64(0)
	for _, s := range j.segments {
		switch {
		case s.LastSeq <= at.Seq || s.Index < at.Segment:
			continue
		case s.Index == at.Segment:
			lag.Bytes += max(s.Bytes-at.Offset, 0)
			since = at.Millis
		default:
			lag.Bytes += s.Bytes
			if since == 0 {
				since = s.First
			}
		}
	}
	lag.Age = max(j.options.Now().Sub(time.UnixMilli(since)), 0)
	return lag
}
