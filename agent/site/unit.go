package site

import (
	"fmt"
	"math"
	"strings"

	"github.com/agext/levenshtein"
)

// Unit is a unit of measurement.
type Unit struct {
	// Symbol is how it is written.
	Symbol string
	// Dimension is what it measures; only units of one dimension can be converted.
	Dimension string
	// Factor is how many of the dimension's base unit it is.
	Factor float64
	// Offset is what its zero is in the base unit: 273.15 for °C.
	Offset float64
}

// dimension is a group of units, with the factor to its first one.
type dimension struct {
	name  string
	units []Unit
}

func unitGroup(name string, pairs ...any) dimension {
	d := dimension{name: name}
	for i := 0; i+1 < len(pairs); i += 2 {
		var f float64
		switch v := pairs[i+1].(type) {
		case int:
			f = float64(v)
		case float64:
			f = v
		}
		d.units = append(d.units, Unit{Symbol: pairs[i].(string), Dimension: name, Factor: f})
	}
	return d
}

// dimensions are the units of the field. Active, apparent and reactive power differ on purpose: a sum of them is a
// mistake.
var dimensions = append(factorDimensions, temperatures)

// temperatures differ by more than a factor. Their base unit is the kelvin.
var temperatures = dimension{name: "temperature", units: []Unit{
	{"°C", "temperature", 1, 273.15}, {"C", "temperature", 1, 273.15}, {"degC", "temperature", 1, 273.15}, {"K", "temperature", 1, 0},
	{"°F", "temperature", 5.0 / 9, 459.67 * 5 / 9}, {"degF", "temperature", 5.0 / 9, 459.67 * 5 / 9},
}}

var factorDimensions = []dimension{
	unitGroup("active power", "W", 1, "mW", 1e-3, "kW", 1e3, "MW", 1e6, "GW", 1e9, "hp", 745.699872),
	unitGroup("apparent power", "VA", 1, "kVA", 1e3, "MVA", 1e6),
	unitGroup("reactive power", "var", 1, "VAr", 1, "kvar", 1e3, "kVAr", 1e3, "Mvar", 1e6, "MVAr", 1e6),
	unitGroup("energy", "Wh", 1, "mWh", 1e-3, "kWh", 1e3, "MWh", 1e6, "GWh", 1e9, "J", 1.0/3600, "kJ", 1.0/3.6, "MJ", 1e3/3.6),
	unitGroup("apparent energy", "VAh", 1, "kVAh", 1e3, "MVAh", 1e6),
	unitGroup("reactive energy", "varh", 1, "VArh", 1, "kvarh", 1e3, "kVArh", 1e3, "Mvarh", 1e6, "MVArh", 1e6),
	unitGroup("voltage", "V", 1, "µV", 1e-6, "mV", 1e-3, "kV", 1e3),
	unitGroup("current", "A", 1, "µA", 1e-6, "mA", 1e-3, "kA", 1e3),
	unitGroup("charge", "Ah", 1, "mAh", 1e-3, "kAh", 1e3),
	unitGroup("resistance", "Ω", 1, "ohm", 1, "mΩ", 1e-3, "kΩ", 1e3, "MΩ", 1e6),
	unitGroup("capacitance", "F", 1, "mF", 1e-3, "µF", 1e-6, "nF", 1e-9),
	unitGroup("frequency", "Hz", 1, "mHz", 1e-3, "kHz", 1e3, "MHz", 1e6),
	unitGroup("rotational speed", "rpm", 1, "1/min", 1),
	unitGroup("ratio", "%", 1, "‰", 0.1, "ratio", 100, "p.u.", 100, "pu", 100, "ppm", 1e-4),
	unitGroup("time", "s", 1, "µs", 1e-6, "us", 1e-6, "ms", 1e-3, "min", 60, "h", 3600, "d", 86400),
	unitGroup("length", "m", 1, "mm", 1e-3, "cm", 1e-2, "km", 1e3),
	unitGroup("area", "m²", 1, "m2", 1),
	unitGroup("volume", "m³", 1, "m3", 1, "l", 1e-3, "L", 1e-3),
	unitGroup("volume flow", "m³/h", 1, "m3/h", 1, "l/h", 1e-3, "L/h", 1e-3, "l/min", 0.06, "L/min", 0.06, "l/s", 3.6, "L/s", 3.6, "m³/s", 3600, "m3/s", 3600),
	unitGroup("mass", "kg", 1, "g", 1e-3, "t", 1e3),
	unitGroup("mass flow", "kg/h", 1, "kg/s", 3600, "t/h", 1e3, "g/s", 3.6),
	unitGroup("pressure", "Pa", 1, "hPa", 100, "kPa", 1e3, "MPa", 1e6, "mbar", 100, "bar", 1e5, "psi", 6894.757293),
	unitGroup("irradiance", "W/m²", 1, "W/m2", 1, "kW/m²", 1e3, "kW/m2", 1e3),
	unitGroup("speed", "m/s", 1, "km/h", 1/3.6, "kn", 1852.0/3600),
	unitGroup("angle", "deg", 1, "°", 1, "rad", 57.29577951308232),
	unitGroup("illuminance", "lx", 1, "klx", 1e3),
	unitGroup("sound level", "dB", 1),
	unitGroup("signal level", "dBm", 1),
	unitGroup("carbon intensity", "g/kWh", 1, "kg/MWh", 1, "kg/kWh", 1e3),
	unitGroup("heat rate", "kW/K", 1e3, "W/K", 1),
	unitGroup("power ramp", "W/s", 1, "kW/s", 1e3, "kW/min", 1e3/60, "W/min", 1.0/60),
	unitGroup("data", "B", 1, "kB", 1e3, "MB", 1e6, "GB", 1e9),
}

var (
	unitsBySymbol = indexUnits()
	unitSymbols   = sortedKeys(unitsBySymbol)
)

func indexUnits() map[string]Unit {
	m := map[string]Unit{}
	for _, d := range dimensions {
		for _, u := range d.units {
			m[u.Symbol] = u
		}
	}
	return m
}

// LookupUnit finds a unit by its symbol.
func LookupUnit(symbol string) (Unit, bool) {
	u, ok := unitsBySymbol[symbol]
	return u, ok
}

// ConvertUnit is what a value in one unit is multiplied with to be one in another; false when they measure different
// things, one is unknown and they differ, or their zeros differ (see LinearUnit). No unit ("") stays what it is in any unit.
func ConvertUnit(from, to string) (float64, bool) {
	gain, offset, ok := LinearUnit(from, to)
	if !ok || offset != 0 {
		return 0, false
	}
	return gain, true
}

// LinearUnit is how a value in one unit becomes one in another: times gain, plus offset. That holds for a temperature, and
// not for a difference of two. It is false, and "" goes with any unit, as in ConvertUnit.
func LinearUnit(from, to string) (gain, offset float64, ok bool) {
	if from == to || from == "" || to == "" {
		return 1, 0, true
	}
	a, okA := unitsBySymbol[from]
	b, okB := unitsBySymbol[to]
	switch {
	case !okA || !okB || a.Dimension != b.Dimension:
		return 0, 0, false
	case a.Factor >= b.Factor:
		gain = a.Factor / b.Factor
	default:
		// The inverse of a quotient above one is exact where a product of inverses would not be.
		gain = 1 / (b.Factor / a.Factor)
	}
	if a.Offset != b.Offset {
		offset = math.Round((a.Offset-b.Offset)/b.Factor*1e9) / 1e9
	}
	return gain, offset, true
}

// unknownUnit is what to say about a unit that is not in the table: an error when it looks like a misspelt one, else a
// warning.
func unknownUnit(symbol string) (detail string, severe bool) {
	for _, u := range unitSymbols {
		if strings.EqualFold(u, symbol) || len(symbol) > 2 && levenshtein.Distance(u, symbol, nil) == 1 {
			return fmt.Sprintf("There is no unit %q. Did you mean %q?", symbol, u), true
		}
	}
	return fmt.Sprintf("The unit %q is not known: its values are shown with it, but can't be converted.", symbol), false
}
