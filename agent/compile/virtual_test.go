package compile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
)

func withState(t *testing.T) *names {
	n := plantNames(t)
	n.device("state", &site.Point{Name: "active", Bool: true})
	n.devices["state"].Name, n.devices["state"].Source = "alarm.x", site.SourceAlarm
	n.live["alarmed"] = expr(t, "device.state.active || device.grid.power > 1")
	return n
}

func TestAlarmsReadNoAlarms(t *testing.T) {
	limit := 5.0
	for _, a := range []*site.Alarm{
		{When: expr(t, "device.grid.power > 5 && local.alarmed")},
		{Value: expr(t, "device.state.active ? 1 : 0"), Kind: site.AlarmKind{Levels: &site.Levels{High: &limit}}},
		{Value: expr(t, "device.grid.power"), Kind: site.AlarmKind{Deviation: &site.Deviation{Setpoint: expr(t, "device.state.active ? 1 : 0"), Limit: 5}}},
	} {
		n := withState(t)
		s := n.siteOf()
		a.Name = "a"
		s.Alarms = []*site.Alarm{a}
		if _, diags := compile.With(s, n); len(diags) != 1 || !strings.Contains(diags[0].Detail, "suppressed_by = [alarm.x]") {
			t.Errorf("%v", diags)
		}
	}
}

func TestWishesThatRunOut(t *testing.T) {
	for text, want := range map[string]int{"device.state.active": 1, "local.alarmed": 0} {
		n := withState(t)
		output := &site.Point{Name: "setpoint", Write: &site.Write{Max: 50}}
		n.device("battery", output)
		_, diags := compile.With(n.siteOf(&site.Rule{Name: "r", On: "while", When: expr(t, text), Sets: []*site.Set{
			{Target: "battery.setpoint", Output: output, Factor: 1, Value: expr(t, "5"), TTL: time.Minute},
		}}), n)
		if len(diags) != want || want > 0 && (diags[0].Severity != hcl.DiagWarning || !strings.Contains(diags[0].Detail, "1m")) {
			t.Errorf("%s: %v", text, diags)
		}
	}
}

func TestSequencesThatActAtEachFrame(t *testing.T) {
	long := site.Sequence{Every: true}
	grouped, strict, once, other := long, long, long, long
	grouped.Group, strict.Strict, once.Every, other.Disabled = 2, true, false, true
	for _, c := range []struct {
		name     string
		sequence site.Sequence
		waits    bool
		want     int
	}{{"a wait at the end", long, true, 1}, {"a frame at the end", long, false, 0}, {"a group", grouped, true, 0}, {"strict", strict, true, 0}, {"once", once, true, 0}, {"disabled", other, true, 0}} {
		n := plantNames(t)
		s := n.siteOf()
		q := c.sequence
		q.Name = "q"
		q.Steps = []site.Step{{Part: site.Part{As: "high", Device: n.devices["grid"]}}, {Part: site.Part{As: "relief", Device: n.devices["grid"]}}}
		if c.waits {
			q.Steps[1].Part = site.Part{Device: n.devices["grid"], Absent: true, For: time.Second}
		}
		s.Sequences = []*site.Sequence{&q}
		_, diags := compile.With(s, n)
		if len(diags) != c.want || c.want > 0 && (diags[0].Severity != hcl.DiagWarning || !strings.Contains(diags[0].Detail, "group = 2")) {
			t.Errorf("%s: %v", c.name, diags)
		}
	}
}
