package site_test

import (
	"strings"
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

// Brackets that are written as escapes of JSON don't take the parser's stack, and an expression has a length.
func TestExpressionsAreBounded(t *testing.T) {
	for want, text := range map[string]string{
		"Nested too deeply":   strings.Repeat(`\u0028`, 20_000) + "1",
		"Expression too long": strings.Repeat("device.meter.power + ", 10_000) + "1 > 5",
	} {
		_, diags := load(t, write(t, map[string]string{"site.hcl": head, "r.hcl.json": `{"alarm": {"a": {"when": "` + text + `"}}}`}), site.Options{})
		if len(diags) != 1 || diags[0].Summary != want {
			t.Errorf("%v, expected %s", diags, want)
		}
	}
}
