package daemon

import (
	"context"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
)

// Alarms lists the alarms that want attention, or all.
func (a *Agent) Alarms(ctx context.Context, all bool) ([]api.Alarm, error) {
	list, err := a.store.AlarmList(ctx, all)
	if err != nil {
		return nil, fromStore(err)
	}
	out := make([]api.Alarm, 0, len(list))
	for _, x := range list {
		out = append(out, apiAlarm(x))
	}
	return out, nil
}

// AlarmCommand does what a person wants with an alarm.
func (a *Agent) AlarmCommand(ctx context.Context, req api.AlarmCommand) (api.Alarm, error) {
	got, err := a.store.AlarmCommand(ctx, store.AlarmCommand{
		Name: req.Name, Command: req.Command, By: req.By, Comment: req.Comment, Mode: req.Mode, Duration: req.Duration, Occurrence: req.Occurrence,
	})
	if err != nil {
		if s := a.current(); !hasAlarm(s, req.Name) {
			return api.Alarm{}, unknown("alarm", req.Name, alarmNames(s))
		}
		return api.Alarm{}, fromStore(err)
	}
	return apiAlarm(got), nil
}

func apiAlarm(x store.Alarm) api.Alarm {
	out := api.Alarm{
		Name: x.Name, Active: x.Active, Acked: x.Acked, Confirmed: x.Confirmed, Latched: x.Latched, Enabled: x.Enabled,
		Suppressed: x.Suppressed, OutOfService: x.OutOfService, Shelving: x.Shelving, Retain: x.Retain, Level: x.Level,
		Priority: x.Priority, Message: x.Message, Occurrence: x.Occurrence, Value: x.Value, Unit: x.Unit, Quality: x.Quality,
	}
	if x.Since > 0 {
		out.Since = time.UnixMilli(int64(x.Since)).UTC()
	}
	if x.Raised > 0 {
		out.Raised = time.UnixMilli(int64(x.Raised)).UTC()
	}
	return out
}

func hasAlarm(s *site.Site, name string) bool {
	for _, x := range s.Alarms {
		if x.Name == name {
			return true
		}
	}
	return false
}

func alarmNames(s *site.Site) []string {
	names := make([]string, 0, len(s.Alarms))
	for _, x := range s.Alarms {
		names = append(names, x.Name)
	}
	return names
}
