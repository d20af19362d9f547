package site

import (
	"math"
	"testing"
)

func TestLinearUnit(t *testing.T) {
	for _, c := range []struct {
		from, to string
		x, want  float64
		ok       bool
	}{
		{"°C", "K", 20, 293.15, true}, {"K", "°C", 273.15, 0, true}, {"°C", "°F", 100, 212, true}, {"°F", "°C", -40, -40, true}, {"°F", "K", 32, 273.15, true},
		{"degC", "°C", 21, 21, true}, {"W", "kW", 1500, 1.5, true}, {"kW", "W", 1.5, 1500, true}, {"", "kW", 7, 7, true}, {"kW", "kVA", 0, 0, false}, {"K", "kW", 0, 0, false},
	} {
		gain, offset, ok := LinearUnit(c.from, c.to)
		if ok != c.ok || ok && math.Abs(c.x*gain+offset-c.want) > 1e-9 {
			t.Errorf("%v %s is %v %s (%v), want %v (%v)", c.x, c.from, c.x*gain+offset, c.to, ok, c.want, c.ok)
		}
	}
	if _, ok := ConvertUnit("°C", "K"); ok {
		t.Error("°C to K is said to be a factor")
	}
}
