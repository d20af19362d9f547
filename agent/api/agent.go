package api

import (
	"context"
	"errors"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
)

// Agent is the running agent, as the API and the commands see it. agent/daemon implements it.
//
// Errors that wrap ErrNotFound, ErrInvalid, ErrConflict or ErrUnavailable reach the user with the fitting code; others count
// as internal.
type Agent interface {
	Status(ctx context.Context) (Status, error)

	// Values lists the values whose names match any of the patterns ("battery.*"); no pattern: all.
	Values(ctx context.Context, patterns []string) ([]Value, error)
	// Value is one of them; a name that does not exist is ErrNotFound, with near names in the text.
	Value(ctx context.Context, name string) (Value, error)
	// Set makes a request for an output or a model's action, and waits for its outcome when req.Wait is above 0.
	Set(ctx context.Context, req SetRequest) (Outcome, error)
	// Outputs lists who holds what.
	Outputs(ctx context.Context) ([]Output, error)
	// Why explains an output.
	Why(ctx context.Context, output string) (Why, error)
	History(ctx context.Context, req HistoryRequest) (History, error)
	Events(ctx context.Context, req EventsRequest) ([]event.Event, error)

	Alarms(ctx context.Context, all bool) ([]Alarm, error)
	// AlarmCommand does ack, confirm, reset, shelve, unshelve, suppress, unsuppress, out_of_service, in_service, disable
	// or enable.
	AlarmCommand(ctx context.Context, req AlarmCommand) (Alarm, error)
	// Routes lists what goes to the sinks by routes, and how much of it went.
	Routes(ctx context.Context) ([]Route, error)
	RuleKeeper
	Notifications(ctx context.Context) (Notifications, error)
	// TestContact sends a test message to a contact; that it is not taken is no error, but in the reply.
	TestContact(ctx context.Context, name string) (ContactTest, error)

	Libraries(ctx context.Context) ([]Library, error)
	// LoadLibrary loads a library from a file on the agent's machine; an empty file: the bundled one.
	LoadLibrary(ctx context.Context, name, file string) (Library, error)
	RollbackLibrary(ctx context.Context, name string) (Library, error)

	Shadower

	RestartPlugin(ctx context.Context, name string) error

	// Plan reads site.hcl and says what a reload would change; Reload does it.
	Plan(ctx context.Context) (Plan, error)
	Reload(ctx context.Context) (Plan, error)

	// Subscribe gives changes whose names match any of the patterns, from the one behind sequence after (0: from now, with
	// the values as they are first). The channel is closed when ctx ends or the subscriber is too slow.
	Subscribe(ctx context.Context, patterns []string, after uint64) (<-chan Change, error)
}

// The errors of an Agent.
var (
	ErrNotFound    = errors.New("not found")
	ErrInvalid     = errors.New("invalid")
	ErrConflict    = errors.New("conflict")
	ErrUnavailable = errors.New("unavailable")
)

// Value is one value of the live site.
type Value struct {
	Name string `json:"name"`
	// Value is a number, a boolean or a text; null when the quality is bad.
	Value   any    `json:"value"`
	Unit    string `json:"unit"`
	Quality string `json:"quality"` // good, uncertain, bad
	// Reason of a quality that is not good.
	Reason string    `json:"reason,omitempty"`
	Time   time.Time `json:"time,omitzero"`
	AgeMS  int64     `json:"age_ms"`
	// Writable values take a set.
	Writable bool `json:"writable,omitempty"`
}

// HistoryRequest asks for a point's past.
type HistoryRequest struct {
	Name         string
	Since, Until time.Time
	Every        time.Duration
}

// History is a point's past, in buckets.
type History struct {
	Name    string   `json:"name"`
	Unit    string   `json:"unit"`
	EveryMS int64    `json:"every_ms"`
	Buckets []Bucket `json:"buckets"`
}

// Bucket is one interval of a point's past. Its numbers are null when no good value came.
type Bucket struct {
	Time  time.Time `json:"time"` // its start
	Mean  *float64  `json:"mean"`
	Min   *float64  `json:"min"`
	Max   *float64  `json:"max"`
	Last  *float64  `json:"last"`
	Count int       `json:"count"`
	Bad   int       `json:"bad"`
}

// EventsRequest asks for events.
type EventsRequest struct {
	Since, Until time.Time
	Kinds        []string // none: all
	Renewals     bool     // requests too that only say again what stands
	Limit        int
}

// Alarm is an alarm's state.
type Alarm struct {
	Name         string `json:"name"`
	Active       bool   `json:"active"`
	Acked        bool   `json:"acked"`
	Confirmed    bool   `json:"confirmed"`
	Latched      bool   `json:"latched"`
	Enabled      bool   `json:"enabled"`
	Suppressed   bool   `json:"suppressed"`
	OutOfService bool   `json:"out_of_service"`
	Shelving     string `json:"shelving"`
	Retain       bool   `json:"retain"`
	Level        string `json:"level,omitempty"`
	Priority     string `json:"priority"`
	Message      string `json:"message,omitempty"`
	// Since when it is active, and when it became so last.
	Since      time.Time `json:"since,omitzero"`
	Raised     time.Time `json:"raised,omitzero"`
	Occurrence int       `json:"occurrence"`
	Value      *float64  `json:"value,omitempty"`
	Unit       string    `json:"unit,omitempty"`
	Quality    string    `json:"quality,omitempty"`
}

// AlarmCommand is what a person does to an alarm.
type AlarmCommand struct {
	Name       string        `json:"name"`
	Command    string        `json:"command"`
	By         string        `json:"by"`
	Comment    string        `json:"comment,omitempty"`
	Mode       string        `json:"mode,omitempty"`     // shelve: timed or oneshot
	Duration   time.Duration `json:"duration,omitempty"` // shelve
	Occurrence int           `json:"occurrence,omitempty"`
}

// Library is a function library on Redis.
type Library struct {
	Name     string    `json:"name"`
	State    string    `json:"state"` // ok, missing, mismatch
	Version  string    `json:"version"`
	Hash     string    `json:"hash"`
	Program  string    `json:"program,omitempty"` // revision of the site's program
	Items    int       `json:"items"`
	Loaded   time.Time `json:"loaded,omitzero"`
	Source   string    `json:"source"` // bundled, a file, or by command
	Previous string    `json:"previous,omitempty"`
}

// Plan is what a reload changes.
type Plan struct {
	// Applied tells a reload from a plan.
	Applied     bool         `json:"applied"`
	Empty       bool         `json:"empty"`
	Revision    string       `json:"revision"`
	Changes     []PlanChange `json:"changes"`
	Diagnostics []Diagnostic `json:"diagnostics,omitempty"`
	// Text is the same for people.
	Text string `json:"text"`
}

// PlanChange is one thing that changes.
type PlanChange struct {
	Action string `json:"action"` // add, change, remove
	Kind   string `json:"kind"`   // channel, device, rule, …
	Name   string `json:"name"`
	Detail string `json:"detail,omitempty"`
}

// Diagnostic is one thing that is wrong with a site.
type Diagnostic struct {
	Severity string `json:"severity"` // error, warning
	Summary  string `json:"summary"`
	Detail   string `json:"detail,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	// Column counts from 1; the end is behind the last character.
	Column    int `json:"column,omitempty"`
	EndLine   int `json:"end_line,omitempty"`
	EndColumn int `json:"end_column,omitempty"`
	// Snippet is the line that it is about.
	Snippet string `json:"snippet,omitempty"`
}

// Change is one thing that changed on the live site. Exactly one of Value and Event is set.
type Change struct {
	Sequence uint64       `json:"sequence"`
	Value    *Value       `json:"value,omitempty"`
	Event    *event.Event `json:"event,omitempty"`
	// Snapshot marks a value that did not change, but is told as it is: what was known before does not count any more.
	Snapshot bool `json:"snapshot,omitempty"`
}
