// Package sdk is what the author of a Voltage plugin imports.
//
// A plugin is a program of its own, named voltage-plugin-NAME, that calls Serve from main. It offers a Driver (a
// protocol to devices), a Sink (a place where samples go), or both. The agent starts it, checks its configuration
// against the schema that it describes, and opens channels and sinks on it, several in one process.
//
// Every method takes a context, a request and a pointer to a response, so that fields can be added without breaking a
// plugin.
package sdk

import (
	"context"
	"time"

	"github.com/voltage-edge/voltage/sdk/frame"
	"github.com/voltage-edge/voltage/sdk/schema"
)

// Plugin is what Serve serves.
type Plugin struct {
	// Name is the NAME of the executable voltage-plugin-NAME.
	Name string
	// Version is the plugin's semantic version, without a leading v.
	Version string
	// Doc says in a sentence what it speaks to.
	Doc string
	// Driver, when the plugin offers channels.
	Driver Driver
	// Sink, when the plugin offers sinks.
	Sink Sink
}

// Driver is a protocol: it opens channels.
type Driver interface {
	// Schema describes the blocks that the driver adds to site.hcl. It is called often and must not do I/O.
	Schema(ctx context.Context, req SchemaRequest, resp *SchemaResponse)
	// Open prepares one channel. It must not wait for devices: a device that is not there is a matter of Channel.Run.
	// An error in resp.Diagnostics refuses the channel.
	Open(ctx context.Context, req OpenRequest, resp *OpenResponse)
}

// DriverWithCheck is a Driver that checks more than a schema can say: addresses, ranges, combinations.
type DriverWithCheck interface {
	Driver
	// Check looks at a channel's configuration without opening anything and adds diagnostics with attribute paths.
	Check(ctx context.Context, req CheckRequest, resp *CheckResponse)
}

// DriverWithProfiles is a Driver that ships register maps.
type DriverWithProfiles interface {
	Driver
	// Profile gives the point table of a profile as CSV (see docs/plugin-guide.md for the columns); an unknown name gives
	// no CSV and the names that there are.
	Profile(ctx context.Context, req ProfileRequest, resp *ProfileResponse)
}

// SchemaRequest asks for a driver's blocks.
type SchemaRequest struct{}

// SchemaResponse holds a driver's blocks. Each describes what stands in the config block of a channel or device, and
// which attributes a point has beside the host's own (address type unit scale offset access description write tags).
type SchemaResponse struct {
	Channel schema.Block
	Device  schema.Block
	Point   schema.Block
	// PointTypes are the values of a point's type attribute; the first is the default.
	PointTypes []string
	// Address says in a sentence how a point's address is written, for the documentation.
	Address string
}

// ProfileRequest names a profile.
type ProfileRequest struct{ Name string }

// ProfileResponse is a profile's point table.
type ProfileResponse struct {
	CSV   []byte
	Names []string
}

// ChannelSpec is a channel of site.hcl with its devices.
type ChannelSpec struct {
	Name string
	// Config follows SchemaResponse.Channel; defaults are filled in.
	Config  Values
	Devices []DeviceSpec
}

// DeviceSpec is a device of site.hcl with its points.
type DeviceSpec struct {
	Name string
	// Every is the wanted interval between frames.
	Every time.Duration
	// Config follows SchemaResponse.Device.
	Config Values
	Points []PointSpec
}

// Table is the device's point table: the order of the values in its frames. Points that can't be read have no place in it.
func (d DeviceSpec) Table() frame.Table {
	var t frame.Table
	for _, p := range d.Points {
		switch {
		case !p.Readable:
		case p.Text:
			t.Texts = append(t.Texts, p.Name)
		default:
			t.Numbers = append(t.Numbers, p.Name)
		}
	}
	return t
}

// PointSpec is one point of a device.
type PointSpec struct {
	Name string
	// Index is the point's slot in the frame, among the numbers or, when Text, among the texts; -1 for a point that is not
	// readable, which has none.
	Index int
	Text  bool
	// Address is the plugin's own address of the point ("holding:200").
	Address string
	// Type is one of SchemaResponse.PointTypes.
	Type string
	Unit string
	// A value in Unit is raw×Scale + Offset. The driver applies it, with ToUnit and ToRaw.
	Scale, Offset float64
	// Readable points are polled; Writable ones take set-points.
	Readable, Writable bool
	// Safe is the value that is written when the host is lost; only for writable points.
	Safe *float64
	// Config holds the attributes of SchemaResponse.Point.
	Config Values
}

// ToUnit turns a raw number into the point's unit.
func (p PointSpec) ToUnit(raw float64) float64 { return raw*p.Scale + p.Offset }

// ToRaw turns a value in the point's unit into the raw number.
func (p PointSpec) ToRaw(value float64) float64 { return (value - p.Offset) / p.Scale }

// CheckRequest carries a channel to check.
type CheckRequest struct{ Channel ChannelSpec }

// CheckResponse takes what is wrong with it.
type CheckResponse struct{ Diagnostics Diagnostics }

// OpenRequest carries the channel to open.
type OpenRequest struct{ Channel ChannelSpec }

// OpenResponse takes the opened channel, or what hinders it.
type OpenResponse struct {
	Channel     Channel
	Diagnostics Diagnostics
}

// Channel is one open connection of a driver. Run and Write are called from different goroutines; Write is called by
// one goroutine at a time.
type Channel interface {
	// Run polls the channel's devices, gives their frames to out, and reports their states, until ctx ends. It connects and
	// reconnects by itself. When it returns earlier the channel counts as failed and is opened again after a pause.
	Run(ctx context.Context, out Output) error
	// Write sets one point, ahead of any reads that wait, and answers when the device did.
	Write(ctx context.Context, req WriteRequest, resp *WriteResponse)
	// Close frees what the channel holds; Run has returned, or is about to.
	Close() error
}

// Output is where a channel puts what it has. Its methods may be called from any goroutine; they block while the agent
// is behind, which is the plugin's back-pressure.
type Output interface {
	// Frame hands over one packed frame of a device (see frame.Builder). The bytes may be used again afterwards.
	Frame(device string, packed []byte) error
	// Status reports a device's state. Report when it changes, and at least every 10 s.
	Status(s DeviceStatus) error
}

// DeviceStatus is how a device does.
type DeviceStatus struct {
	Device string
	// State is what a person wants to read first.
	State DeviceState
	// Error is the last error in words, empty when there was none since the state became OK.
	Error string
	// Counters since the channel was opened.
	Requests, Failures, Frames uint64
	// Latency of the last successful poll.
	Latency time.Duration
	// RetryAt is when a device in back-off is tried again.
	RetryAt time.Time
}

// DeviceState is a device's state.
type DeviceState string

// The device states.
const (
	DeviceConnecting DeviceState = "connecting"
	DeviceOK         DeviceState = "ok"
	// DevicePartial answers, but refuses some of its points.
	DevicePartial DeviceState = "partial"
	// DeviceBackoff does not answer and is tried again later.
	DeviceBackoff DeviceState = "backoff"
	// DeviceStopped is a device whose channel or plugin does not run; the agent says so, never a plugin.
	DeviceStopped DeviceState = "stopped"
)

// WriteRequest is a set-point for one point, in the point's unit.
type WriteRequest struct {
	Device string
	Point  string
	Value  float64
	// Safe marks a value that is written because the host is lost or the channel is drained.
	Safe bool
}

// WriteResponse says what the device answered.
type WriteResponse struct {
	// Err is nil when the device confirmed the write.
	Err error
	// Written is the value that the device was given, after rounding to its type, in the point's unit.
	Written float64
	// ReadBack is what the point read right after the write, when the driver reads back; else nil.
	ReadBack *float64
	// Answer is the device's answer in words ("exception 2: illegal data address").
	Answer string
}

// Sink is a place where samples go.
type Sink interface {
	// Schema describes the config block of a sink.
	Schema(ctx context.Context, req SinkSchemaRequest, resp *SinkSchemaResponse)
	// Open prepares one sink. It must not wait for the far end.
	Open(ctx context.Context, req SinkOpenRequest, resp *SinkOpenResponse)
}

// SinkSchemaRequest asks for a sink's block.
type SinkSchemaRequest struct{}

// SinkSchemaResponse holds a sink's config block.
type SinkSchemaResponse struct{ Config schema.Block }

// SinkOpenRequest carries a sink of site.hcl.
type SinkOpenRequest struct {
	Name   string
	Site   string
	Config Values
}

// SinkOpenResponse takes the opened sink, or what hinders it.
type SinkOpenResponse struct {
	Writer      SinkWriter
	Diagnostics Diagnostics
}

// SinkWriter writes batches to one far end.
type SinkWriter interface {
	// Write hands over a batch, in order. An error means that nothing counts as written: the batch comes again, so writing
	// the same sample twice must do no harm. Samples that the far end refuses for ever are put in resp.Rejected.
	Write(ctx context.Context, req SinkWriteRequest, resp *SinkWriteResponse) error
	// Close flushes and frees.
	Close() error
}

// SinkWriteRequest is a batch of samples and events, in journal order.
type SinkWriteRequest struct {
	Samples []Sample
	Events  []Event
}

// SinkWriteResponse says what was refused for good.
type SinkWriteResponse struct {
	// Rejected counts the samples and events that the far end refused for good, and Reason says why.
	Rejected int
	Reason   string
}

// Sample is one value of one point at one time.
type Sample struct {
	// Device and Point as in site.hcl.
	Device, Point string
	Time          time.Time
	Quality       frame.Quality
	// Value of a numeric point; NaN when bad. Text of a text point.
	Value  float64
	Text   string
	IsText bool
	Unit   string
	// Tags that a route gave it; nil: none. They must not be changed. Samples of one Device and Point with other tags are
	// another series.
	Tags map[string]string
}

// Event is an alarm transition, a request, a write: what happened beside the samples.
type Event struct {
	// ID is unique and rises.
	ID   string
	Time time.Time
	// Kind is alarm, request, write, rule, …
	Kind string
	// Fields as text, by name.
	Fields map[string]string
}
