package site_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/site"
)

const planned = `
site "s" { timezone = "UTC" }
variable "limit" { default = 5 }
locals { high = device.a.power > var.limit }
channel "one" { plugin = "modbus" }
channel "two" { plugin = "modbus" }
device "a" {
  channel = channel.one
  config { unit = 1 }
  point "power" { unit = "kW" }
  point "out" {
    unit = "kW"
    write {
      min  = 0
      max  = 5
      safe = 0
    }
  }
}
device "b" {
  channel = channel.two
  config { unit = 1 }
  point "power" { unit = "kW" }
}
model "m" {
  template     = "load"
  measurements = { power = device.b.power }
}
alarm "al" {
  when    = local.high
  message = "high"
}
rule "r" {
  when = device.b.power > 5
  set "a.out" { value = 1 }
}
sink "k" {
  plugin = "influxdb"
  config {
    url    = "http://x"
    bucket = "y"
  }
}
`

func TestDiff(t *testing.T) {
	before := sound(t, map[string]string{"site.hcl": planned}, site.Options{})
	tests := []struct {
		name     string
		old, new string
		changes  []string
		outputs  []string
		restart  int
	}{
		{name: "nothing"},
		{name: "layout and comments", old: "  when = device.b.power > 5\n", new: "\n\n  # a comment\n  when   =   device.b.power>5 # more\n"},
		{name: "limits of an output", old: "max  = 5", new: "max  = 6", changes: []string{"change device a: changed points out"}, outputs: []string{"a.out"}},
		{
			name: "a safe value, which the plugin is told", old: "safe = 0", new: "safe = 1",
			changes: []string{"change channel one: starts anew for devices a", "change device a: changed points out"}, outputs: []string{"a.out"},
		},
		{
			name: "config of a device", old: "channel = channel.two\n  config { unit = 1 }", new: "channel = channel.two\n  config { unit = 2 }",
			changes: []string{"change channel two: starts anew for devices b", "change device b"},
		},
		{
			name: "a device moves", old: "channel = channel.two", new: "channel = channel.one",
			changes: []string{"change channel one: starts anew for devices b", "change channel two: starts anew for devices b", "change device b: on channel one, was two"},
			outputs: []string{"a.out"},
		},
		{name: "a description", old: "point \"power\" { unit = \"kW\" }\n  point \"out\"", new: "point \"power\" {\n    unit        = \"kW\"\n    description = \"x\"\n  }\n  point \"out\"", changes: []string{"change device a: changed points power"}},
		{name: "a constant behind a live local", old: "default = 5", new: "default = 6", changes: []string{"change alarm al"}},
		{name: "a measurement", old: "power = device.b.power }", new: "power = device.b.power * 2 }", changes: []string{"change model m"}},
		{name: "what a rule sets", old: "value = 1", new: "value = 2", changes: []string{"change rule r"}},
		{name: "a rule is switched off", old: "rule \"r\" {", new: "rule \"r\" {\n  enabled = false", changes: []string{"change rule r: no longer enabled"}},
		{name: "a rule is renamed", old: "rule \"r\"", new: "rule \"q\"", changes: []string{"add rule q", "remove rule r"}},
		{
			name: "what an alarm watches", old: "when    = local.high\n", new: "value = device.a.power\n  levels { high = 5 }\n",
			changes: []string{"change alarm al: levels high 5, was a condition"},
		},
		{name: "a sink", old: "\"y\"", new: "\"z\"", changes: []string{"change sink k"}},
		{name: "the name of the site", old: "site \"s\"", new: "site \"t\"", changes: []string{"remove site s", "add site t"}, restart: 1},
		{name: "the store", old: "variable", new: "store { max_memory = \"1GB\" }\nvariable", changes: []string{"change store "}, restart: 1},
		{name: "the journal", old: "variable", new: "journal { max_age = \"1d\" }\nvariable", changes: []string{"change journal "}},
		{
			name: "a channel more", old: "channel \"two\"", new: "channel \"three\" {\n  plugin = \"modbus\"\n  every  = \"5s\"\n}\nchannel \"two\"",
			changes: []string{"add channel three"},
		},
		{
			name: "the interval", old: "channel \"one\" { plugin = \"modbus\" }", new: "channel \"one\" {\n  plugin = \"modbus\"\n  every  = \"5s\"\n}",
			changes: []string{"change channel one: starts anew for devices a", "change device a: read every 5s, was 1s"}, outputs: []string{"a.out"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if !strings.Contains(planned, test.old) {
				t.Fatalf("%q is not there", test.old)
			}
			after := sound(t, map[string]string{"site.hcl": strings.Replace(planned, test.old, test.new, 1)}, site.Options{})
			p := site.Diff(before, after)
			var got []string
			for _, c := range p.Changes {
				line := c.Action + " " + c.Kind + " " + c.Name
				if c.Detail != "" {
					line += ": " + c.Detail
				}
				got = append(got, line)
			}
			if !slices.Equal(got, test.changes) {
				t.Errorf("changes %q, expected %q", got, test.changes)
			}
			if !slices.Equal(p.Outputs, test.outputs) {
				t.Errorf("outputs %q, expected %q", p.Outputs, test.outputs)
			}
			if len(p.Restart) != test.restart {
				t.Errorf("restart %q", p.Restart)
			}
			if p.Empty() != (len(test.changes) == 0) {
				t.Errorf("empty: %v", p.Empty())
			}
		})
	}
}

func TestPlanIsReadable(t *testing.T) {
	before := sound(t, map[string]string{"site.hcl": planned}, site.Options{})
	after := sound(t, map[string]string{"site.hcl": strings.NewReplacer("max  = 5", "max  = 6", "rule \"r\"", "rule \"q\"").Replace(planned)}, site.Options{})
	p := site.Diff(before, after)
	const want = "~ device a: changed points out\n+ rule q\n- rule r\nOutputs touched: a.out\n"
	if p.String() != want {
		t.Errorf("the plan reads\n%s\nexpected\n%s", p, want)
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	const wantJSON = `{"changes":[{"action":"change","kind":"device","name":"a","detail":"changed points out"},{"action":"add","kind":"rule","name":"q"},{"action":"remove","kind":"rule","name":"r"}],"outputs":["a.out"]}`
	if string(b) != wantJSON {
		t.Errorf("the plan is %s", b)
	}
	if !p.Changed("rule", "q") || p.Changed("channel", "one") {
		t.Error("Changed")
	}
	if first := site.Diff(nil, before); len(first.Restart) != 0 || !first.Changed("channel", "one") || !first.Changed("rule", "r") {
		t.Errorf("from nothing: %s", first)
	}
	if s := site.Diff(before, before); s.String() != "Nothing changes.\n" {
		t.Errorf("%q", s)
	}
}
