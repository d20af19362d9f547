package lua

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// A main file declares what it is in lines of this form, and any file includes others:
//
//	--#library  rules
//	--#version  1.2.0
//	--#schema   1
//	--#function rule_execute
//	--#function rules_version no-writes
//	--#include  shared/frame.lua
var directivePattern = regexp.MustCompile(`^--#(\w+)\s+(\S+)(?:\s+(no-writes))?\s*$`)

// Redis gives nothing but the global redis to a library while it loads it. So the sources stand in a function that is run
// at the first call, and may begin with "local floor = math.floor". Redis' globals lie behind the metatable of an empty table,
// which makes each use of one the work of a short function: the sources have them as local variables. The text has the
// library's and Redis' name, the declarations of the functions, and the sources.
const template = `#!lua name=%[1]s
-- Voltage library %[2]s, version %[3]s, hash %[4]s
local Library = { name = '%[2]s', version = '%[3]s', hash = '%[4]s', schema = %[5]d, suffix = '%[6]s', functions = {}, migrations = {} }
local open, try
local function run(name, keys, args)
  if not try then
    open()
    try = pcall
  end
  Library.refusal = nil
  local ok, reply = try(Library.functions[name], keys, args)
  if ok then return reply end
  if Library.refusal then return redis.error_reply(Library.refusal) end
  return redis.error_reply('FAILED ' .. name .. ': ' .. tostring(type(reply) == 'table' and reply.err or reply))
end
%[7]sfunction open()
local redis, cmsgpack, cjson, struct, string, table, math = redis, cmsgpack, cjson, struct, string, table, math
local pcall, type, tostring, tonumber, ipairs, pairs, next, select, unpack = pcall, type, tostring, tonumber, ipairs, pairs, next, select, unpack
%[8]send
`

type function struct {
	name    string
	noWrite bool
}

func (b *bundler) declarations(suffix string) string {
	var out strings.Builder
	for _, f := range b.calls {
		flags := ""
		if f.noWrite {
			flags = ", flags = { 'no-writes' }"
		}
		fmt.Fprintf(&out, "redis.register_function{ function_name = '%s%s', callback = function(keys, args) return run('%s', keys, args) end%s }\n",
			f.name, suffix, f.name, flags)
	}
	return out.String()
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// maxIncludes bounds how many files a library may be made of.
const maxIncludes = 200

type bundler struct {
	read    func(string) ([]byte, error)
	done    map[string]bool
	open    []string
	out     strings.Builder
	library string
	version string
	schema  int
	calls   []function
}

func bundle(main, suffix string, read func(string) ([]byte, error)) (Library, error) {
	if !suffixPattern.MatchString(suffix) {
		return Library{}, fmt.Errorf("the suffix %q has characters other than letters, digits and underscores", suffix)
	}
	b := &bundler{read: read, done: map[string]bool{}}
	if err := b.file(main); err != nil {
		return Library{}, err
	}
	if b.library == "" || b.version == "" || b.schema == 0 {
		return Library{}, fmt.Errorf("%s must declare --#library NAME, --#version X.Y.Z and --#schema N, each in a line of its own", main)
	}
	if len(b.calls) == 0 {
		return Library{}, fmt.Errorf("%s declares no --#function", main)
	}
	body := b.out.String()
	for _, f := range b.calls {
		if !strings.Contains(body, "function Library.functions."+f.name+"(") {
			return Library{}, fmt.Errorf("%s declares the function %s, and no source has function Library.functions.%s(keys, args)", main, f.name, f.name)
		}
	}
	for from := 1; from < b.schema; from++ {
		if !strings.Contains(body, fmt.Sprintf("Library.migrations[%d] = ", from)) {
			return Library{}, fmt.Errorf("%s declares schema %d, and no source has Library.migrations[%d] = function(items), which brings state from schema %d to %d",
				main, b.schema, from, from, from+1)
		}
	}
	lib := Library{Name: b.library + suffix, Version: b.version, Hash: hashOf(b.library, b.version, strconv.Itoa(b.schema), b.declarations(""), body)}
	lib.Source = fmt.Sprintf(template, lib.Name, b.library, b.version, lib.Hash, b.schema, suffix, b.declarations(suffix), body)
	return lib, nil
}

func (b *bundler) file(name string) error {
	for i, open := range b.open {
		if open == name {
			return fmt.Errorf("the includes go in a circle: %s", strings.Join(append(b.open[i:], name), " → "))
		}
	}
	if b.done[name] {
		return nil
	}
	if len(b.done) >= maxIncludes {
		return fmt.Errorf("more than %d files", maxIncludes)
	}
	text, err := b.read(name)
	if err != nil {
		return fmt.Errorf("reading %s%s: %w", name, b.from(), err)
	}
	b.done[name] = true
	b.open = append(b.open, name)
	defer func() { b.open = b.open[:len(b.open)-1] }()
	for n, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		if err := b.line(line); err != nil {
			return fmt.Errorf("%s:%d: %w", name, n+1, err)
		}
	}
	return nil
}

func (b *bundler) from() string {
	if len(b.open) == 0 {
		return ""
	}
	return ", included by " + b.open[len(b.open)-1]
}

func (b *bundler) line(line string) error {
	if strings.HasPrefix(line, "#!") {
		return errors.New("this is a bundled library already: bundle its sources instead")
	}
	if !strings.HasPrefix(line, "--#") {
		b.out.WriteString(line)
		b.out.WriteByte('\n')
		return nil
	}
	m := directivePattern.FindStringSubmatch(line)
	if m == nil {
		return fmt.Errorf("%q is none of --#include FILE, --#library NAME, --#version X.Y.Z, --#schema N, --#function NAME [no-writes]", line)
	}
	return b.directive(m[1], m[2], m[3] != "")
}

func (b *bundler) directive(word, value string, noWrite bool) error {
	if word == "include" {
		if clean := path.Clean(value); clean != value || path.IsAbs(value) || strings.HasPrefix(value, "../") {
			return fmt.Errorf("an include is a plain path below the sources, not %q", value)
		}
		return b.file(value)
	}
	if len(b.open) != 1 {
		return fmt.Errorf("--#%s belongs in the library's main file", word)
	}
	if noWrite && word != "function" {
		return fmt.Errorf("--#%s takes one word", word)
	}
	switch word {
	case "library":
		if !namePattern.MatchString(value) {
			return fmt.Errorf("a library's name is made of letters, digits and underscores, not %q", value)
		}
		b.library = value
	case "version":
		v, err := semver.StrictNewVersion(value)
		if err != nil {
			return fmt.Errorf("%q is no semantic version such as 1.0.0", value)
		}
		b.version = v.String()
	case "schema":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return fmt.Errorf("a schema is a whole number from 1, not %q", value)
		}
		b.schema = n
	case "function":
		if !namePattern.MatchString(value) {
			return fmt.Errorf("a function's name is made of letters, digits and underscores, not %q", value)
		}
		b.calls = append(b.calls, function{value, noWrite})
	default:
		return fmt.Errorf("unknown directive --#%s", word)
	}
	return nil
}
