package plantsim

import (
	"math"
	"time"
)

// The unit ids of the plant.
const (
	UnitMeter   = 1
	UnitBattery = 2
	UnitPV      = 3
	UnitCharger = 4
	UnitHeater  = 5
	// UnitGenerator is the generating set.
	UnitGenerator = 6
)

// bit is one coil or discrete input.
type bit struct {
	get func(*physics) bool
	set func(*physics, bool)
}

// unit is the register map of one unit.
type unit struct {
	input, holding  []field
	coils, discrete []bit
	// open units answer registers that nothing is at with 0, as many meters do; the others answer exception 2.
	open uint16 // number of input registers that are answered so
}

func plantUnits() map[uint8]*unit {
	return map[uint8]*unit{
		UnitMeter:   meterUnit(),
		UnitBattery: batteryUnit(),
		UnitPV:      pvUnit(),
		UnitCharger: chargerUnit(),

		UnitHeater:    heaterUnit(),
		UnitGenerator: generatorUnit(),
	}
}

// meterUnit has the layout of an Eastron SDM630 for what it serves.
func meterUnit() *unit {
	u := &unit{open: 380}
	add := func(address uint16, get func(*physics) float64) {
		u.input = append(u.input, field{address: address, kind: f32, get: get})
	}
	// One phase carries a little more than the others.
	share := [3]float64{0.35, 0.33, 0.32}
	const factor = 0.96
	reactive := math.Sqrt(1/(factor*factor) - 1)
	for i, s := range share {
		n := uint16(2 * i)
		watts := func(p *physics) float64 { return 1000 * p.Grid * s }
		add(0+n, func(p *physics) float64 { return p.Voltage })
		add(6+n, func(p *physics) float64 { return math.Abs(watts(p)) / factor / p.Voltage })
		add(12+n, watts)
		add(18+n, func(p *physics) float64 { return math.Abs(watts(p)) / factor })
		add(24+n, func(p *physics) float64 { return math.Abs(watts(p)) * reactive })
		add(30+n, func(p *physics) float64 { return math.Copysign(factor, p.Grid) })
		add(200+n, func(p *physics) float64 { return p.Voltage * math.Sqrt(3) })
		add(234+n, func(*physics) float64 { return 1.8 })
		if i < 2 {
			add(358+n, func(p *physics) float64 { return (p.Import + p.Export) * s })
		}
	}
	watts := func(p *physics) float64 { return 1000 * p.Grid }
	add(42, func(p *physics) float64 { return p.Voltage })
	add(48, func(p *physics) float64 { return math.Abs(watts(p)) / factor / p.Voltage })
	add(52, watts)
	add(56, func(p *physics) float64 { return math.Abs(watts(p)) / factor })
	add(60, func(p *physics) float64 { return math.Abs(watts(p)) * reactive })
	add(62, func(p *physics) float64 { return math.Copysign(factor, p.Grid) })
	add(66, func(*physics) float64 { return math.Acos(factor) * 180 / math.Pi })
	add(70, func(p *physics) float64 { return p.Frequency })
	add(72, func(p *physics) float64 { return p.Import })
	add(74, func(p *physics) float64 { return p.Export })
	add(76, func(p *physics) float64 { return p.Import * reactive })
	add(78, func(p *physics) float64 { return p.Export * reactive })
	add(224, func(p *physics) float64 { return math.Abs(watts(p)) * 0.02 / p.Voltage })
	add(342, func(p *physics) float64 { return p.Import + p.Export })
	add(344, func(p *physics) float64 { return (p.Import + p.Export) * reactive })
	return u
}

func batteryUnit() *unit {
	const voltage = 768.0
	return &unit{
		input: []field{
			{address: 100, kind: f32, get: func(p *physics) float64 { return p.SoC }},
			{address: 102, kind: f32, get: func(p *physics) float64 { return p.Battery }},
			{address: 104, kind: f32, get: func(p *physics) float64 { return p.Temperature }},
			{address: 106, kind: f32, get: func(*physics) float64 { return voltage }},
			{address: 108, kind: f32, get: func(p *physics) float64 { return 1000 * p.Battery / voltage }},
			{address: 110, kind: f32, get: func(p *physics) float64 { return p.Charged }},
			{address: 112, kind: f32, get: func(p *physics) float64 { return p.Discharged }},
			{address: 114, kind: f32, get: func(p *physics) float64 { return available(p.SoC < batterySoCMax) }},
			{address: 116, kind: f32, get: func(p *physics) float64 { return available(p.SoC > batterySoCMin) }},
			{address: 118, kind: u16, get: batteryStatus},
			{address: 120, kind: text, words: 8, str: "Plant BESS 50"},
		},
		holding: []field{
			{address: 200, kind: f32, get: func(p *physics) float64 { return p.Setpoint }, set: setSetpoint},
			{address: 202, kind: u16, get: func(p *physics) float64 { return number(p.Remote) }, set: func(p *physics, v float64) { p.Remote = v != 0 }},
			{address: 203, kind: u16, get: func(p *physics) float64 { return float64(p.Heartbeat) }, set: func(p *physics, v float64) { p.Heartbeat, p.sinceWrite = uint16(v), 0 }},
			{address: 204, kind: u16, get: func(p *physics) float64 { return p.Watchdog.Seconds() }, set: func(p *physics, v float64) { p.Watchdog, p.sinceWrite = time.Duration(v)*time.Second, 0 }},
		},
		coils: []bit{
			{get: func(p *physics) bool { return p.Remote }, set: func(p *physics, v bool) { p.Remote = v }},
		},
		discrete: []bit{
			{get: func(p *physics) bool { return p.Battery != 0 }},
			{get: func(p *physics) bool { return p.SoC <= batterySoCMin }},
			{get: func(p *physics) bool { return p.SoC >= batterySoCMax }},
		},
	}
}

func setSetpoint(p *physics, v float64) {
	p.Setpoint, p.sinceWrite = v, 0
}

func available(is bool) float64 {
	if is {
		return batteryMaxPower
	}
	return 0
}

// batteryStatus is 0 for standby, 1 charging, 2 discharging.
func batteryStatus(p *physics) float64 {
	switch {
	case p.Battery < -0.05:
		return 1
	case p.Battery > 0.05:
		return 2
	}
	return 0
}

func pvUnit() *unit {
	return &unit{
		input: []field{
			{address: 0, kind: i32, swapped: true, get: func(p *physics) float64 { return 1000 * p.PV }},
			{address: 2, kind: u32, swapped: true, scale: 0.1, get: func(p *physics) float64 { return p.Produced }},
			{address: 4, kind: u16, scale: 0.1, get: func(p *physics) float64 { return 540 + 90*p.Irradiance }},
			{address: 5, kind: u16, scale: 0.01, get: func(p *physics) float64 { return p.Frequency }},
			{address: 6, kind: i16, scale: 0.1, get: func(p *physics) float64 { return 18 + 0.5*p.PV }},
			{address: 7, kind: u16, get: func(p *physics) float64 { return number(p.PV > 0.05) }},
		},
		holding: []field{
			{address: 10, kind: u16, scale: 0.1, get: func(p *physics) float64 { return p.PVLimit }, set: func(p *physics, v float64) { p.PVLimit = clamp(v, 0, 100) }},
		},
		discrete: []bit{{get: func(p *physics) bool { return p.PV > 0.05 }}},
	}
}

func chargerUnit() *unit {
	return &unit{
		input: []field{
			{address: 0, kind: u16, get: func(p *physics) float64 { return float64(p.EVState) }},
			{address: 2, kind: f32, get: func(p *physics) float64 { return 1000 * p.EV }},
			{address: 4, kind: u32, get: func(p *physics) float64 { return 1000 * p.Session }},
			{address: 6, kind: u16, scale: 0.1, get: func(p *physics) float64 { return 1000 * p.EV / 3 / 230 }},
		},
		holding: []field{
			{address: 100, kind: u16, scale: 0.1, get: func(p *physics) float64 { return p.EVLimit }, set: func(p *physics, v float64) { p.EVLimit = clamp(v, 0, 32) }},
		},
		coils: []bit{
			{get: func(p *physics) bool { return p.EVEnabled }, set: func(p *physics, v bool) { p.EVEnabled = v }},
		},
		discrete: []bit{{get: func(p *physics) bool { return p.EVState != evAbsent }}},
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
