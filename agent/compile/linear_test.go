package compile_test

import (
	"testing"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
)

func TestLinearOf(t *testing.T) {
	n := newNames()
	n.device("meter", &site.Point{Name: "power", Unit: "W"}, &site.Point{Name: "raw"}, &site.Point{Name: "other"}, &site.Point{Name: "on", Bool: true})
	for _, c := range []struct {
		value, unit    string
		factor, offset float64
		linear         bool
		reads          int
	}{
		{"device.meter.power", "kW", 0.001, 0, true, 1},
		{"-device.meter.power", "W", -1, 0, true, 1},
		{"2 * (device.meter.raw - 5) / 4 + 1", "", 0.5, -1.5, true, 1},
		{"10 - device.meter.raw", "", -1, 10, true, 1},
		{"device.meter.on", "", 1, 0, true, 1},
		{"device.meter.raw > 3", "", 0, 0, false, 1},
		{"device.meter.raw * device.meter.raw", "", 0, 0, false, 1},
		{"device.meter.raw + device.meter.other", "", 0, 0, false, 2},
		{"10 / device.meter.raw", "", 0, 0, false, 1},
		{"max(device.meter.raw, 0)", "", 0, 0, false, 1},
	} {
		t.Run(c.value, func(t *testing.T) {
			m := &site.Mapping{Measurement: &site.Measurement{Name: "m", Unit: c.unit}, Value: expr(t, c.value)}
			l, reads, ok := compile.LinearOf(m, n)
			if ok != c.linear || len(reads) != c.reads {
				t.Fatalf("linear %v of %d points, want %v of %d", ok, len(reads), c.linear, c.reads)
			}
			if ok && (l.Factor != c.factor || l.Offset != c.offset || l.Point != reads[0]) {
				t.Errorf("%v × %s + %v, want × %v + %v", l.Factor, l.Point.Name, l.Offset, c.factor, c.offset)
			}
		})
	}
}
