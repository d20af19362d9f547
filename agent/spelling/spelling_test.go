package spelling_test

import (
	"testing"

	"github.com/voltage-edge/voltage/agent/spelling"
)

func TestNearest(t *testing.T) {
	for _, c := range []struct {
		name       string
		candidates []string
		want       string
	}{
		{"modbos", []string{"influxdb", "modbus"}, "modbus"},
		{"GRID", []string{"grit", "grid"}, "grid"},
		{"soc", []string{"power", "voltage"}, ""},
		{"ab", []string{"cd", "xy"}, ""},
		{"grid_meter_powr", []string{"grid_meter", "grid_meter_power"}, "grid_meter_power"},
		{"x", nil, ""},
	} {
		if got := spelling.Nearest(c.name, c.candidates); got != c.want {
			t.Errorf("%q of %q: %q, want %q", c.name, c.candidates, got, c.want)
		}
	}
	if got := spelling.DidYouMean("modbos", []string{"modbus"}); got != ` Did you mean "modbus"?` {
		t.Errorf("%q", got)
	}
	if got := spelling.DidYouMean("zzz", []string{"modbus"}); got != "" {
		t.Errorf("%q", got)
	}
}
