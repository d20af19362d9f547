package compile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
)

func TestAlarmKindsAreRefused(t *testing.T) {
	level := 5.0
	for want, a := range map[string]*site.Alarm{
		"in kW, the other in V":    {Value: expr(t, "device.grid.power"), Kind: site.AlarmKind{Deviation: &site.Deviation{Setpoint: expr(t, "device.grid.voltage"), Limit: 5}}},
		"is true or false":         {Value: expr(t, "device.grid.closed"), Kind: site.AlarmKind{Levels: &site.Levels{High: &level}}},
		"is never stale":           {Value: expr(t, "device.virtual.active ? 1 : 0"), Kind: site.AlarmKind{Stale: time.Minute}},
		"reads no point":           {Value: expr(t, "5 + 1"), Kind: site.AlarmKind{Rate: &site.RateLimit{Limit: 5, Direction: "any"}}},
		"is a text":                {Value: expr(t, "device.grid.serial"), Kind: site.AlarmKind{Stale: time.Minute}},
		"where a number is wanted": {Value: expr(t, "device.grid.power > 5"), Kind: site.AlarmKind{Deviation: &site.Deviation{Setpoint: expr(t, "1"), Limit: 5}}},
	} {
		n := plantNames(t)
		n.device("virtual", &site.Point{Name: "active", Bool: true}).Source = site.SourceSchedule
		s := n.siteOf()
		a.Name = "a"
		s.Alarms = []*site.Alarm{a}
		_, diags := compile.With(s, n)
		if len(diags) != 1 || !strings.Contains(diags[0].Detail, want) {
			t.Errorf("%v, expected %q", diags, want)
		}
	}
}

func TestStatesOfCondition(t *testing.T) {
	n := plantNames(t)
	s := n.siteOf()
	s.Alarms = []*site.Alarm{
		{Name: "open", Value: expr(t, "device.grid.closed"), Kind: site.AlarmKind{Discrete: &site.Discrete{Normal: 1}}},
		{Name: "off", Value: expr(t, "device.grid.power"), Kind: site.AlarmKind{Deviation: &site.Deviation{Setpoint: expr(t, "device.a.power"), Limit: 5}}},
	}
	p, diags := compile.With(s, n)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	text := strings.Join(p.Alarms.Chunks, "\n")
	for _, want := range []string{`normal_state = 1`, `H.bit(H.truth(`, `setpoint = function() return d`, `inputs = {{"grid.power", 1, 1}, {"a.power", 2, 1}}`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestStaleSoonerThanRead(t *testing.T) {
	n := plantNames(t)
	n.devices["grid"].Every = time.Minute
	s := n.siteOf()
	s.Alarms = []*site.Alarm{{Name: "lost", Value: expr(t, "device.grid.power"), Kind: site.AlarmKind{Stale: 10 * time.Second}}}
	if _, diags := compile.With(s, n); len(diags) != 1 || diags.HasErrors() || !strings.Contains(diags[0].Detail, "every 1m") {
		t.Errorf("%v", diags)
	}
}
