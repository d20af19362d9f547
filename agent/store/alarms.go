package store

import (
	"context"
	"strconv"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
)

// Alarm is an alarm's state as the library tells it. Times are ms since the Unix epoch, 0 when there is none.
type Alarm struct {
	Name                 string   `json:"name"`
	Kind                 string   `json:"kind"`
	Priority             string   `json:"priority"`
	Message              string   `json:"message"`
	Enabled              bool     `json:"enabled"`
	Active               bool     `json:"active"`
	Acked                bool     `json:"acked"`
	Confirmed            bool     `json:"confirmed"`
	Latched              bool     `json:"latched"`
	Suppressed           bool     `json:"suppressed"`
	SuppressedByOperator bool     `json:"suppressed_by_operator"`
	OutOfService         bool     `json:"out_of_service"`
	Retain               bool     `json:"retain"`
	Shelving             string   `json:"shelving"`
	ShelfEnd             float64  `json:"shelf_end"`
	Level                string   `json:"level"`
	Due                  float64  `json:"due"`
	Since                float64  `json:"since"`
	Raised               float64  `json:"raised"`
	Unit                 string   `json:"unit"`
	Occurrence           int      `json:"occurrence"`
	Repeat               int      `json:"repeat"`
	FirstOut             bool     `json:"first_out"`
	OnOff60s             int      `json:"onoff_60s"`
	Chattering           bool     `json:"chattering"`
	Value                *float64 `json:"value"`
	Quality              string   `json:"quality"`
}

// AlarmList are the alarms by name: all, or those that concern somebody.
func (s *Store) AlarmList(ctx context.Context, all bool) ([]Alarm, error) {
	which := "retained"
	if all {
		which = "all"
	}
	var list []Alarm
	err := s.callJSON(ctx, &list, "CallRO", "alarm_list", s.now(), which)
	return list, err
}

// AlarmMetrics are figures of all alarms: how many are in which state, and how much attention they demand.
type AlarmMetrics struct {
	Alarms       int `json:"alarms"`
	Active       int `json:"active"`
	Unacked      int `json:"unacked"`
	Shelved      int `json:"shelved"`
	Suppressed   int `json:"suppressed"`
	OutOfService int `json:"out_of_service"`
	Disabled     int `json:"disabled"`
	Chattering   int `json:"chattering"`
	// Annunciations10min is how many times alarms called for attention within the last ten minutes. Flood: more than anybody can
	// attend to (it begins with more than 10, and ends below 5).
	Annunciations10min int  `json:"annunciations_10min"`
	Flood              bool `json:"flood"`
}

// AlarmMetrics asks for the figures of all alarms.
func (s *Store) AlarmMetrics(ctx context.Context) (AlarmMetrics, error) {
	var m AlarmMetrics
	err := s.callJSON(ctx, &m, "CallRO", "alarm_metrics", s.now())
	return m, err
}

// AlarmCommand is what a person does to an alarm.
type AlarmCommand struct {
	Name string
	// Command is ack, confirm, reset, shelve, unshelve, suppress, unsuppress, out_of_service, in_service, disable or enable.
	Command     string
	By, Comment string
	// Mode (timed or oneshot) and Duration of shelve.
	Mode     string
	Duration time.Duration
	// Occurrence that is meant; 0: the last.
	Occurrence int
}

// AlarmCommand does what a person wants done to an alarm, and gives its state. What can't be done is a *Refusal.
func (s *Store) AlarmCommand(ctx context.Context, c AlarmCommand) (Alarm, error) {
	args := []string{s.now(), c.Name, c.Command, c.By, c.Comment}
	if c.Mode != "" {
		args = append(args, "mode", c.Mode)
	}
	if c.Duration > 0 {
		args = append(args, "duration", strconv.FormatInt(c.Duration.Milliseconds(), 10))
	}
	if c.Occurrence != 0 {
		args = append(args, "occurrence", strconv.Itoa(c.Occurrence))
	}
	var a Alarm
	err := s.callJSON(ctx, &a, "Call", "alarm_update_state", args...)
	return a, err
}

// QuickAlarm is an alarm without a condition, which a person or program raises and clears.
type QuickAlarm struct {
	Name     string
	Priority string // low, medium, high or critical
	Message  string
	Active   bool
	By       string
}

// QuickAlarm raises or clears an alarm without a condition, and gives its state.
func (s *Store) QuickAlarm(ctx context.Context, q QuickAlarm) (Alarm, error) {
	active := "0"
	if q.Active {
		active = "1"
	}
	var a Alarm
	err := s.callJSON(ctx, &a, "Call", "alarm_quick_create", s.now(), q.Name, q.Priority, q.Message, active, q.By)
	return a, err
}

// AlarmAction is the alarm that a rule or flow wants raised or cleared by an event of kind action.
func AlarmAction(e event.Event) QuickAlarm {
	q := QuickAlarm{
		Name: e.Get("alarm"), Priority: e.Get("priority"), Message: e.Get("message"), Active: e.Get("action") == "raise", By: "rule." + e.Get("rule"),
	}
	if q.Priority == "" { // which a clear does not change
		q.Priority = "medium"
	}
	return q
}
