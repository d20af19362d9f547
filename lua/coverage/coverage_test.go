package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/lua/luatest"
)

func TestStatements(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		lines []int
	}{
		"nothing":                  {"-- only a comment", nil},
		"in one line":              {"if a then return nil end", []int{1, 1}},
		"branches":                 {"if a then\n b()\nelseif c then\n d()\nelse\n e()\nend", []int{1, 2, 4, 6}},
		"loops":                    {"for i = 1, 2 do f(i) end\nfor k, v in pairs(t) do g(k) end\nwhile a do break end\nrepeat h() until b", []int{1, 1, 2, 2, 3, 3, 4, 4}},
		"functions":                {"local function f(a, ...)\n return ...\nend\nfunction M.n.f:g()\n x = 1\nend\nlocal g = function() return end", []int{1, 2, 4, 5, 7, 7}},
		"function in a table":      {"t = { f = function()\n return 1\nend; [1] = 2, 3 }", []int{1, 2}},
		"calls and assignments":    {"a.b[c]:d{ 1 } \"x\" [[y]]\na, b.c = 1, not -#d .. 'e'\n(f or g)(1)", []int{1, 2, 3}},
		"words in texts":           {"local a = 'if x then end' -- return\nlocal b = [==[\nreturn ]] ]==]\nreturn a --[[ do\nend ]]", []int{1, 2, 4}},
		"numbers":                  {"return 0x1F + 1e-3 - .5 * 3.0E+2 ^ 2", []int{1}},
		"text over lines":          {"local a = 'b\\\nc'\nd()", []int{1, 3}},
		"semicolons, then nothing": {"a = 1; b = 2; return;", []int{1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			changed, lines, err := instrument(c.text, 5)
			if err != nil {
				t.Fatal(err)
			}
			if len(lines) != len(c.lines) {
				t.Fatalf("statements in lines %v, expected %v", lines, c.lines)
			}
			for i := range lines {
				if lines[i] != c.lines[i] {
					t.Fatalf("statements in lines %v, expected %v", lines, c.lines)
				}
			}
			if strings.Count(changed, "\n") != strings.Count(c.text, "\n") {
				t.Errorf("lines have moved: %q", changed)
			}
		})
	}
	for _, broken := range []string{"if a then", "local = 1", "a = 'b", "a = [[b", "f(", "return 1 end", "a = 1 = 2", "@", "{ }", strings.Repeat("(", 1000)} {
		if _, err := statements(broken); err == nil || !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("%q: %v", broken, err)
		}
	}
}

// Lua that is run with counters does what it did, and says which statements ran.
func TestCountersRun(t *testing.T) {
	dir := t.TempDir()
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	if err := logging(dir); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	server := luatest.Start(t)
	changed, lines, err := instrument("local function odd(n)\n if n % 2 == 1 then return true end\n return false\nend\nreturn odd(3) and 7 or 8", 10)
	if err != nil {
		t.Fatal(err)
	}
	text := "#!lua name=t\nlocal function run() " + changed + " end\nredis.register_function{ function_name = 'f', callback = run, flags = { 'no-writes' } }"
	if err := server.FunctionLoad(context.Background(), text).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := server.FCallRO(context.Background(), "f", nil).Int(); err != nil || got != 7 {
		t.Fatalf("got %v, %v", got, err)
	}
	seen, err := ran(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	part := report(&out, []source{{name: "a/odd.lua", first: 10, lines: lines}}, seen)
	if part != 80 || !strings.Contains(out.String(), "80.0%  3\n") {
		t.Errorf("%.1f %%:\n%s", part, out.String())
	}
}

// All sources of the libraries are read.
func TestSources(t *testing.T) {
	all, overlay, err := instrumented("..", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(os.DirFS(".."), "*/*.lua")
	if err != nil || len(overlay) != len(files) || len(all) < len(files)*3/4 {
		t.Errorf("%d of %d sources, %v", len(all), len(files), err)
	}
	for _, s := range all {
		text, err := os.ReadFile(filepath.Join("..", s.name))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); s.lines[len(s.lines)-1] > n {
			t.Errorf("%s has %d lines and a statement in line %d", s.name, n, s.lines[len(s.lines)-1])
		}
	}
}

func TestAnyTextIsReadOrRefused(t *testing.T) {
	words := []string{"if", "then", "end", "function", "(", ")", "a", "=", "1", "'s'", "{", "}", ",", "return", "do", "[[", "]]", "--", "\n", ".", "for", "in", "..."}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.OneOf(rapid.SampledFrom(words), rapid.String())).Draw(t, "text"), " ")
		found, err := statements(text)
		for i := 1; i < len(found); i++ {
			if err == nil && found[i].offset <= found[i-1].offset {
				t.Fatalf("%q: %v", text, found)
			}
		}
	})
}

func TestRanges(t *testing.T) {
	if got := ranges([]int{1, 2, 3, 7, 9, 10}); got != "1-3 7 9-10" {
		t.Error(got)
	}
}
