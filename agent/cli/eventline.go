package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
)

// eventLine says an event in a line: when, what kind, and a sentence.
func eventLine(ev event.Event) string { return eventLineAt(ev, clockLayout) }

func eventLineAt(ev event.Event, layout string) string {
	return fmt.Sprintf("%s  %-11s  %s", ev.Time().Local().Format(layout), ev.Kind, sentence(ev))
}

const (
	clockLayout = "15:04:05.000"
	dateLayout  = "2006-01-02 15:04:05.000"
)

// layoutOf is how times from the first one on are written: with the date unless all of them are of today.
func layoutOf(first time.Time) string {
	now := time.Now()
	if midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.Local); first.Before(midnight) {
		return dateLayout
	}
	return clockLayout
}

// sentence says what happened.
func sentence(ev event.Event) string {
	get := func(name string) string { return round(ev.Get(name)) }
	var parts []string
	add := func(format string, names ...string) {
		values := make([]any, len(names))
		for i, n := range names {
			if values[i] = get(n); values[i] == "" {
				return
			}
		}
		parts = append(parts, fmt.Sprintf(format, values...))
	}
	switch ev.Kind {
	case event.Alarm:
		parts = append(parts, ev.Get("alarm")+" "+words(ev.Get("event")))
		add("%s", "level")
		add("at %s", "value")
		add("by %s", "by")
		add("%q", "comment")
	case event.Request:
		if ev.Get("value") == "" {
			parts = append(parts, ev.Get("owner")+" withdraws its request for "+ev.Get("output"))
			break
		}
		asks := "asks"
		if ev.Renews() {
			asks = "still asks"
		}
		parts = append(parts, fmt.Sprintf("%s %s %s for %s, priority %s", ev.Get("owner"), asks, ev.Get("output"), get("value"), get("priority")))
		if ms, ok := ev.Number("ttl"); ok && ms > 0 {
			parts = append(parts, "for "+strconv.FormatFloat(ms/1000, 'f', -1, 64)+" s")
		}
		add("because %s", "why")
	case event.Write:
		owner := cmp.Or(ev.Get("owner"), "nobody (safe)")
		parts = append(parts, fmt.Sprintf("%s = %s for %s, %s", ev.Get("output"), get("value"), owner, ev.Get("outcome")))
		add("reads %s", "read_back")
		if ev.Get("outcome") != "written" {
			add("%s", "answer")
		}
	case event.Arbitration:
		owner := cmp.Or(ev.Get("owner"), "nobody")
		parts = append(parts, fmt.Sprintf("%s holds %s, aim %s", owner, ev.Get("output"), get("aim")))
		add("because %s", "why")
	case event.Rule:
		parts = append(parts, ev.Get("rule")+" "+words(ev.Get("event")))
		add("by %s", "by")
		add("called by %s", "caller")
		add("because %s", "why")
		add("%s", "error")
	case event.Action:
		parts = append(parts, fmt.Sprintf("%s wants %s %s", ev.Get("rule"), ev.Get("alarm"), map[string]string{"raise": "raised", "clear": "cleared"}[ev.Get("action")]))
		add("failed: %s", "error")
		add("because %s", "why")
	case event.Publish:
		parts = append(parts, ev.Get("publish")+" by "+ev.Get("rule"))
		add("%s", "fields")
	default:
		parts = append(parts, strings.TrimSpace(ev.Get(ev.Kind)+" "+words(cmp.Or(ev.Get("event"), ev.Get("state")))))
		add("%s", "version")
		add("%s", "detail")
	}
	return strings.Join(parts, ", ")
}

// transitions of alarms, as sentences about them.
var transitions = map[string]string{
	"activate":       "is active",
	"return":         "is back to normal",
	"ack":            "is acknowledged",
	"confirm":        "is confirmed",
	"reset":          "is reset",
	"shelve":         "is shelved",
	"unshelve":       "is no longer shelved",
	"suppress":       "is suppressed",
	"unsuppress":     "is no longer suppressed",
	"out_of_service": "is out of service",
	"in_service":     "is in service again",
	"disable":        "is disabled",
	"enable":         "is enabled",
	"re_alarm":       "still stands unattended",
	"bad_quality":    "has a bad reading",
	"level":          "is at another level",
}

// words makes a name of the libraries readable.
func words(name string) string {
	if sentence, ok := transitions[name]; ok {
		return sentence
	}
	return strings.ReplaceAll(name, "_", " ")
}

// round shortens the numbers in a text ("grid_meter.power=79425.0078") to what a person reads.
func round(text string) string {
	parts := strings.Split(text, ", ")
	for i, p := range parts {
		name, value, named := strings.Cut(p, "=")
		if !named {
			name, value = "", p
		}
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		if parts[i] = number(f); named {
			parts[i] = name + "=" + number(f)
		}
	}
	return strings.Join(slices.Clip(parts), ", ")
}
