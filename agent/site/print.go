package site

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// mostSnippets bounds the diagnostics that are written with a piece of the source; the rest get a line each.
const mostSnippets = 100

// WriteDiagnostics writes diagnostics for people, with the lines that they are about. A width of 0 does not wrap.
func WriteDiagnostics(w io.Writer, sources map[string]*hcl.File, diags hcl.Diagnostics, color bool, width int) error {
	full, rest := diags, hcl.Diagnostics(nil)
	if len(diags) > mostSnippets {
		full, rest = diags[:mostSnippets], diags[mostSnippets:]
	}
	for _, d := range full {
		d, files := excerpt(d, sources)
		if err := hcl.NewDiagnosticTextWriter(w, files, uint(max(0, width)), color).WriteDiagnostic(d); err != nil {
			return err
		}
	}
	for _, d := range rest {
		at := ""
		if d.Subject != nil {
			at = fmt.Sprintf("%s:%d:%d: ", d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column)
		}
		if _, err := fmt.Fprintf(w, "%s%s: %s\n", at, d.Summary, d.Detail); err != nil {
			return err
		}
	}
	return nil
}

// excerpt is a diagnostic with no more of its file than it is about, as the writer reads all of what it is given: empty
// lines stand for what is before it.
func excerpt(d *hcl.Diagnostic, sources map[string]*hcl.File) (*hcl.Diagnostic, map[string]*hcl.File) {
	if d.Subject == nil {
		return d, nil
	}
	f := sources[d.Subject.Filename]
	if f == nil || d.Subject.Start.Byte > len(f.Bytes) || d.Subject.Start.Line < 1 {
		return d, nil
	}
	whole := *d.Subject
	if d.Context != nil {
		whole = hcl.RangeOver(whole, *d.Context)
	}
	from := bytes.LastIndexByte(f.Bytes[:whole.Start.Byte], '\n') + 1
	to := min(max(whole.Start.Byte, whole.End.Byte), len(f.Bytes))
	if n := bytes.IndexByte(f.Bytes[to:], '\n'); n >= 0 {
		to += n
	} else {
		to = len(f.Bytes)
	}
	before := whole.Start.Line - 1
	src := append(bytes.Repeat([]byte{'\n'}, before), f.Bytes[from:to]...)
	shifted := func(r *hcl.Range) *hcl.Range {
		if r == nil {
			return nil
		}
		moved := *r
		moved.Start.Byte += before - from
		moved.End.Byte += before - from
		return &moved
	}
	copied := *d
	copied.Subject, copied.Context = shifted(d.Subject), shifted(d.Context)
	out := &hcl.File{Bytes: src}
	if nav, ok := f.Nav.(interface{ ContextString(int) string }); ok {
		out.Nav = fixedContext(nav.ContextString(d.Subject.Start.Byte))
	}
	return &copied, map[string]*hcl.File{d.Subject.Filename: out}
}

// fixedContext is the block that an excerpt is from.
type fixedContext string

// ContextString is the block.
func (c fixedContext) ContextString(int) string { return string(c) }

// Diagnostic is a diagnostic for programs: the API, an editor.
type Diagnostic struct {
	Severity string `json:"severity"` // error or warning
	Summary  string `json:"summary"`
	Detail   string `json:"detail,omitempty"`
	File     string `json:"file,omitempty"`
	// Line and Column begin with 1; the end is behind the last character.
	Line      int `json:"line,omitempty"`
	Column    int `json:"column,omitempty"`
	EndLine   int `json:"end_line,omitempty"`
	EndColumn int `json:"end_column,omitempty"`
	// Snippet is the line that it is about.
	Snippet string `json:"snippet,omitempty"`
}

// PlainDiagnostics are diagnostics for programs.
func PlainDiagnostics(sources map[string]*hcl.File, diags hcl.Diagnostics) []Diagnostic {
	out := make([]Diagnostic, 0, len(diags))
	for _, d := range diags {
		p := Diagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			p.Severity = "warning"
		}
		if r := d.Subject; r != nil {
			p.File, p.Line, p.Column, p.EndLine, p.EndColumn = r.Filename, r.Start.Line, r.Start.Column, r.End.Line, r.End.Column
			p.Snippet = lineAt(sources[r.Filename], r.Start.Byte)
		}
		out = append(out, p)
	}
	return out
}

// DiagnosticsJSON are diagnostics for programs, as a JSON array.
func DiagnosticsJSON(sources map[string]*hcl.File, diags hcl.Diagnostics) ([]byte, error) {
	return json.Marshal(PlainDiagnostics(sources, diags))
}

// longestSnippet bounds a line that is shown.
const longestSnippet = 300

func lineAt(f *hcl.File, offset int) string {
	if f == nil || offset > len(f.Bytes) || offset < 0 {
		return ""
	}
	from := bytes.LastIndexByte(f.Bytes[:offset], '\n') + 1
	to := len(f.Bytes)
	if n := bytes.IndexByte(f.Bytes[offset:], '\n'); n >= 0 {
		to = offset + n
	}
	line := strings.ToValidUTF8(strings.TrimSpace(string(f.Bytes[from:to])), "")
	if r := []rune(line); len(r) > longestSnippet {
		line = string(r[:longestSnippet]) + "…"
	}
	return line
}

// Format lays out a file of site.hcl as everybody does. A file with errors of syntax is not touched; the diagnostics have
// no file name.
func Format(src []byte) ([]byte, hcl.Diagnostics) {
	if at, deep := tooDeep(src); deep {
		return nil, complaint(rangeOfBytes("", src, at, at+1), "Nested too deeply", "Brackets are nested more than %d deep here.", deepest)
	}
	if _, diags := hclsyntax.ParseConfig(src, "", hcl.InitialPos); diags.HasErrors() {
		return nil, diags
	}
	out := bytes.TrimRight(hclwrite.Format(src), " \t\r\n")
	if len(out) > 0 {
		out = append(out, '\n')
	}
	return out, nil
}
