package plantsim

import (
	"math"
	"time"
)

// The states of the charger.
const (
	evAbsent    = 0
	evConnected = 1
	evCharging  = 2
)

func hourOf(t time.Time) float64 {
	return float64(t.Hour()) + float64(t.Minute())/60 + (float64(t.Second())+float64(t.Nanosecond())/1e9)/3600
}

// bakeryLoad is the consumption in kW at an hour of the day: a base load, the shop's opening hours, and ovens that heat
// for four minutes of every ten from two in the morning until noon.
func bakeryLoad(hour float64) float64 {
	load := 14.0
	if hour >= 6 && hour < 18 {
		load += 11
	}
	if hour >= 2 && hour < 12 {
		load += 18 + 58*pulse(math.Mod(hour*60, 10), 2, 6)
	}
	return load
}

// pulse rises from 0 to 1 at minute from, and falls again at minute to, each within ten seconds.
func pulse(minute, from, to float64) float64 {
	const edge = 1.0 / 6
	return clamp((minute-from)/edge, 0, 1) - clamp((minute-to)/edge, 0, 1)
}

// sun is the clear-sky irradiance, 0 to 1, at an hour of the day.
func sun(hour float64) float64 {
	return math.Max(0, math.Sin(math.Pi*(hour-6)/13))
}

// carAt is 1 while a van is there at an hour of the day: from half past three until it leaves at half past six, and again
// in the evening.
func carAt(hour float64) float64 {
	return number(!(hour < 3.5 || hour >= 6.5 && hour < 17 || hour >= 21))
}

// chargerState is the charger's state.
func chargerState(car, allowed bool) uint16 {
	if !car {
		return evAbsent
	}
	if !allowed {
		return evConnected
	}
	return evCharging
}
