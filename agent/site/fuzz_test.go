package site_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/voltage-edge/voltage/agent/compile"
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

// FuzzRuleBlock puts a rule into JSON: it must mean there what it means as it was written, or be refused both times.
func FuzzRuleBlock(f *testing.F) {
	for _, name := range []string{"../../site.hcl", "../../examples/sites/flows/site.hcl", "../../examples/sites/house/site.hcl"} {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		file, diags := hclsyntax.ParseConfig(b, name, hcl.InitialPos)
		if diags.HasErrors() {
			f.Fatal(diags)
		}
		for _, x := range file.Body.(*hclsyntax.Body).Blocks {
			if slices.Contains(site.RuleKinds, x.Type) {
				f.Add(string(b[x.Range().Start.Byte:x.CloseBraceRange.End.Byte]))
			}
		}
	}
	f.Add("rule \"r\" {\n  for_each = { a = 1, \"b\" = 2 }\n  when = device.meter.power > each.value\n  for = \"${each.value}s\"\n  set \"meter.limit\" { value = -1 }\n}")
	f.Add("rule \"r\" {\n  description = \"$${x} %%{y} \\u00e9\"\n  when = (device.meter.power > 1 // why\n    && true)\n  publish \"x\" { fields = { a = device.meter.power, (\"b\") = 1 } }\n}")
	f.Add("chain \"c\" {\n  condition \"x\" {\n    when = device.meter.power > 1\n    next = { true = [\"a\"], false = \"a\" }\n  }\n  action \"a\" {\n    clear \"x\" {}\n  }\n}")
	f.Fuzz(func(t *testing.T, src string) {
		b, diags := site.ReadRuleBlock([]byte(src), "new.hcl")
		if len(src) > 1<<12 || diags.HasErrors() || b.Check() != nil {
			t.Skip()
		}
		again, diags := site.ReadRuleBlock(b.File(), "new.hcl.json")
		if diags.HasErrors() || again.Kind != b.Kind || again.Name != b.Name {
			t.Fatalf("%q is %s, which can't be read: %v", src, b.File(), diags)
		}
		written, one := load(t, write(t, map[string]string{"site.hcl": head, "new.hcl": src}), site.Options{})
		stored, two := load(t, write(t, map[string]string{"site.hcl": head}), site.Options{Additions: []site.Addition{{Path: "new.hcl.json", Content: b.File()}}})
		if one.HasErrors() != two.HasErrors() {
			t.Fatalf("%s\n%s\nas it was written: %s\nin JSON: %s", src, b.File(), text(t, written, one), text(t, stored, two))
		}
		if one.HasErrors() {
			return
		}
		p, one := compile.Compile(written)
		q, two := compile.Compile(stored)
		if one.HasErrors() != two.HasErrors() || chunks(p.Rules) != chunks(q.Rules) {
			t.Fatalf("%s\n%s\nmakes\n%s %v\nand in JSON\n%s %v", src, b.File(), chunks(p.Rules), one, chunks(q.Rules), two)
		}
	})
}
