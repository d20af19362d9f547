package replay

import (
	"strings"

	"github.com/voltage-edge/voltage/agent/store"
)

// alarmStates are what an alarm may be expected to be, one or several of them at a time.
var alarmStates = []string{
	"active", "normal", "high_high", "high", "low", "low_low",
	"acknowledged", "unacknowledged", "confirmed", "unconfirmed", "latched", "shelved", "suppressed", "out_of_service", "disabled",
}

// alarmIs tells whether a state is the alarm's.
func alarmIs(a store.Alarm, state string) bool {
	switch state {
	case "active":
		return a.Active
	case "normal":
		return !a.Active
	case "acknowledged":
		return a.Acked
	case "unacknowledged":
		return !a.Acked
	case "confirmed":
		return a.Confirmed
	case "unconfirmed":
		return !a.Confirmed
	case "latched":
		return a.Latched
	case "shelved":
		return a.Shelving != "" && a.Shelving != "unshelved"
	case "suppressed":
		return a.Suppressed
	case "out_of_service":
		return a.OutOfService
	case "disabled":
		return !a.Enabled
	}
	return a.Active && a.Level == state
}

// alarmText is all that an alarm is, but for what goes without saying.
func alarmText(a store.Alarm) string {
	var is []string
	for _, state := range alarmStates {
		if alarmIs(a, state) && state != "confirmed" && (state != "acknowledged" || a.Active) {
			is = append(is, state)
		}
	}
	return strings.Join(is, ", ")
}
