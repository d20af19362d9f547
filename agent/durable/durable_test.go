package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/durable"
)

func TestWriteFileReplacesTheWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "place")
	for _, content := range []string{"a longer one", "short"} {
		if err := durable.WriteFile(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		expect(t, path, content)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v, want 0640", info.Mode().Perm(), err)
	}
	alone(t, path)
}

func TestWhatCantBeWrittenLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "place")
	if err := durable.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A folder in the way of what is written beside it.
	if err := os.Mkdir(path+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(path, []byte("new"), 0o600); err == nil {
		t.Error("no error")
	}
	expect(t, path, "old")
	if err := durable.WriteFile(filepath.Join(dir, "none", "place"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a folder that isn't there: %v", err)
	} else if strings.Contains(err.Error(), ".new") {
		t.Errorf("it names a file that the caller does not know: %v", err)
	}
}

// A folder in the place of the file makes the last step fail.
func TestWhatCantTakeItsPlaceIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "place")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(path, []byte("new"), 0o600); err == nil {
		t.Error("no error")
	}
	alone(t, path)
}

func TestReplacementsWaitForTheirEnd(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "place")
	if err := durable.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	prepare := func(content string) durable.Replacement {
		t.Helper()
		r, err := durable.Prepare(path, []byte(content), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, path, "old")
		return r
	}
	if err := prepare("dropped").Drop(); err != nil {
		t.Error(err)
	}
	alone(t, path)
	prepare("of a writer that was killed")
	if err := durable.Tidy(dir); err != nil {
		t.Error(err)
	}
	alone(t, path)
	if err := prepare("new").Finish(); err != nil {
		t.Error(err)
	}
	expect(t, path, "new")
}

func expect(t *testing.T, path, content string) {
	t.Helper()
	if b, err := os.ReadFile(path); err != nil || string(b) != content {
		t.Errorf("%q, %v, want %q", b, err, content)
	}
}

// alone expects no other file beside one.
func alone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(path) || durable.Unfinished(entries[0].Name()) {
		t.Errorf("%v, %v, want %s alone", entries, err, path)
	}
}
