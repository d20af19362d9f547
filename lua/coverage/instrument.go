package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// source is one file of the libraries, with the numbers of its statements: from first on, in order.
type source struct {
	name  string
	first int
	lines []int
}

// mark stands in the server's log before the number of a statement that ran.
const mark = "LUA-STATEMENT"

// A table tells of each statement once, by the server's log: that works in functions that must not write, leaves no key, and
// outlives a library that is loaded anew and a server that is killed.
const preface = "local Covered = setmetatable({}, { __index = function(t, i) rawset(t, i, true) redis.log(redis.LOG_WARNING, '" + mark + " ' .. i) return true end }) "

// instrument puts a look into the table before each statement. Lines stay where they are.
func instrument(text string, first int) (string, []int, error) {
	found, err := statements(text)
	if err != nil {
		return "", nil, err
	}
	var b strings.Builder
	lines := make([]int, len(found))
	done := 0
	for i, s := range found {
		b.WriteString(text[done:s.offset])
		if i == 0 {
			b.WriteString(preface)
		}
		fmt.Fprintf(&b, "if Covered[%d] then end ", first+i)
		done, lines[i] = s.offset, s.line
	}
	b.WriteString(text[done:])
	return b.String(), lines, nil
}

// instrumented writes all sources below root into dir, and gives what go's -overlay needs to take them instead.
func instrumented(root, dir string) ([]source, map[string]string, error) {
	files, err := fs.Glob(os.DirFS(root), "*/*.lua")
	if err != nil {
		return nil, nil, err
	}
	var out []source
	overlay := map[string]string{}
	next := 1
	for _, name := range files {
		file := filepath.Join(root, filepath.FromSlash(name))
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		changed, lines, err := instrument(string(text), next)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
		target := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
		if err := os.WriteFile(target, []byte(changed), 0o644); err != nil {
			return nil, nil, err
		}
		if overlay[file] = target; len(lines) > 0 {
			out = append(out, source{name: path.Clean(name), first: next, lines: lines})
		}
		next += len(lines)
	}
	return out, overlay, nil
}
