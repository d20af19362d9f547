package main

import (
	"context"
	"encoding/json"
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

// TestAlarmCorners plays cases of our own: what the others leave to the rulings.
func TestAlarmCorners(t *testing.T) {
	text, err := os.ReadFile("testdata/alarm-corners/corners.json")
	if err != nil {
		t.Fatal(err)
	}
	var group alarmGroup
	if err := json.Unmarshal(text, &group); err != nil {
		t.Fatal(err)
	}
	for _, c := range group.Cases {
		t.Run(c.Name, func(t *testing.T) { playOracle(t, c) })
	}
	passed, failures, err := runAlarmCases(context.Background(), luatest.Start(t).Client, text)
	if err != nil || passed != len(group.Cases) {
		t.Errorf("%d of %d passed: %v %v", passed, len(group.Cases), failures, err)
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
