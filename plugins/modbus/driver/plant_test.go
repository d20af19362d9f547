package driver

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/examples/plant/plantsim"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// still is a plant that stands still.
func still(t testing.TB, change func(*plantsim.Config)) *plantsim.Plant {
	t.Helper()
	c := plantsim.DefaultConfig()
	c.Speed = 0
	if change != nil {
		change(&c)
	}
	p, err := plantsim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func meterSpec(t testing.TB) sdk.DeviceSpec {
	return deviceSpec(t, "meter", plantsim.UnitMeter, nil, profilePoints(t, "eastron-sdm630")...)
}

func batterySpec(t testing.TB) sdk.DeviceSpec {
	return deviceSpec(t, "battery", plantsim.UnitBattery, nil,
		numeric("soc", "input:100", "float32"),
		numeric("power", "input:0x66", "float32"),
		numeric("status", "input:118", "uint16"),
		with(numeric("name", "input:120", "string"), "length", 8),
		writable(numeric("setpoint", "holding:200", "float32")),
		writable(numeric("remote", "holding:202", "bool")),
		writable(numeric("heartbeat", "holding:203", "uint16")),
		writable(numeric("enabled", "coil:0", "bool")),
		numeric("full", "discrete:2", "bool"),
		numeric("empty", "discrete:1", "bool"),
	)
}

func pvSpec(t testing.TB) sdk.DeviceSpec {
	points := []sdk.PointSpec{
		with(numeric("power", "input:0", "int32"), "order", "CDAB"),
		with(numeric("produced", "input:2", "uint32"), "order", "CDAB"),
		numeric("frequency", "input:5", "uint16"),
		numeric("temperature", "input:6", "int16"),
		writable(numeric("limit", "holding:10", "uint16")),
	}
	points[1].Scale, points[2].Scale, points[3].Scale, points[4].Scale = 0.1, 0.01, 0.1, 0.1
	return deviceSpec(t, "pv", plantsim.UnitPV, nil, points...)
}

func TestReadsThePlant(t *testing.T) {
	t.Parallel()
	plant := still(t, nil)
	if err := errors.Join(plant.Set("load", 90), plant.Set("ev", 0), plant.Set("pv", 12.5)); err != nil {
		t.Fatal(err)
	}
	r := start(t, tcpConfig(plant.Address()), meterSpec(t), batterySpec(t), pvSpec(t))
	r.until("the meter's power", func() bool { return r.reads("meter", "power", 77500, 1) })
	r.until("all of the meter", func() bool { return r.known("meter") })
	r.until("state of charge", func() bool { return r.reads("battery", "soc", 70, 0.001) })
	r.until("bits", func() bool {
		return r.reads("battery", "full", 0, 0) && r.reads("battery", "enabled", 1, 0) && r.reads("battery", "remote", 1, 0)
	})
	r.until("the battery's name", func() bool { return r.count["battery"] > 0 && r.frames["battery"].Text(0) == "Plant BESS 50" })
	r.until("power of the PV", func() bool { return r.reads("pv", "power", 12500, 0) })
	r.until("energy of the PV", func() bool { return r.reads("pv", "produced", 31877.2, 0.05) })
	r.until("temperature of the PV", func() bool { return r.reads("pv", "temperature", 24.3, 0.1) })
	r.until("states", func() bool {
		return r.statuses["meter"].State == sdk.DeviceOK && r.statuses["battery"].State == sdk.DeviceOK && r.statuses["pv"].State == sdk.DeviceOK
	})
}

func TestWritesThePlant(t *testing.T) {
	t.Parallel()
	plant := still(t, nil)
	r := start(t, tcpConfig(plant.Address()), batterySpec(t), pvSpec(t))
	expect := func(device, point string, value, written float64) {
		t.Helper()
		resp := r.set(device, point, value)
		if resp.Err != nil || resp.Written != written || resp.ReadBack == nil || *resp.ReadBack != written {
			t.Errorf("%s.%s = %g: %+v", device, point, value, resp)
		}
	}
	expect("battery", "setpoint", 12.5, 12.5)
	expect("battery", "remote", 0, 0)
	expect("battery", "enabled", 1, 1)
	expect("battery", "heartbeat", 7.4, 7)
	expect("pv", "limit", 61.26, 61.300000000000004)
	if s := plant.State(); s.Setpoint != 12.5 || !s.Remote || s.Heartbeat != 7 || s.PVLimit < 61.29 || s.PVLimit > 61.31 {
		t.Errorf("the plant has %+v", s)
	}
	if resp := r.set("battery", "heartbeat", 70000); resp.Err == nil || !strings.Contains(resp.Err.Error(), "does not fit") {
		t.Errorf("a heartbeat of 70000: %+v", resp)
	}
	if resp := r.set("battery", "soc", 1); resp.Err == nil {
		t.Errorf("a state of charge was written: %+v", resp)
	}
	r.until("the set-point in a frame", func() bool { return r.reads("battery", "setpoint", 12.5, 0) })
}

func TestDeadUnitLeavesTheOthersAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for back-offs")
	}
	t.Parallel()
	plant := still(t, nil)
	r := start(t, tcpConfig(plant.Address()), meterSpec(t), batterySpec(t))
	r.until("both units", func() bool { return r.reads("battery", "soc", 70, 0.01) && r.known("meter") })
	if err := plant.SetFault(plantsim.Fault{Kind: plantsim.Dead, Unit: plantsim.UnitMeter}); err != nil {
		t.Fatal(err)
	}
	r.until("a bad meter", func() bool {
		return r.is("meter", "power", frame.Bad|frame.NoAnswer) && r.statuses["meter"].State == sdk.DeviceBackoff
	})
	r.mu.Lock()
	before := r.count["battery"]
	r.mu.Unlock()
	r.until("a battery that goes on", func() bool { return r.count["battery"] > before+20 && r.reads("battery", "soc", 70, 0.01) })
	if resp := r.set("battery", "setpoint", 3); resp.Err != nil {
		t.Errorf("write beside a dead unit: %v", resp.Err)
	}
	if err := plant.ClearFault(0); err != nil {
		t.Fatal(err)
	}
	r.until("a meter that is back", func() bool { return r.known("meter") })
}

func TestFaultsOfThePlant(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for back-offs")
	}
	t.Parallel()
	plant := still(t, nil)
	r := start(t, tcpConfig(plant.Address()), meterSpec(t), pvSpec(t))
	good := func() {
		t.Helper()
		if err := plant.ClearFault(0); err != nil {
			t.Fatal(err)
		}
		r.until("good values", func() bool { return r.known("meter") && r.known("pv") })
	}
	fault := func(f plantsim.Fault) {
		t.Helper()
		if err := plant.SetFault(f); err != nil {
			t.Fatal(err)
		}
	}
	good()
	fault(plantsim.Fault{Kind: plantsim.NaN, Unit: plantsim.UnitMeter})
	r.until("values that are none", func() bool { return r.is("meter", "power", frame.Bad|frame.NotANumber) })
	good()
	fault(plantsim.Fault{Kind: plantsim.Exception, Unit: plantsim.UnitMeter, Code: 6})
	r.until("a busy meter", func() bool {
		return r.is("meter", "power", frame.Bad|frame.Refused) && r.statuses["meter"].State == sdk.DevicePartial
	})
	good()
	fault(plantsim.Fault{Kind: plantsim.Exception, Unit: plantsim.UnitMeter, Code: 11})
	r.until("a meter that its gateway can't reach", func() bool {
		return r.is("meter", "power", frame.Bad|frame.NoAnswer) && r.statuses["meter"].State == sdk.DeviceBackoff
	})
	good()
	fault(plantsim.Fault{Kind: plantsim.Slow, Unit: plantsim.UnitMeter, Delay: 2 * time.Second})
	r.until("a meter that is too slow", func() bool { return r.is("meter", "power", frame.Bad|frame.NoAnswer) })
	good()
	fault(plantsim.Fault{Kind: plantsim.Refuse})
	r.until("no connection", func() bool {
		return r.is("meter", "power", frame.Bad|frame.NoAnswer) && r.is("pv", "power", frame.Bad|frame.NoAnswer)
	})
	good()
}

func TestRefusedPointsAreBadAlone(t *testing.T) {
	t.Parallel()
	plant := still(t, nil)
	d := deviceSpec(t, "battery", plantsim.UnitBattery, nil,
		numeric("soc", "input:100", "float32"),
		numeric("nothing", "input:119", "uint16"), // a hole in the map
		numeric("status", "input:118", "uint16"),
		with(numeric("name", "input:120", "string"), "length", 8),
		numeric("beyond", "input:500", "uint16"),
		numeric("setpoint", "holding:200", "float32"),
	)
	r := start(t, tcpConfig(plant.Address()), d)
	r.until("the good and the refused", func() bool {
		return r.reads("battery", "soc", 70, 0.01) && r.reads("battery", "status", 0, 0) && r.reads("battery", "setpoint", 0, 0) &&
			r.is("battery", "nothing", frame.Bad|frame.Refused) && r.is("battery", "beyond", frame.Bad|frame.Refused) &&
			r.frames["battery"].Text(0) == "Plant BESS 50"
	})
	r.until("a state that names them", func() bool {
		s := r.statuses["battery"]
		return s.State == sdk.DevicePartial && strings.Contains(s.Error, "nothing (input:119, exception 2: illegal data address)") && strings.Contains(s.Error, "beyond")
	})
	r.mu.Lock()
	frames, requests := r.count["battery"], r.statuses["battery"].Requests
	r.mu.Unlock()
	r.until("further polls", func() bool { return r.count["battery"] > frames+100 && r.statuses["battery"].Requests > requests })
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.statuses["battery"]
	if perFrame := float64(s.Requests-requests) / float64(s.Frames); perFrame > 4 {
		t.Errorf("a poll takes %.1f requests; what was refused is asked for again and again", perFrame)
	}
}
