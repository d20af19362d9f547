package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/sdk/frame"
)

func TestCursorWaitsForRecords(t *testing.T) {
	j := open(t, Options{Dir: t.TempDir()})
	table, b := counter(t)
	must(t, j.AppendTable(table))
	c, err := j.Cursor("a[b/c]", Oldest)
	must(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		seen := uint64(0)
		for seen < 1000 {
			records, err := c.Next(context.Background(), 7)
			if err != nil || len(records) == 0 || len(records) > 7 {
				t.Errorf("%d records, %v", len(records), err)
				return
			}
			for _, r := range records {
				if seen++; r.Position.Seq != seen {
					t.Errorf("record %d, want %d", r.Position.Seq, seen)
				}
			}
			if err := c.Commit(records[len(records)-1].Position); err != nil {
				t.Error(err)
			}
		}
	})
	must(t, appendCounted(t, j, b, 0, 1000))
	wg.Wait()
	if lag := c.Lag(); lag != (Lag{}) {
		t.Errorf("lag %+v", lag)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := c.Next(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing to read: %v", err)
	}
	wg.Go(func() {
		if _, err := c.Next(context.Background(), 1); !errors.Is(err, ErrClosed) {
			t.Errorf("a journal that is closed: %v", err)
		}
	})
	must(t, j.Close())
	wg.Wait()
	if err := appendCounted(t, j, b, 0, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("append to a closed journal: %v", err)
	}
}

func TestCursorsPlace(t *testing.T) {
	dir := t.TempDir()
	now := time.UnixMilli(5000)
	o := Options{Dir: dir, Now: func() time.Time { return now }}
	j := open(t, o)
	table, b := counter(t)
	must(t, j.AppendTable(table))
	must(t, appendCounted(t, j, b, 1000, 1100))
	oldest, err := j.Cursor("oldest", Oldest)
	must(t, err)
	newest, err := j.Cursor("newest", Newest)
	must(t, err)
	if _, err := j.Cursor("oldest", Oldest); err == nil {
		t.Error("a cursor was opened twice")
	}
	if lag := newest.Lag(); lag != (Lag{}) {
		t.Errorf("newest: %+v", lag)
	}
	if lag := oldest.Lag(); lag.Records != 100 || lag.Age != 4*time.Second || lag.Bytes == 0 {
		t.Errorf("oldest: %+v", lag)
	}
	records, err := oldest.Next(context.Background(), 60)
	must(t, err)
	must(t, oldest.Commit(records[29].Position))
	if err := oldest.Commit(Position{Seq: 61}); err == nil {
		t.Error("it committed what it did not read")
	}
	if lag := oldest.Lag(); lag.Records != 70 {
		t.Errorf("after a commit: %+v", lag)
	}
	must(t, j.Close())

	j = open(t, o)
	names, err := j.Cursors()
	if err != nil || len(names) != 2 {
		t.Errorf("cursors %v, %v", names, err)
	}
	oldest, err = j.Cursor("oldest", Newest)
	must(t, err)
	if records, err = oldest.Next(context.Background(), 1); err != nil || records[0].Position.Seq != 31 {
		t.Errorf("it goes on with %+v, %v", records, err)
	}
	if err := j.RemoveCursor("oldest"); err == nil {
		t.Error("an open cursor was removed")
	}
	must(t, oldest.Close())
	must(t, j.RemoveCursor("oldest"))
	must(t, os.WriteFile(filepath.Join(dir, cursorFolder, "newest"), []byte("{"), 0o600))
	newest, err = j.Cursor("newest", Oldest)
	must(t, err)
	if records, err = newest.Next(context.Background(), 1); err != nil || records[0].Position.Seq != 1 {
		t.Errorf("a damaged cursor begins with %+v, %v", records, err)
	}
}

func TestACursorIsKeptWithoutClosing(t *testing.T) {
	dir := t.TempDir()
	j := open(t, Options{Dir: dir, Sync: time.Millisecond})
	table, b := counter(t)
	must(t, j.AppendTable(table))
	must(t, appendCounted(t, j, b, 0, 10))
	c, err := j.Cursor("c", Oldest)
	must(t, err)
	records, err := c.Next(context.Background(), 5)
	must(t, err)
	must(t, c.Commit(records[4].Position))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		p, err := readCursor(j.cursorPath("c"))
		must(t, err)
		if p.Seq == 5 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("kept %+v", p)
		}
	}
}

func TestAppendsFromManyGoroutines(t *testing.T) {
	j := open(t, Options{Dir: t.TempDir(), SegmentBytes: 64 << 10, Sync: time.Millisecond, MaxBytes: 1 << 20})
	c, err := j.Cursor("c", Oldest)
	must(t, err)
	const devices, frames = 8, 500
	var wg sync.WaitGroup
	for d := range devices {
		s := newSource(t, string(rune('a'+d)), 50, 1, uint64(d))
		must(t, j.AppendTable(s.table))
		wg.Go(func() {
			for i := range frames {
				if err := j.AppendFrame(int64(i), s.table.Device, s.next(int64(i), 0.2)); err != nil {
					t.Error(err)
				}
				_ = j.Stats()
			}
		})
	}
	next := map[string]int64{}
	lost := uint64(0)
	for seen := uint64(0); seen+lost < devices*frames; {
		records, err := c.Next(context.Background(), 100)
		must(t, err)
		for _, r := range records {
			v, err := frame.Parse(r.Packed, nil)
			must(t, err)
			if v.Millis() != float64(r.Millis) || r.Millis < next[r.Table.Device] {
				t.Fatalf("%s: frame of %d at %d after %d", r.Table.Device, int64(v.Millis()), r.Millis, next[r.Table.Device])
			}
			next[r.Table.Device] = r.Millis + 1
		}
		seen += uint64(len(records))
		must(t, c.Commit(records[len(records)-1].Position))
		lost = c.Lag().Dropped
	}
	wg.Wait()
}
