package site_test

import (
	"testing"

	"github.com/voltage-edge/voltage/agent/site"
)

func TestAlarmKindsInJSON(t *testing.T) {
	s := sound(t, map[string]string{"site.hcl": head, "alarms.hcl.json": `{"alarm": {
		"tank": {"value": "device.meter.power", "levels": {"high": 5, "low": 1}},
		"slow": {"value": "device.meter.power", "rate": {"limit": "60/min"}},
		"off": {"value": "device.meter.power", "deviation": {"setpoint": "${device.meter.limit}", "limit": 3}}
	}}`}, site.Options{})
	for name, want := range map[string]string{"tank": "levels high 5, low 1", "slow": "rate 1/s any", "off": "deviation 3"} {
		if a := s.Alarm(name); a == nil || !a.Value.Given() || a.Kind.String() != want {
			t.Errorf("%s: %+v, expected %s", name, a, want)
		}
	}
}
