package plantsim

// The states of the generating set.
const (
	genStopped  = 0
	genStarting = 1
	genRunning  = 2
	genCooling  = 3
	genFault    = 4
)

// The generating set feeds in beside the grid. Powers in kW, times in seconds of the plant.
const (
	genMaxPower = 60
	genRate     = 10 // kW per second
	genCrank    = 10 // from the wish to run until it does
	genCoolDown = 20 // without load, before it stops
	tankLitres  = 400
	litresAnKWh = 0.28
	litresIdle  = 3 // per hour
)

// generator is the state of the generating set.
type generator struct {
	GenStart    bool    `json:"generator_start"`
	GenState    uint16  `json:"generator_state"`
	GenSetpoint float64 `json:"generator_setpoint_kw"`
	Fuel        float64 `json:"fuel_percent"`
	GenHours    float64 `json:"generator_hours"`
	GenStarts   uint16  `json:"generator_starts"`
}

func (p *physics) genTurns() bool { return p.GenState == genRunning || p.GenState == genCooling }

// generate moves the generating set by a step.
func (p *physics) generate(seconds float64) {
	p.inGenState += seconds
	enter := func(state uint16) { p.GenState, p.inGenState = state, 0 }
	switch {
	case p.GenState != genFault && p.Fuel <= 0:
		enter(genFault)
	case p.GenState == genFault && p.Fuel > 0 && !p.GenStart:
		enter(genStopped)
	case p.GenState == genStopped && p.GenStart:
		enter(genStarting)
	case p.GenState == genStarting && !p.GenStart:
		enter(genStopped)
	case p.GenState == genStarting && p.inGenState >= genCrank:
		enter(genRunning)
		p.GenStarts++
	case p.GenState == genRunning && !p.GenStart:
		enter(genCooling)
	case p.GenState == genCooling && p.GenStart:
		enter(genRunning)
	case p.GenState == genCooling && p.inGenState >= genCoolDown:
		enter(genStopped)
	}
	target := 0.0
	if p.GenState == genRunning {
		target = clamp(p.GenSetpoint, 0, genMaxPower)
	}
	switch {
	case !p.genTurns():
		p.Generator = 0
	default:
		p.Generator += clamp(target-p.Generator, -genRate*seconds, genRate*seconds)
		hours := seconds / 3600
		p.GenHours += hours
		p.Fuel = clamp(p.Fuel-100*(p.Generator*litresAnKWh+litresIdle)*hours/tankLitres, 0, 100)
	}
}

func generatorUnit() *unit {
	return &unit{
		input: []field{
			{address: 0, kind: f32, get: func(p *physics) float64 { return p.Generator }},
			{address: 2, kind: f32, get: func(p *physics) float64 { return p.Fuel }},
			{address: 4, kind: f32, get: func(p *physics) float64 { return p.GenHours }},
			{address: 6, kind: u16, get: func(p *physics) float64 { return float64(p.GenState) }},
			{address: 7, kind: u16, get: func(p *physics) float64 { return float64(p.GenStarts) }},
		},
		holding: []field{
			{address: 10, kind: f32, get: func(p *physics) float64 { return p.GenSetpoint }, set: func(p *physics, v float64) { p.GenSetpoint = v }},
		},
		coils: []bit{
			{get: func(p *physics) bool { return p.GenStart }, set: func(p *physics, v bool) { p.GenStart = v }},
		},
		discrete: []bit{
			{get: (*physics).genTurns},
			{get: func(p *physics) bool { return p.GenState == genFault }},
		},
	}
}
