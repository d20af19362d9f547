package replay

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/voltage-edge/voltage/agent/event"
)

// standing collects inputs, and tells which of them are still in force at a later time.
type standing struct{ last map[standingKey]event.Event }

// standingKey is what an input replaces the one before of: an owner's request for an output, or a bit of an alarm.
type standingKey struct{ kind, name, part string }

// alarmParts are the commands that last, by the bit that they set and take away. What is acknowledged, confirmed or reset follows
// from the frames before, which are not run.
var alarmParts = map[string]string{
	"disable": "disable", "enable": "disable", "out_of_service": "out_of_service", "in_service": "out_of_service",
	"suppress": "suppress", "unsuppress": "suppress", "shelve": "shelve", "unshelve": "shelve",
}

func (s *standing) take(e event.Event) {
	k := standingKey{kind: e.Kind, name: e.Get("output"), part: e.Get("owner")}
	if e.Kind == event.Alarm {
		k.name, k.part = e.Get("alarm"), alarmParts[e.Get("event")]
		if k.part == "" {
			return
		}
	}
	if s.last == nil {
		s.last = map[standingKey]event.Event{}
	}
	s.last[k] = e
}

// at are the inputs in force at a time, as ones that are made then: what is left of their time is all that they have.
func (s *standing) at(t int64) []event.Event {
	var out []event.Event
	for k, e := range s.last {
		if e.Kind == event.Alarm && e.Get("event") != k.part || e.Kind == event.Request && e.Get("value") == "" {
			continue
		}
		now := event.Event{ID: e.ID, Millis: t, Kind: e.Kind, Fields: map[string]string{}}
		for name, value := range e.Fields {
			now.Fields[name] = value
		}
		if ttl, ok := e.Number("ttl"); ok && e.Kind == event.Request {
			left := e.Millis + int64(ttl) - t
			if left <= 0 {
				continue
			}
			now.Fields["ttl"] = strconv.FormatInt(left, 10)
		}
		if end, ok := e.Number("shelf_end"); k.part == "shelve" && (!ok || int64(end) <= t) {
			continue
		}
		out = append(out, now)
	}
	slices.SortFunc(out, func(a, b event.Event) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Get("output")+a.Get("alarm"), b.Get("output")+b.Get("alarm")),
			cmp.Compare(a.Get("owner")+a.Get("event"), b.Get("owner")+b.Get("event")))
	})
	return out
}
