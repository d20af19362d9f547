package site_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/agent/site"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"250ms": 250 * time.Millisecond, "5s": 5 * time.Second, "1h30m": 90 * time.Minute, "1 h 30 min": 90 * time.Minute, "1d": 24 * time.Hour,
		"1.5s": 1500 * time.Millisecond, "0": 0, "0s": 0, "2w": 14 * 24 * time.Hour, "1y": 365 * 24 * time.Hour, "-5s": -5 * time.Second, "10us": 10 * time.Microsecond,
	} {
		if d, err := site.ParseDuration(text); err != nil || d != want {
			t.Errorf("%q is %v, %v; expected %v", text, d, err, want)
		}
	}
	for _, text := range []string{"", "5", "s", "5 parsecs", "5s5", "1.2.3s", "--5s", "99999999y", "5s-3s", "NaNs", "1e3s"} {
		if d, err := site.ParseDuration(text); err == nil {
			t.Errorf("%q is taken for %v", text, d)
		}
	}
}

func TestDurationsReadAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(-int64(1e15), int64(1e15)).Draw(t, "d"))
		if back, err := site.ParseDuration(site.FormatDuration(d)); err != nil || back != d {
			t.Fatalf("%v is written %s and read %v, %v", d, site.FormatDuration(d), back, err)
		}
	})
}

func TestConvertUnit(t *testing.T) {
	for _, test := range []struct {
		from, to string
		factor   float64
		ok       bool
	}{
		{"W", "kW", 1e-3, true}, {"kW", "W", 1e3, true}, {"MW", "kW", 1e3, true}, {"kWh", "Wh", 1e3, true}, {"A", "mA", 1e3, true}, {"%", "‰", 10, true},
		{"ratio", "%", 100, true}, {"min", "s", 60, true}, {"l/min", "m³/h", 0.06, true}, {"mbar", "bar", 1e-3, true}, {"kvar", "var", 1e3, true},
		{"", "kW", 1, true}, {"kW", "", 1, true}, {"widgets", "widgets", 1, true}, {"C", "°C", 1, true},
		{"kW", "kVA", 0, false}, {"kW", "kvar", 0, false}, {"kW", "kWh", 0, false}, {"°C", "K", 0, false}, {"widgets", "kW", 0, false},
	} {
		if f, ok := site.ConvertUnit(test.from, test.to); f != test.factor || ok != test.ok {
			t.Errorf("%s to %s: %v, %v", test.from, test.to, f, ok)
		}
	}
	if u, ok := site.LookupUnit("kW"); !ok || u.Dimension != "active power" || u.Factor != 1000 {
		t.Errorf("kW: %+v", u)
	}
}
