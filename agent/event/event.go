// Package event is the form of what happens beside the samples: alarm transitions, requests, writes, reloads. The
// libraries put events on a Redis stream; the agent adds its own; the journal keeps them all.
package event

import (
	"encoding/json"
	"strconv"
	"time"
)

// The kinds.
const (
	// Request is a wish for an output. Fields: output, owner, value (empty withdraws it), priority, ttl (ms, empty: for
	// ever), rev, id, why; renews (1) of one that stands and is said again, with the same value, before its time is over.
	Request = "request"
	// Alarm is a transition of an alarm. Fields: alarm, event, by, comment, value, quality, text, unit, and the state after it.
	Alarm = "alarm"
	// Rule is a rule or flow that fired or failed, or what somebody did to one. Fields: rule, event (fired, ended, error, parked; of
	// somebody: unparked, created, changed, deleted, enabled, disabled), edge, rev, why, error, by; of a chain actions, and caller if it was called, of a window
	// or sequence captures, as JSON.
	Rule = "rule"
	// Action is an alarm that a rule or flow wants raised or cleared. Fields: rule, action (raise, clear), alarm, priority,
	// message, rev, why; of one that could not be carried out event (failed) and error, and the rest as it was asked.
	Action = "action"
	// Publish is an event that a rule or flow publishes. Fields: publish (its name), rule, rev, fields (JSON, by name).
	Publish = "publish"
	// Write is what was written to a device. Fields: output, value, old, owner, priority, rev, why, request, outcome
	// (written, failed, mismatch), answer, read_back, took (ms).
	Write = "write"
	// Arbitration is a change of who holds an output. Fields: output, owner (empty: safe), old_owner, aim, why.
	Arbitration = "arbitration"
	// Plugin is a plugin's start, end, crash. Fields: plugin, event, detail.
	Plugin = "plugin"
	// Device is a change of a device's state. Fields: device, state, detail.
	Device = "device"
	// Agent is a start, stop, reload, plan. Fields: event, detail.
	Agent = "agent"
	// Library is a load or roll back. Fields: library, event, version, hash, detail.
	Library = "library"
	// Notification is what became of a message to a contact. Fields: notification, event (sent, failed: once until it is
	// delivered, refused, given_up, dropped), contact, id, group, reason (the message's kind), attempts, error, detail.
	Notification = "notification"
)

// Kinds lists them.
var Kinds = []string{Request, Alarm, Rule, Action, Publish, Write, Arbitration, Plugin, Device, Agent, Library, Notification}

// Event is one thing that happened.
type Event struct {
	// ID is the stream id for events of the libraries ("1700000000000-0"), and empty for the agent's own until the
	// journal gives one.
	ID string
	// Millis is the time in milliseconds since the Unix epoch, by the clock that the libraries were given.
	Millis int64
	Kind   string
	Fields map[string]string
}

// New makes an event from pairs of field and value.
func New(at time.Time, kind string, pairs ...string) Event {
	e := Event{Millis: at.UnixMilli(), Kind: kind, Fields: make(map[string]string, len(pairs)/2)}
	for i := 0; i+1 < len(pairs); i += 2 {
		e.Fields[pairs[i]] = pairs[i+1]
	}
	return e
}

// Time is when it happened.
func (e Event) Time() time.Time { return time.UnixMilli(e.Millis).UTC() }

// Get is a field, empty when it is not there.
func (e Event) Get(name string) string { return e.Fields[name] }

// Renews tells whether it is a request that only says again what stands.
func (e Event) Renews() bool { return e.Kind == Request && e.Get("renews") == "1" }

// Number is a numeric field; false when it is not there or no number.
func (e Event) Number(name string) (float64, bool) {
	f, err := strconv.ParseFloat(e.Fields[name], 64)
	return f, err == nil
}

type wire struct {
	ID     string            `json:"id,omitempty"`
	Millis int64             `json:"t"`
	Kind   string            `json:"kind"`
	Fields map[string]string `json:"fields,omitempty"`
}

// MarshalJSON writes {"id","t","kind","fields"}.
func (e Event) MarshalJSON() ([]byte, error) { return json.Marshal(wire(e)) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Event) UnmarshalJSON(b []byte) error {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*e = Event(w)
	return nil
}
