package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/lua"
)

// newerRules is the rules library of the tests with its state in schema 2, where n is called count.
func newerRules(t *testing.T, migration string) (lua.Library, error) {
	t.Helper()
	text, err := os.ReadFile("testdata/rules.lua")
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.NewReplacer("--#version  0.0.1", "--#version  0.1.0", "--#schema   1", "--#schema   2", "{ n = 0 }", "{ count = 0 }",
		"n.n = n.n + 1", "n.count = n.count + 1").Replace(string(text))
	file := filepath.Join(t.TempDir(), "rules.lua")
	if err := os.WriteFile(file, []byte(newer+migration), 0o600); err != nil {
		t.Fatal(err)
	}
	return lua.BundleFile(file)
}

// counted renames, drops what is called old, and adds how often it ran.
const counted = `
Library.migrations[1] = function(items)
  items.seen = { count = items.seen.n }
  items.old = nil
  items.runs = { n = (items.runs and items.runs.n or 0) + 1 }
end
`

func mustRules(t *testing.T, migration string) lua.Library {
	t.Helper()
	lib, err := newerRules(t, migration)
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// state is the hash of the rules' state, and the value of an item.
func state(t *testing.T, s *Store) map[string]string {
	t.Helper()
	m, err := s.client.HGetAll(deadline(t), s.keys.state(Rules)).Result()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func migrated(events []event.Event) int {
	n := 0
	for _, e := range events {
		if e.Kind == event.Library && e.Get("event") == "migrated" {
			n++
		}
	}
	return n
}

func TestStateIsMigratedOnce(t *testing.T) {
	s := open(t, options(t))
	load(t, s)
	b := builders{}
	for i := range int64(3) {
		apply(t, s, 1000+i, b.frame(t, "a", 1000+i, 1))
	}
	if err := s.client.HSet(deadline(t), s.keys.state(Rules), "old", "\x80").Err(); err != nil { // an empty table
		t.Fatal(err)
	}
	if err := s.Load(deadline(t), mustRules(t, counted)); err != nil {
		t.Fatal(err)
	}
	if got := state(t, s)["@schema"]; got != "1" {
		t.Errorf("to try a library brought the live state to schema %s", got)
	}
	n := 0
	for i := range int64(3) {
		n += migrated(apply(t, s, 2000+i, b.frame(t, "a", 2000+i, 1)).Events)
	}
	got := state(t, s)
	if _, old := got["old"]; old || got["@schema"] != "2" || got["seen"] != "\x81\xa5count\x06" || got["runs"] != "\x81\xa1n\x01" {
		t.Errorf("%q", got)
	}
	if n != 1 {
		t.Errorf("it was told %d times", n)
	}

	// The library before does not know the newer state: it is refused, with what to do.
	err := s.Rollback(deadline(t), Rules)
	if ProblemOf(err) != Refused || !strings.Contains(err.Error(), "load the newer library again") || !strings.Contains(err.Error(), "What runs goes on unchanged") {
		t.Errorf("%v", err)
	}
	apply(t, s, 3000, b.frame(t, "a", 3000, 1))
}

func TestAMigrationThatFailsKeepsTheLibraryOut(t *testing.T) {
	s := open(t, options(t))
	load(t, s)
	b := builders{}
	apply(t, s, 1000, b.frame(t, "a", 1000, 1))
	before := state(t, s)
	err := s.Load(deadline(t), mustRules(t, "\nLibrary.migrations[1] = function(items) items.seen = nil error('half way') end\n"))
	if ProblemOf(err) != Refused || !strings.Contains(err.Error(), "from schema 1 to 2") || !strings.Contains(err.Error(), "half way") {
		t.Errorf("%v", err)
	}
	if after := state(t, s); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the state was %q and is %q", before, after)
	}
	apply(t, s, 1100, b.frame(t, "a", 1100, 1))
	if _, err := newerRules(t, ""); err == nil || !strings.Contains(err.Error(), "Library.migrations[1]") {
		t.Errorf("a library without the step is bundled: %v", err)
	}
}

// TestTheServerEndsInAMigration cuts the append-only file off in the middle of the call that migrated, as a loss of power does.
func TestTheServerEndsInAMigration(t *testing.T) {
	o := options(t)
	s, err := Open(deadline(t), o)
	if err != nil {
		t.Fatal(err)
	}
	load(t, s)
	b := builders{}
	apply(t, s, 1000, b.frame(t, "a", 1000, 1))
	before := state(t, s)
	lib := mustRules(t, counted)
	if err := s.Load(deadline(t), lib); err != nil {
		t.Fatal(err)
	}
	apply(t, s, 2000, b.frame(t, "a", 2000, 1))
	s.Close()

	files, err := filepath.Glob(filepath.Join(o.DataDir, "redis", aofFolder, "*.incr.aof"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(text, []byte("@schema"))
	if at < 0 || !bytes.Contains(text[max(at-200, 0):at], []byte("HSET")) {
		t.Fatal("the migration is not in the append-only file")
	}
	if err := os.Truncate(files[0], int64(at)); err != nil {
		t.Fatal(err)
	}

	s = open(t, o)
	if after := state(t, s); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the state was %q and is %q", before, after)
	}
	for _, name := range []string{Models, Alarms} {
		bundled, err := lua.Bundle(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Load(deadline(t), bundled); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Load(deadline(t), lib); err != nil {
		t.Fatal(err)
	}
	if err := s.LoadPrograms(deadline(t), programs("1", "")); err != nil {
		t.Fatal(err)
	}
	apply(t, s, 3000, b.frame(t, "a", 3000, 1))
	if got := state(t, s); got["@schema"] != "2" || got["runs"] != "\x81\xa1n\x01" {
		t.Errorf("%q", got)
	}
}
