package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/voltage-edge/voltage/sdk/frame"
)

// smallDisk mounts a file system of its own, which needs root.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("can't mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// fillDisk takes all the room that is left.
func fillDisk(t *testing.T, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return path
}

func appendCounted(t *testing.T, j *Journal, b *frame.Builder, from, to int) error {
	t.Helper()
	for i := from; i < to; i++ {
		for k := range 40 {
			b.Set(k, float64(i)+float64(k)/7)
		}
		b.Set(0, float64(i))
		if err := j.AppendFrame(int64(i), "meter", b.Pack(nil, time.UnixMilli(int64(i)))); err != nil {
			return err
		}
	}
	return nil
}

// expectNewest checks that the journal has the newest frames, up to the one before last, without a gap.
func expectNewest(t *testing.T, j *Journal, last int) {
	t.Helper()
	got := all(t, j)
	if len(got) == 0 {
		t.Fatal("the journal is empty")
	}
	for i, r := range got {
		v, err := frame.Parse(r.Packed, nil)
		must(t, err)
		if want := float64(last - len(got) + i); v.Value(0) != want {
			t.Fatalf("record %d of %d is frame %v, want %v", i, len(got), v.Value(0), want)
		}
	}
}

func TestAFullDiskCostsTheOldest(t *testing.T) {
	for name, segment := range map[string]int64{"many segments": 128 << 10, "one segment": 64 << 20} {
		t.Run(name, func(t *testing.T) {
			dir := smallDisk(t, 4<<20)
			o := Options{Dir: filepath.Join(dir, "journal"), MaxBytes: 1 << 30, SegmentBytes: segment, Sync: 5 * time.Millisecond}
			j := open(t, o)
			table, b := counter(t)
			must(t, j.AppendTable(table))
			const n = 60_000
			must(t, appendCounted(t, j, b, 0, n))
			s := j.Stats()
			if s.Dropped == 0 || s.Dropped+s.Records != n || s.AppendFailures != 0 {
				t.Fatalf("%+v", s)
			}
			expectNewest(t, j, n)
			must(t, j.Close())
			j = open(t, o)
			expectNewest(t, j, n)
		})
	}
}

func TestADiskThatOthersFill(t *testing.T) {
	dir := smallDisk(t, 4<<20)
	o := Options{Dir: filepath.Join(dir, "journal"), SegmentBytes: 128 << 10, Sync: 5 * time.Millisecond}
	j := open(t, o)
	table, b := counter(t)
	must(t, j.AppendTable(table))
	must(t, appendCounted(t, j, b, 0, 200))
	ballast := fillDisk(t, dir)
	err := error(nil)
	failedAt := 200
	for ; err == nil && failedAt < 100_000; failedAt++ {
		err = appendCounted(t, j, b, failedAt, failedAt+1)
	}
	failedAt--
	if !errors.Is(err, ErrFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("a full disk: %v", err)
	}
	for range 5 {
		if err := appendCounted(t, j, b, failedAt, failedAt+1); !errors.Is(err, ErrFull) {
			t.Fatalf("again: %v", err)
		}
	}
	if s := j.Stats(); s.AppendFailures != 6 || s.Err == nil {
		t.Errorf("%+v", s)
	}
	must(t, os.Remove(ballast))
	must(t, appendCounted(t, j, b, failedAt, failedAt+1000))
	if s := j.Stats(); s.Err != nil {
		t.Errorf("%+v", s)
	}
	expectNewest(t, j, failedAt+1000)
	must(t, j.Close())
	expectNewest(t, open(t, o), failedAt+1000)
}

func TestRetentionByAge(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	j := open(t, Options{Dir: t.TempDir(), MaxAge: time.Hour, Sync: time.Hour, Now: func() time.Time { return now }})
	s := newSource(t, "meter", 3, 0, 1)
	must(t, j.AppendTable(s.table))
	for range 180 { // three hours
		now = now.Add(time.Minute)
		must(t, j.AppendFrame(now.UnixMilli(), "meter", s.next(now.UnixMilli(), 1)))
		j.tidy()
	}
	st := j.Stats()
	if st.Oldest.Before(now.Add(-66*time.Minute)) || st.Records < 59 || st.Dropped+st.Records != 180 {
		t.Errorf("%+v, now %v", st, now)
	}
	now = now.Add(24 * time.Hour)
	for range 3 {
		j.tidy()
	}
	if st := j.Stats(); st.Records != 0 || st.Dropped != 180 {
		t.Errorf("a day later: %+v", st)
	}
}

func TestRetentionBySize(t *testing.T) {
	j := open(t, Options{Dir: t.TempDir(), MaxBytes: 1 << 20, SegmentBytes: 64 << 10})
	table, b := counter(t)
	must(t, j.AppendTable(table))
	must(t, appendCounted(t, j, b, 0, 20_000))
	s := j.Stats()
	if s.Bytes > 1<<20+64<<10 || s.Bytes < 900<<10 || s.Dropped+s.Records != 20_000 {
		t.Errorf("%+v", s)
	}
	size := int64(0)
	for _, path := range segmentPaths(t, j.options.Dir) {
		info, err := os.Stat(path)
		must(t, err)
		size += info.Size()
	}
	if size > s.Bytes || size < s.Bytes-pageSize {
		t.Errorf("%d bytes on disk, the journal says %d", size, s.Bytes)
	}
	expectNewest(t, j, 20_000)
}
