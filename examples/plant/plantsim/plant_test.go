package plantsim

import (
	"errors"
	"math"
	"net"
	"testing"
	"time"

	"github.com/simonvetter/modbus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// still is a plant that moves only when it is told to.
func still(t *testing.T, change func(*Config)) *Plant {
	t.Helper()
	c := DefaultConfig()
	c.Speed = 0
	if change != nil {
		change(&c)
	}
	p, err := New(c)
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

// client is an independent Modbus client.
func client(t *testing.T, p *Plant, unit uint8, timeout time.Duration) *modbus.ModbusClient {
	t.Helper()
	c, err := modbus.NewClient(&modbus.ClientConfiguration{URL: "tcp://" + p.Address(), Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Open(); err != nil {
		t.Fatal(err)
	}
	c.SetUnitId(unit)
	t.Cleanup(func() { c.Close() })
	return c
}

func float(t *testing.T, c *modbus.ModbusClient, address uint16) float64 {
	t.Helper()
	v, err := c.ReadFloat32(address, modbus.INPUT_REGISTER)
	if err != nil {
		t.Fatalf("read input:%d: %v", address, err)
	}
	return float64(v)
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within || math.IsNaN(got) {
		t.Errorf("%s is %g, expected %g", what, got, want)
	}
}

func TestBatteryShavesThePeak(t *testing.T) {
	p := still(t, nil)
	if err := errors.Join(p.Set("load", 95), p.Set("ev", 0), p.Set("pv", 0)); err != nil {
		t.Fatal(err)
	}
	meter, battery := client(t, p, UnitMeter, time.Second), client(t, p, UnitBattery, time.Second)
	near(t, "power before", float(t, meter, 52), 95000, 1)
	before := float(t, battery, 100)
	if err := battery.WriteFloat32(200, 15); err != nil {
		t.Fatal(err)
	}
	p.Advance(time.Second)
	near(t, "power of the battery", float(t, battery, 102), 15, 0.01)
	near(t, "power after", float(t, meter, 52), 80000, 1)
	near(t, "sum of the phases", float(t, meter, 12)+float(t, meter, 14)+float(t, meter, 16), 80000, 1)
	p.Advance(time.Hour)
	near(t, "charge that it took", before-float(t, battery, 100), 100*15/batteryEfficiency/batteryCapacity, 0.05)

	writes := p.Writes()
	if len(writes) != 1 || writes[0].Unit != UnitBattery || writes[0].Address != 200 || Float32(writes[0].Values) != 15 {
		t.Errorf("writes are %+v", writes)
	}
}

func TestBatteryKeepsItsLimits(t *testing.T) {
	p := still(t, nil)
	battery := client(t, p, UnitBattery, time.Second)
	if err := battery.WriteFloat32(200, 500); err != nil {
		t.Fatal(err)
	}
	p.Advance(step)
	near(t, "power after a step", float(t, battery, 102), batteryRate*step.Seconds(), 1e-6)
	p.Advance(10 * time.Second)
	near(t, "power at its limit", float(t, battery, 102), batteryMaxPower, 1e-6)
	if err := p.Set("soc", batterySoCMin+0.1); err != nil {
		t.Fatal(err)
	}
	p.Advance(5 * time.Minute)
	near(t, "power when empty", float(t, battery, 102), 0, 1e-6)
	near(t, "state of charge when empty", float(t, battery, 100), batterySoCMin, 0.1)
	if empty, err := battery.ReadDiscreteInputs(0, 3); err != nil || !empty[1] || empty[2] {
		t.Errorf("discrete inputs are %v, %v", empty, err)
	}
}

func TestWatchdogDropsTheSetpoint(t *testing.T) {
	p := still(t, nil)
	battery := client(t, p, UnitBattery, time.Second)
	if err := errors.Join(battery.WriteRegister(204, 10), battery.WriteFloat32(200, 20)); err != nil {
		t.Fatal(err)
	}
	p.Advance(9 * time.Second)
	near(t, "set-point in time", p.State().Setpoint, 20, 0)
	if err := battery.WriteRegister(203, 7); err != nil {
		t.Fatal(err)
	}
	p.Advance(9 * time.Second)
	near(t, "set-point after a heartbeat", p.State().Setpoint, 20, 0)
	p.Advance(2 * time.Second)
	near(t, "set-point after the watchdog", p.State().Setpoint, 0, 0)
}

func TestSameSeedSameStates(t *testing.T) {
	run := func(seed uint64) State {
		p := still(t, func(c *Config) { c.Seed = seed })
		p.Advance(20 * time.Minute)
		return p.State()
	}
	if run(7) != run(7) {
		t.Error("two plants of one seed differ")
	}
	if run(7) == run(8) {
		t.Error("two seeds give the same plant")
	}
}

func TestTheOvensMakeAPeak(t *testing.T) {
	p := still(t, nil)
	highest, lowest := 0.0, math.Inf(1)
	for range 600 {
		p.Advance(time.Second)
		s := p.State()
		highest, lowest = max(highest, s.Grid), min(lowest, s.Grid)
		near(t, "balance", s.Grid, s.Load+s.EV-s.PV-s.Battery, 1e-9)
	}
	if highest < 95 || lowest > 60 {
		t.Errorf("the grid gives %.1f to %.1f kW in ten minutes of baking", lowest, highest)
	}
}

func TestFaults(t *testing.T) {
	p := still(t, nil)
	if err := p.Set("load", 50); err != nil {
		t.Fatal(err)
	}
	fault := func(f Fault) {
		t.Helper()
		if err := errors.Join(p.ClearFault(0), p.SetFault(f)); err != nil {
			t.Fatal(err)
		}
	}
	meter, pv := client(t, p, UnitMeter, 300*time.Millisecond), client(t, p, UnitPV, time.Second)

	fault(Fault{Kind: Dead, Unit: UnitMeter})
	if _, err := meter.ReadFloat32(52, modbus.INPUT_REGISTER); !errors.Is(err, modbus.ErrRequestTimedOut) {
		t.Errorf("dead unit: %v", err)
	}
	if _, err := pv.ReadRegister(7, modbus.INPUT_REGISTER); err != nil {
		t.Errorf("neighbour of a dead unit: %v", err)
	}
	fault(Fault{Kind: Exception, Unit: UnitMeter, Code: 6})
	if _, err := meter.ReadFloat32(52, modbus.INPUT_REGISTER); !errors.Is(err, modbus.ErrServerDeviceBusy) {
		t.Errorf("exception: %v", err)
	}
	fault(Fault{Kind: Slow, Unit: UnitMeter, Delay: 80 * time.Millisecond})
	if start := time.Now(); float(t, meter, 52) == 0 || time.Since(start) < 80*time.Millisecond {
		t.Error("the slow answer came at once")
	}
	fault(Fault{Kind: NaN, Unit: UnitMeter})
	if v := float(t, meter, 52); !math.IsNaN(v) {
		t.Errorf("nan reads %g", v)
	}
	fault(Fault{Kind: Range, Unit: UnitMeter})
	if v := float(t, meter, 52); v < 1e20 {
		t.Errorf("range reads %g", v)
	}
	fault(Fault{Kind: Freeze, Unit: UnitMeter})
	before := float(t, meter, 52)
	if err := p.Set("load", 70); err != nil {
		t.Fatal(err)
	}
	near(t, "frozen power", float(t, meter, 52), before, 0)
	if err := p.ClearFault(UnitMeter); err != nil {
		t.Fatal(err)
	}
	near(t, "thawed power", float(t, meter, 52)-before, 20000, 1)

	fault(Fault{Kind: Refuse})
	if c, err := net.Dial("tcp", p.Address()); err == nil {
		c.Close()
		t.Error("a refusing plant takes connections")
	}
	if err := p.ClearFault(0); err != nil {
		t.Fatal(err)
	}
	float(t, client(t, p, UnitMeter, time.Second), 52)
	if err := p.SetFault(Fault{Kind: "tired"}); err == nil {
		t.Error("an unknown fault was taken")
	}
	if err := p.SetFault(Fault{Kind: Dead, Unit: 9}); err == nil {
		t.Error("a fault of an unknown unit was taken")
	}
}

func TestRefusedRequests(t *testing.T) {
	p := still(t, nil)
	battery := client(t, p, UnitBattery, time.Second)
	cases := map[string]func() error{
		"gap":              func() error { _, err := battery.ReadRegisters(118, 3, modbus.INPUT_REGISTER); return err },
		"beyond the end":   func() error { _, err := battery.ReadRegisters(200, 9, modbus.HOLDING_REGISTER); return err },
		"half a set-point": func() error { return battery.WriteRegister(200, 1) },
		"coil":             func() error { return battery.WriteCoil(1, true) },
	}
	for name, do := range cases {
		if err := do(); !errors.Is(err, modbus.ErrIllegalDataAddress) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := battery.WriteFloat32(200, float32(math.NaN())); !errors.Is(err, modbus.ErrIllegalDataValue) {
		t.Errorf("a set-point that is no number: %v", err)
	}
	if _, err := client(t, p, 99, time.Second).ReadRegister(0, modbus.INPUT_REGISTER); !errors.Is(err, modbus.ErrGWTargetFailedToRespond) {
		t.Errorf("unknown unit: %v", err)
	}
	if len(p.Writes()) != 0 {
		t.Errorf("refused writes were recorded: %+v", p.Writes())
	}
}

func TestTheHeaterTakesWhatItIsSetTo(t *testing.T) {
	p := still(t, nil)
	if err := errors.Join(p.Set("load", 20), p.Set("ev", 0), p.Set("pv", 0)); err != nil {
		t.Fatal(err)
	}
	heater, meter := client(t, p, UnitHeater, time.Second), client(t, p, UnitMeter, time.Second)
	if err := errors.Join(heater.WriteRegister(10, 4500), heater.WriteCoil(0, true)); err != nil {
		t.Fatal(err)
	}
	p.Advance(time.Second)
	near(t, "power of the heater", float(t, heater, 0), 10500, 1)
	near(t, "power of the switched element", float(t, heater, 4), 6000, 1)
	near(t, "power at the grid", float(t, meter, 52), 30500, 1)
	p.Advance(4 * time.Hour)
	if !p.State().TankHot || p.State().Heater != 0 {
		t.Errorf("after four hours the tank has %g degrees and takes %g kW", p.State().Tank, p.State().Heater)
	}
}

func TestTheGeneratingSetStartsAndStops(t *testing.T) {
	p := still(t, nil)
	if err := errors.Join(p.Set("load", 50), p.Set("ev", 0), p.Set("pv", 0)); err != nil {
		t.Fatal(err)
	}
	set := client(t, p, UnitGenerator, time.Second)
	if err := set.WriteCoil(0, true); err != nil {
		t.Fatal(err)
	}
	p.Advance(9 * time.Second)
	near(t, "power while it starts", p.State().Generator, 0, 0)
	p.Advance(6 * time.Second)
	near(t, "power when it runs", float(t, set, 0), 40, 0.01)
	near(t, "power of the grid", p.State().Grid, 10, 0.01)
	if err := set.WriteCoil(0, false); err != nil {
		t.Fatal(err)
	}
	p.Advance(5 * time.Second)
	if s := p.State(); s.GenState != genCooling || s.Generator != 0 {
		t.Errorf("it is in state %d with %g kW", s.GenState, s.Generator)
	}
	p.Advance(20 * time.Second)
	if s := p.State(); s.GenState != genStopped || s.GenStarts != 1 {
		t.Errorf("it is in state %d after %d starts", s.GenState, s.GenStarts)
	}
	if err := errors.Join(p.Set("fuel", 0), set.WriteCoil(0, true)); err != nil {
		t.Fatal(err)
	}
	p.Advance(time.Second)
	if s := p.State(); s.GenState != genFault {
		t.Errorf("without fuel it is in state %d", s.GenState)
	}
}

func TestSunAndCar(t *testing.T) {
	p := still(t, nil)
	if err := errors.Join(p.Set("sun", 0.5), p.Set("car", 1)); err != nil {
		t.Fatal(err)
	}
	near(t, "production", p.State().PV, 20, 0.01)
	inverter := client(t, p, UnitPV, time.Second)
	if err := inverter.WriteRegister(10, 250); err != nil {
		t.Fatal(err)
	}
	p.Advance(time.Second)
	near(t, "limited production", p.State().PV, 10, 0.01)
	if p.State().EVState != evCharging {
		t.Errorf("the charger is in state %d", p.State().EVState)
	}
	if err := p.Set("car", 0); err != nil {
		t.Fatal(err)
	}
	near(t, "power of the charger", p.State().EV, 0, 0)
}
