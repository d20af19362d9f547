package endtoend

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/examples/plant/plantsim"
)

// aboutSetpoint checks that the battery was last told to give about so many kW.
func aboutSetpoint(p *plantsim.Plant, want, within float64) error {
	got, _, ok := setpoint(p)
	if !ok {
		return errors.New("the set-point was never written")
	}
	if math.Abs(got-want) > within {
		return fmt.Errorf("the set-point is %.2f kW, expected %.2f ± %.2f", got, want, within)
	}
	return nil
}

// holds waits until the battery does what it was last told, and both have stayed so for ten polls. While it ramps, the
// meter and the battery are read at different moments, and a demand that is made of both is off by what it moved between.
func (a *agent) holds(what string, p *plantsim.Plant, want, within float64) {
	a.t.Helper()
	var since time.Time
	a.eventually(what, func() error {
		err := aboutSetpoint(p, want, within)
		if got := p.State().Battery; err == nil && math.Abs(got-want) > within {
			err = fmt.Errorf("the battery gives %.2f kW, expected %.2f ± %.2f", got, want, within)
		}
		if err != nil {
			since = time.Time{}
			return err
		}
		if since.IsZero() {
			since = time.Now()
		}
		if stayed := time.Since(since); stayed < time.Second {
			return fmt.Errorf("so since %v", stayed)
		}
		return nil
	})
}

// The whole job: the meter is read, the rule decides, the battery is told, the grid connection stays at its limit.
func TestTheBatteryShavesAPeak(t *testing.T) {
	short(t)
	plant := newPlant(t, 60)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	a.eventually("the set-point is safe while there is no peak", func() error { return aboutSetpoint(plant, 0, 0.01) })

	setLoad(t, plant, 110)
	a.eventually("the battery gives what is above the limit", func() error { return aboutSetpoint(plant, 30, 1.5) })
	a.eventually("the grid connection is at its limit", func() error {
		v, err := a.get("grid_meter.power")
		if err != nil || v.Value == nil {
			return fmt.Errorf("%v %w", v, err)
		}
		if v.Unit != "W" || v.Quality != "good" || math.Abs(*v.Value-80_000) > 3_000 {
			return fmt.Errorf("%v %s, %s", *v.Value, v.Unit, v.Quality)
		}
		return nil
	})

	why := a.run("why", "bess.power")
	for _, want := range []string{"rule.peak_shaving", "holds it", "written"} {
		if !strings.Contains(why, want) {
			t.Errorf("why does not say %q:\n%s", want, why)
		}
	}

	setLoad(t, plant, 60)
	a.eventually("the battery rests after the peak", func() error { return aboutSetpoint(plant, 0, 0.01) })
}

// A meter that does not answer: bad quality, an alarm, and the output at its safe value; never an old value.
func TestTheGridMeterStops(t *testing.T) {
	short(t)
	plant := newPlant(t, 110)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	a.eventually("the peak is shaved", func() error { return aboutSetpoint(plant, 30, 1.5) })

	if err := plant.SetFault(plantsim.Fault{Kind: plantsim.Dead, Unit: meterUnit}); err != nil {
		t.Fatal(err)
	}
	a.eventually("the meter's value is bad", func() error {
		v, err := a.get("grid_meter.power")
		if err != nil {
			return err
		}
		if v.Quality != "bad" || v.Value != nil {
			return fmt.Errorf("%+v", v)
		}
		return nil
	})
	a.eventually("the alarm is active", func() error { return a.alarmIs("meter_lost", true, false) })
	a.eventually("the battery is at its safe value", func() error { return aboutSetpoint(plant, 0, 0.01) })
	if v, err := a.get("battery.soc"); err != nil || v.Quality != "good" {
		t.Errorf("the battery on the same channel is %v, %v: expected good", v, err)
	}

	a.run("ack", "meter_lost", "--comment", "seen")
	a.eventually("the alarm is acknowledged", func() error { return a.alarmIs("meter_lost", true, true) })

	if err := plant.ClearFault(meterUnit); err != nil {
		t.Fatal(err)
	}
	a.eventually("the peak is shaved again", func() error { return aboutSetpoint(plant, 30, 1.5) })
	if out := a.run("alarms"); !strings.Contains(out, "No alarm") {
		t.Errorf("an alarm that returned and was acknowledged is still shown:\n%s", out)
	}
	events := a.run("events", "--kind", "alarm")
	for _, want := range []string{"is active", "is acknowledged", "is back to normal"} {
		if !strings.Contains(events, want) {
			t.Errorf("events do not say %q:\n%s", want, events)
		}
	}
}

func (a *agent) alarmIs(name string, active, acked bool) error {
	out, err := a.try("alarms", "--all", "--json")
	if err != nil {
		return err
	}
	var list []struct {
		Name          string
		Active, Acked bool
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return err
	}
	for _, x := range list {
		if x.Name == name {
			if x.Active != active || x.Acked != acked {
				return fmt.Errorf("%+v", x)
			}
			return nil
		}
	}
	return fmt.Errorf("no alarm %s in %s", name, out)
}

// A changed rule acts after a reload; a broken site leaves the running one running; untouched channels miss no poll.
func TestARuleIsChangedOnTheRunningSite(t *testing.T) {
	short(t)
	plant := newPlant(t, 110)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	a.holds("the peak is shaved", plant, 30, 1.5)

	a.writeSite(strings.Replace(peakSite(plant.Address(), 80, ""), "rule \"peak_shaving\" {", "rule \"peak_shaving\" {\n  nonsense = 1", 1))
	code, out := a.code("plan")
	if code == 0 || !strings.Contains(out, "nonsense") || !strings.Contains(out, "line ") {
		t.Errorf("plan of a broken site gives code %d and\n%s", code, out)
	}
	if code, out := a.code("reload"); code == 0 || !strings.Contains(out, "nonsense") {
		t.Errorf("reload of a broken site gives code %d and\n%s", code, out)
	}
	if err := aboutSetpoint(plant, 30, 1.5); err != nil {
		t.Errorf("after a refused reload: %v", err)
	}

	a.writeSite(peakSite(plant.Address(), 90, ""))
	plan := a.run("plan")
	if !strings.Contains(plan, "peak_shaving") || strings.Contains(plan, "lan") {
		t.Errorf("the plan is to name the rule, and not the channel:\n%s", plan)
	}
	if err := aboutSetpoint(plant, 30, 1.5); err != nil {
		t.Errorf("a plan changes nothing: %v", err)
	}
	before := a.pluginPID("modbus")
	a.run("reload")
	a.eventually("the new limit acts", func() error { return aboutSetpoint(plant, 20, 1.5) })
	if after := a.pluginPID("modbus"); after != before {
		t.Errorf("the plugin's process was %d and is %d: an untouched channel was restarted", before, after)
	}
	if out := a.run("plan"); !strings.Contains(strings.ToLower(out), "nothing changes") {
		t.Errorf("after the reload a plan is empty:\n%s", out)
	}
}

func (a *agent) pluginPID(name string) int {
	a.t.Helper()
	for _, p := range a.status().Plugins {
		if p.Name == name {
			return p.PID
		}
	}
	a.t.Fatalf("no plugin %s", name)
	return 0
}

type status struct {
	State string
	Store struct {
		State string
		PID   int
	}
	Plugins []struct {
		Name, State string
		PID         int
		Restarts    int
	}
	Channels []struct{ Name, State string }
	Devices  []struct {
		Name, State, Error string
		Bad                int
		Frames             uint64
	}
	Libraries []struct{ Name, State, Version, Hash string }
	Sinks     []struct {
		Name, State string
		Error       string
		LagRecords  uint64 `json:"lag_records"`
	}
	Intake  struct{ Frames uint64 }
	Journal struct{ State string }
}

func (a *agent) status() status {
	a.t.Helper()
	var s status
	if err := json.Unmarshal([]byte(a.run("status", "--json")), &s); err != nil {
		a.t.Fatal(err)
	}
	return s
}

// Killing the agent with SIGKILL leaves no process, and the outputs at their safe values within 2 s.
func TestTheAgentIsKilled(t *testing.T) {
	short(t)
	plant := newPlant(t, 110)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	a.eventually("the peak is shaved", func() error { return aboutSetpoint(plant, 30, 1.5) })

	killed := time.Now()
	a.kill()
	eventually(t, "the battery is at its safe value", func() error { return aboutSetpoint(plant, 0, 0) })
	if _, at, _ := setpoint(plant); at.Sub(killed) > 2*time.Second {
		t.Errorf("the safe value came %v after the kill, expected within 2 s", at.Sub(killed))
	}
	eventually(t, "no process is left", func() error { return a.noProcess() })

	a.start()
	a.eventually("the peak is shaved again", func() error { return aboutSetpoint(plant, 30, 1.5) })
}

// noProcess looks for processes of this agent: each of them has the data folder or the binaries' folder in its command.
func (a *agent) noProcess() error {
	out, err := exec.Command("ps", "-eo", "pid,args").Output()
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, a.data) || strings.Contains(line, filepath.Join(binaries, "voltage")) {
			return fmt.Errorf("left behind: %s", line)
		}
	}
	return nil
}

// Ctrl-C leaves the outputs at their safe values, no process and no socket.
func TestCtrlCLeavesNothingBehind(t *testing.T) {
	short(t)
	plant := newPlant(t, 110)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	a.eventually("the peak is shaved", func() error { return aboutSetpoint(plant, 30, 1.5) })
	a.stop()
	if err := aboutSetpoint(plant, 0, 0); err != nil {
		t.Error(err)
	}
	if err := a.noProcess(); err != nil {
		t.Error(err)
	}
	filepath.WalkDir(a.data, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type()&os.ModeSocket != 0 {
			t.Errorf("left behind: socket %s", path)
		}
		return nil
	})
	if code, out := a.code("status"); code == 0 || !strings.Contains(out, "agent") {
		t.Errorf("status without an agent gives code %d and %q", code, out)
	}
}

func short(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the built binaries")
	}
}
