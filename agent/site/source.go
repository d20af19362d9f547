package site

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
)

const (
	// largestSource bounds a file of site.hcl, or a CSV table.
	largestSource = 32 << 20
	// deepest bounds how deeply expressions may be nested, for the parser's stack.
	deepest = 500
	// lockFile is kept by `voltage plugin lock`; it is no part of the site.
	lockFile = "voltage.lock.hcl"
	// switchesInput is the name of the switches among what was read.
	switchesInput = "switches:rules"
)

// source is one file of the site.
type source struct {
	name  string
	bytes []byte
	body  hcl.Body
	diags hcl.Diagnostics
}

// read remembers that something was read, for the revision.
func (l *loader) read(name string, content []byte) {
	sum := sha256.Sum256(content)
	l.inputs[name] = sum[:]
}

// readAll finds and parses the site's files.
func (l *loader) readAll(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		l.noFile(path, "Site not found", capital(fileError(path, err).Error())+".")
		return false
	}
	l.folder = path
	names := []string{path}
	if info.IsDir() {
		names = l.filesOf(path)
	} else {
		l.folder = filepath.Dir(path)
	}
	l.site.Folder = l.folder
	if len(names) == 0 {
		l.noFile(path, "Site without files", "The folder "+path+" has no file *.hcl.")
		return false
	}
	for _, name := range names {
		src := &source{name: name}
		if b, ok := l.options.Overlay[filepath.Base(name)]; ok {
			src.bytes = b
		} else if src.bytes, err = readFile(name, largestSource); err != nil {
			l.noFile(name, "File not readable", capital(err.Error())+".")
			continue
		}
		l.read(name, src.bytes)
		l.files = append(l.files, src)
	}
	for _, p := range l.options.Additions {
		l.read(p.Path, p.Content)
		l.files = append(l.files, &source{name: p.Path, bytes: p.Content})
	}
	if switches := l.options.Switches; len(switches) > 0 {
		text := ""
		for _, name := range sortedKeys(switches) {
			text += fmt.Sprintf("%s=%t\n", name, switches[name])
		}
		l.read(switchesInput, []byte(text))
	}
	var wait sync.WaitGroup
	for _, src := range l.files {
		wait.Go(src.parse)
	}
	wait.Wait()
	for _, src := range l.files {
		l.site.Sources[src.name] = &hcl.File{Bytes: src.bytes, Nav: outlineOf(src.body)}
		l.take(src.diags)
	}
	return true
}

func (l *loader) noFile(name, summary, detail string) {
	l.count++
	l.diags = append(l.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail})
}

// filesOf are the site's files in a folder, in the order of their names.
func (l *loader) filesOf(folder string) []string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		l.noFile(folder, "Folder not readable", capital(fileError(folder, err).Error())+".")
		return nil
	}
	var names []string
	for _, e := range entries {
		if isSource(e.Name()) && !e.IsDir() {
			names = append(names, filepath.Join(folder, e.Name()))
		}
	}
	for name, b := range l.options.Overlay {
		full := filepath.Join(folder, name)
		switch i := slices.Index(names, full); {
		case b == nil && i >= 0:
			names = slices.Delete(names, i, i+1)
		case b != nil && i < 0 && isSource(name):
			names = append(names, full)
		}
	}
	slices.Sort(names)
	return names
}

func isSource(name string) bool {
	return (strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".hcl.json")) && name != lockFile && !strings.HasPrefix(name, ".")
}

func (s *source) parse() {
	start := hcl.InitialPos
	if b, ok := bytes.CutPrefix(s.bytes, []byte("\xef\xbb\xbf")); ok {
		s.bytes = b
	}
	if at, deep := tooDeep(s.bytes); deep {
		rng := rangeOfBytes(s.name, s.bytes, at, at+1)
		s.diags = complaint(rng, "Nested too deeply", "Brackets are nested more than %d deep here.", deepest)
		return
	}
	var f *hcl.File
	if strings.HasSuffix(s.name, ".json") {
		f, s.diags = json.Parse(s.bytes, s.name)
	} else {
		f, s.diags = hclsyntax.ParseConfig(s.bytes, s.name, start)
	}
	if f != nil {
		s.body = f.Body
	}
}

// tooDeep looks for a nesting, or a row of signs, that would take the parser's stack.
func tooDeep(src []byte) (at int, deep bool) {
	depth, row := 0, 0
	for i, b := range src {
		switch b {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth = max(0, depth-1)
		}
		if b == '!' || b == '-' {
			row++
		} else if b != ' ' && b != '\t' {
			row = 0
		}
		// A row of dashes is an ornament of comments; one of thousands is not.
		if depth > deepest || row > 8*deepest {
			return i, true
		}
	}
	return 0, false
}

// rangeOfBytes is a place in a file by its offsets.
func rangeOfBytes(name string, src []byte, from, to int) hcl.Range {
	return hcl.Range{Filename: name, Start: positionOf(src, from), End: positionOf(src, to)}
}

func positionOf(src []byte, offset int) hcl.Pos {
	offset = min(offset, len(src))
	line := bytes.Count(src[:offset], []byte{'\n'})
	begin := bytes.LastIndexByte(src[:offset], '\n') + 1
	return hcl.Pos{Line: line + 1, Column: utf8.RuneCount(src[begin:offset]) + 1, Byte: offset}
}

// outline says in which block a place is, without the syntax tree.
type outline []outlined

type outlined struct {
	from, to int
	text     string
	header   hcl.Range
}

func outlineOf(body hcl.Body) outline {
	b, ok := body.(*hclsyntax.Body)
	if !ok {
		return nil
	}
	out := make(outline, len(b.Blocks))
	for i, n := range b.Blocks {
		text := n.Type
		for _, label := range n.Labels {
			text += " \"" + label + "\""
		}
		r := n.Range()
		out[i] = outlined{from: r.Start.Byte, to: n.Body.SrcRange.End.Byte, text: text, header: n.DefRange()}
		out[i].to = max(out[i].to, r.End.Byte)
	}
	return out
}

// ContextString names the block that an offset is in, for the text of a diagnostic.
func (o outline) ContextString(offset int) string {
	for _, b := range o {
		if offset >= b.from && offset < b.to {
			return b.text
		}
	}
	return ""
}

// ContextDefRange is the header of the block that an offset is in.
func (o outline) ContextDefRange(offset int) hcl.Range {
	for _, b := range o {
		if offset >= b.from && offset < b.to {
			return b.header
		}
	}
	return hcl.Range{}
}

// revision is the hash of all that was read.
func (l *loader) revision() string {
	h := sha256.New()
	for _, name := range sortedKeys(l.inputs) {
		h.Write([]byte(name))
		h.Write([]byte{0})
		h.Write(l.inputs[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
