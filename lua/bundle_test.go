package lua_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/lua/luatest"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

const declared = "--#library mine\n--#version 1.2.3\n--#schema 1\n--#function mine_go no-writes\n"

func TestBundleFileRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing declared", "return 1\n", "must declare"},
		{"bad version", "--#library mine\n--#version one\n--#schema 1\n", "semantic version"},
		{"bad schema", "--#library mine\n--#version 1.0.0\n--#schema 0\n", "whole number"},
		{"bad name", "--#library my-lib\n", "letters, digits and underscores"},
		{"missing include", declared + "--#include shared/none.lua\n", "library.lua:5: reading shared/none.lua"},
		{"no function", "--#library mine\n--#version 1.2.3\n--#schema 1\n", "declares no --#function"},
		{"function missing", declared, "no source has function Library.functions.mine_go"},
		{"path outside", declared + "--#include ../secret.lua\n", "plain path"},
		{"circle", declared + "--#include a.lua\n", "a.lua → b.lua → a.lua"},
		{"unknown directive", declared + "--#need x\n", "unknown directive --#need"},
		{"malformed directive", declared + "--#include\n", "is none of"},
		{"bundled already", "#!lua name=mine\n", "bundled library already"},
		{"declared in an include", declared + "--#include c.lua\n", "main file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "a.lua", "--#include b.lua\n")
			write(t, dir, "b.lua", "--#include a.lua\n")
			write(t, dir, "c.lua", "--#version 1.0.0\n")
			_, err := lua.BundleFile(write(t, dir, "library.lua", c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestBundleIncludesEachFileOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.lua", "--#include c.lua\nlocal a = 1\n")
	write(t, dir, "b.lua", "--#include c.lua\nlocal b = 1\n")
	write(t, dir, "c.lua", "local c = 1\n")
	lib, err := lua.BundleFile(write(t, dir, "library.lua", declared+"--#include a.lua\n--#include b.lua\nfunction Library.functions.mine_go() return 1 end\n"))
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(lib.Source, "next, select, unpack\n")
	if want := "local c = 1\nlocal a = 1\nlocal b = 1\nfunction Library.functions.mine_go() return 1 end\nend\n"; body != want {
		t.Errorf("got\n%s\nwant\n%s", body, want)
	}
	if lib.Name != "mine" || lib.Version != "1.2.3" || !strings.HasPrefix(lib.Source, "#!lua name=mine\n") ||
		!strings.Contains(lib.Source, "version 1.2.3, hash "+lib.Hash) {
		t.Errorf("got %+v", lib)
	}
}

func TestLibrariesLoadBesideTheirCandidates(t *testing.T) {
	s := luatest.Start(t)
	ctx := context.Background()
	for _, name := range []string{"rules"} {
		live, err := lua.Bundle(name)
		if err != nil {
			t.Fatal(err)
		}
		candidate, err := lua.BundleAs(name, "_next")
		if err != nil {
			t.Fatal(err)
		}
		if live.Hash != candidate.Hash {
			t.Errorf("%s: the hash is %s, and %s under another name", name, live.Hash, candidate.Hash)
		}
		for _, lib := range []lua.Library{live, candidate} {
			if err := s.FunctionLoadReplace(ctx, lib.Source).Err(); err != nil {
				t.Fatalf("%s: %v", lib.Name, err)
			}
		}
		for _, function := range []string{name + "_version", name + "_version_next"} {
			got, err := s.FCall(ctx, function, nil).StringSlice()
			if err != nil || len(got) != 3 || got[0] != live.Version || got[1] != live.Hash {
				t.Errorf("%s: %q, %v", function, got, err)
			}
		}
	}
}

func TestBundleRefusesUnknownNames(t *testing.T) {
	if _, err := lua.Bundle("nothing"); err == nil || !strings.Contains(err.Error(), `no library "nothing"`) {
		t.Errorf("got %v", err)
	}
	if _, err := lua.BundleAs("rules", "-x"); err == nil || !strings.Contains(err.Error(), "suffix") {
		t.Errorf("got %v", err)
	}
}

func TestIncludesOfASitesLibrary(t *testing.T) {
	dir := t.TempDir()
	const end = "function Library.functions.mine_go() return 1 end\n"
	tree := write(t, dir, "mine/library.lua", declared+"--#include shared/frame.lua\n--#include mine/a.lua\n--#include shared/logic.lua\n"+end)
	write(t, dir, "mine/a.lua", "-- of the tree\n")
	write(t, dir, "mine/shared/logic.lua", "-- beside the file\n")
	write(t, dir, "shared/logic.lua", "-- in the tree\n")
	lib, err := lua.BundleFile(tree)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"-- of the tree": true, "-- beside the file": true, "-- in the tree": false, "Frame": true} {
		if strings.Contains(lib.Source, text) != want {
			t.Errorf("%q is in the library: %v", text, !want)
		}
	}
	var got []string
	for _, file := range lua.Parts(tree) {
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, rel)
	}
	if want := "mine/library.lua mine/a.lua mine/shared/logic.lua"; strings.Join(got, " ") != want {
		t.Errorf("it is made of %v, want %s", got, want)
	}
	// Another name of the main file: only what is beside it.
	alone := write(t, dir, "mine/main.lua", declared+"--#include mine/a.lua\n"+end)
	if _, err := lua.BundleFile(alone); err == nil {
		t.Error("a file outside of its folder was included")
	}
	if parts := lua.Parts(alone); len(parts) != 1 || parts[0] != alone {
		t.Errorf("it is made of %v", parts)
	}
}
