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
	if err := hcl.NewDiagnosticTextWriter(w, sources, uint(max(0, width)), color).WriteDiagnostics(full); err != nil {
		return err
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
