package site_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/voltage-edge/voltage/agent/site"
)

// head is a site with a channel and a device, for tests of what comes after.
const head = `
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
  point "limit" {
    address = "holding:0"
    unit    = "W"
    write {
      min  = 0
      max  = 5000
      safe = 100
    }
  }
}
`

func TestForEach(t *testing.T) {
	s := sound(t, map[string]string{"site.hcl": `
site "s" {}
locals {
  halls = { north = 11, south = 12 }
  total = sum(device.hall["north"].power, device.hall["south"].power)
}
channel "bus" {
  for_each = toset(["a", "b"])
  plugin   = "modbus"
  config { address = "10.0.0.${each.key == "a" ? 1 : 2}:502" }
}
device "hall" {
  for_each = local.halls
  channel  = channel.bus[each.key == "north" ? "a" : "b"]
  config { unit = each.value }
  point "power" { unit = "kW" }
  point "limit" {
    unit = "kW"
    write {
      min  = 0
      max  = each.value
      safe = 0
    }
  }
}
model "none" {
  for_each = []
  template = "load"
}
model "consumer" {
  for_each     = local.halls
  template     = "load"
  measurements = { power = device.hall[each.key].power }
  actions      = { power_limit = device.hall[each.key].limit }
}
alarm "overload" {
  for_each = ["north", "south"]
  when     = model.consumer[each.key].power > 5 && local.total > 2
}
rule "limit" {
  for_each = { north = "south", south = "north" }
  when     = device.hall[each.value].power > 5
  set "consumer[each.key].power_limit" { value = 5 }
  set "hall[each.value].limit" { value = 1 }
}
rule "first" {
  when = device.hall["north"].power > 5
  set "hall[north].limit" { value = 1 }
}
sink "out" {
  for_each = toset([])
  plugin   = "influxdb"
}
`}, site.Options{})
	var names []string
	for _, c := range s.Channels {
		names = append(names, c.Name+"="+c.Config.Values.String("address"))
	}
	for _, d := range s.Devices {
		names = append(names, d.Name+" on "+d.Channel.Name)
	}
	for _, r := range s.Rules {
		for _, set := range r.Sets {
			names = append(names, r.Name+": "+set.Target+" → "+set.Output.FullName())
		}
	}
	want := []string{
		"bus[a]=10.0.0.1:502", "bus[b]=10.0.0.2:502", "hall[north] on bus[a]", "hall[south] on bus[b]",
		"limit[north]: consumer[north].power_limit → hall[north].limit", "limit[north]: hall[south].limit → hall[south].limit",
		"limit[south]: consumer[south].power_limit → hall[south].limit", "limit[south]: hall[north].limit → hall[north].limit",
		"first: hall[north].limit → hall[north].limit",
	}
	if !slices.Equal(names, want) {
		t.Errorf("there are\n%s\nexpected\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
	if s.Output("hall[south].limit").Write.Max != 12 || s.Output("consumer[north].power_limit").FullName() != "hall[north].limit" {
		t.Error("lookups by the names of instances")
	}
	if len(s.Alarms) != 2 || s.Alarm("overload[south]") == nil || len(s.Sinks) != 0 || s.Device("hall") != nil {
		t.Errorf("alarms %v, sinks %v", s.Alarms, s.Sinks)
	}
}

func TestPointsAreMerged(t *testing.T) {
	s := sound(t, map[string]string{
		"site.hcl": `
site "s" {}
channel "lan" { plugin = "modbus" }
profile "base" {
  plugin = "modbus"
  points = csv("tables/base.csv")
  point "b" { unit = "MW" }
  point "c" { address = "input:4" }
}
device "d" {
  channel = channel.lan
  profile = "base"
  points  = csv("tables/more.csv")
  config { unit = 1 }
  point "a" {
    write {
      min  = 0
      max  = 1
      safe = 0
    }
  }
  point "e" { type = "bool" }
  point "w" {
    write { max = 7 }
  }
}
device "own" {
  channel = channel.lan
  profile = "folder"
  config { unit = 2 }
}
`,
		"tables/base.csv":     "point,address,unit,access,order\na,holding:0,kW,rw,CDAB\nb,input:2,kW,,\nonly_write,holding:9,,w,\n",
		"tables/more.csv":     "point;address;tags;write.min;write.max;write.safe;access\nc;input:40;phase=1;;;;\nw;holding:8;;0;5;1;w\n",
		"profiles/folder.csv": "point,address,scale,offset\nx,input:1,-0.5,3\n",
	}, site.Options{})
	d := s.Device("d")
	var got []string
	for _, p := range d.Points {
		got = append(got, p.Name+" "+p.Address+" "+p.Unit)
	}
	want := []string{"a holding:0 kW", "b input:2 MW", "c input:40 ", "w holding:8 ", "e  "}
	if !slices.Equal(got, want) {
		t.Errorf("points %q, expected %q", got, want)
	}
	a, w := d.Point("a"), d.Point("w")
	if a.Write == nil || !a.Readable || a.Config.Values.String("order") != "CDAB" || a.Type != "uint16" {
		t.Errorf("a: %+v", a)
	}
	if w.Write.Max != 7 || w.Write.Safe != 1 || w.Readable {
		t.Errorf("w: %+v %+v", w, w.Write)
	}
	if !d.Point("e").Bool || !maps.Equal(d.Point("c").Tags, map[string]string{"phase": "1"}) {
		t.Errorf("e, c: %+v", d.Point("c"))
	}
	if x := s.Point("own.x"); x.Scale != -0.5 || x.Offset != 3 {
		t.Errorf("x: %+v", x)
	}
	// A complaint about a point leads to where the attribute stands, wherever that is.
	ch := s.Channel("lan")
	for path, want := range map[string]string{
		"address": "base.csv:2,3-12", "write": "site.hcl:16,5-10", "unit": "base.csv:2,13-15", "order": "base.csv:2,19-23", "": "site.hcl:15,3-12",
	} {
		p := []string{"device", "d", "point", "a"}
		if path != "" {
			p = append(p, path)
		}
		if r := s.Locate(ch, p); !strings.HasSuffix(r.String(), want) {
			t.Errorf("%s stands at %s, expected %s", path, r, want)
		}
	}
}

func TestLocate(t *testing.T) {
	s := sound(t, map[string]string{"site.hcl": `site "s" {}
channel "lan" {
  plugin = "modbus"
  config {
    address = "a:1"
    tls {
      ca = "x"
    }
    map {
      from = 1
      to   = 2
    }
  }
}
device "d" {
  channel = channel.lan
  config {
    unit = 5
  }
  point "a" { bit = 3 }
}
`}, site.Options{})
	ch := s.Channels[0]
	for path, want := range map[string]int{
		"": 2, "config": 4, "config.address": 5, "config.timeout": 4, "config.tls": 6, "config.tls.ca": 7, "config.tls.key": 6, "config.map": 9,
		"config.map.to": 11, "device": 2, "device.d": 15, "device.d.config": 17, "device.d.config.unit": 18, "device.d.config.order": 17,
		"device.d.point": 15, "device.d.point.a": 20, "device.d.point.a.bit": 20, "device.d.point.a.config.bit": 20, "device.d.point.b": 15,
		"device.x.config": 2, "else": 2,
	} {
		var p []string
		if path != "" {
			p = strings.Split(path, ".")
		}
		if r := s.Locate(ch, p); r.Start.Line != want {
			t.Errorf("%s stands at %s, expected line %d", path, r, want)
		}
	}
	spec := s.ChannelSpec(ch)
	if spec.Config.Block("tls").String("ca") != "x" || len(spec.Config.Blocks("map")) != 1 || spec.Config.Blocks("map")[0].Int("to") != 2 ||
		spec.Config.Duration("timeout").String() != "1s" || spec.Devices[0].Points[0].Config.Int("bit") != 3 {
		t.Errorf("the plugin is given %+v", spec)
	}
}

func TestModels(t *testing.T) {
	s := sound(t, map[string]string{"site.hcl": head + `
template "heat_pump" {
  extends = template.load
  property "cop" { default = 4 }
  property "maker" { type = "string" }
  measurement "power" {
    unit     = "W"
    required = true
  }
  action "limit" { unit = "kW" }
}
model "hp" {
  template     = template.heat_pump
  properties   = { rated_power = 1 + 4, maker = "x" }
  measurements = { power = -device.meter.power, on = device.meter.power > 5 }
  actions      = { limit = -device.meter.limit }
}
model "grid" {
  template     = "grid_meter"
  measurements = { power = device.meter.power }
}
`}, site.Options{})
	m := s.Model("hp")
	if m.Properties["cop"] != 4.0 || m.Properties["rated_power"] != 5.0 || m.Properties["maker"] != "x" || m.Template.Builtin {
		t.Errorf("properties %v", m.Properties)
	}
	if len(m.Template.Measurements) != 3 || m.Template.Measurements[0].Unit != "W" || m.Template.Measurements[1].Name != "energy" {
		t.Errorf("the template has %+v", m.Template.Measurements)
	}
	if a := s.Action("hp.limit"); a.Factor != -1000 || a.Output.FullName() != "meter.limit" {
		t.Errorf("action %+v", a)
	}
	if s.Mapping("grid.power") == nil || s.Mapping("grid.voltage_l1") != nil {
		t.Error("mappings")
	}
}

func TestJSON(t *testing.T) {
	s := sound(t, map[string]string{"site.hcl": head, "rules.hcl.json": `{
  "//": "made over the API",
  "locals": { "limit": 5, "over": "${device.meter.power - local.limit}" },
  "rule": {
    "r": {
      "when": "${local.over > 0 && device.meter.power < 100}",
      "for": "2s",
      "set": { "meter.limit": { "value": "device.meter.power * 2", "ttl": "30s" } },
      "hysteresis": { "on": 1, "off": 0 }
    }
  },
  "alarm": { "a": { "when": "device.meter.power > local.limit", "suppressed_by": ["b"] }, "b": { "when": "device.meter.power > 7" } },
  "model": { "m": { "template": "load", "measurements": { "power": "device.meter.power" }, "actions": { "power_limit": "device.meter.limit" } } },
  "device": { "d": { "channel": "channel.lan", "config": { "unit": 7 }, "point": { "x": { "address": "input:9" } } } }
}`}, site.Options{})
	r := s.Rule("r")
	if r == nil || r.Sets[0].Output.FullName() != "meter.limit" || r.Hysteresis == nil {
		t.Fatalf("rule %+v", r)
	}
	if s.Alarm("a").SuppressedBy[0] != "b" || s.Point("d.x").Address != "input:9" || s.Action("m.power_limit") == nil {
		t.Error("alarm, device or model")
	}
	for _, e := range []site.Expr{r.When, r.Sets[0].Value, s.Alarm("a").When, s.Mapping("m.power").Value} {
		if _, ok := e.Expression.(hclsyntax.Expression); !ok {
			t.Errorf("%T is not of HCL's own syntax", e.Expression)
		}
	}
}

func TestJSONDiagnostics(t *testing.T) {
	dir := write(t, map[string]string{"site.hcl": head, "r.hcl.json": `{
  "rule": { "r": { "wehn": "x", "when": "${device.meter.pwer > 0}", "set": { "meter.limits": { "value": "1 +" } } } },
  "rul": {}
}`})
	_, diags := load(t, dir, site.Options{})
	said := diags.Error()
	for _, d := range diags {
		said += d.Summary + d.Detail
		if d.Subject == nil || !strings.HasSuffix(d.Subject.Filename, "r.hcl.json") {
			t.Errorf("no place: %s", d)
		}
	}
	for _, want := range []string{`no attribute "wehn". Did you mean "when"?`, `no point "pwer". Did you mean "power"?`, `no point "limits". Did you mean "limit"?`, `no block "rul". Did you mean "rule"?`} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %s, but %s", want, said)
		}
	}
}

func TestVariables(t *testing.T) {
	const hcl = head + `
variable "unit" { type = number }
variable "names" {
  type    = list(string)
  default = ["a"]
}
variable "options" {
  type    = object({ port = optional(number, 502), host = string })
  default = { host = "x" }
}
variable "plain" { default = "p" }
device "d" {
  channel = channel.lan
  config { unit = var.unit }
  point "a" { description = "${var.options.host}:${var.options.port} ${join("+", var.names)} ${var.plain}" }
}
`
	env := map[string]string{"VOLTAGE_VAR_unit": "7", "VOLTAGE_VAR_plain": "from outside"}
	o := site.Options{
		Variables: map[string]string{"names": `["b", "c"]`, "plain": "by hand"},
		Getenv:    func(n string) (string, bool) { v, ok := env[n]; return v, ok },
	}
	s := sound(t, map[string]string{"site.hcl": hcl}, o)
	if d := s.Device("d"); d.Config.Values.Int("unit") != 7 || d.Points[0].Description != "x:502 b+c by hand" {
		t.Errorf("device %v, %q", d.Config, d.Points[0].Description)
	}
	for name, value := range map[string]string{"unit": "many", "names": "[1", "nmaes": "x"} {
		o.Variables = map[string]string{name: value}
		if _, diags := load(t, write(t, map[string]string{"site.hcl": hcl}), o); !diags.HasErrors() {
			t.Errorf("%s = %s is taken", name, value)
		}
	}
}

// What is sound of a site with errors can be looked at further.
func TestSoundPartOfABrokenSite(t *testing.T) {
	dir := write(t, map[string]string{"site.hcl": head + `
channel "bad" {
  plugin = "modbus"
  config { transport = "pigeon" }
}
device "on_bad" {
  channel = channel.bad
  config { unit = 1 }
  point "a" {}
}
device "bad" {
  channel = channel.lan
  config { unit = 999 }
  point "a" {}
}
model "wrong" {
  template     = "load"
  measurements = { power = device.meter.pwer }
}
alarm "bad" { when = device.meter.pwer > 5 }
alarm "follows" { when = model.wrong.power > 5 }
alarm "good" { when = device.meter.power + device.bad.a > 5 }
rule "bad" {
  when = device.meter.power > 5
  set "meter.power" { value = 5 }
}
rule "good" {
  when = device.meter.power > 5
  set "meter.limit" { value = 5 }
}
`})
	s, diags := load(t, dir, site.Options{})
	if len(diags) != 5 {
		t.Error(text(t, s, diags))
	}
	if len(s.Channels) != 1 || len(s.Channels[0].Devices) != 1 || len(s.Models) != 0 || len(s.Alarms) != 1 || len(s.Rules) != 1 {
		t.Errorf("%d channels, %d models, %d alarms, %d rules", len(s.Channels), len(s.Models), len(s.Alarms), len(s.Rules))
	}
}

// The scope of an expression resolves what it names.
func TestResolve(t *testing.T) {
	s := sound(t, map[string]string{"site.hcl": head + `
locals {
  double = device.meter.power * 2
  five   = 5
}
model "m" {
  template     = "battery"
  properties   = { capacity = 7 }
  measurements = { power = device.meter.power }
}
alarm "a" { when = local.double > local.five }
`}, site.Options{})
	scope := s.Alarms[0].When.Scope
	name := func(text string) hcl.Traversal {
		tr, diags := hclsyntax.ParseTraversalAbs([]byte(text), "x", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		return tr
	}
	if r, diags := scope.Resolve(name("device.meter.power")); diags.HasErrors() || r.Point != s.Point("meter.power") {
		t.Errorf("point: %+v %v", r, diags)
	}
	if r, diags := scope.Resolve(name(`device.meter["power"]`)); diags.HasErrors() || r.Point != s.Point("meter.power") {
		t.Errorf("point by key: %+v %v", r, diags)
	}
	if r, diags := scope.Resolve(name("model.m.power")); diags.HasErrors() || r.Mapping != s.Mapping("m.power") {
		t.Errorf("measurement: %+v %v", r, diags)
	}
	if r, diags := scope.Resolve(name("model.m.capacity")); diags.HasErrors() || r.Property != 7.0 {
		t.Errorf("property: %+v %v", r, diags)
	}
	if r, diags := scope.Resolve(name("model.m")); diags.HasErrors() || r.Model != s.Model("m") {
		t.Errorf("model: %+v %v", r, diags)
	}
	if r, diags := scope.Resolve(name("alarm.a.active")); diags.HasErrors() || r.Point.FullName() != "alarm.a.active" || r.Point.Device.Source != site.SourceAlarm {
		t.Errorf("alarm: %+v %v", r, diags)
	}
	if r, diags := scope.Resolve(name("local.double")); diags.HasErrors() || r.Live == nil || !r.Live.Given() {
		t.Errorf("live local: %+v %v", r, diags)
	}
	for _, wrong := range []string{"device.meter", "device.x.y", "model.m.soc", "model.m.x", "alarm.a", "local.x", "var.x", "each.key", "local.double.x", "x.y"} {
		if r, diags := scope.Resolve(name(wrong)); !diags.HasErrors() {
			t.Errorf("%s resolves to %+v", wrong, r)
		}
	}
}

// Locals that double each other are read once each.
func TestLocalsThatGrow(t *testing.T) {
	var b strings.Builder
	b.WriteString(head + "locals {\n  a0 = device.meter.power\n")
	for i := range 60 {
		fmt.Fprintf(&b, "  a%d = local.a%d + local.a%d\n", i+1, i, i)
	}
	b.WriteString("}\nalarm \"a\" { when = local.a60 > 1 }\n")
	one := sound(t, map[string]string{"site.hcl": b.String()}, site.Options{})
	two := sound(t, map[string]string{"site.hcl": strings.Replace(b.String(), "device.meter.power\n", "device.meter.limit\n", 1)}, site.Options{})
	if p := site.Diff(one, two); !p.Changed("alarm", "a") {
		t.Errorf("a change at the bottom is not seen: %s", p)
	}
}
