package site_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
)

// plantHead is a site with a meter and a battery as models, for rules of templates.
const plantHead = `
site "s" {}
channel "lan" { plugin = "modbus" }
device "meter" {
  channel = channel.lan
  config { unit = 1 }
  point "power" {
    address = "input:0"
    type    = "float32"
    unit    = "W"
  }
}
device "battery" {
  channel = channel.lan
  config { unit = 2 }
  point "soc" { unit = "%" }
  point "power" { unit = "kW" }
  point "setpoint" {
    unit = "kW"
    write {
      min  = -50
      max  = 50
      safe = 0
    }
  }
}
model "grid" {
  template     = "grid_meter"
  measurements = { power = device.meter.power }
}
model "bess" {
  template     = "battery"
  properties   = { max_charge = 40, max_discharge = 50 }
  measurements = { soc = device.battery.soc, power = device.battery.power }
  actions      = { power = device.battery.setpoint }
}
`

// ownTemplate has parameters of all types.
const ownTemplate = `
rule_template "own" {
  parameter "battery" {
    type     = model
    template = "battery"
  }
  parameter "load" {
    type = value
    unit = "kW"
  }
  parameter "night" {
    type    = condition
    default = true
  }
  parameter "limit" {
    type = number
    unit = "kW"
  }
  parameter "wait" {
    type    = duration
    default = "5s"
  }
  parameter "out" { type = output }
  parameter "text" {
    type    = string
    default = "hold"
  }
  parameter "strict" {
    type    = bool
    default = false
  }

  rule "first" {
    when     = param.load > param.limit && (param.night || param.strict)
    for      = param.wait
    unknown  = param.text
    priority = param.limit / 2
    set "param.battery.power" {
      value = min(param.load - param.limit, param.battery.max_discharge)
      ttl   = "30s"
    }
  }
  rule "second" {
    when = param.battery.soc < 5
    set "param.out" { value = 0 }
  }
  alarm "low" {
    when     = param.battery.soc < param.limit
    deadband = 1
  }
}
`

func TestARuleOfATemplateIsTheRuleWrittenOut(t *testing.T) {
	made := sound(t, map[string]string{"site.hcl": plantHead + ownTemplate + `
locals { watts = device.meter.power }
rule "peak" {
  template   = rule_template.own
  parameters = { battery = model.bess, load = local.watts, night = device.battery.power < 3, limit = 80, out = device.battery.setpoint, wait = null }
}
`}, site.Options{})
	names := func(s *site.Site) string {
		var out []string
		for _, r := range s.Rules {
			out = append(out, r.Name)
		}
		for _, a := range s.Alarms {
			out = append(out, a.Name)
		}
		return strings.Join(out, " ")
	}
	if got := names(made); got != "peak.first peak.second peak.low" {
		t.Errorf("made are %s", got)
	}
	hand := sound(t, map[string]string{"site.hcl": plantHead + `
rule "first" {
  when     = device.meter.power * 0.001 > 80 && (device.battery.power < 3 || false)
  for      = "5s"
  priority = 40
  set "bess.power" {
    value = min(device.meter.power * 0.001 - 80, 50)
    ttl   = "30s"
  }
}
rule "second" {
  when = device.battery.soc < 5
  set "battery.setpoint" { value = 0 }
}
alarm "low" {
  when     = model.bess.soc < 80
  deadband = 1
}
`}, site.Options{})
	a, b := programs(t, made), programs(t, hand)
	if x, y := strings.ReplaceAll(chunks(a.Rules), "peak.", ""), chunks(b.Rules); x != y {
		t.Errorf("the rules of the template are\n%s\nwritten out they are\n%s", x, y)
	}
	if x, y := strings.ReplaceAll(chunks(a.Alarms), "peak.", ""), chunks(b.Alarms); x != y {
		t.Errorf("the alarms of the template are\n%s\nwritten out they are\n%s", x, y)
	}
	if r := made.Rule("peak.first"); r == nil || r.Made == nil || r.Made.Rule != "peak" || r.Made.Template != "own" {
		t.Errorf("peak.first is %+v", r)
	}
	if a := made.Alarm("peak.low"); a == nil || a.Made == nil {
		t.Errorf("peak.low is %+v", a)
	}
}

func programs(t *testing.T, s *site.Site) *compile.Programs {
	t.Helper()
	p, diags := compile.Compile(s)
	if diags.HasErrors() {
		t.Fatal(text(t, s, diags))
	}
	return p
}

func TestRulesOfATemplateForEach(t *testing.T) {
	s := sound(t, map[string]string{"site.hcl": strings.Replace(plantHead, `model "bess" {`, `model "bess" {
  for_each = ["a", "b"]`, 1) + ownTemplate + `
rule "peak" {
  for_each   = { a = 10, b = 20 }
  template   = "own"
  parameters = { battery = model.bess[each.key], load = model.grid.power, limit = each.value, out = model.bess[each.key].power }
  enabled    = each.key == "a"
}
rule "self" {
  for_each   = ["a", "b"]
  template   = "self_consumption"
  parameters = { meter = model.grid, battery = model.bess[each.key] }
  description = "Of ${each.key}."
}
`}, site.Options{})
	programs(t, s)
	for name, target := range map[string]string{
		"peak[a].first": "bess[a].power", "peak[b].second": "bess[b].power", "self[a]": "bess[a].power", "self[b]": "bess[b].power",
	} {
		r := s.Rule(name)
		if r == nil {
			t.Errorf("there is no rule %s", name)
			continue
		}
		if r.Name != name || r.Sets[0].Target != target || r.Disabled != (name == "peak[b].second") {
			t.Errorf("%s sets %s, disabled: %t", r.Name, r.Sets[0].Target, r.Disabled)
		}
	}
	if r := s.Rule("self[b]"); r.Description != "Of b." {
		t.Errorf("its description is %q", r.Description)
	}
	if a := s.Alarm("peak[b].low"); a == nil || !a.Disabled {
		t.Errorf("the alarm is %+v", a)
	}
}

func TestAParameterThatChangesReplacesTheRule(t *testing.T) {
	at := func(limit, text string) *site.Site {
		return sound(t, map[string]string{"site.hcl": plantHead + text + `
rule "one" {
  template   = "own"
  parameters = { battery = model.bess, load = model.grid.power, limit = ` + limit + `, out = model.bess.power }
}
rule "two" {
  template   = "self_consumption"
  parameters = { meter = model.grid, battery = model.bess }
}
`}, site.Options{})
	}
	changed := func(a, b *site.Site) string {
		var out []string
		for _, c := range site.Diff(a, b).Changes {
			out = append(out, c.Name)
		}
		return strings.Join(out, " ")
	}
	before := at("80", ownTemplate)
	if got := changed(before, at("80", "# A comment.\n"+ownTemplate)); got != "" {
		t.Errorf("a comment changes %s", got)
	}
	if got := changed(before, at("82", ownTemplate)); got != "one.low one.first" {
		t.Errorf("another limit changes %s", got)
	}
	if got := changed(before, at("80", strings.Replace(ownTemplate, "default = true", "default = false", 1))); got != "one.first" {
		t.Errorf("another default of a condition changes %s", got)
	}
}

// A template of the site's own takes the place of the one that comes with the agent.
func TestATemplateIsReplaced(t *testing.T) {
	s := sound(t, map[string]string{"site.hcl": plantHead + strings.Replace(ownTemplate, `"own"`, `"self_consumption"`, 1) + `
rule "self" {
  template   = "self_consumption"
  parameters = { battery = model.bess, load = model.grid.power, limit = 4, out = model.bess.power }
}
`}, site.Options{})
	if s.Rule("self.first") == nil || s.RuleTemplate("self_consumption").Builtin {
		t.Error("the site's own template is not used")
	}
}

func TestBuiltinRuleTemplates(t *testing.T) {
	all, diags := site.BuiltinRuleTemplates()
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, x := range all {
		if x.Doc == "" || !x.Builtin {
			t.Errorf("%s: built in: %t, described as %q", x.Name, x.Builtin, x.Doc)
		}
		for _, p := range x.Parameters {
			if p.Doc == "" && p.Name != "priority" {
				t.Errorf("%s: the parameter %s is not described", x.Name, p.Name)
			}
		}
	}
}

// A rule that uses a template may come as JSON, as rules that are made over the API do.
func TestARuleOfATemplateInJSON(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{"site.hcl": plantHead, "rules.hcl.json": `{
  "rule": {"self": {"template": "self_consumption", "parameters": {"meter": "model.grid", "battery": "${model.bess}", "reserve": 20, "allow": "model.bess.soc > 3"}}}
}`}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s, diags := site.Load(context.Background(), dir, site.Options{Schemas: plugins()})
	if diags.HasErrors() {
		t.Fatal(text(t, s, diags))
	}
	if programs(t, s); s.Rule("self") == nil {
		t.Error("there is no rule")
	}
}

// chunks are a program's chunks, without the revisions of its items.
func chunks(p compile.Program) string {
	return revision.ReplaceAllString(strings.Join(p.Chunks, "\n"), "")
}

var revision = regexp.MustCompile(`rev = "[0-9a-f]+"`)
