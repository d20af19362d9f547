package replay

import (
	"context"
	"encoding/json"
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
