package journal

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
)

// A journal is read beside the one that writes it, as it was when the reader was made, and nothing in its folder changes.
func TestOpenReaderBesideTheWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j, err := Open(Options{Dir: dir, MaxBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	add := func(from, to int) {
		for i := from; i < to; i++ {
			if err := j.AppendEvent(event.Event{Millis: int64(i), Kind: event.Agent, Fields: map[string]string{"detail": "something that happened"}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(1000, 1100)
	before := listing(t, dir)
	for end := time.Now().Add(30 * time.Second); !strings.Contains(before, indexName+" "); before = listing(t, dir) { // the writer's own first work
		if time.Now().After(end) {
			t.Fatalf("the writer has no index: %s", before)
		}
		time.Sleep(time.Millisecond)
	}
	r, err := OpenReader(dir, time.UnixMilli(1050))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if after := listing(t, dir); after != before {
		t.Errorf("the folder was %s and is %s", before, after)
	}
	add(1100, 1200)
	oldest, newest, ok := r.Span()
	if !ok || oldest.UnixMilli() != 1000 || newest.UnixMilli() != 1099 {
		t.Errorf("it spans %v to %v, %v", oldest, newest, ok)
	}
	for want := int64(1050); want < 1100; want++ {
		rec, err := r.Next()
		if err != nil || rec.Millis != want {
			t.Fatalf("%d, %v: expected %d", rec.Millis, err, want)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("behind the end: %v", err)
	}
	if r.Lost() != 0 {
		t.Errorf("%d lost", r.Lost())
	}
	if _, err := OpenReader(filepath.Join(dir, "absent"), time.Time{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// listing is the folder's files with their sizes.
func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := ""
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		out += e.Name() + " " + info.ModTime().String() + "; "
	}
	return out
}
