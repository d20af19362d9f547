package replay

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/site/sitetest"
)

const smallSite = `
site "small" {}

channel "c" {
  plugin = "plain"
  every  = "500ms"
}

device "m" {
  channel = channel.c
  point "power" { unit = "kW" }
  point "setpoint" {
    unit = "kW"
    write {
      min  = -50
      max  = 50
      ramp = "10/s"
      safe = 0
    }
  }
}

alarm "high" {
  when = device.m.power > 90
  for  = "3s"
}

rule "shave" {
  when = device.m.power > LIMIT
  for  = "1s"
  set "m.setpoint" {
    value = device.m.power - LIMIT
    ttl   = "5s"
  }
}
`

func small(t *testing.T, limit string) (*site.Site, *compile.Programs) {
	t.Helper()
	return compiled(t, strings.ReplaceAll(smallSite, "LIMIT", limit))
}

// compiled reads a site whose driver has no configuration.
func compiled(t *testing.T, text string) (*site.Site, *compile.Programs) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	s := sitetest.Load(t, text)
	p, diags := compile.Compile(s)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return s, p
}

// outcome runs a rise and fall of power, then silence, and gives all that came of it.
func outcome(t *testing.T, limit string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s, programs := small(t, limit)
	e, err := Open(ctx, Options{Site: s, Programs: programs, Start: scenarioStart})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	plant, err := NewPlant(e, s)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range []float64{60, 95, 120, 95, 60} {
		at := scenarioStart + int64(i)*10_000
		if err := plant.Before(ctx, at); err != nil {
			t.Fatal(err)
		}
		if err := plant.Set("m.power", v); err != nil {
			t.Fatal(err)
		}
		if err := plant.Run(ctx, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := plant.Silence("m", true); err != nil {
		t.Fatal(err)
	}
	if err := plant.Run(ctx, scenarioStart+60_000); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal([]any{e.Take(), e.Judgements()})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestSameInputSameBytes(t *testing.T) {
	a, b := outcome(t, "80"), outcome(t, "80")
	if a != b {
		t.Errorf("two runs differ:\n%s\n%s", a, b)
	}
	if !strings.Contains(a, `"kind":"request"`) || !strings.Contains(a, `"kind":"alarm"`) {
		t.Errorf("no request or no alarm in %s", a)
	}
	if a == outcome(t, "85") {
		t.Error("another limit changed nothing")
	}
}

func runText(t *testing.T, text string) ([]Failure, error) {
	t.Helper()
	s, programs := small(t, "80")
	return runOn(t, s, programs, text)
}

func runOn(t *testing.T, s *site.Site, programs *compile.Programs, text string) ([]Failure, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "s.hcl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	list, _, diags := ReadScenarios(file)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return RunScenario(context.Background(), list[0], s, programs)
}

// expectScenario runs a scenario that all goes well in.
func expectScenario(t *testing.T, siteText, scenario string) {
	t.Helper()
	s, programs := compiled(t, siteText)
	failures, err := runOn(t, s, programs, scenario)
	if err != nil {
		t.Error(err)
	}
	for _, f := range failures {
		t.Errorf("%s at %s: %s (%s)", f.Place, f.At, f.Text, f.Why)
	}
}

func TestScenario(t *testing.T) {
	const head = "scenario \"x\" {\n site = \"s\"\n at \"0s\" {\n set = { \"m.power\" = 95 }\n }\n"
	failures, err := runText(t, head+` at "2s" { 
expect { 
output = { "m.setpoint" = 10 }
rule = ["shave"]
alarm = { high = "normal" } 
} 
}
 at "4s" { 
expect { alarm = { high = "active" } } 
}
}`)
	if err != nil || len(failures) > 0 {
		t.Fatalf("%v, %v", failures, err)
	}
	failures, err = runText(t, head+" at \"4s\" {\n expect {\n output = { \"m.setpoint\" = 3 }\n idle = [\"shave\"]\n }\n }\n}")
	if err != nil || len(failures) != 2 {
		t.Fatalf("%v, %v", failures, err)
	}
	if f := failures[0]; !strings.HasSuffix(f.Place, "s.hcl:8") || f.Text != "output m.setpoint: expected 3, got 15" || !strings.Contains(f.Why, "rule.shave") {
		t.Errorf("%+v", f)
	}
	if f := failures[1]; !strings.Contains(f.Why, "m.power = 95") {
		t.Errorf("%+v", f)
	}
	if _, err := runText(t, head+" at \"4s\" {\n silent = [\"n\"]\n }\n}"); err == nil || !strings.Contains(err.Error(), `s.hcl:7: the site has no device "n"`) {
		t.Errorf("%v", err)
	}
}

func TestScenarioRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.hcl")
	for text, want := range map[string]string{
		`scenario "x" {}`: "site",
		"scenario \"x\" {\n site = \"s\"\n at \"soon\" {}\n}":                                         "Wrong time",
		"scenario \"x\" {\n site = \"s\"\n at \"2s\" {}\n at \"1s\" {}\n}":                            "out of order",
		"scenario \"x\" {\n site = \"s\"\n at \"2s\" {\n set = { a = \"b\" }\n }\n}":                  "Wrong value",
		"scenario \"x\" {\n site = \"s\"\n at \"2s\" {\n expect {\n alarm = { a = \"b\" }\n }\n }\n}": "Wrong state",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, diags := ReadScenarios(file); !diags.HasErrors() || !strings.Contains(diags.Error(), want) {
			t.Errorf("%s: %v, not %q", text, diags, want)
		}
	}
}
