package daemon

import (
	"context"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/virtual"
)

// libraryStates are the states of all alarms and the results of windows as the libraries have them, for conditions that read them.
func (a *Agent) libraryStates(ctx context.Context) (virtual.States, error) {
	return virtual.Ask(ctx, a.store, a.current())
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
