package plantsim

import (
	"math"
	"math/rand/v2"
	"time"
)

// step is the plant's own time between two states.
const step = 100 * time.Millisecond

// Battery limits and rates; power in kW, energy in kWh, state of charge in percent.
const (
	batteryCapacity   = 200
	batteryMaxPower   = 50
	batteryRate       = 25 // kW per second
	batterySoCMin     = 5
	batterySoCMax     = 98
	batteryEfficiency = 0.96 // one way
)

// State is the plant at one moment. Powers are in kW; what brings power to the house is positive: import, production,
// discharge.
type State struct {
	// Time is the plant's own clock.
	Time time.Time `json:"time"`
	// These keep the balance Grid = Load + EV + Heater - PV - Battery - Generator.
	Load    float64 `json:"load_kw"`
	EV      float64 `json:"ev_kw"`
	PV      float64 `json:"pv_kw"`
	Battery float64 `json:"battery_kw"`
	Grid    float64 `json:"grid_kw"`
	// Heater is what both elements take; BoosterPower, what the switched one does.
	Heater       float64 `json:"heater_kw"`
	BoosterPower float64 `json:"booster_kw"`
	Generator    float64 `json:"generator_kw"`

	SoC         float64 `json:"soc_percent"`
	Setpoint    float64 `json:"setpoint_kw"`
	Remote      bool    `json:"battery_remote"`
	Temperature float64 `json:"battery_temperature_c"`
	Heartbeat   uint16  `json:"heartbeat"`
	// Watchdog, when above zero, is how long a set-point lasts without being written again.
	Watchdog time.Duration `json:"watchdog_ns"`

	PVLimit    float64 `json:"pv_limit_percent"`
	EVState    uint16  `json:"ev_state"` // 0 no car, 1 connected, 2 charging
	EVLimit    float64 `json:"ev_limit_a"`
	EVEnabled  bool    `json:"ev_enabled"`
	Frequency  float64 `json:"frequency_hz"`
	Voltage    float64 `json:"voltage_v"`
	Irradiance float64 `json:"irradiance"`

	Import     float64 `json:"import_kwh"`
	Export     float64 `json:"export_kwh"`
	Charged    float64 `json:"charged_kwh"`
	Discharged float64 `json:"discharged_kwh"`
	Produced   float64 `json:"produced_kwh"`
	Session    float64 `json:"ev_session_kwh"`

	heater
	generator
}

// physics moves a State on. It is deterministic: the same seed and the same writes at the same steps give the same
// states.
type physics struct {
	State
	rng        *rand.Rand
	noise      float64
	cloud      float64
	override   map[string]float64
	sinceWrite time.Duration
	inGenState float64 // seconds
}

func newPhysics(seed uint64, start time.Time, soc float64) *physics {
	p := &physics{rng: rand.New(rand.NewPCG(seed, 0x706c616e74)), override: map[string]float64{}}
	p.Time, p.SoC, p.Remote = start, soc, true
	p.PVLimit, p.EVLimit, p.EVEnabled = 100, 16, true
	p.Temperature, p.Frequency, p.Voltage, p.cloud = 24, 50, 230, 1
	p.Tank, p.Fuel, p.GenSetpoint = 55, 80, 40
	p.Import, p.Export, p.Produced = 48210.4, 9120.7, 31877.2
	p.curves()
	p.balance()
	return p
}

// advance moves the plant by one step. unscaled is what the step takes on the wall, which is what the watchdog counts.
func (p *physics) advance(unscaled time.Duration) {
	seconds := step.Seconds()
	p.Time = p.Time.Add(step)
	p.noise += -p.noise*seconds/20 + p.rng.NormFloat64()*0.35*math.Sqrt(seconds)
	p.cloud = clamp(p.cloud+(0.85-p.cloud)*seconds/120+p.rng.NormFloat64()*0.02*math.Sqrt(seconds), 0.15, 1)
	p.Frequency = clamp(p.Frequency+(50-p.Frequency)*seconds/30+p.rng.NormFloat64()*0.003*math.Sqrt(seconds), 49.8, 50.2)

	p.sinceWrite += unscaled
	if p.Watchdog > 0 && p.sinceWrite >= p.Watchdog {
		p.Setpoint = 0
	}
	p.curves()
	p.stepBattery(seconds)
	p.generate(seconds)
	p.warm(seconds / 3600)
	p.balance()
	p.count(seconds / 3600)
}

// curves sets what the plant does by the time of day.
func (p *physics) curves() {
	hour := hourOf(p.Time)
	p.Load = p.value("load", math.Max(0, bakeryLoad(hour)+p.noise))
	p.Irradiance = p.value("sun", sun(hour)*p.cloud)
	p.PV = p.value("pv", math.Min(40*p.Irradiance, 40*p.PVLimit/100))
	p.EVState = chargerState(p.value("car", carAt(hour)) > 0, p.EVEnabled && p.EVLimit >= 6)
	current := 0.0
	if p.EVState == evCharging {
		current = math.Min(p.EVLimit, 32)
	}
	p.EV = p.value("ev", 3*230*current/1000)
	p.heat()
}

// value is what name was overridden with, else v.
func (p *physics) value(name string, v float64) float64 {
	if o, ok := p.override[name]; ok {
		return o
	}
	return v
}

// stepBattery moves the battery towards its set-point, within its rate and its state of charge.
func (p *physics) stepBattery(seconds float64) {
	target := 0.0
	if p.Remote {
		target = clamp(p.Setpoint, -batteryMaxPower, batteryMaxPower)
	}
	if target > 0 && p.SoC <= batterySoCMin || target < 0 && p.SoC >= batterySoCMax {
		target = 0
	}
	p.Battery += clamp(target-p.Battery, -batteryRate*seconds, batteryRate*seconds)
	energy := p.Battery * seconds / 3600
	if energy > 0 {
		p.Discharged += energy
		p.SoC -= 100 * energy / batteryEfficiency / batteryCapacity
	} else {
		p.Charged -= energy
		p.SoC -= 100 * energy * batteryEfficiency / batteryCapacity
	}
	p.SoC = clamp(p.SoC, 0, 100)
	warm := 24 + 14*math.Abs(p.Battery)/batteryMaxPower
	p.Temperature += (warm - p.Temperature) * seconds / 600
}

// balance gives the grid what is left.
func (p *physics) balance() {
	p.Grid = p.value("grid", p.Load+p.EV+p.Heater-p.PV-p.Battery-p.Generator)
	p.Voltage = 231 - 0.03*p.Grid
}

func (p *physics) count(hours float64) {
	if p.Grid > 0 {
		p.Import += p.Grid * hours
	} else {
		p.Export -= p.Grid * hours
	}
	p.Produced += p.PV * hours
	if p.EVState == evAbsent {
		p.Session = 0
	}
	p.Session += p.EV * hours
}

func clamp(v, low, high float64) float64 { return math.Min(math.Max(v, low), high) }
