package replay

import (
	"strings"
	"testing"
)

// windowSite has windows whose results rules, alarms and a model read.
const windowSite = `
site "demand" {}
channel "c" {
  plugin = "plain"
  every  = "1s"
}
device "m" {
  channel     = channel.c
  stale       = "3s"
  point "power" { unit = "kW" }
  point "out" {
    unit = "kW"
    write {
      min  = -50
      max  = 50
      safe = 0
    }
  }
  point "lamp" {
    write {
      min  = 0
      max  = 50
      safe = 0
    }
  }
}
window "demand" {
  kind   = "tumbling"
  size   = "10s"
  source = device.m
  aggregate "mean" {
    fn    = "avg"
    value = power
  }
  aggregate "frames" { fn = "count" }
}
window "last" {
  for_each = { short = "3s" }
  kind     = "sliding"
  size     = each.value
  source   = device.m
  aggregate "most" {
    fn    = "max"
    value = power
  }
}
rule "shave" {
  when = window.demand.mean > 50
  set "m.out" { value = window.demand.mean - 50 }
}
rule "busy" {
  when    = window.last["short"].most > 80
  unknown = "false"
  set "m.lamp" { value = 7 }
}
template "site" {
  measurement "demand" { unit = "kW" }
}
model "whole" {
  template     = "site"
  measurements = { demand = window.demand.mean }
}
alarm "demand" { when = model.whole.demand > 50 && window.demand.frames > 5 }
alarm "blind" {
  when    = !known(window.demand.mean)
  unknown = "hold"
}
`

func TestResultsOfWindowsInConditions(t *testing.T) {
	expectScenario(t, windowSite, `
scenario "demand" {
  site = "s"
  at "0s" {
    set = { "m.power" = 40 }
    expect {
      idle   = ["shave", "busy"]
      output = { "m.out" = 0, "m.lamp" = 0 }
      alarm  = { blind = "active" }
    }
  }
  at "5s" { set = { "m.power" = 90 } }
  at "5.5s" {
    expect { output = { "m.lamp" = 7, "m.out" = 0 } }
  }
  at "10.5s" { # five frames of 40 and five of 90
    expect {
      rule   = ["shave", "busy"]
      output = { "m.out" = 15 }
      alarm  = { demand = "active", blind = "normal" }
    }
  }
  at "11s" { set = { "m.power" = 10 } }
  at "13.5s" {
    expect { output = { "m.lamp" = 0, "m.out" = 15 } }
  }
  at "20.5s" { # one frame of 90 and nine of 10
    expect {
      idle   = ["shave"]
      output = { "m.out" = 0 }
      alarm  = { demand = "normal" }
    }
  }
  # No frames, no result: it is not known any more when the next one should have come, and some seconds more.
  at "21s" { silent = ["m"] }
  at "34.5s" {
    expect { alarm = { blind = "normal" } }
  }
  at "45.5s" {
    expect { alarm = { blind = "active" } }
  }
  at "50s" { answers = ["m"] }
  at "60.5s" {
    expect { alarm = { blind = "normal" } }
  }
}
`)
}

func TestResultsOfWindowsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`rule "r" {
  when = window.demand.men > 1
  publish "x" {}
}`: `Window demand has no aggregate "men". Did you mean "mean"?`,
		`rule "r" {
  when = window.demand > 1
  publish "x" {}
}`: "Name one of its aggregates: mean and frames",
		`rule "r" {
  when = window.demnd.mean > 1
  publish "x" {}
}`: `There is no window "demnd". Did you mean "demand"?`,
		`rule "r" {
  when = window.last.most > 1
  publish "x" {}
}`: "say which one",
		`template "t" {
  measurement "m" { unit = "V" }
}
model "wrong" {
  template     = "t"
  measurements = { m = window.demand.mean }
}`: "measure different things",
	} {
		if said := complaints(t, windowSite+text); !strings.Contains(said, want) {
			t.Errorf("%s\nit says %q, expected %q", text, said, want)
		}
	}
	if said := complaints(t, windowSite); said != "" {
		t.Errorf("without an error it says %s", said)
	}
}

// What reads the results of windows is the same however the journal is cut.
func TestPastWithWindows(t *testing.T) {
	s, programs := compiled(t, strings.ReplaceAll(pastSite, "LIMIT", "85")+`
window "demand" {
  kind   = "tumbling"
  size   = "15s"
  source = device.m
  aggregate "mean" {
    fn    = "avg"
    value = power
  }
}
window "last" {
  kind   = "sliding"
  size   = "20s"
  source = device.m
  aggregate "least" {
    fn    = "min"
    value = power
  }
}
rule "on_demand" {
  when = window.demand.mean > 90 && window.last.least > 60
  set "m.setpoint" { value = (window.demand.mean - 90) / 2 }
}
`)
	e, err := Open(t.Context(), Options{Site: s, Programs: programs, Start: scenarioStart})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	dir := lived(t, s, e)
	r, first := runSite(t, dir, s, programs, nil)
	if r.Totals.Differences() != 0 || r.Totals.Same < 20 || !strings.Contains(first, "rule.on_demand") {
		t.Errorf("%s", first)
	}
	for _, c := range []struct{ cut, depth int }{{1, 1}, {2, 7}, {1, 32}} {
		if _, again := runSite(t, dir, s, programs, func(o *PastOptions) { o.cut, o.depth = c.cut, c.depth }); again != first {
			t.Errorf("cut into %+v it is another report:\n%s\n%s", c, again, first)
		}
	}
}
