package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/lua/luatest"
)

func alarmFiles(t *testing.T) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/alarms/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no alarm cases: %v", err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = text
	}
	return files
}

func TestAlarmCases(t *testing.T) {
	server := luatest.Start(t)
	total := 0
	for name, text := range alarmFiles(t) {
		passed, failures, err := runAlarmCases(context.Background(), server.Client, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, f := range failures {
			t.Errorf("%s: %s", name, f)
		}
		total += passed
	}
	if total != 73 {
		t.Errorf("%d cases passed, expected 73", total)
	}
}

func TestAlarmCasesOverRealRestarts(t *testing.T) {
	server := luatest.Start(t, "--appendfsync", "always")
	r := &alarmRunner{
		client:  func() *redis.Client { return server.Client },
		restart: func() error { server.Restart(t, "--appendfsync", "always"); return nil },
	}
	passed, failures, err := r.run(context.Background(), alarmFiles(t)["restart.json"])
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range failures {
		t.Error(f)
	}
	if passed == 0 {
		t.Error("no case passed")
	}
}
