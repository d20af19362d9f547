package plantsim

// The heater is a tank of water with an element whose power can be set, and one that a relay switches.
const (
	heaterMaxPower = 9    // kW, of the element that can be set
	boosterPower   = 6    // kW, of the one that is switched
	tankHeat       = 0.93 // kWh per degree: 800 litres
	tankLoss       = 0.004
	tankHot        = 85 // degrees: the thermostat opens
	tankCold       = 80 // and closes again
	roomCelsius    = 20
)

// heater is the state of the heater; powers in kW, temperature in degrees Celsius.
type heater struct {
	HeaterLimit float64 `json:"heater_limit_kw"`
	Booster     bool    `json:"booster_on"`
	Tank        float64 `json:"tank_c"`
	TankHot     bool    `json:"tank_hot"`
}

// heat sets what the heater takes.
func (p *physics) heat() {
	element, booster := p.HeaterLimit, 0.0
	if p.Booster {
		booster = boosterPower
	}
	if p.TankHot {
		element, booster = 0, 0
	}
	p.BoosterPower = booster
	p.Heater = element + booster
}

// warm moves the temperature of the tank.
func (p *physics) warm(hours float64) {
	p.Tank += (p.Heater/tankHeat - tankLoss*(p.Tank-roomCelsius)) * hours
	switch {
	case p.Tank >= tankHot:
		p.TankHot = true
	case p.Tank < tankCold:
		p.TankHot = false
	}
}

func heaterUnit() *unit {
	return &unit{
		input: []field{
			{address: 0, kind: f32, get: func(p *physics) float64 { return 1000 * p.Heater }},
			{address: 2, kind: f32, get: func(p *physics) float64 { return p.Tank }},
			{address: 4, kind: f32, get: func(p *physics) float64 { return 1000 * p.BoosterPower }},
		},
		holding: []field{
			{address: 10, kind: u16, scale: 0.001, get: func(p *physics) float64 { return p.HeaterLimit }, set: func(p *physics, v float64) { p.HeaterLimit = clamp(v, 0, heaterMaxPower) }},
		},
		coils: []bit{
			{get: func(p *physics) bool { return p.Booster }, set: func(p *physics, v bool) { p.Booster = v }},
		},
		discrete: []bit{{get: func(p *physics) bool { return p.TankHot }}},
	}
}
