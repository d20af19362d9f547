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

// Status is how the agent does: what a person looks at first when something is wrong.
type Status struct {
	State    string    `json:"state"` // starting, ok, degraded, stopping
	Reasons  []string  `json:"reasons,omitempty"`
	Site     string    `json:"site"`
	Version  string    `json:"version"`
	Revision string    `json:"revision"`
	Started  time.Time `json:"started"`
	API      string    `json:"api,omitempty"`

	Store     StoreStatus      `json:"store"`
	Plugins   []PluginStatus   `json:"plugins"`
	Channels  []ChannelStatus  `json:"channels"`
	Devices   []DeviceStatus   `json:"devices"`
	Libraries []Library        `json:"libraries"`
	Sinks     []SinkStatus     `json:"sinks"`
	Schedules []ScheduleStatus `json:"schedules"`
	Alarms    AlarmsStatus     `json:"alarms"`
	Rules     RulesStatus      `json:"rules"`
	Actions   ActionStatus     `json:"actions"`
	Intake    IntakeStatus     `json:"intake"`
	Journal   JournalStatus    `json:"journal"`
	// Shadow is the candidate that runs beside the live site, or ran last; nil: there was none.
	Shadow *ShadowStatus `json:"shadow,omitempty"`

	Notifications Notifications `json:"notifications"`
}

// ActionStatus counts the alarms that rules and flows wanted raised or cleared.
type ActionStatus struct {
	Done   uint64 `json:"done"`
	Failed uint64 `json:"failed"`
	// Error of the last one that failed.
	Error string `json:"error,omitempty"`
}

// ScheduleStatus is whether a schedule holds, and when that changes.
type ScheduleStatus struct {
	Name  string `json:"name"`
	State string `json:"state"` // active, idle
	// Next is when it changes; left out: it does not.
	Next     time.Time `json:"next,omitzero"`
	TimeZone string    `json:"timezone"`
}

// AlarmsStatus counts the alarms, and says whether they are more than anybody can attend to.
type AlarmsStatus struct {
	State          string `json:"state"` // ok, flood, unknown (without Redis)
	Defined        int    `json:"defined"`
	Active         int    `json:"active"`
	Unacknowledged int    `json:"unacknowledged"`
	Shelved        int    `json:"shelved"`
	Suppressed     int    `json:"suppressed"`
	OutOfService   int    `json:"out_of_service"`
	Disabled       int    `json:"disabled"`
	Chattering     int    `json:"chattering"`
	// Announced10min is how often alarms called for attention within ten minutes. More than 10 are a flood, which lasts until they
	// are fewer than 5.
	Announced10min int `json:"announced_10min"`
}

// RulesStatus counts the rules, chains, windows and sequences.
type RulesStatus struct {
	State   string `json:"state"` // ok, failing (some, at their last evaluation), parked (some, after too many errors), unknown (without Redis)
	Defined int    `json:"defined"`
	// Stored ones were made while the site ran.
	Stored   int `json:"stored"`
	Disabled int `json:"disabled"`
	// Switched ones are enabled or disabled by hand, where their definition says otherwise.
	Switched int `json:"switched"`
	Failing  int `json:"failing"`
	Parked   int `json:"parked"`
	// ParkedRules are the first of them.
	ParkedRules []string `json:"parked_rules"`
}

// StoreStatus is how Redis does.
type StoreStatus struct {
	State      string `json:"state"`
	Detail     string `json:"detail,omitempty"`
	Mode       string `json:"mode"` // embedded, single, sentinel, cluster
	Version    string `json:"version"`
	PID        int    `json:"pid,omitempty"`
	Memory     int64  `json:"memory_bytes"`
	Reconnects int    `json:"reconnects"`
	// Apply is how long one round trip of a batch takes.
	ApplyP50 float64 `json:"apply_p50_ms"`
	ApplyP99 float64 `json:"apply_p99_ms"`
}

// PluginStatus is how a plugin process does.
type PluginStatus struct {
	Name     string    `json:"name"`
	State    string    `json:"state"` // starting, running, backoff, crash-loop, stopped
	Version  string    `json:"version"`
	PID      int       `json:"pid,omitempty"`
	Path     string    `json:"path"`
	Restarts int       `json:"restarts"`
	Started  time.Time `json:"started,omitzero"`
	Error    string    `json:"error,omitempty"`
	Panic    string    `json:"panic,omitempty"`
}

// ChannelStatus is how a channel does.
type ChannelStatus struct {
	Name    string `json:"name"`
	Plugin  string `json:"plugin"`
	State   string `json:"state"` // opening, open, failed, stopped
	Error   string `json:"error,omitempty"`
	Devices int    `json:"devices"`
	Frames  uint64 `json:"frames"`
	Writes  uint64 `json:"writes"`
}

// DeviceStatus is how a device does.
type DeviceStatus struct {
	Name      string    `json:"name"`
	Channel   string    `json:"channel"`
	State     string    `json:"state"` // connecting, ok, partial, backoff, stale, stopped
	Error     string    `json:"error,omitempty"`
	Points    int       `json:"points"`
	Bad       int       `json:"bad"`
	Requests  uint64    `json:"requests"`
	Failures  uint64    `json:"failures"`
	Frames    uint64    `json:"frames"`
	LatencyMS float64   `json:"latency_ms"`
	LastFrame time.Time `json:"last_frame,omitzero"`
	RetryAt   time.Time `json:"retry_at,omitzero"`
}

// SinkStatus is how a sink does.
type SinkStatus struct {
	Name     string `json:"name"`
	Plugin   string `json:"plugin"`
	State    string `json:"state"` // ok, retrying, waiting (for Redis, which its routes need), stopped
	Error    string `json:"error,omitempty"`
	Written  uint64 `json:"written"`
	Rejected uint64 `json:"rejected"`
	Dropped  uint64 `json:"dropped"`
	// Lag is what the journal holds and the sink has not written.
	LagRecords uint64  `json:"lag_records"`
	LagBytes   int64   `json:"lag_bytes"`
	LagSeconds float64 `json:"lag_seconds"`
	// Routes count what went there by each route; a sink without routes has none.
	Routes []RouteCounts `json:"routes"`
}

// IntakeStatus counts the frames.
type IntakeStatus struct {
	State    string            `json:"state"`
	Frames   uint64            `json:"frames"`
	Points   uint64            `json:"points"`
	Rate     float64           `json:"frames_per_second"`
	Queue    int               `json:"queue"`
	Skipped  uint64            `json:"skipped"`
	Rejected map[string]uint64 `json:"rejected,omitempty"`
}

// JournalStatus is how the journal does.
type JournalStatus struct {
	State    string    `json:"state"`
	Error    string    `json:"error,omitempty"`
	Bytes    int64     `json:"bytes"`
	Segments int       `json:"segments"`
	Records  uint64    `json:"records"`
	Dropped  uint64    `json:"dropped"`
	Oldest   time.Time `json:"oldest,omitzero"`
	Newest   time.Time `json:"newest,omitzero"`
}

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

// SetRequest is a wish for an output.
type SetRequest struct {
	// Name of an output (battery.setpoint) or of a model's action (bess.power).
	Name string `json:"name"`
	// Value in the name's unit; nil withdraws the owner's wish.
	Value    *float64      `json:"value"`
	TTL      time.Duration `json:"ttl,omitempty"` // 0: until withdrawn
	Priority int           `json:"priority"`
	Owner    string        `json:"owner"` // "cli.root"
	Reason   string        `json:"reason,omitempty"`
	Wait     time.Duration `json:"wait,omitempty"`
}

// Outcome is what became of a request.
type Outcome struct {
	ID     string `json:"id"`
	Output string `json:"output"`
	// Result is pending, written, clamped (written, but cut to the range), held (by somebody with a higher priority), failed,
	// mismatch, expired, replaced or withdrawn.
	Result string `json:"result"`
	// Value that was written, after clamp and ramp, in the output's unit.
	Value    *float64 `json:"value,omitempty"`
	Aim      *float64 `json:"aim,omitempty"`
	ReadBack *float64 `json:"read_back,omitempty"`
	Owner    string   `json:"owner,omitempty"` // who holds the output
	Detail   string   `json:"detail,omitempty"`
	Unit     string   `json:"unit,omitempty"`
}

// Output is an output and who holds it.
type Output struct {
	Name      string    `json:"name"`
	State     string    `json:"state"` // safe, held, ramping, failed, mismatch, unknown
	Value     *float64  `json:"value"`
	Aim       *float64  `json:"aim"`
	Safe      float64   `json:"safe"`
	Min       float64   `json:"min"`
	Max       float64   `json:"max"`
	Unit      string    `json:"unit"`
	Owner     string    `json:"owner,omitempty"`
	Priority  int       `json:"priority,omitempty"`
	Expires   time.Time `json:"expires,omitzero"`
	LastWrite time.Time `json:"last_write,omitzero"`
	Answer    string    `json:"answer,omitempty"`
	Writes    uint64    `json:"writes"`
	Failures  uint64    `json:"failures"`
}

// Why explains an output: the chain from the wishes to what the device answered.
type Why struct {
	Output     Output       `json:"output"`
	Sentence   string       `json:"sentence"`
	Winner     *Contender   `json:"winner,omitempty"`
	Contenders []Contender  `json:"contenders,omitempty"`
	Writes     []WriteTrace `json:"writes,omitempty"`
}

// Contender is somebody's request for an output.
type Contender struct {
	Owner    string    `json:"owner"`
	Priority int       `json:"priority"`
	Value    float64   `json:"value"`
	At       time.Time `json:"at"`
	Expires  time.Time `json:"expires,omitzero"`
	Revision string    `json:"revision,omitempty"`
	// Reason: the inputs that a rule saw, or what a person gave.
	Reason string `json:"reason,omitempty"`
	// Lost says why it does not hold the output: "outranked", "expired", "withdrawn"; empty for the winner.
	Lost string `json:"lost,omitempty"`
}

// WriteTrace is one write to a device.
type WriteTrace struct {
	Time     time.Time `json:"time"`
	Value    float64   `json:"value"`
	Owner    string    `json:"owner"`
	Outcome  string    `json:"outcome"` // written, failed, mismatch
	Answer   string    `json:"answer,omitempty"`
	ReadBack *float64  `json:"read_back,omitempty"`
	TookMS   float64   `json:"took_ms"`
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
