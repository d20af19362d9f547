package compile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site/sitetest"
)

const tracedSite = `
site "t" {}
variable "limit" { default = 80 }
locals {
  demand = (model.grid.power +
           device.m.p2 / 1000)
  same   = local.demand
}
channel "c" { plugin = "none" }
device "m" {
  channel = channel.c
  point "p1" {
    type = "float32"
    unit = "W"
  }
  point "p2" { type = "float32" }
  point "on" { type = "bool" }
  point "out" {
    type = "float32"
    write {
      safe = 0
      min  = -1e6
      max  = 1e6
    }
  }
}
model "grid" {
  template     = "grid_meter"
  measurements = { power = device.m.p1 }
}
rule "peak" {
  when = local.same > var.limit && (device.m.on || device.m.p2 < 5)
  set "m.out" {
    value = local.same - 80
    ttl   = "5s"
  }
}
`

// outline writes a trace's expressions as a tree.
func outline(t *compile.Trace) string {
	var b strings.Builder
	for _, e := range t.Expressions {
		fmt.Fprintf(&b, "%s:%d\n", e.Name, e.Line)
		for _, p := range e.Parts {
			fmt.Fprintf(&b, "%s%s|%s|%v\n", strings.Repeat(" ", p.Level+1), p.Text, p.Operator, p.Named)
		}
	}
	return b.String()
}

// A rule falls into the parts that were written, each with the text that stands for it, also behind names.
func TestARuleIsTakenApart(t *testing.T) {
	s := sitetest.Load(t, tracedSite)
	got, ok := compile.Explain(s, "peak")
	if !ok {
		t.Fatal("there is no such rule")
	}
	const want = `when:32
 local.same > var.limit && (device.m.on || device.m.p2 < 5)|all|false
  local.same > var.limit|gt|false
   local.same|add|true
   var.limit|const|false
  device.m.on || device.m.p2 < 5|any|false
   device.m.on|truth|false
   device.m.p2 < 5|lt|false
    device.m.p2|point|false
set m.out:34
 local.same - 80|sub|false
  local.same|add|true
local.same:5
 (model.grid.power + device.m.p2 / 1000)|add|false
  model.grid.power|mul|false
  device.m.p2 / 1000|div|false
   device.m.p2|point|false
`
	if text := outline(got); text != want {
		t.Errorf("the parts are\n%s\nwant\n%s\n%s", text, want, got.Chunk)
	}
	programs, diags := compile.Compile(s)
	if diags.HasErrors() || programs.Rules.Revision != got.Program {
		t.Errorf("the parts are of program %s, and the site's is %+v: %v", got.Program, programs.Rules.Revision, diags)
	}
	if _, ok := compile.Explain(s, "paek"); ok {
		t.Error("a rule that is not there was taken apart")
	}
}
