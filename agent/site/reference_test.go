package site_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/site"
)

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

func TestExamplesOfTheReference(t *testing.T) {
	files := map[string]string{
		"more.hcl": `
variable "unused" { default = 1 }
device "grid_meter" {
  channel = channel.lan
  config { unit = 1 }
  point "power" { unit = "kW" }
}
`,
		"meter.csv": "point\nx\n", "lua/rules.lua": "--", "tls/token": "abcdef",
	}
	for name, example := range site.ReferenceExamples() {
		if out, diags := site.Format([]byte(example)); diags.HasErrors() || string(out) != example {
			t.Errorf("the example of %s is laid out as\n%s%v", name, out, diags)
		}
		if name == "api" {
			example = strings.ReplaceAll(example, "/etc/voltage/", "tls/")
		}
		if name == "device" {
			example = strings.TrimSuffix(example, "}\n") + "  point \"power\" { unit = \"kW\" }\n  point \"setpoint\" {\n    unit = \"kW\"\n    write {\n      min = 0\n      max = 1\n      safe = 0\n    }\n  }\n}\n"
		}
		files[name+".hcl"] = example
	}
	sound(t, files, site.Options{Getenv: func(string) (string, bool) { return "from the environment", true }, Variables: map[string]string{"peak": "80", "unused": "1"}})
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
