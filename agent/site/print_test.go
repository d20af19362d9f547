package site_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/site"
)

func TestFormat(t *testing.T) {
	out, diags := site.Format([]byte("a   \"b\"  {\nx=1\n  long  = 2\n}\n\n\n"))
	if diags.HasErrors() || string(out) != "a \"b\" {\n  x    = 1\n  long = 2\n}\n" {
		t.Errorf("%q, %v", out, diags)
	}
	if again, _ := site.Format(out); !bytes.Equal(again, out) {
		t.Errorf("laid out twice: %q", again)
	}
	if out, diags := site.Format([]byte("a {")); !diags.HasErrors() || out != nil {
		t.Errorf("a file with an error is laid out as %q", out)
	}
}

func TestDiagnosticsJSON(t *testing.T) {
	dir := write(t, map[string]string{"site.hcl": head + "alarm \"x\" { when = device.meter.pöwer > 1 }\n"})
	s, diags := load(t, dir, site.Options{})
	b, err := site.DiagnosticsJSON(s.Sources, diags)
	if err != nil {
		t.Fatal(err)
	}
	var got []site.Diagnostic
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := site.Diagnostic{
		Severity: "error", Summary: "Unknown point", Detail: `Device meter has no point "pöwer". Did you mean "power"?`, File: dir + "/site.hcl",
		Line: 22, Column: 32, EndLine: 22, EndColumn: 38, Snippet: `alarm "x" { when = device.meter.pöwer > 1 }`,
	}
	if len(got) != 1 || got[0] != want {
		t.Errorf("diagnostics %+v", got)
	}
	if none, _ := site.DiagnosticsJSON(nil, nil); string(none) != "[]" {
		t.Errorf("none are %s", none)
	}
	lost := hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "x", Subject: &hcl.Range{Filename: "nowhere", Start: hcl.Pos{Byte: 1e6}}}}
	if b, err := site.DiagnosticsJSON(s.Sources, lost); err != nil || !strings.Contains(string(b), "warning") {
		t.Errorf("%s, %v", b, err)
	}
}

func TestManyDiagnostics(t *testing.T) {
	var b strings.Builder
	b.WriteString(head)
	for i := range 5000 {
		fmt.Fprintf(&b, "alarm \"a%d\" { when = device.meter.x%d > 1 }\n", i, i)
	}
	s, diags := load(t, write(t, map[string]string{"site.hcl": b.String()}), site.Options{})
	if len(diags) != 5000 {
		t.Errorf("%d diagnostics", len(diags))
	}
	if said := text(t, s, diags); strings.Count(said, "has no point") != 5000 {
		t.Error("not all are written")
	}
}
