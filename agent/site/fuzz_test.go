package site_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/voltage-edge/voltage/agent/site"
)

// FuzzLoad loads whatever it is given, as HCL, as JSON and as a table: it must not panic, must say something useful of
// what it refuses, and what it takes must be whole.
func FuzzLoad(f *testing.F) {
	seeds, err := filepath.Glob("testdata/diagnostics/*.hcl")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(seeds, "testdata/example.hcl", "../../site.hcl", "testdata/diagnostics/tables/meter.csv") {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add(head + `alarm "a" { when = [for x in ["a"]: device.meter[x]][0] > {a = 1}[device.meter.power] }`)
	f.Add(head + `rule "r" {` + "\n" + `for_each = {a = null}` + "\n" + `when = !-device.meter.power` + "\n" + `set "meter[each.value].limit" { value = each.value }` + "\n}")
	f.Add(`{"site": {"s": {}}, "rule": [{"r": [{"when": "${a", "set": {"a.b": {}}}]}], "channel": {"a": null}, "device": {"x": {"for_each": {"a": 1}}}}`)
	dir := f.TempDir()
	for _, name := range []string{"site.hcl", "table.csv"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 1<<13 {
			t.Skip()
		}
		const tabled = "site \"t\" {}\nchannel \"lan\" { plugin = \"modbus\" }\ndevice \"d\" {\n  channel = channel.lan\n  points = csv(\"table.csv\")\n  config { unit = 1 }\n}\n"
		for _, overlay := range []map[string][]byte{
			{"site.hcl": []byte(src)},
			{"site.hcl": []byte(head), "more.hcl.json": []byte(src)},
			{"site.hcl": []byte(tabled), "table.csv": []byte(src)},
		} {
			s, diags := load(t, dir, site.Options{Overlay: overlay})
			for _, d := range diags {
				if d.Summary == "" || d.Detail == "" {
					t.Errorf("a diagnostic without words: %+v", d)
				}
			}
			_ = text(t, s, diags)
			if _, err := site.DiagnosticsJSON(s.Sources, diags); err != nil {
				t.Error(err)
			}
			if !diags.HasErrors() {
				checkWhole(t, s)
			}
		}
		if out, diags := site.Format([]byte(src)); !diags.HasErrors() {
			if again, diags := site.Format(out); diags.HasErrors() || string(again) != string(out) {
				t.Errorf("laid out twice %q is %q, %v", out, again, diags)
			}
		}
	})
}

// checkWhole checks what everybody relies on in a site without errors.
func checkWhole(t *testing.T, s *site.Site) {
	t.Helper()
	for _, d := range s.Devices {
		if d.Channel == nil || d.StaleAfter < 3*d.Every || len(d.Points) == 0 {
			t.Errorf("device %+v", d)
		}
		for _, p := range d.Points {
			if s.Point(p.FullName()) != p || p.Scale == 0 {
				t.Errorf("point %+v", p)
			}
			if w := p.Write; w != nil && (w.Safe < w.Min || w.Safe > w.Max) {
				t.Errorf("output %+v", w)
			}
		}
	}
	for _, m := range s.Models {
		for _, x := range m.Measurements {
			if !x.Value.Given() || x.Value.Scope == nil {
				t.Errorf("measurement %+v", x)
			}
		}
		for _, a := range m.Actions {
			if a.Output.Write == nil || a.Factor == 0 {
				t.Errorf("action %+v", a)
			}
		}
	}
	for _, a := range s.Alarms {
		if !a.When.Given() {
			t.Errorf("alarm %+v", a)
		}
	}
	for _, r := range s.Rules {
		if !r.When.Given() || len(r.Sets) == 0 {
			t.Errorf("rule %+v", r)
		}
		for _, set := range r.Sets {
			if set.Output == nil || set.Output.Write == nil || set.Factor == 0 || !set.Value.Given() {
				t.Errorf("set %+v", set)
			}
		}
	}
	if p := site.Diff(s, s); !p.Empty() {
		t.Errorf("a site differs from itself: %s", p)
	}
}
