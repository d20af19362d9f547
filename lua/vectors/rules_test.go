package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/lua/luatest"
)

func ruleFiles(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/rules/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no rule cases: %v", err)
	}
	return names
}

func runRules(t *testing.T, r *ruleRunner) {
	t.Helper()
	total := 0
	for _, name := range ruleFiles(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		passed, failures, err := r.run(context.Background(), text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, f := range failures {
			t.Errorf("%s", f)
		}
		total += passed
	}
	if want := 84; total != want {
		t.Errorf("%d cases passed, expected %d", total, want)
	}
}

func TestRuleCases(t *testing.T) {
	s := luatest.Start(t)
	runRules(t, &ruleRunner{client: func() *redis.Client { return s.Client }})
}

// TestRuleCorners plays cases of our own: what the others leave to the rulings.
func TestRuleCorners(t *testing.T) {
	text, err := os.ReadFile("testdata/rule-corners/corners.json")
	if err != nil {
		t.Fatal(err)
	}
	s := luatest.Start(t)
	r := &ruleRunner{client: func() *redis.Client { return s.Client }}
	passed, failures, err := r.run(context.Background(), text)
	if err != nil || len(failures) > 0 || passed != 5 {
		t.Errorf("%d passed: %v %v", passed, failures, err)
	}
}

// What the library holds in memory is only a cache: dropped between any two events, nothing changes.
func TestRuleCasesWithoutCaches(t *testing.T) {
	s := luatest.Start(t)
	r := &ruleRunner{client: func() *redis.Client { return s.Client }}
	r.between = func(ctx context.Context, _ []string) error { return r.load(ctx) }
	runRules(t, r)
}

func TestRunPrintsFailuresAndCounts(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	dir := t.TempDir()
	text := `{"group": "g", "cases": [
		{"name": "right", "rule": {"when": "m.p > 1"}, "events": [{"t": 0, "source": "m", "values": {"p": 0}}, {"t": 1, "source": "m", "values": {"p": 2}}], "expect": [{"t": 1, "fired": true, "edge": "rising"}]},
		{"name": "wrong", "rule": {"when": "m.p > 1"}, "events": [{"t": 0, "source": "m", "values": {"p": 0}}], "expect": [{"t": 0, "fired": true, "edge": "rising"}]},
		{"name": "unreadable", "rule": {"when": "m.p >"}, "events": [], "expect": []}]}`
	if err := os.WriteFile(filepath.Join(dir, "g.json"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	failed, err := run(context.Background(), dir, &out)
	if err != nil || failed != 2 {
		t.Fatalf("%d failed, %v: %s", failed, err, out.String())
	}
	for _, want := range []string{"g/wrong: got [], expected", "g/unreadable: expression", "1 passed, 2 failed\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
