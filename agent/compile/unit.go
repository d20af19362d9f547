package compile

import (
	"fmt"
	"strconv"
)

// unitScale says how many of a quantity's base unit one of a unit is.
type unitScale struct {
	base  string
	scale float64
}

var unitScales = map[string]unitScale{
	"mW": {"W", 1e-3}, "W": {"W", 1}, "kW": {"W", 1e3}, "MW": {"W", 1e6}, "GW": {"W", 1e9},
	"VA": {"VA", 1}, "kVA": {"VA", 1e3}, "MVA": {"VA", 1e6},
	"var": {"var", 1}, "kvar": {"var", 1e3}, "Mvar": {"var", 1e6},
	"Wh": {"Wh", 1}, "kWh": {"Wh", 1e3}, "MWh": {"Wh", 1e6}, "GWh": {"Wh", 1e9},
	"VAh": {"VAh", 1}, "kVAh": {"VAh", 1e3}, "varh": {"varh", 1}, "kvarh": {"varh", 1e3},
	"mV": {"V", 1e-3}, "V": {"V", 1}, "kV": {"V", 1e3},
	"mA": {"A", 1e-3}, "A": {"A", 1}, "kA": {"A", 1e3},
	"mAh": {"Ah", 1e-3}, "Ah": {"Ah", 1}, "kAh": {"Ah", 1e3},
	"Hz": {"Hz", 1}, "kHz": {"Hz", 1e3},
	"ms": {"s", 1e-3}, "s": {"s", 1}, "min": {"s", 60}, "h": {"s", 3600}, "d": {"s", 86400},
	"mΩ": {"Ω", 1e-3}, "Ω": {"Ω", 1}, "kΩ": {"Ω", 1e3}, "MΩ": {"Ω", 1e6}, "ohm": {"Ω", 1},
	"Pa": {"Pa", 1}, "hPa": {"Pa", 100}, "kPa": {"Pa", 1e3}, "mbar": {"Pa", 100}, "bar": {"Pa", 1e5},
	"mm": {"m", 1e-3}, "cm": {"m", 1e-2}, "m": {"m", 1}, "km": {"m", 1e3},
	"g": {"g", 1}, "kg": {"g", 1e3}, "t": {"g", 1e6},
	"%": {"%", 1}, "‰": {"%", 0.1},
	"°C": {"°C", 1}, "degC": {"°C", 1}, "C": {"°C", 1},
}

// unitFactor is what a value in one unit is multiplied with to be one in another; false when that can't be done.
func unitFactor(from, to string) (float64, bool) {
	if from == to {
		return 1, true
	}
	a, okA := unitScales[from]
	b, okB := unitScales[to]
	if !okA || !okB || a.base != b.base {
		return 0, false
	}
	if a.scale >= b.scale {
		return a.scale / b.scale, true
	}
	// Division keeps 1e-3 exact where a product of inverses would not.
	return 1 / (b.scale / a.scale), true
}

// howToConvert says how a value in one unit becomes one in another.
func howToConvert(to, from string) string {
	f, ok := unitFactor(from, to)
	switch {
	case !ok:
		return "They measure different things, or a unit is misspelt."
	case f >= 1:
		return fmt.Sprintf("Multiply the one in %s by %s.", from, strconv.FormatFloat(f, 'g', -1, 64))
	}
	return fmt.Sprintf("Divide the one in %s by %s.", from, strconv.FormatFloat(1/f, 'g', -1, 64))
}
