package api

import "time"

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
