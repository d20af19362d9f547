package site_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/voltage-edge/voltage/agent/site"
)

// All rules and flows of the example sites, taken out of their files and put into JSON, make the programs that they made there.
func TestRuleBlocksInJSONMakeTheSamePrograms(t *testing.T) {
	for _, name := range []string{"house", "industry", "flows"} {
		t.Run(name, func(t *testing.T) {
			src, err := os.ReadFile(filepath.Join("../../examples/sites", name, "site.hcl"))
			if err != nil {
				t.Fatal(err)
			}
			f, diags := hclsyntax.ParseConfig(src, "site.hcl", hcl.InitialPos)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			rest := bytes.Clone(src)
			var additions []site.Addition
			for _, b := range f.Body.(*hclsyntax.Body).Blocks {
				if !strings.Contains("rule chain window sequence", b.Type) {
					continue
				}
				r := b.Range()
				r.End = b.CloseBraceRange.End
				text := src[r.Start.Byte:r.End.Byte]
				block, diags := site.ReadRuleBlock(text, "new.hcl")
				if diags.HasErrors() {
					t.Fatal(diags)
				}
				if err := block.Check(); err != nil {
					t.Fatalf("%v: %s", err, block.Body)
				}
				again, diags := site.ReadRuleBlock(block.File(), "new.hcl.json")
				if diags.HasErrors() || again.Kind != b.Type || again.Name != b.Labels[0] || !bytes.Equal(again.Body, block.Body) {
					t.Fatalf("the file of %s is read as %+v, %v", b.Labels[0], again, diags)
				}
				additions = append(additions, site.Addition{Path: block.Name + ".hcl.json", Content: block.File()})
				copy(rest[r.Start.Byte:], bytes.Repeat([]byte(" "), len(text)))
			}
			if len(additions) < 3 {
				t.Fatalf("there are %d rules only", len(additions))
			}
			want := sound(t, map[string]string{"site.hcl": string(src)}, site.Options{})
			got := sound(t, map[string]string{"site.hcl": string(rest)}, site.Options{Additions: additions})
			if got.Revision == want.Revision {
				t.Error("the additions are not in the revision")
			}
			if a, b := chunks(programs(t, want).Rules), chunks(programs(t, got).Rules); a != b {
				t.Errorf("the program differs:\n%s\n%s", a, b)
			}
		})
	}
}

func TestRuleBlockText(t *testing.T) {
	b, diags := site.ReadRuleBlock([]byte(`rule "r" {
  description = "a \"b\" $${c} <d>"
  when        = device.m.x > 1 && "${var.a}x" == "y" // not kept
  for         = "5s"
  priority    = 7
  template    = peak_shaving
  parameters  = { limit = 5, meter = model.grid, "odd key" = [1, true, device.m.x] }
  enabled     = -1 < 2
  set "bess.power" { value = device.m.x }
  set "ev.power" {
    value = 1
  }
  hysteresis {
    on = 1
  }
  throttle {}
}
`), "r.hcl")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	want := `{
  "description": "a \"b\" $${c} <d>",
  "when": "${device.m.x > 1 && \"${var.a}x\" == \"y\"}",
  "for": "5s",
  "priority": 7,
  "template": "${peak_shaving}",
  "parameters": {
    "limit": 5,
    "meter": "${model.grid}",
    "odd key": [1, true, "${device.m.x}"]
  },
  "enabled": "${-1 < 2}",
  "set": [{
    "bess.power": {
      "value": "${device.m.x}"
    }
  }, {
    "ev.power": {
      "value": 1
    }
  }],
  "hysteresis": {
    "on": 1
  },
  "throttle": {}
}`
	if string(b.Body) != want || b.Kind != "rule" || b.Name != "r" {
		t.Errorf("got %s %s %s", b.Kind, b.Name, b.Body)
	}
}

func TestNotARuleBlock(t *testing.T) {
	for src, want := range map[string]string{
		`alarm "a" { when = true }`:         "This is an alarm",
		`rule "a" {} rule "b" {}`:           "Missing newline",
		"rule \"a\" {}\nrule \"b\" {}\n":    "This has 2",
		``:                                  "This has 0",
		`x = 1`:                             "Attribute outside of a block",
		`rule {}`:                           "A rule block has a name",
		strings.Repeat("[", 600):            "Nested too deeply",
		`JSON {"rule": {"a": {}, "b": {}}}`: "one block",
		`JSON {"alarm": {"a": {}}}`:         "must be a rule, chain, window or sequence",
		`JSON {"rule": {"a b": {}}}`:        "can't be a name",
		`JSON {"rule": {"a": [1]}}`:         "no JSON object",
		`JSON {"rule": `:                    "unexpected end",
	} {
		name := "x.hcl"
		if rest, ok := strings.CutPrefix(src, "JSON "); ok {
			src, name = rest, "x.hcl.json"
		}
		if _, diags := site.ReadRuleBlock([]byte(src), name); !diags.HasErrors() || !strings.Contains(diags.Error()+diags[0].Detail, want) {
			t.Errorf("%s: %v, expected %s", src, diags, want)
		}
	}
	for _, b := range []site.RuleBlock{
		{Kind: "rule", Name: "../a", Body: []byte("{}")}, {Kind: "rule", Name: "a", Body: []byte(`{}}, "alarm": {"x": {}`)}, {Kind: "device", Name: "a", Body: []byte("{}")},
		{Kind: "rule", Name: "a", Body: []byte(`null 1`)}, {Kind: "rule", Name: "a"},
	} {
		if b.Check() == nil {
			t.Errorf("%+v counts as sound", b)
		}
	}
}

func TestSwitches(t *testing.T) {
	files := map[string]string{"site.hcl": head + `
rule "a" {
  when = device.meter.power > 1
  set "meter.limit" { value = 1 }
}
rule "b" {
  for_each = ["x", "y"]
  enabled  = false
  when     = device.meter.power > 1
  set "meter.limit" { value = 1 }
}
`}
	before := sound(t, files, site.Options{})
	after := sound(t, files, site.Options{Switches: map[string]bool{"a": false, "b": true, "b[y]": false, "gone": true}})
	for name, disabled := range map[string]bool{"a": true, "b[x]": false, "b[y]": true} {
		if r := after.Rule(name); r == nil || r.Disabled != disabled {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for name, want := range map[string]bool{"a": true, "b[x]": true, "b[y]": false} {
		if after.Switched(name) != want {
			t.Errorf("%s counts as switched: %t", name, !want)
		}
	}
	if before.Revision == after.Revision {
		t.Error("the switches are not in the revision")
	}
	if got := site.Diff(before, after).String(); got != "~ rule a: no longer enabled\n~ rule b[x]: enabled\n" {
		t.Errorf("the plan is %q", got)
	}
}
