package endtoend

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/examples/plant/plantsim"
)

// plantSpeed is how many seconds pass in the plants of the ready-made rules per second.
const plantSpeed = 20

// bench is one of the example sites on a plant, with its least times cut short.
type bench struct {
	*agent
	plant *plantsim.Plant
}

// newBench runs an example site; settings are values for its variables.
func newBench(t *testing.T, name string, start map[string]float64, settings ...string) *bench {
	t.Helper()
	short(t)
	c := plantsim.DefaultConfig()
	c.Speed = plantSpeed
	plant, err := plantsim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { plant.Close() })
	b := &bench{plant: plant}
	for _, what := range []string{"ev", "pv"} {
		plant.Release(what)
	}
	for what, value := range start {
		b.set(t, what, value)
	}
	text, err := os.ReadFile("../../examples/sites/" + name + "/site.hcl")
	if err != nil {
		t.Fatal(err)
	}
	b.agent = newAgent(t, string(text))
	b.env = []string{"VOLTAGE_VAR_address=" + plant.Address(), "VOLTAGE_VAR_every=100ms"}
	for _, s := range settings {
		b.env = append(b.env, "VOLTAGE_VAR_"+s)
	}
	b.start()
	return b
}

func (b *bench) set(t *testing.T, what string, value float64) {
	t.Helper()
	if err := b.plant.Set(what, value); err != nil {
		t.Fatal(err)
	}
}

// quantity is something of the plant that is looked at.
type quantity struct {
	name string
	of   func(plantsim.State) float64
}

var (
	grid      = quantity{"the grid", func(s plantsim.State) float64 { return s.Grid }}
	battery   = quantity{"the battery", func(s plantsim.State) float64 { return s.Battery }}
	pv        = quantity{"the inverter", func(s plantsim.State) float64 { return s.PV }}
	car       = quantity{"the car", func(s plantsim.State) float64 { return s.EV }}
	heater    = quantity{"the heater", func(s plantsim.State) float64 { return s.Heater - s.BoosterPower }}
	booster   = quantity{"the booster", func(s plantsim.State) float64 { return s.BoosterPower }}
	generator = quantity{"the generating set", func(s plantsim.State) float64 { return s.Generator }}
	pvLimit   = quantity{"the inverter's limit", func(s plantsim.State) float64 { return 0.4 * s.PVLimit }}
	starts    = quantity{"the number of starts", func(s plantsim.State) float64 { return float64(s.GenStarts) }}
	turning   = quantity{"the set's state", func(s plantsim.State) float64 { return float64(s.GenState) }}
)

// bounds are what quantities are to be between.
type bounds map[*quantity][2]float64

func about(v, within float64) [2]float64 { return [2]float64{v - within, v + within} }

func (want bounds) check(s plantsim.State) error {
	for q, b := range want {
		if v := q.of(s); v < b[0] || v > b[1] || math.IsNaN(v) {
			return fmt.Errorf("%s is %.2f, not %g to %g; the grid has %.2f kW", q.name, v, b[0], b[1], s.Grid)
		}
	}
	return nil
}

// settles waits until the plant is as it is wanted, and stays so for a minute of the plant: a rule that hunts does not.
func (b *bench) settles(what string, want bounds) {
	b.t.Helper()
	began := b.plant.State().Time
	for try := 1; ; try++ {
		b.eventually(what, func() error { return want.check(b.plant.State()) })
		reached := b.plant.State().Time
		err := b.stays(want)
		if err == nil {
			b.t.Logf("%s: after %.1f s of the plant", what, reached.Sub(began).Seconds())
			return
		}
		if try == 5 {
			b.t.Fatalf("%s: it was, and then not for a minute: %v", what, err)
		}
	}
}

// stays looks at the plant for a minute of its time.
func (b *bench) stays(want bounds) error {
	for end := b.plant.State().Time.Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		s := b.plant.State()
		if err := want.check(s); err != nil {
			return err
		}
		if s.Time.After(end) {
			return nil
		}
	}
}

// held waits until a rule holds an output.
func (b *bench) held(output, by string) {
	b.t.Helper()
	b.eventually(by+" holds "+output, func() error {
		var answer struct {
			Winner struct {
				Owner string `json:"owner"`
			} `json:"winner"`
		}
		out := b.run("why", output, "--json")
		if err := json.Unmarshal([]byte(out), &answer); err != nil {
			return err
		}
		if answer.Winner.Owner != by {
			return fmt.Errorf("%s holds it", answer.Winner.Owner)
		}
		return nil
	})
}

// The rules of the house: self-consumption, export limit, reserve, surplus for car, heater and booster, and the fallback
// when the meter is lost.
func TestReadyMadeRulesOfAHouse(t *testing.T) {
	t.Parallel()
	b := newBench(t, "house", map[string]float64{"load": 20, "sun": 0, "car": 0, "soc": 60}, "start_after=1s", "stop_after=2s")
	t.Run("self-consumption gives what the house lacks", func(t *testing.T) {
		b.settles("the grid gives nothing", bounds{&grid: about(0, 0.3), &battery: about(20, 0.3)})
	})
	t.Run("surplus goes to the heaters and to the battery", func(t *testing.T) {
		b.set(t, "load", 5)
		b.set(t, "sun", 1)
		b.settles("all is used", bounds{&grid: about(0, 0.5), &heater: about(9, 0.05), &booster: about(6, 0), &battery: about(-20, 0.5)})
	})
	t.Run("the export limit holds when the battery is full", func(t *testing.T) {
		b.set(t, "soc", 99)
		b.settles("no more than the limit is fed in", bounds{&grid: about(-10, 0.3), &pv: about(30, 0.3), &battery: about(0, 0.1)})
		b.set(t, "load", 0)
		b.settles("also when the house takes less", bounds{&grid: about(-10, 0.3), &pv: about(25, 0.3)})
	})
	t.Run("a lost meter falls back", func(t *testing.T) {
		if err := b.plant.SetFault(plantsim.Fault{Kind: plantsim.Dead, Unit: plantsim.UnitMeter}); err != nil {
			t.Fatal(err)
		}
		b.settles("the inverter gives what the grid takes", bounds{&pv: about(10, 0.1), &pvLimit: about(10, 0.1), &battery: about(0, 0.1), &heater: about(0, 0), &booster: about(0, 0)})
		b.held("bess.power", "rule.meter")
		b.eventually("the alarm is raised", func() error { return b.alarmIs("meter.lost", true, false) })
		if err := b.plant.ClearFault(plantsim.UnitMeter); err != nil {
			t.Fatal(err)
		}
		b.eventually("the alarm is gone", func() error { return b.alarmIs("meter.lost", false, false) })
	})
	t.Run("the car goes first", func(t *testing.T) {
		b.set(t, "load", 5)
		b.set(t, "soc", 60)
		b.set(t, "car", 1)
		b.settles("everybody has some", bounds{&grid: about(0, 0.5), &car: about(11.04, 0.05), &heater: about(9, 0.05), &booster: about(6, 0), &battery: about(-9, 0.5)})
		b.set(t, "sun", 0.35)
		b.settles("the car has what there is", bounds{&grid: about(0, 0.5), &car: about(8.6, 0.8), &heater: about(0, 0.9), &booster: about(0, 0)})
		b.set(t, "sun", 0.1)
		b.settles("the car pauses", bounds{&grid: about(0, 0.5), &car: about(0, 0), &heater: about(0, 0), &battery: about(1, 0.3)})
	})
	t.Run("the reserve is kept", func(t *testing.T) {
		b.set(t, "soc", 18)
		b.settles("the battery gives nothing", bounds{&battery: about(0, 0.1), &grid: about(1, 0.2)})
		b.held("bess.power", "rule.reserve")
		b.set(t, "car", 0)
		b.set(t, "sun", 0.6)
		b.settles("and takes what the heaters leave", bounds{&battery: about(-4, 0.3), &heater: about(9, 0.05), &booster: about(6, 0), &grid: about(0, 0.5)})
	})
}

// The rules of the works: peak shaving, charging by tariff, charging before feeding in, reserve, and a generating set.
func TestReadyMadeRulesOfAWorks(t *testing.T) {
	t.Parallel()
	away := time.Now().Add(12 * time.Hour).Format("15")
	b := newBench(t, "industry", map[string]float64{"load": 60, "sun": 0, "car": 0, "soc": 60},
		`generator={ start_after = "1s", min_run = "3s", min_rest = "3s" }`, fmt.Sprintf(`cheap={ from = "%s:00", to = "%s:59" }`, away, away))
	t.Run("the peak is shaved", func(t *testing.T) {
		b.settles("below the limit the battery stands still", bounds{&battery: about(0, 0.1), &grid: about(60, 0.1)})
		b.set(t, "load", 110)
		b.settles("the grid gives its limit", bounds{&grid: about(80, 0.3), &battery: about(30, 0.3)})
		b.set(t, "load", 83)
		b.settles("also when little is missing", bounds{&grid: about(80, 0.3), &battery: about(3, 0.3)})
		b.set(t, "load", 78)
		b.settles("within its band it stays", bounds{&grid: about(78, 0.3), &battery: about(0, 0.3)})
		b.set(t, "load", 60)
		b.settles("and ends", bounds{&battery: about(0, 0.1)})
	})
	t.Run("what would be fed in is taken", func(t *testing.T) {
		b.set(t, "load", 10)
		b.set(t, "sun", 1)
		b.settles("no more than the limit is fed in", bounds{&grid: about(-2, 0.3), &battery: about(-28, 0.3)})
		b.set(t, "sun", 0)
		b.settles("without sun the battery stands still", bounds{&battery: about(0, 0.1)})
	})
	t.Run("the battery charges when power is cheap", func(t *testing.T) {
		b.set(t, "load", 20)
		for i, e := range b.env {
			if strings.HasPrefix(e, "VOLTAGE_VAR_cheap=") {
				b.env[i] = `VOLTAGE_VAR_cheap={ from = "00:00", to = "24:00" }`
			}
		}
		b.stop()
		b.start()
		b.settles("it takes what it is given", bounds{&battery: about(-30, 0.3), &grid: about(50, 0.3)})
		b.set(t, "load", 55)
		b.settles("within what the connection gives", bounds{&battery: about(-15, 0.3), &grid: about(70, 0.3)})
		b.set(t, "load", 100)
		b.settles("and shaves a peak also then", bounds{&grid: about(80, 0.3), &battery: about(20, 0.3)})
	})
	t.Run("the generating set takes over", func(t *testing.T) {
		b.set(t, "load", 60)
		b.set(t, "soc", 24)
		b.eventually("it runs", func() error { return bounds{&generator: about(40, 0.1)}.check(b.plant.State()) })
		began := b.plant.State().Time
		b.set(t, "soc", 60)
		b.eventually("it stops", func() error { return bounds{&turning: about(0, 0)}.check(b.plant.State()) })
		stopped := b.plant.State()
		if ran := stopped.Time.Sub(began); stopped.GenStarts != 1 || ran < 40*time.Second {
			t.Errorf("it stopped after %v, with %d starts", ran, stopped.GenStarts)
		}
		b.set(t, "soc", 24)
		b.eventually("it runs again", func() error { return bounds{&starts: about(2, 0)}.check(b.plant.State()) })
		if rested := b.plant.State().Time.Sub(stopped.Time); rested < 40*time.Second {
			t.Errorf("it rested for %v", rested)
		}
	})
	t.Run("below the reserve the battery charges within what the reserve is given", func(t *testing.T) {
		b.set(t, "soc", 12)
		b.set(t, "load", 60)
		b.held("bess.power", "rule.reserve")
		// The grid may give 50 for that, and the generating set gives 40.
		b.settles("the battery charges", bounds{&generator: about(40, 0.1), &battery: about(-30, 0.5), &grid: about(50, 0.5)})
	})
}
