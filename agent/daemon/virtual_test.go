package daemon

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/lua/luatest"
)

// alarmed is the site of a battery that is told 25 kW while an alarm is active and not acknowledged, at any time.
func (r *rig) alarmed(more string) string {
	text := r.battery(80, 25, `
alarm "over" { when = device.grid_meter.power > 80000 }
schedule "always" {
  from = "00:00"
  to   = "24:00"
}
`+more)
	return strings.Replace(text, "device.grid_meter.power > 80000\n  priority", "alarm.over.active && !alarm.over.acked && schedule.always\n  priority", 1)
}

// reads waits until a value is true or false.
func (r *rig) reads(name string, want bool) {
	r.t.Helper()
	r.eventually(fmt.Sprintf("%s is %v", name, want), func() error {
		v, err := r.Value(r.ctx(), name)
		if err == nil && (v.Value != want || v.Quality != "good") {
			err = fmt.Errorf("it is %v, %s", v.Value, v.Quality)
		}
		return err
	})
}

// judged waits until the rule's condition is true, false or unknown.
func (r *rig) judged(want string) {
	r.t.Helper()
	r.eventually("the condition is "+want, func() error {
		rules, err := r.Rules(r.ctx())
		if err == nil && (len(rules) != 1 || rules[0].Verdict != want) {
			err = fmt.Errorf("%+v", rules)
		}
		return err
	})
}

// A Redis that is killed has what conditions read of alarms again, though no alarm changes.
func TestAlarmStatesAfterRedisIsKilled(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.alarmed(""))
	r.start()
	r.told(25)
	for range 2 {
		before := r.status().Store
		if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		r.eventually("Redis runs again", func() error {
			if st := r.status().Store; st.PID == before.PID || st.State != "ok" || st.Reconnects == before.Reconnects {
				return fmt.Errorf("%+v", st)
			}
			return nil
		})
		r.judged("true")
	}
	r.load(60)
	r.told(0)
}

func TestRulesReadAlarmsAndSchedules(t *testing.T) {
	r := newRig(t)
	server := luatest.Start(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.alarmed(outside("unix:"+server.Socket)))
	r.load(60)
	r.start()
	r.reads("alarm.over.active", false)
	r.reads("schedule.always", true)
	r.reads("schedule.always.active", true)
	r.told(0)
	r.load(110)
	r.told(25)
	r.reads("alarm.over.active", true)

	// A new agent knows it again, though nothing changes.
	r.stop()
	r.told(0)
	r.start()
	r.told(25)
	r.reads("alarm.over.active", true)

	// So does one whose Redis lost all it had.
	if err := server.FlushAll(r.ctx()).Err(); err != nil {
		t.Fatal(err)
	}
	r.eventually("Redis is put in order", func() error {
		if !strings.Contains(r.log.String(), "redis is in order again") {
			return errors.New("it is not")
		}
		return nil
	})
	r.judged("true")
	r.told(25)

	if _, err := r.AlarmCommand(r.ctx(), api.AlarmCommand{Name: "over", Command: "ack", By: "anna"}); err != nil {
		t.Fatal(err)
	}
	r.reads("alarm.over.acked", true)
	r.told(0)
	r.load(60)
	r.reads("alarm.over.active", false)

	st := r.status()
	if len(st.Schedules) != 1 || st.Schedules[0].State != "active" || !st.Schedules[0].Next.IsZero() {
		t.Errorf("schedules %+v", st.Schedules)
	}
	for _, d := range st.Devices {
		if strings.Contains(d.Name, ".") {
			t.Errorf("%s is among the devices", d.Name)
		}
	}
	if h, err := r.History(r.ctx(), api.HistoryRequest{Name: "alarm.over.active", Since: st.Started.Add(-1e12), Until: st.Started.Add(1e12), Every: 1e12}); err != nil || len(h.Buckets) == 0 {
		t.Errorf("history %+v, %v", h, err)
	}
}

// A reload brings alarms and schedules in whose state is read from then on.
func TestReloadReadsAlarmsAndSchedules(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(200, 25, "alarm \"over\" { when = device.grid_meter.power > 80000 }\n"))
	r.start()
	r.told(0)
	r.eventually("the alarm is active", func() error {
		list, err := r.Alarms(r.ctx(), false)
		if err == nil && (len(list) != 1 || !list[0].Active) {
			err = fmt.Errorf("%+v", list)
		}
		return err
	})
	if _, err := r.Value(r.ctx(), "alarm.over.active"); err == nil {
		t.Error("a state that nothing reads has a value")
	}
	r.write("site.hcl", r.alarmed(""))
	p, err := r.Reload(r.ctx())
	if err != nil || !p.Applied {
		t.Fatalf("%+v, %v", p, err)
	}
	r.told(25)
	if !strings.Contains(p.Text, "+ schedule always") {
		t.Errorf("the plan says %s", p.Text)
	}
}
