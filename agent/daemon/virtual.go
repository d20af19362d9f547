package daemon

import (
	"context"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/virtual"
)

// alarmStates are the states of all alarms as the library has them, for conditions that read them.
func (a *Agent) alarmStates(ctx context.Context) ([]virtual.AlarmState, error) {
	list, err := a.store.AlarmList(ctx, true)
	if err != nil {
		return nil, err
	}
	return virtual.StatesOf(list), nil
}

// scheduleStatus lists the schedules, and when each of them changes next.
func scheduleStatus(s *site.Site, now time.Time) []api.ScheduleStatus {
	out := make([]api.ScheduleStatus, 0, len(s.Schedules))
	for _, x := range s.Schedules {
		st := api.ScheduleStatus{Name: x.Name, State: "idle", TimeZone: x.Location.String()}
		if x.Times.Active(now) {
			st.State = "active"
		}
		if next := x.Times.Next(now); !next.IsZero() {
			st.Next = next.In(x.Location)
		}
		out = append(out, st)
	}
	return out
}
