package endtoend

import (
	"fmt"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/examples/plant/plantsim"
)

// Whatever is wrong with one device shows as what it is, the devices beside it on the same connection go on, and all is well
// again when it is.
func TestEveryFaultOfADevice(t *testing.T) {
	short(t)
	plant := newPlant(t, 110)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	for _, c := range []struct {
		fault   plantsim.Fault
		quality string // of the meter's power
		reason  string
		alarm   bool
	}{
		{plantsim.Fault{Kind: plantsim.Dead}, "bad", "no answer", true},
		{plantsim.Fault{Kind: plantsim.Slow, Delay: 2 * time.Second}, "bad", "no answer", true},
		{plantsim.Fault{Kind: plantsim.Slow, Delay: 50 * time.Millisecond}, "good", "", false},
		{plantsim.Fault{Kind: plantsim.Exception, Code: 4}, "bad", "refused by the device", true},
		{plantsim.Fault{Kind: plantsim.NaN}, "bad", "not available", true},
		{plantsim.Fault{Kind: plantsim.Range}, "bad", "out of range", true},
		{plantsim.Fault{Kind: plantsim.Freeze}, "good", "", false},
	} {
		c.fault.Unit = meterUnit
		t.Logf("%+v", c.fault)
		a.eventually("the peak is shaved", func() error { return aboutSetpoint(plant, 30, 1.5) })
		a.eventually("no alarm", func() error { return a.alarmIs("meter_lost", false, true) })
		if err := plant.SetFault(c.fault); err != nil {
			t.Fatal(err)
		}
		a.eventually("the quality is what the fault makes it", func() error {
			v, err := a.get("grid_meter.power")
			if err == nil && (v.Quality != c.quality || v.Reason != c.reason || (v.Value == nil) != (c.quality == "bad")) {
				err = fmt.Errorf("%+v", v)
			}
			return err
		})
		if c.alarm {
			a.eventually("the alarm is active", func() error { return a.alarmIs("meter_lost", true, false) })
			a.eventually("the battery is at its safe value", func() error { return aboutSetpoint(plant, 0, 0) })
			a.run("ack", "meter_lost")
		}
		a.neighbourGoesOn("battery")
		if err := plant.ClearFault(meterUnit); err != nil {
			t.Fatal(err)
		}
	}
}

// A plant that refuses connections: everything is unknown, nothing is held, and it comes back by itself.
func TestThePlantRefusesConnections(t *testing.T) {
	short(t)
	plant := newPlant(t, 110)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	a.eventually("the peak is shaved", func() error { return aboutSetpoint(plant, 30, 1.5) })
	if err := plant.SetFault(plantsim.Fault{Kind: plantsim.Refuse}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"grid_meter.power", "battery.soc"} {
		a.eventually(name+" is bad", func() error {
			v, err := a.get(name)
			if err == nil && v.Quality != "bad" {
				err = fmt.Errorf("%+v", v)
			}
			return err
		})
	}
	a.eventually("the status says which devices, and why", func() error {
		for _, d := range a.status().Devices {
			if d.State != "backoff" || d.Error == "" {
				return fmt.Errorf("%+v", d)
			}
		}
		return nil
	})
	if err := plant.ClearFault(0); err != nil {
		t.Fatal(err)
	}
	a.eventually("the peak is shaved again", func() error { return aboutSetpoint(plant, 30, 1.5) })
}

// A set-point that a device does not take is no success, and one that runs out is withdrawn.
func TestWhatBecomesOfASet(t *testing.T) {
	short(t)
	plant := newPlant(t, 60)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	a.eventually("the battery is at its safe value", func() error { return aboutSetpoint(plant, 0, 0) })

	if code, out := a.code("set", "bess.power", "7", "--ttl", "1s"); code != 0 {
		t.Fatalf("code %d: %s", code, out)
	}
	a.eventually("what ran out falls to the safe value", func() error { return aboutSetpoint(plant, 0, 0) })

	if err := plant.SetFault(plantsim.Fault{Kind: plantsim.Dead, Unit: batteryUnit}); err != nil {
		t.Fatal(err)
	}
	if code, out := a.code("set", "bess.power", "9", "--ttl", "60s", "--wait", "5s"); code != 4 && code != 5 {
		t.Errorf("a set on a dead device gives code %d: %s", code, out)
	}
	if err := plant.ClearFault(batteryUnit); err != nil {
		t.Fatal(err)
	}
	a.eventually("what still stands is written when the device is back", func() error { return aboutSetpoint(plant, 9, 0) })
}

// neighbourGoesOn checks that a device's frames go on coming, all good.
func (a *agent) neighbourGoesOn(name string) {
	a.t.Helper()
	frames := func() uint64 {
		for _, d := range a.status().Devices {
			if d.Name == name {
				if d.State != "ok" || d.Bad != 0 {
					a.t.Errorf("%+v", d)
				}
				return d.Frames
			}
		}
		a.t.Fatalf("no device %s", name)
		return 0
	}
	before := frames()
	a.eventually(name+" is still read", func() error {
		if now := frames(); now < before+5 {
			return fmt.Errorf("%d frames, %d before", now, before)
		}
		return nil
	})
}
