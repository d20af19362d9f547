package endtoend

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/voltage-edge/voltage/agent/api"
)

// alarmStands waits for an alarm to be active with a priority, or to be no longer.
func (a *agent) alarmStands(name string, active bool, priority string) {
	a.t.Helper()
	a.eventually(fmt.Sprintf("%s is active: %v", name, active), func() error {
		out, err := a.try("alarms", "--all", "--json")
		if err != nil {
			return err
		}
		var alarms []api.Alarm
		if err := json.Unmarshal([]byte(out), &alarms); err != nil {
			return err
		}
		for _, x := range alarms {
			if x.Name == name && x.Active == active && x.Priority == priority {
				return nil
			}
		}
		return errors.New(out)
	})
}

// Windows, sequences and a chain decide on the plant, and go on where they were after each kill.
func TestFlowsOfASite(t *testing.T) {
	t.Parallel()
	b := newBench(t, "flows", map[string]float64{"load": 30, "sun": 0, "car": 0, "soc": 80})
	b.held("battery.setpoint", "rule.mode")
	for i, kill := range []func(){
		func() {},
		func() { syscall.Kill(b.status().Store.PID, syscall.SIGKILL) },
		func() { b.kill(); b.start() },
		func() {
			lib := copyLibraries(t, b.agent)
			lib.write(t, lib.newer)
			b.run("library", "load", "rules", lib.file)
		},
	} {
		t.Logf("round %d", i)
		b.set(t, "load", 120)
		b.settles("the chain gives what is beyond", bounds{&grid: about(80, 1), &battery: about(40, 1)})
		b.alarmStands("demand_high", true, "high")
		if t0 := b.concludes("mode", "comes to give"); len(t0.Steps) != 5 || t0.Steps[0].Values["load"] == nil || t0.Steps[3].State != "acts" {
			t.Errorf("the chain's nodes are %+v", t0.Steps)
		}
		kill()
		b.alarmStands("no_relief", true, "critical")
		b.settles("it still does", bounds{&grid: about(80, 1), &battery: about(40, 1)})
		b.set(t, "load", 30)
		b.alarmStands("demand_high", false, "high")
		b.settles("it rests", bounds{&grid: about(30, 1), &battery: about(0, 1)})
		b.alarmStands("no_relief", false, "critical") // what it was raised with stays
		b.eventually("the drop is told once for each time", func() error {
			if out := b.run("events", "--kind", "publish", "--since", "5m"); strings.Count(out, "load_lost by dropped") != i+1 {
				return fmt.Errorf("round %d: %s", i, out)
			}
			return nil
		})
		b.run("ack", "demand_high")
		b.run("ack", "no_relief")
		if v, err := b.get("window.demand.mean"); err != nil || v.Value == nil || *v.Value > 40000 || v.Unit != "W" {
			t.Errorf("the mean is %+v, %v", v, err)
		}
	}
	if out := b.run("events", "--since", "5m"); strings.Contains(out, "result") || strings.Contains(out, "demand fired") || !strings.Contains(out, "calm fired") {
		t.Errorf("the events are to be those of what acts:\n%s", out)
	}
	b.eventually("each was evaluated and timed", func() error {
		var flows []api.Rule
		if err := json.Unmarshal([]byte(b.run("rules", "--json")), &flows); err != nil {
			return err
		}
		for _, f := range flows {
			if f.Errors != 0 || f.Kind == "rule" || f.Evaluations == 0 || f.Time == nil || f.Time.MeanUS <= 0 {
				return fmt.Errorf("%+v", f)
			}
		}
		return nil
	})
}

// What a chain, a window and a sequence asked for without an end stands after each kill, though they say it once.
func TestWhatFlowsAskForOutlivesKills(t *testing.T) {
	short(t)
	t.Parallel()
	for kind, flow := range map[string]string{
		"chain": `chain "asks" {
  condition "low" {
    when = device.battery.soc < 200
    next = { true = ["give"] }
  }
  action "give" {
    set "bess.power" { value = 7 }
  }
}`,
		"window": `window "asks" {
  kind   = "count"
  count  = 3
  source = device.battery
  having = n == 3 && first == last
  aggregate "n" { fn = "count" }
  aggregate "first" {
    fn    = "first"
    value = soc < 200
  }
  aggregate "last" {
    fn    = "last"
    value = soc < 200
  }
  set "bess.power" { value = 7 }
}`,
		"sequence": `sequence "asks" {
  step "any" {
    device = device.battery
    where  = soc < 200
  }
  set "bess.power" { value = 7 }
}`,
	} {
		t.Run(kind, func(t *testing.T) {
			plant := newPlant(t, 60)
			a := newAgent(t, peakSite(plant.Address(), 80, flow))
			a.start()
			stands := func() error { return aboutSetpoint(plant, 7, 0) }
			a.eventually("it is asked", stands)
			for name, kill := range map[string]func(){
				"the agent":    func() { a.kill(); a.start() },
				"redis-server": func() { syscall.Kill(a.status().Store.PID, syscall.SIGKILL) },
				"its end":      func() { a.stop(); a.start() },
			} {
				kill()
				a.moreFrames(10)
				a.eventually("it is asked after the kill of "+name, stands)
				if why := a.run("why", "bess.power"); !strings.Contains(why, "rule.asks") {
					t.Errorf("after the kill of %s:\n%s", name, why)
				}
			}
		})
	}
}

// A chain that leads back to itself is refused with the way it takes.
func TestACycleIsRefused(t *testing.T) {
	short(t)
	t.Parallel()
	text, err := os.ReadFile("../../examples/sites/flows/site.hcl")
	if err != nil {
		t.Fatal(err)
	}
	site := filepath.Join(t.TempDir(), "site.hcl")
	round := strings.Replace(string(text), `merge "any" { next = ["rest"] }`, `merge "any" { next = ["rest", "what"] }`, 1)
	if err := os.WriteFile(site, []byte(round), 0o644); err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, string(text))
	code, out := a.code("validate", site)
	for _, want := range []string{"any", "what", "site.hcl line", "→"} {
		if code == 0 || !strings.Contains(out, want) {
			t.Errorf("exit code %d, no %q in\n%s", code, want, out)
		}
	}
}
