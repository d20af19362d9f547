package replay

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
)

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
		"scenario \"x\" {\n site = \"s\"\n at \"soon\" {}\n}":                                                         "Wrong time",
		"scenario \"x\" {\n site = \"s\"\n at \"2s\" {}\n at \"1s\" {}\n}":                                            "out of order",
		"scenario \"x\" {\n site = \"s\"\n at \"2s\" {\n set = { a = \"b\" }\n }\n}":                                  "Wrong value",
		"scenario \"x\" {\n site = \"s\"\n at \"2s\" {\n expect {\n alarm = { a = \"b\" }\n }\n }\n}":                 "Wrong state",
		"scenario \"x\" {\n site = \"s\"\n at \"2s\" {\n expect {\n alarm = { a = [\"latched\", \"b\"] }\n }\n }\n}":  "Wrong state",
		"scenario \"x\" {\n site = \"s\"\n at \"2s\" {\n request \"a.b\" {\n priority = 101\n }\n }\n}":               "Wrong priority",
		"scenario \"x\" {\n site = \"s\"\n at \"2s\" {\n request \"a.b\" {\n ttl = \"0s\"\n }\n }\n}":                 "Wrong time",
		"scenario \"x\" {\n site = \"s\"\n at \"2s\" {\n alarm \"a\" {\n command = \"acknowledge\"\n }\n }\n}":        "ack, confirm",
		"scenario \"x\" {\n site = \"s\"\n at \"2s\" {\n alarm \"a\" {\n command = \"ack\"\n for = \"1h\"\n }\n }\n}": "Only the command shelve",
		"scenario \"x\" {\n site = \"s\"\n at \"2s\" {\n expect {\n alarm = { a = [] }\n }\n }\n}":                    "Nothing expected",
		"scenario \"x\" {\n site = \"s\"\n at \"2s\" {\n bad = \"a.b\"\n }\n}":                                        "Here goes a list",
		"scenario \"x\" {\n site = \"s\"\n at \"2s\" {\n alarm \"a\" {}\n }\n}":                                       "command",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, diags := ReadScenarios(file); !diags.HasErrors() || !strings.Contains(diags.Error(), want) {
			t.Errorf("%s: %v, not %q", text, diags, want)
		}
	}
}

const stampedSite = smallSite + `
alarm "latching" {
  when     = device.m.power > 90
  latching = true

  confirm_required = true
}

window "five" {
  kind   = "tumbling"
  size   = "5s"
  source = device.m
  aggregate "mean" {
    fn    = "avg"
    value = power
  }
}

alarm "busy" { when = window.five.mean > 1000 }

rule "spike" {
  when     = device.m.power > 110
  on       = "rising"
  cooldown = "1m"
  publish "spike" {}
}
`

func TestScenarioOfWhatPeopleDo(t *testing.T) {
	expectScenario(t, strings.ReplaceAll(stampedSite, "LIMIT", "80"), `
scenario "people" {
  site = "s"
  at "0s" {
    set = { "m.power" = 70 }
    request "m.setpoint" { value = 5 }
    expect {
      output = { "m.setpoint" = 5 }
      within = 5
      alarm  = { latching = "normal", high = "normal" }
    }
  }
  at "2s" {
    request "m.setpoint" {
      value    = -10
      priority = 95
      ttl      = "10s"
      by       = "anna"
    }
    expect { value = { "m.power" = 70 } }
  }
  at "9s" {
    expect {
      output = { "m.setpoint" = -10 }
      value  = { "window.five.mean" = 70 }
    }
  }
  at "20s" {
    expect { output = { "m.setpoint" = 5 } }
  }
  at "21s" {
    request "m.setpoint" {}
  }
  at "30s" {
    set = { "m.power" = true }
    expect {
      output = { "m.setpoint" = 0 }
      value  = { "m.power" = 1 }
    }
  }
  at "40s" {
    set = { "m.power" = 95 }
    alarm "high" { command = "shelve" }
    expect { alarm = { latching = ["active", "unacknowledged", "latched"], high = ["normal", "shelved"] } }
  }
  at "45s" {
    set = { "m.power" = 70 }
    alarm "latching" {
      command = "ack"
      by      = "anna"
    }
    expect { alarm = { latching = ["normal", "latched", "unconfirmed"] } }
  }
  at "50s" {
    alarm "latching" { command = "confirm" }
    alarm "latching" { command = "reset" }
    expect { alarm = { latching = ["normal", "acknowledged", "confirmed"] } }
  }
}`)
}

func TestScenarioOfABadPoint(t *testing.T) {
	expectScenario(t, strings.ReplaceAll(stampedSite, "LIMIT", "80"), `
scenario "one point is bad" {
  site = "s"
  at "0s" {
    set = { "m.power" = 120 }
    expect { quiet = ["spike"] }
  }
  at "1s" {
    set = { "m.power" = 90 }
  }
  at "2s" {
    set = { "m.power" = 120 }
    expect {
      fired = ["spike"]
      rule  = ["shave"]
    }
  }
  at "3s" {
    bad = ["m.power"]
    expect {
      quiet = ["spike"]
      value = { "m.power" = null }
    }
  }
  at "10s" {
    set = { "m.power" = 70 }
    expect {
      output = { "m.setpoint" = 0 }
      idle   = ["shave"]
      within = 50
    }
  }
}`)
}

func TestScenarioTellsWhatIsNotMet(t *testing.T) {
	s, programs := compiled(t, strings.ReplaceAll(stampedSite, "LIMIT", "80"))
	failures, err := runOn(t, s, programs, `scenario "x" {
  site = "s"
  at "0s" {
    set = { "m.power" = 95 }
    request "m.nothing" { value = 1 }
    alarm "high" { command = "confirm" }
    expect {
      alarm = { latching = ["normal", "acknowledged"] }
      value = { "m.power" = null, "window.five.mean" = 3 }
      fired = ["spike"]
    }
  }
}`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range failures {
		got = append(got, fmt.Sprintf("%s %s (%s)", f.Place[strings.LastIndex(f.Place, ":"):], f.Text, f.Why))
	}
	want := []string{
		`:5 the request for m.nothing is refused: there is no output m.nothing ()`,
		`:6 confirm of alarm high is refused: alarm high: there is nothing left to confirm ()`,
		`:10 rule spike: expected to have fired since the step before (it never fired)`,
		`:9 value m.power: expected none, got 95 ()`,
		`:9 value window.five.mean: expected 3, got none (its quality is bad (never read))`,
		`:8 alarm latching: expected normal, acknowledged, got active, unacknowledged, latched (its value is 95)`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nexpected\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
