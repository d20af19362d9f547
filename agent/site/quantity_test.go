package site_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/agent/site"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"250ms": 250 * time.Millisecond, "5s": 5 * time.Second, "1h30m": 90 * time.Minute, "1 h 30 min": 90 * time.Minute, "1d": 24 * time.Hour,
		"1.5s": 1500 * time.Millisecond, "0": 0, "0s": 0, "2w": 14 * 24 * time.Hour, "1y": 365 * 24 * time.Hour, "-5s": -5 * time.Second, "10us": 10 * time.Microsecond,
	} {
		if d, err := site.ParseDuration(text); err != nil || d != want {
			t.Errorf("%q is %v, %v; expected %v", text, d, err, want)
		}
	}
	for _, text := range []string{"", "5", "s", "5 parsecs", "5s5", "1.2.3s", "--5s", "99999999y", "5s-3s", "NaNs", "1e3s"} {
		if d, err := site.ParseDuration(text); err == nil {
			t.Errorf("%q is taken for %v", text, d)
		}
	}
}

func TestDurationsReadAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(-int64(1e15), int64(1e15)).Draw(t, "d"))
		if back, err := site.ParseDuration(site.FormatDuration(d)); err != nil || back != d {
			t.Fatalf("%v is written %s and read %v, %v", d, site.FormatDuration(d), back, err)
		}
	})
}

func TestConvertUnit(t *testing.T) {
	for _, test := range []struct {
		from, to string
		factor   float64
		ok       bool
	}{
		{"W", "kW", 1e-3, true}, {"kW", "W", 1e3, true}, {"MW", "kW", 1e3, true}, {"kWh", "Wh", 1e3, true}, {"A", "mA", 1e3, true}, {"%", "‰", 10, true},
		{"ratio", "%", 100, true}, {"min", "s", 60, true}, {"l/min", "m³/h", 0.06, true}, {"mbar", "bar", 1e-3, true}, {"kvar", "var", 1e3, true},
		{"", "kW", 1, true}, {"kW", "", 1, true}, {"widgets", "widgets", 1, true}, {"C", "°C", 1, true},
		{"kW", "kVA", 0, false}, {"kW", "kvar", 0, false}, {"kW", "kWh", 0, false}, {"°C", "K", 0, false}, {"widgets", "kW", 0, false},
	} {
		if f, ok := site.ConvertUnit(test.from, test.to); f != test.factor || ok != test.ok {
			t.Errorf("%s to %s: %v, %v", test.from, test.to, f, ok)
		}
	}
	if u, ok := site.LookupUnit("kW"); !ok || u.Dimension != "active power" || u.Factor != 1000 {
		t.Errorf("kW: %+v", u)
	}
}

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

// Thousands of errors are told, and fast.
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

func TestFolder(t *testing.T) {
	dir := write(t, map[string]string{
		"b.hcl": head, "a.hcl": "alarm \"x\" { when = device.meter.power > 1 }\n", "voltage.lock.hcl": "plugin \"modbus\" { sha = 1 }\n",
		".hidden.hcl": "nonsense {", "notes.txt": "nonsense {", "sub/c.hcl": "nonsense {",
	})
	s, diags := load(t, dir, site.Options{})
	if len(diags) > 0 {
		t.Fatal(text(t, s, diags))
	}
	if len(s.Files) != 2 {
		t.Errorf("files %v", s.Files)
	}
	first := s.Revision
	overlaid, diags := load(t, dir, site.Options{Overlay: map[string][]byte{"a.hcl": []byte("alarm \"y\" { when = device.meter.power > 1 }\n"), "c.hcl": []byte("alarm \"z\" { when = device.meter.power > 1 }\n")}})
	if diags.HasErrors() || overlaid.Alarm("y") == nil || overlaid.Alarm("z") == nil || overlaid.Alarm("x") != nil || overlaid.Revision == first {
		t.Errorf("overlay: %v %v", overlaid.Alarms, diags)
	}
	gone, diags := load(t, dir, site.Options{Overlay: map[string][]byte{"a.hcl": nil}})
	if diags.HasErrors() || len(gone.Alarms) != 0 {
		t.Errorf("a file that is to be removed: %v %v", gone.Alarms, diags)
	}
	again, _ := load(t, dir, site.Options{})
	if again.Revision != first {
		t.Error("the revision of the same site differs")
	}
	if err := os.Remove(dir + "/b.hcl"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir + "/a.hcl"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, dir + "/missing", dir + "/sub/none.hcl"} {
		if s, diags := load(t, path, site.Options{}); !diags.HasErrors() || s == nil {
			t.Errorf("%s is taken for a site", path)
		}
	}
}

func TestReferenceIsCurrent(t *testing.T) {
	var b bytes.Buffer
	if err := site.WriteReference(&b); err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../../docs/site-hcl.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), committed) {
		t.Error("docs/site-hcl.md is not what the grammar says: run go generate ./agent/site")
	}
}

func TestBuiltinTemplates(t *testing.T) {
	all, diags := site.BuiltinTemplates()
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	var names []string
	for _, x := range all {
		names = append(names, x.Name)
		if x.Doc == "" || !x.Builtin {
			t.Errorf("template %s: %+v", x.Name, x)
		}
	}
	if got := strings.Join(names, " "); got != "battery environment ev_charger generator grid_meter load pv_inverter station" {
		t.Errorf("templates %s", got)
	}
}
