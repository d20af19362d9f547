package site

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// Site is a checked site: every name is resolved, every for_each expanded, every default filled in. Lists are in the
// order of the files.
type Site struct {
	Name string
	// Location is the site's time zone, for schedules and what people read.
	Location  *time.Location
	Store     Store
	Journal   Journal
	API       API
	Plugins   []*Plugin
	Libraries []*Library
	Channels  []*Channel
	Devices   []*Device
	Templates []*Template
	Models    []*Model
	Alarms    []*Alarm
	Rules     []*Rule
	// RuleTemplates are those of the agent and of the site, by name.
	RuleTemplates []*RuleTemplate
	Chains        []*Chain
	Windows       []*Window
	Sequences     []*Sequence
	Sinks         []*Sink
	Routes        []*Route
	Schedules     []*Schedule
	// Contacts and Notifications say who is told about alarms.
	Contacts      []*Contact
	Notifications []*Notification
	// Virtual are the devices that are on no channel: of each schedule, and of each alarm whose state something reads.
	Virtual []*Device

	Description string
	// Folder is where the site's files are.
	Folder string
	// Files are all files that were read, CSV tables and secrets among them: a change of one is a change of the site.
	Files []string
	// Revision is the content hash of all that was read: files, CSV tables, variables.
	Revision string
	// Sources are the files by name, for the snippets of diagnostics. Secrets in them are masked.
	Sources map[string]*hcl.File

	index *index
	// virtual are the virtual devices by name.
	virtual map[string]*Device
	// switched are the rules and flows whose blocks say otherwise.
	switched map[string]bool
	// hashes of the content of each item, by kind and name.
	hashes map[string]string
}

// Store says where Redis is.
type Store struct {
	// Embedded is true unless an address is given.
	Embedded bool
	// Addresses of an external Redis: one, or several of a Cluster or of Sentinels.
	Addresses []string
	// Mode is single, sentinel or cluster.
	Mode     string
	Master   string
	Username string
	Password string `json:"-"`
	DB       int
	TLS      bool
	CA       string
	// Executable of an embedded server; empty: redis-server, then valkey-server, from PATH.
	Executable string
	// MaxMemory of an embedded server in bytes; 0: no limit.
	MaxMemory int64
	Range     hcl.Range
}

// Journal says how much of the past is kept on disk.
type Journal struct {
	// MaxBytes and MaxAge bound it; what is dropped is counted.
	MaxBytes int64
	MaxAge   time.Duration
	// Sync is the longest time that an accepted frame stays out of the disk's own memory.
	Sync  time.Duration
	Range hcl.Range
}

// API says where the API listens beside the data folder's socket.
type API struct {
	// Listen is host:port; empty: no TCP listener. Beyond loopback TLS and a token are required.
	Listen            string
	CertFile, KeyFile string
	Token             string `json:"-"`
	Range             hcl.Range
}

// Plugin says where a plugin's executable is.
type Plugin struct {
	Name string
	// Path of the executable; empty: beside the agent, then in the data folder.
	Path string
	// Version that it must have, as a constraint; empty: any.
	Version string
	// Env is the plugin's whole environment beside what the SDK needs.
	Env   map[string]string `json:"-"`
	Range hcl.Range
}

// Library overrides a bundled library by a file of the site.
type Library struct {
	Name    string // models, alarms, rules, routes
	File    string // path of its main file; empty: the bundled one
	Version string // constraint; empty: any
	Range   hcl.Range
}

// Channel is one connection of one driver.
type Channel struct {
	Name        string
	Plugin      string
	Description string
	Every       time.Duration
	Config      Config
	Devices     []*Device
	Range       hcl.Range

	broken bool
}

// Config is a config block, decoded by the plugin's schema.
type Config struct {
	Values sdk.Values
	// Range of the block, and of each attribute by its path joined with dots.
	Range  hcl.Range
	Ranges map[string]hcl.Range
	// Sensitive attributes by path: their values must not be printed.
	Sensitive map[string]bool
}

// Device is one unit on a channel.
type Device struct {
	Name string // an instance of for_each is called name[key]
	// Source is the kind of block that a virtual device comes from, whose frames the agent itself makes; it has no channel
	// then, is never stale, and has no interval. Empty: it is on its channel.
	Source      string
	Channel     *Channel
	Profile     string
	Description string
	Every       time.Duration
	// StaleAfter is the age at which its values become unknown; at least three times Every.
	StaleAfter time.Duration
	Config     Config
	Points     []*Point
	Range      hcl.Range

	byName map[string]*Point
	// specHash is the hash of what the plugin is given.
	specHash string
	// broken: something is wrong with it, which has been told. incomplete: so that points may be missing.
	broken, incomplete bool
}

// Slots are the points of the device's frames: the readable ones, numbers and texts apart, in the order of their Index.
func (d *Device) Slots() (numbers, texts []*Point) {
	for _, p := range d.Points {
		switch {
		case !p.Readable:
		case p.Text:
			texts = append(texts, p)
		default:
			numbers = append(numbers, p)
		}
	}
	return numbers, texts
}

// Table is the device's point table: the names of its slots.
func (d *Device) Table() frame.Table {
	numbers, texts := d.Slots()
	names := func(points []*Point) []string {
		var out []string
		for _, p := range points {
			out = append(out, p.Name)
		}
		return out
	}
	return frame.Table{Numbers: names(numbers), Texts: names(texts)}
}

// Point is one value of a device.
type Point struct {
	Device *Device
	Name   string
	// Index among the device's readable numeric points, or, when Text, among its readable texts; -1 when it can't be read:
	// such a point has no slot in the device's frames.
	Index         int
	Text          bool
	Type          string
	Bool          bool // the value is 0 or 1
	Unit          string
	Scale, Offset float64
	Address       string
	Description   string
	Tags          map[string]string
	Readable      bool
	// Valid is the range outside of which a value is unknown; nil: any is taken.
	Valid *Valid
	// Write is nil for a point that takes no set-points.
	Write  *Write
	Config Config
	// Range is where it stands: a point block, or a line of a CSV table.
	Range hcl.Range

	places []place
}

// FullName is device.point, the name in commands and in the API.
func (p *Point) FullName() string { return p.Device.Name + "." + p.Name }

// Valid is a range in the point's unit.
type Valid struct{ Min, Max float64 }

// Has tells whether a value is in the range.
func (v *Valid) Has(x float64) bool { return v == nil || x >= v.Min && x <= v.Max }

// Write says how a point takes set-points.
type Write struct {
	Min, Max float64 // in the point's unit
	// Ramp is the largest change in unit per second; 0: at once.
	Ramp float64
	// Safe is what is written when nobody holds the output, and when the agent is gone.
	Safe float64
	// MinInterval between two writes; a change within it waits.
	MinInterval time.Duration
	// Refresh repeats an unchanged set-point at this interval, for devices with a watchdog; 0: never.
	Refresh  time.Duration
	ReadBack *ReadBack
	Range    hcl.Range
}

// ReadBack says how a write is verified against the same point's (or another's) reading.
type ReadBack struct {
	Point  *Point // nil: the point itself
	Within float64
	After  time.Duration
}

// Template says what a thing of a kind has.
type Template struct {
	Name         string
	Doc          string
	Properties   []*Property
	Measurements []*Measurement
	Actions      []*Action
	// Builtin templates come with the agent.
	Builtin bool
	Range   hcl.Range

	// base is the template that it extends.
	base   *Template
	broken bool
}

// Property is a constant of a model (rated power, capacity).
type Property struct {
	Name, Unit, Doc string
	Type            string // number, string or bool
	Required        bool
	Default         any // string, float64, bool or nil
}

// Measurement is what can be read of a model.
type Measurement struct {
	Name, Unit, Doc string
	Required        bool
}

// Action is what can be set of a model.
type Action struct {
	Name, Unit, Doc string
	Required        bool
}

// Model is one thing: a template mapped to points.
type Model struct {
	Name         string
	Description  string
	Template     *Template
	Properties   map[string]any
	Measurements []*Mapping
	Actions      []*ActionMapping
	Range        hcl.Range

	broken bool
	// tried are the parts that were written, by kind and name, right or wrong.
	tried map[string]bool
}

// Mapping gives a measurement its value: an expression over points.
type Mapping struct {
	Measurement *Measurement
	Value       Expr

	node *liveNode
}

// ActionMapping gives an action its output. A value in the action's unit times Factor is one in the output's.
type ActionMapping struct {
	Action *Action
	Output *Point
	Factor float64
	Range  hcl.Range
}

// Unknown says what a rule or alarm does while its condition is unknown.
type Unknown string

// The policies.
const (
	UnknownHold  Unknown = "hold"
	UnknownFalse Unknown = "false"
	UnknownTrue  Unknown = "true"
)

// Alarm is a condition with a state machine. It has When, or Value and Kind.
type Alarm struct {
	Name string
	When Expr
	// Value is what is watched, and Kind says what of it is wrong.
	Value    Expr
	Kind     AlarmKind
	For      time.Duration // on-delay
	OffDelay time.Duration
	Deadband float64
	Priority string // low, medium, high, critical
	Message  string
	Latching bool
	Confirm  bool
	ReAlarm  time.Duration
	// MaxShelve is the longest time that it may be shelved.
	MaxShelve    time.Duration
	Unknown      Unknown
	SuppressedBy []string
	FirstOut     string
	Disabled     bool
	Description  string
	// Device is the virtual device with its state; nil when nothing reads it.
	Device *Device
	// Made is set when a template made the alarm.
	Made  *Made
	Range hcl.Range
}

// Rule is a condition with actions.
type Rule struct {
	Name string
	When Expr
	// On says when it acts: while (each evaluation while the state is true; its requests are withdrawn when it turns
	// false), rising, falling or both.
	On          string
	Initial     string // arm or fire
	For         time.Duration
	KeepFor     time.Duration
	Hysteresis  *Hysteresis
	Cooldown    time.Duration
	Throttle    *Throttle
	Unknown     Unknown
	Priority    int // 0 to 100, the higher wins
	Sets        []*Set
	Effects     []*Effect
	Disabled    bool
	Description string
	// Made is set when a template made the rule.
	Made  *Made
	Range hcl.Range
}

// Hysteresis makes a condition of a number: true beyond On, false beyond Off.
type Hysteresis struct{ On, Off float64 }

// Throttle lets at most Count firings through in any Per.
type Throttle struct {
	Count int
	Per   time.Duration
}

// Set is a rule's wish for an output.
type Set struct {
	// Target as written: an action (bess.power) or a point (battery.setpoint).
	Target string
	Output *Point
	// Factor turns Value into the output's unit.
	Factor float64
	Value  Expr
	TTL    time.Duration
	Range  hcl.Range
}

// Sink is a place where samples go.
type Sink struct {
	Name        string
	Plugin      string
	Description string
	Config      Config
	// Include and Exclude are patterns of names ("battery.*"); empty Include: all.
	Include, Exclude []string
	BatchSize        int
	FlushInterval    time.Duration
	Range            hcl.Range
}
