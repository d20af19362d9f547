package endtoend

import (
	"fmt"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/examples/plant/plantsim"
)

// The units of the simulated plant.
const (
	meterUnit   = 1
	batteryUnit = 2
)

// newPlant starts a plant whose load the test sets.
func newPlant(t *testing.T, load float64) *plantsim.Plant {
	t.Helper()
	c := plantsim.DefaultConfig()
	c.Speed = 1
	p, err := plantsim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	setLoad(t, p, load)
	for name, value := range map[string]float64{"pv": 0, "ev": 0} {
		if err := p.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func setLoad(t *testing.T, p *plantsim.Plant, kW float64) {
	t.Helper()
	if err := p.Set("load", kW); err != nil {
		t.Fatal(err)
	}
}

// setpoint is what was last written to the battery's set-point, and when; false when nothing was.
func setpoint(p *plantsim.Plant) (float64, time.Time, bool) {
	writes := p.Writes()
	for i := len(writes) - 1; i >= 0; i-- {
		if w := writes[i]; w.Unit == batteryUnit && w.Table == "holding" && w.Address == 200 {
			return plantsim.Float32(w.Values), w.Time, true
		}
	}
	return 0, time.Time{}, false
}

// peakSite shaves the grid connection's peak at a limit in kW.
func peakSite(plant string, limit float64, more string) string {
	return fmt.Sprintf(`
site "bakery" { timezone = "Europe/Berlin" }

locals {
  demand = model.grid.power + model.bess.power
}

channel "lan" {
  plugin = "modbus"
  every  = "100ms"
  config {
    transport = "tcp"
    address   = %q
    timeout   = "500ms"
  }
}

device "grid_meter" {
  channel = channel.lan
  profile = "eastron-sdm630"
  config { unit = 1 }
  point "power" {
    valid_min = -1000000
    valid_max = 1000000
  }
}

device "battery" {
  channel = channel.lan
  config { unit = 2 }
  point "soc" {
    address = "input:100"
    type    = "float32"
    unit    = "%%"
  }
  point "power" {
    address = "input:102"
    type    = "float32"
    unit    = "kW"
  }
  point "setpoint" {
    address = "holding:200"
    type    = "float32"
    unit    = "kW"
    write {
      min       = -50
      max       = 50
      safe      = 0
      read_back = { within = 0.5, after = "1s" }
    }
  }
}

model "grid" {
  template     = "grid_meter"
  measurements = { power = device.grid_meter.power }
}

model "bess" {
  template     = "battery"
  measurements = { soc = device.battery.soc, power = device.battery.power }
  actions      = { power = device.battery.setpoint }
}

alarm "meter_lost" {
  when     = !known(device.grid_meter.power)
  priority = "high"
}

rule "peak_shaving" {
  when     = local.demand > %v && model.bess.soc > 20
  priority = 50
  set "bess.power" {
    value = local.demand - %v
    ttl   = "2s"
  }
}
%s`, plant, limit, limit, more)
}
