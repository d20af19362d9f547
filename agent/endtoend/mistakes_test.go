package endtoend

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A site with a mistake of every kind, over several files: all are said at once, each at its line, with what was meant.
func TestEveryMistakeIsSaidAtOnce(t *testing.T) {
	short(t)
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"site.hcl": `site "bakery" { timezone = "Europe/Berlin" }

channel "lan" {
  plugin = "modbus"
  every  = "fast"
  config {
    transport = "tcp"
    adress    = "127.0.0.1:1502"
  }
}
`,
		"devices.hcl": `device "meter" {
  channel = channel.lan
  config { unit = 1 }
  colour = "red"
  point "power" {
    address = "input:52"
    type    = "float32"
    unit    = "kw"
  }
  point "raw" {
    address = "input:53"
    type    = "float32"
  }
  point "power" {
    address = "input:60"
    type    = "float32"
  }
}

device "battery" {
  channel = channel.lna
  config { unit = 2 }
  point "setpoint" {
    address = "holding:200"
    type    = "float32"
    write {
      min = -50
      max = 50
    }
  }
}

device "second" {
  channel = channel.lan
  config { unit = 3 }
  point "a" {
    address = "input:0"
    type    = "float32"
    unit    = "W"
  }
  point "b" {
    address = "input:1"
    type    = "float32"
  }
}
`,
		"logic.hcl": `locals {
  one = local.two + device.second.a
  two = local.one + 1
}

rule "reads_only" {
  when = device.second.a > 5
  set "second.a" { value = 1 }
}

rule "unknown_name" {
  when = device.second.aa > 5
}

rule "too_clever" {
  when = upper(device.second.a) == "X"
  set "battery.setpoint" { value = 1 }
}

alarn "typo" {
  when = device.second.a > 1
}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a := &agent{t: t, data: filepath.Join(t.TempDir(), "data")}
	code, _ := a.code("validate", dir)
	if code != 1 {
		t.Errorf("validate ends with code %d, expected 1", code)
	}
	_, out := a.code("validate", dir, "--json")
	var found []struct {
		Severity, Summary, Detail, File, Snippet string
		Line, Column                             int
	}
	start, end := strings.Index(out, "["), strings.LastIndex(out, "]")
	if start < 0 || end < start {
		t.Fatalf("no JSON in\n%s", out)
	}
	// The command's own words stand before the output.
	if err := json.Unmarshal([]byte(out[strings.Index(out, "[\n"):end+1]), &found); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	for _, want := range []struct {
		what, file string
		line       int
		says       string
	}{
		{"a wrong duration", "site.hcl", 5, "fast"},
		{"an attribute that the plugin does not know", "site.hcl", 8, `"address"`},
		{"an unknown attribute", "devices.hcl", 4, "colour"},
		{"a wrong unit", "devices.hcl", 8, `"kW"`},
		{"a duplicate", "devices.hcl", 14, "power"},
		{"an unknown reference", "devices.hcl", 21, `"lan"`},
		{"an output without a safe value", "devices.hcl", 26, "safe"},
		{"a cycle", "logic.hcl", 2, "local."},
		{"a write to a read-only point", "logic.hcl", 8, "second.a"},
		{"an unknown point", "logic.hcl", 12, "aa"},
		{"an expression that can't be compiled", "logic.hcl", 16, "upper"},
		{"an unknown block", "logic.hcl", 20, `"alarm"`},
	} {
		ok := false
		for _, d := range found {
			if filepath.Base(d.File) == want.file && d.Line == want.line && strings.Contains(d.Summary+" "+d.Detail, want.says) && d.Column > 0 && d.Snippet != "" {
				ok = true
			}
		}
		if !ok {
			t.Errorf("%s is not said at %s line %d with %q", want.what, want.file, want.line, want.says)
		}
	}
	if t.Failed() {
		for _, d := range found {
			t.Logf("%s:%d:%d %s: %s", filepath.Base(d.File), d.Line, d.Column, d.Summary, d.Detail)
		}
	}
}

// Registers that overlap and disagree are the plugin's complaint; it stands at its line in site.hcl all the same.
func TestThePluginsComplaintStandsAtItsLine(t *testing.T) {
	short(t)
	t.Parallel()
	dir := t.TempDir()
	text := `site "s" {}
channel "lan" {
  plugin = "modbus"
  config {
    transport = "tcp"
    address   = "127.0.0.1:1502"
  }
}
device "d" {
  channel = channel.lan
  config { unit = 3 }
  point "a" {
    address = "input:0"
    type    = "float32"
  }
  point "b" {
    address = "input:1"
    type    = "float32"
  }
}
`
	if err := os.WriteFile(filepath.Join(dir, "site.hcl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	a := &agent{t: t, data: filepath.Join(t.TempDir(), "data")}
	code, out := a.code("validate", dir)
	if code != 1 || !strings.Contains(out, "Overlapping") || !strings.Contains(out, "line 17") {
		t.Errorf("validate gives code %d and\n%s", code, out)
	}
}
