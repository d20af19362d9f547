package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/prometheus/tsdb/wlog"

	"github.com/voltage-edge/voltage/agent/durable"
)

const pageSize = 32 << 10

// segment is what is known of a segment's file.
type segment struct {
	Index int `json:"index"`
	// FirstSeq and LastSeq of its records; LastSeq 0: it has none.
	FirstSeq uint64 `json:"first_seq"`
	LastSeq  uint64 `json:"last_seq"`
	// First and Last are the earliest and latest time at which a record was accepted, FromSource and ToSource the earliest
	// and latest source time of a frame.
	First      int64 `json:"first"`
	Last       int64 `json:"last"`
	FromSource int64 `json:"from_source"`
	ToSource   int64 `json:"to_source"`
	// Bytes up to the end of the last record.
	Bytes  int64  `json:"bytes"`
	Events uint64 `json:"events"`
	// Stream is the stream id of the last event that has one.
	Stream string `json:"stream,omitempty"`

	// closed segments are not written to any more.
	closed bool
}

// size on disk: closed segments are filled up to a page.
func (s *segment) size() int64 { return (s.Bytes + pageSize - 1) / pageSize * pageSize }

func (s *segment) records() uint64 {
	if s.LastSeq == 0 {
		return 0
	}
	return s.LastSeq - s.FirstSeq + 1
}

// add takes a record into account.
func (s *segment) add(r summary) {
	if s.LastSeq == 0 {
		s.FirstSeq, s.First, s.Last, s.FromSource, s.ToSource = r.seq, r.millis, r.millis, r.source, r.source
	}
	s.LastSeq = r.seq
	s.First, s.Last = min(s.First, r.millis), max(s.Last, r.millis)
	s.FromSource, s.ToSource = min(s.FromSource, r.source), max(s.ToSource, r.source)
	if r.kind == recordEvent {
		s.Events++
	}
	if r.stream != "" {
		s.Stream = r.stream
	}
}

// segmentReader reads the records of one segment, as far as limit says, and goes on behind damaged pages.
type segmentReader struct {
	file  *os.File
	lr    *wlog.LiveReader
	start int64 // where lr began
	at    int64 // how far the file was read
	limit int64
	// damaged counts bytes that could not be read.
	damaged int64
}

var quiet = slog.New(slog.DiscardHandler)

func openSegment(dir string, index int) (*segmentReader, error) {
	f, err := os.Open(wlog.SegmentName(dir, index))
	if err != nil {
		return nil, err
	}
	r := &segmentReader{file: f}
	r.restart(0)
	return r, nil
}

func (r *segmentReader) Close() error { return r.file.Close() }

func (r *segmentReader) restart(at int64) {
	r.start, r.at = at, at
	r.lr = wlog.NewLiveReader(quiet, wlog.NewLiveReaderMetrics(nil), readerFunc(r.read))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// read reads the file up to the limit.
func (r *segmentReader) read(b []byte) (int, error) {
	if left := r.limit - r.at; left < int64(len(b)) {
		if left <= 0 {
			return 0, io.EOF
		}
		b = b[:left]
	}
	n, err := r.file.ReadAt(b, r.at)
	r.at += int64(n)
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// offset is the end of the record that next gave.
func (r *segmentReader) offset() int64 { return r.start + r.lr.Offset() }

// next gives the next record, false at the limit. Its bytes stand until the next call. Unless more is to come, a record
// that is cut off at the limit is damage; so is what the disk refuses to read.
func (r *segmentReader) next(more bool) ([]byte, bool) {
	for {
		if r.lr.Next() {
			return r.lr.Record(), true
		}
		if errors.Is(r.lr.Err(), io.EOF) && (more || r.offset() >= r.limit) {
			return nil, false
		}
		from := r.offset()
		to := min((from/pageSize+1)*pageSize, r.limit)
		r.damaged += to - from
		if to >= r.limit {
			r.restart(r.limit)
			return nil, false
		}
		r.restart(to)
	}
}

// scanSegment reads a whole segment to learn what is in it.
func scanSegment(dir string, index int) (s *segment, damaged int64, err error) {
	r, err := openSegment(dir, index)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	info, err := r.file.Stat()
	if err != nil {
		return nil, 0, err
	}
	s = &segment{Index: index, closed: true}
	r.limit = info.Size()
	for {
		raw, ok := r.next(false)
		if !ok {
			return s, r.damaged, nil
		}
		sum, err := summarize(raw)
		if err != nil || sum.kind != recordTable && sum.seq <= s.LastSeq {
			r.damaged += int64(len(raw))
			continue
		}
		if sum.kind != recordTable {
			s.add(sum)
		}
		s.Bytes = r.offset()
	}
}

// index is the file that keeps what is known of closed segments, so that opening need not read them.
type index struct {
	Segments []*segment `json:"segments"`
	// Stream is the stream id of the last event that has one.
	Stream string `json:"stream,omitempty"`
	// NextSeq is above every sequence number that was given when it was written.
	NextSeq uint64 `json:"next_seq"`
	// Dropped counts the records that retention took.
	Dropped uint64 `json:"dropped"`
}

const indexName = "index"

// readIndex gives an empty index when the file is not there or is damaged.
func readIndex(dir string) (index, error) {
	var x index
	b, err := os.ReadFile(filepath.Join(dir, indexName))
	if errors.Is(err, os.ErrNotExist) {
		return x, nil
	}
	if err != nil {
		return x, err
	}
	if err := json.Unmarshal(b, &x); err != nil {
		return index{}, fmt.Errorf("the index is damaged: %w", err)
	}
	for _, s := range x.Segments {
		if s == nil {
			return index{}, errors.New("the index is damaged")
		}
		s.closed = true
	}
	return x, nil
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, content any) error {
	b, err := json.Marshal(content)
	if err != nil {
		return err
	}
	return durable.WriteFile(path, b, 0o600)
}
