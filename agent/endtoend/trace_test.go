package endtoend

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/examples/plant/plantsim"
)

// traced asks why a rule acts or does not.
func (a *agent) traced(name string) (api.RuleTrace, error) {
	var t api.RuleTrace
	out, err := a.try("rules", "trace", name, "--json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &t)
	}
	return t, err
}

// concludes waits until a rule's trace says something.
func (a *agent) concludes(name string, words ...string) api.RuleTrace {
	a.t.Helper()
	var last api.RuleTrace
	a.eventually(fmt.Sprintf("%s says %q", name, words), func() error {
		var err error
		if last, err = a.traced(name); err != nil {
			return err
		}
		for _, w := range words {
			if !strings.Contains(last.Conclusion, w) {
				return fmt.Errorf("it says %q", last.Conclusion)
			}
		}
		return nil
	})
	return last
}

// A trace says in words why a rule does not act, acts, and no longer knows; with the values that it is evaluated on.
func TestARuleSaysWhy(t *testing.T) {
	short(t)
	plant := newPlant(t, 60)
	terms := make([]string, 300)
	for i := range terms {
		terms[i] = fmt.Sprintf("device.battery.soc > %d", 200+i)
	}
	a := newAgent(t, peakSite(plant.Address(), 80, fmt.Sprintf(`
rule "slow" {
  when = model.grid.power > 80
  for  = "1h"
  set "battery.setpoint" {
    value = 1
    ttl   = "5s"
  }
}
rule "wide" {
  when = %s
  on   = "rising"
  set "battery.setpoint" {
    value = 1
    ttl   = "5s"
  }
}
`, strings.Join(terms, " || "))))
	a.start()
	a.concludes("peak_shaving", "Does not act: local.demand > 80 is false (local.demand is")
	wide, err := a.traced("wide")
	if err != nil || len(wide.Expressions) == 0 || len(wide.Expressions[0].Parts) != 601 || wide.Expressions[0].Parts[600].Value == nil {
		t.Errorf("a wide condition is traced as %d expressions, %v", len(wide.Expressions), err)
	}

	setLoad(t, plant, 120)
	acts := a.concludes("peak_shaving", "Acts: local.demand > 80 is true", "model.bess.soc > 20 is true")
	if len(acts.Requests) != 1 || acts.Requests[0].Output != "battery.setpoint" || acts.Requests[0].Unit != "kW" || acts.Requests[0].Expires.IsZero() {
		t.Errorf("it asks for %+v", acts.Requests)
	}
	names := ""
	for _, e := range acts.Expressions {
		names += e.Name + "; "
	}
	if names != "when; set bess.power; local.demand; " {
		t.Errorf("its expressions are %s", names)
	}
	for _, in := range acts.Inputs {
		if in.Value == nil || in.AgeMS == nil || in.Quality != "good" {
			t.Errorf("it reads %+v", in)
		}
	}
	a.run("set", "bess.power", "0", "--ttl", "60s")
	a.concludes("slow", "Did not fire yet: model.grid.power > 80 has been true for", "of 60 m")

	before := acts.Evaluations
	follow := exec.Command(binary("voltage"), "rules", "trace", "peak_shaving", "--follow", "--json")
	follow.Env = append(follow.Environ(), "VOLTAGE_DATA="+a.data)
	out, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	lines := json.NewDecoder(out)
	for range 3 {
		var seen api.RuleTrace
		if err := lines.Decode(&seen); err != nil || seen.Evaluations < before {
			t.Fatalf("followed: %d evaluations after %d, %v", seen.Evaluations, before, err)
		}
		before = seen.Evaluations + 1
	}
	follow.Process.Signal(syscall.SIGINT)
	if err := follow.Wait(); err != nil {
		t.Errorf("following ended with %v", err)
	}

	if err := plant.SetFault(plantsim.Fault{Kind: "dead", Unit: meterUnit}); err != nil {
		t.Fatal(err)
	}
	unknown := a.concludes("peak_shaving", "unknown, as grid_meter.power is bad (")
	if unknown.Expressions[0].Parts[0].Value != nil {
		t.Errorf("its condition is %v", unknown.Expressions[0].Parts[0].Value)
	}
	if text := a.run("rules", "trace", "peak_shaving"); !strings.Contains(text, "unknown  local.demand > 80 && model.bess.soc > 20") {
		t.Errorf("people read\n%s", text)
	}
	if code, out := a.code("rules", "trace", "nothing_at_all"); code != 1 || !strings.Contains(out, "nothing_at_all") {
		t.Errorf("an unknown rule gives code %d: %s", code, out)
	}
}
