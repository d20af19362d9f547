package api

import "github.com/voltage-edge/voltage/agent/event"

// Match tells whether a name matches any of the patterns, in which * stands for any run of characters and ? for one. No
// pattern matches everything.
func Match(patterns []string, name string) bool {
	if len(patterns) == 0 {
		return true
	}
	for _, p := range patterns {
		if glob(p, name) {
			return true
		}
	}
	return false
}

// glob goes back to the last star only, which is enough, so its time is bounded by the product of the lengths.
func glob(pattern, name string) bool {
	p, n, star, from := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// Subject is the name by which an event is subscribed to: the output of a request, write or arbitration, else the kind and
// what it is about ("alarm.grid_overload", "device.battery", "agent").
func Subject(e event.Event) string {
	switch e.Kind {
	case event.Request, event.Write, event.Arbitration:
		return e.Get("output")
	case event.Action:
		return event.Alarm + "." + e.Get("alarm")
	}
	if about := e.Get(e.Kind); about != "" {
		return e.Kind + "." + about
	}
	return e.Kind
}
