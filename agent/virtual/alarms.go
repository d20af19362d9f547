package virtual

import (
	"strings"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
)

// AlarmState is what conditions can read of an alarm.
type AlarmState struct {
	Name                                       string
	Active, Acked, Confirmed, Enabled, Latched bool
	OutOfService, Shelved, Suppressed          bool
}

// point is the state's point of a name.
func (s AlarmState) point(name string) bool {
	switch name {
	case "active":
		return s.Active
	case "acked":
		return s.Acked
	case "confirmed":
		return s.Confirmed
	case "enabled":
		return s.Enabled
	case "latched":
		return s.Latched
	case "out_of_service":
		return s.OutOfService
	case "shelved":
		return s.Shelved
	}
	return s.Suppressed
}

// statesOf takes what conditions can read out of the alarms as the library lists them.
func statesOf(list []store.Alarm) []AlarmState {
	out := make([]AlarmState, len(list))
	for i, x := range list {
		out[i] = AlarmState{
			Name: x.Name, Active: x.Active, Acked: x.Acked, Confirmed: x.Confirmed, Enabled: x.Enabled, Latched: x.Latched,
			OutOfService: x.OutOfService, Shelved: shelved(x.Shelving), Suppressed: x.Suppressed,
		}
	}
	return out
}

// unshelved is what the library calls an alarm that is not shelved.
const unshelved = "unshelved"

func shelved(shelving string) bool { return shelving != "" && shelving != unshelved }

func isAlarm(device string) bool { return strings.HasPrefix(device, site.SourceAlarm+".") }

// alarm is the state of an alarm.
type alarm struct {
	device
	alarm  string
	points []string
}

func newAlarm(d *site.Device) *alarm {
	return &alarm{device: newDevice(d), alarm: strings.TrimPrefix(d.Name, site.SourceAlarm+"."), points: d.Table().Numbers}
}

func (a *alarm) due() int64         { return 0 }
func (a *alarm) advance(int64) bool { return false }

// follow takes a transition, and tells whether a value changed.
func (a *alarm) follow(e event.Event) bool {
	if e.Get("active") == "" { // it was removed
		return false
	}
	is := func(field string) bool { return e.Get(field) == "1" }
	return a.take(AlarmState{
		Active: is("active"), Acked: is("acked"), Confirmed: is("confirmed"), Enabled: is("enabled"), Latched: is("latched"),
		OutOfService: is("out_of_service"), Shelved: shelved(e.Get("shelving")), Suppressed: is("suppressed"),
	})
}

func (a *alarm) take(s AlarmState) bool {
	changed := false
	for i, name := range a.points {
		changed = a.set(i, s.point(name)) || changed
	}
	return changed
}
