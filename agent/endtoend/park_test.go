package endtoend

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/api"
)

// rule is one of the agent's.
func (a *agent) rule(name string) (api.Rule, error) {
	out, err := a.try("rules", "--json")
	if err != nil {
		return api.Rule{}, err
	}
	var all []api.Rule
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return api.Rule{}, err
	}
	for _, r := range all {
		if r.Name == name {
			return r, nil
		}
	}
	return api.Rule{}, fmt.Errorf("there is no rule %s", name)
}

// A rule that fails again and again is parked and says so, in all that shows it; the others go on; it works again when it is let go.
func TestAFailingRuleIsParked(t *testing.T) {
	short(t)
	plant := newPlant(t, 60)
	a := newAgent(t, "")
	lib := copyLibraries(t, a)
	logic := filepath.Join(filepath.Dir(lib.file), "..", "shared", "logic.lua")
	text, err := os.ReadFile(logic)
	if err != nil {
		t.Fatal(err)
	}
	// The library has a fault that shows with some values only, so that it is not seen when it is loaded.
	const good = "    local whole = floor(abs(a))\n"
	broken := strings.Replace(string(text), good, "    if a > 100 then error('round is broken') end\n"+good, 1)
	if broken == string(text) {
		t.Fatal("logic.lua is not as this test knows it")
	}
	if err := os.WriteFile(logic, []byte(broken), 0o644); err != nil {
		t.Fatal(err)
	}
	a.writeSite(peakSite(plant.Address(), 80, fmt.Sprintf(`
library "rules" { file = %q }
rule "rounding" {
  when = round(local.demand) > 90
  on   = "rising"
  set "battery.setpoint" {
    value = 1
    ttl   = "5s"
  }
}
`, lib.file)))
	a.start()
	a.eventually("it is evaluated", func() error {
		r, err := a.rule("rounding")
		if err == nil && (r.Evaluations == 0 || r.Verdict != "false") {
			err = fmt.Errorf("%+v", r)
		}
		return err
	})
	setLoad(t, plant, 120)
	a.eventually("it is parked", func() error {
		r, err := a.rule("rounding")
		if err == nil && r.State != "parked" {
			err = fmt.Errorf("%+v", r)
		}
		return err
	})
	a.eventually("the status says so", func() error {
		out := a.run("status")
		if !strings.Contains(out, "1 parked after too many errors: rounding; voltage rules trace NAME says why") {
			return errors.New(out)
		}
		return nil
	})
	a.eventually("the other rule acts", func() error { return aboutSetpoint(plant, 40, 2) })
	if r, err := a.rule("rounding"); err != nil || r.Errors != 10 || !strings.Contains(r.Error, "round is broken") {
		t.Errorf("the rule is %+v, %v", r, err)
	}
	a.concludes("rounding", "parked after 10 errors in a row", "round is broken", "voltage rules unpark rounding")
	if out := a.run("rules", "top", "--sort", "errors"); !strings.Contains(out, "parked") || !strings.Contains(out, "round is broken") {
		t.Errorf("rules top prints\n%s", out)
	}
	if out := a.run("events", "--kind", "rule"); !strings.Contains(out, "parked") {
		t.Errorf("the events are\n%s", out)
	}

	setLoad(t, plant, 60)
	a.eventually("the peak is over", func() error { return aboutSetpoint(plant, 0, 1) })
	a.run("rules", "unpark", "rounding")
	a.eventually("it is evaluated again", func() error {
		r, err := a.rule("rounding")
		if err == nil && (r.State != "idle" || r.Error != "") {
			err = fmt.Errorf("%+v", r)
		}
		return err
	})
	if code, out := a.code("rules", "unpark", "rounding"); code == 0 || !strings.Contains(out, "is not parked") {
		t.Errorf("unparked once more: code %d: %s", code, out)
	}
}
