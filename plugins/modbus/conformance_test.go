package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/examples/plant/plantsim"
	"github.com/voltage-edge/voltage/plugins/modbus/driver"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/conformance"
	"github.com/voltage-edge/voltage/sdk/schema"
)

// filled are given values with the defaults of a block.
func filled(t *testing.T, b schema.Block, given sdk.Values) sdk.Values {
	t.Helper()
	v := sdk.Values{}
	for _, a := range b.Attributes {
		if a.Default != nil {
			v[a.Name] = a.Default
		}
		if s, ok := a.Default.(string); ok && a.Type == schema.Duration {
			d, err := time.ParseDuration(s)
			if err != nil {
				t.Fatal(err)
			}
			v[a.Name] = float64(d)
		}
	}
	for name, value := range given {
		v[name] = value
	}
	return v
}

// site is a channel to the plant's battery, charger and meter.
func site(t *testing.T, address string) sdk.ChannelSpec {
	t.Helper()
	var s sdk.SchemaResponse
	driver.Driver{}.Schema(context.Background(), sdk.SchemaRequest{}, &s)
	standstill, gentle := 0.0, 6.0
	device := func(name string, unit int, points ...sdk.PointSpec) sdk.DeviceSpec {
		d := sdk.DeviceSpec{Name: name, Every: 100 * time.Millisecond, Config: filled(t, s.Device, sdk.Values{"unit": float64(unit)}), Points: points}
		numbers := 0
		for i := range d.Points {
			if p := &d.Points[i]; p.Readable && !p.Text {
				p.Index = numbers
				numbers++
			}
		}
		return d
	}
	return sdk.ChannelSpec{Name: "lan", Config: filled(t, s.Channel, sdk.Values{"address": address}), Devices: []sdk.DeviceSpec{
		device("battery", plantsim.UnitBattery,
			sdk.PointSpec{Name: "soc", Address: "input:100", Type: "float32", Unit: "%", Scale: 1, Readable: true},
			sdk.PointSpec{Name: "name", Address: "input:120", Type: "string", Text: true, Scale: 1, Readable: true, Config: sdk.Values{"length": 8.0}},
			sdk.PointSpec{Name: "setpoint", Address: "holding:200", Type: "float32", Unit: "kW", Scale: 1, Readable: true, Writable: true, Safe: &standstill},
		),
		device("charger", plantsim.UnitCharger,
			sdk.PointSpec{Name: "current_limit", Address: "holding:100", Type: "uint16", Unit: "A", Scale: 0.1, Writable: true, Safe: &gentle},
			sdk.PointSpec{Name: "connected", Address: "discrete:0", Type: "bool", Scale: 1, Readable: true},
		),
		device("meter", plantsim.UnitMeter,
			sdk.PointSpec{Name: "power", Address: "input:52", Type: "float32", Unit: "W", Scale: 1, Readable: true},
		),
	}}
}

func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs the plugin")
	}
	exe := filepath.Join(t.TempDir(), "voltage-plugin-modbus")
	if out, err := exec.Command("go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	plant, err := plantsim.New(plantsim.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer plant.Close()

	channel := site(t, plant.Address())
	address, unit := site(t, plant.Address()), site(t, "")
	address.Devices[0].Points[0].Address = "input:100000"
	delete(unit.Config, "address")
	conformance.Run(t, exe, conformance.Options{
		Channel: &channel,
		Bad: []conformance.BadChannel{
			{Name: "an address that is none", Channel: address, Path: sdk.PointPath("battery", "soc", "address")},
			{Name: "no host", Channel: unit, Path: sdk.ChannelPath("transport")},
		},
		Read: func(device, point string) (float64, error) {
			switch s := plant.State(); device + "." + point {
			case "battery.setpoint":
				return s.Setpoint, nil
			case "charger.current_limit":
				return s.EVLimit, nil
			}
			return 0, fmt.Errorf("the plant has no %s.%s", device, point)
		},
	})
}
