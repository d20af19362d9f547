package lua_test

import (
	"context"
	"testing"

	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/lua/luatest"
)

func siteKeys(site, library string) []string {
	p := "v:{" + site + "}:"
	return []string{p + "epoch", p + library + ":program", p + library + ":state", p + library + ":timers", p + "frames", p + "requests", p + "events"}
}

func loadLibrary(t testing.TB, s *luatest.Server, name string) {
	t.Helper()
	lib, err := lua.Bundle(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.FunctionLoadReplace(context.Background(), lib.Source).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestRulesSelfTest(t *testing.T) {
	s := luatest.Start(t)
	loadLibrary(t, s, "rules")
	ctx := context.Background()
	for range 2 {
		if got, err := s.FCall(ctx, "rules_selftest", siteKeys("scratch", "rules")).Text(); err != nil || got != "OK" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if keys, err := s.Keys(ctx, "*").Result(); err != nil || len(keys) != 0 {
		t.Errorf("the self-test left %q, %v", keys, err)
	}
}
