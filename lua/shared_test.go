package lua_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/lua/luatest"
)

// note is a library of a test's own that keeps a number for each of its items. Schema 2 calls it value, and doubles it.
func note(t *testing.T, schema int) lua.Library {
	t.Helper()
	file := filepath.Join(t.TempDir(), "library.lua")
	text := fmt.Sprintf(`--#library  note
--#version  %[1]d.0.0
--#schema   %[1]d
--#function note_put
--#include  shared/site.lua
Library.migrations[1] = function(items)
  for _, item in pairs(items) do item.value, item.n = item.n * 2, nil end
end
function Library.functions.note_put(keys, args)
  local site = Site.open(keys)
  local item = site.state.items.a or {}
  local before = item.n or item.value or ''
  if args[1] then State.put(site.state, 'a', { [%[1]d == 1 and 'n' or 'value'] = tonumber(args[1]) }) end
  Site.close(site)
  return tostring(before)
end
`, schema)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	lib, err := lua.BundleFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// State of an older schema is brought up to date once; one of a newer schema is left alone, with words.
func TestStateOfAnotherSchema(t *testing.T) {
	server := luatest.Start(t)
	ctx := context.Background()
	s := server.Site("plant", "note")
	s.Program(t, "r", "return { { head = true, schema = 1, rev = 'r', devices = {} } }")
	put := func(schema int, args ...any) (any, error) {
		t.Helper()
		if err := server.FunctionLoadReplace(ctx, note(t, schema).Source).Err(); err != nil {
			t.Fatal(err)
		}
		return s.Call("note_put", args...)
	}
	if got, err := put(1, "21"); err != nil || got != "" {
		t.Fatalf("%v, %v", got, err)
	}
	for _, when := range []string{"first", "again"} {
		if got, err := put(2); err != nil || got != "42" {
			t.Errorf("%s: %v, %v", when, got, err)
		}
	}
	if got := server.HGet(ctx, s.Key("note:state"), "@schema").Val(); got != "2" {
		t.Errorf("the state has schema %q", got)
	}
	before := server.HGetAll(ctx, s.Key("note:state")).Val()
	if _, err := put(1, "5"); err == nil || !strings.HasPrefix(err.Error(), "NEWERSTATE ") || !strings.Contains(err.Error(), "load the newer library again") {
		t.Errorf("an older library on a newer state: %v", err)
	}
	if after := server.HGetAll(ctx, s.Key("note:state")).Val(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("it changed the state: %v", after)
	}
}

func TestProgramsThatCannotBe(t *testing.T) {
	server := luatest.Start(t)
	loadLibrary(t, server, "rules")
	ctx := context.Background()
	s := server.Site("plant", "rules")
	const head = "{ head = true, schema = 1, rev = 'r', devices = {} }"
	for name, c := range map[string]struct {
		chunks []string
		spoil  func()
		want   string
	}{
		"none":            {nil, func() { server.Del(ctx, s.Key("rules:program")) }, "NOPROGRAM v:{plant}:rules:program has no program"},
		"a chunk is gone": {[]string{"return { " + head + " }", "return {}"}, func() { server.HDel(ctx, s.Key("rules:program"), "2") }, "NOPROGRAM v:{plant}:rules:program has no chunk 2 of 2"},
		"no Lua":          {[]string{"return {{{"}, nil, "BADPROGRAM "},
		"no head":         {[]string{"return { { name = 'r' } }"}, nil, "BADPROGRAM v:{plant}:rules:program has no head"},
	} {
		s.Program(t, "r", c.chunks...)
		if c.spoil != nil {
			c.spoil()
		}
		if _, err := s.Call("rules_batch_execute", "1"); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, expected %s", name, err, c.want)
		}
	}
	s.Program(t, "r", "return { "+head+" }")
	if _, err := s.Call("rules_batch_execute", "1"); err != nil {
		t.Errorf("a good one after them: %v", err)
	}
	if err := server.FCall(ctx, "rules_batch_execute", s.Keys()[:3], "1").Err(); err == nil || !strings.HasPrefix(err.Error(), "BADKEYS ") {
		t.Errorf("too few keys: %v", err)
	}
}

func TestFramesAreKeptInMemoryAlone(t *testing.T) {
	server := luatest.Start(t, "--appendfsync", "always")
	loadLibrary(t, server, "frames")
	ctx := context.Background()
	const key = "v:{plant}:frames"
	if n, err := server.FCall(ctx, "frames_put", []string{key}, "a", "1", "b", "2").Int(); err != nil || n != 2 {
		t.Fatalf("%d, %v", n, err)
	}
	if got := server.HGetAll(ctx, key).Val(); fmt.Sprint(got) != "map[a:1 b:2]" {
		t.Errorf("the frames are %v", got)
	}
	for want, call := range map[string]func() error{
		"BADARG ":  func() error { return server.FCall(ctx, "frames_put", []string{key}, "a").Err() },
		"BADKEYS ": func() error { return server.FCall(ctx, "frames_put", nil, "a", "1").Err() },
	} {
		if err := call(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, expected %s", err, want)
		}
	}
	server.Restart(t, "--appendfsync", "always")
	if n := server.Exists(ctx, key).Val(); n != 0 {
		t.Error("frames were written to the append-only file")
	}
	if got, err := server.FCallRO(ctx, "frames_version", nil).StringSlice(); err != nil || len(got) != 3 {
		t.Errorf("the library is gone with the server: %v, %v", got, err)
	}
}
