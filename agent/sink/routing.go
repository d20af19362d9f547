package sink

import (
	"context"
	"fmt"
	"slices"

	"github.com/voltage-edge/voltage/agent/journal"
)

// Routing says what goes to a sink, and how it is shaped. A Routing must not be changed once a runner has it.
type Routing struct {
	Routes []Route
	Groups []Group
	// Revision is that of the program that shapes the groups which are shaped, Shaper who runs it, and Tables are the devices
	// whose frames it is given. A routing without a revision asks nobody.
	Revision string
	Shaper   Shaper
	Tables   []*journal.Table
}

// Route is one of the routes to a sink.
type Route struct {
	// Name is empty for the one that a sink without routes has.
	Name string
	// Takes chooses among points that are in no group: those that a device had when the frame was read, and has no longer. They go out
	// as they are. nil: none.
	Takes func(point string) bool
	// Events are the kinds of events that go; "*" is all.
	Events []string
}

// Group is a set of points of one device that are shaped alike, or one computed value.
type Group struct {
	// Route is its number in Routing.Routes.
	Route int
	// Device is empty for a computed value.
	Device string
	Text   bool
	// Shaped groups are shaped by the program, which knows them by their number from 1; the others go out as they are.
	Shaped  bool
	Streams []Stream
}

// Stream is one point, or computed value, on its way.
type Stream struct {
	// Point, FromUnit and Slot are its name in the device, its unit, and its place among the device's numbers or texts.
	Point, FromUnit string
	Slot            int
	// Device, Name and Unit are what it goes out with.
	Device, Name, Unit string
	Tags               map[string]string
}

// Everything is the routing of a sink without routes: all points that takes chooses (nil: all) as they are, and all events.
func Everything(takes func(point string) bool) *Routing {
	if takes == nil {
		takes = func(string) bool { return true }
	}
	return &Routing{Routes: []Route{{Takes: takes, Events: []string{"*"}}}}
}

func (r *Routing) shaped() bool { return r.Revision != "" }

// events is the number of the first route that a kind of events goes by, -1 when there is none.
func (r *Routing) events(kind string) int {
	return slices.IndexFunc(r.Routes, func(x Route) bool { return slices.Contains(x.Events, "*") || slices.Contains(x.Events, kind) })
}

// Shaper runs the program of a sink.
type Shaper interface {
	// Shape shapes the frames of a stretch of the journal. An error of type *Misplaced says that the state is at another place.
	Shape(ctx context.Context, req ShapeRequest) (ShapeReply, error)
	// Forget drops the state: every stream begins anew.
	Forget(ctx context.Context, sink string) error
}

// ShapeRequest is a stretch of the journal, from behind record From up to record To.
type ShapeRequest struct {
	Sink     string
	Revision string
	// Base is a place that the cursor has on disk: the one of the request before, or From.
	Base, From, To uint64
	Frames         []ShapeFrame
}

// ShapeFrame is a frame to be shaped.
type ShapeFrame struct {
	Device string
	Millis int64
	Packed []byte
}

// ShapeReply is what came of a request.
type ShapeReply struct {
	// Fresh: there was no state before.
	Fresh  bool
	Counts []GroupCounts
	// Samples of each frame, packed as lua/routes/output.lua says; empty where none goes out.
	Samples [][]byte
}

// GroupCounts count the samples of a group.
type GroupCounts struct {
	// Group is its number, from 1.
	Group int
	Counts
}

// Counts count samples on their way through a route.
type Counts struct {
	// Taken are those that the route chose. Of these, Passed went on; Early came too soon behind the one before, Unchanged were
	// within the deadband, and Refused had a quality that the route does not take. Failed could not be computed for an error.
	Taken, Passed, Early, Unchanged, Refused, Failed uint64
	// Events that went on.
	Events uint64
}

func (c *Counts) add(o Counts) {
	c.Taken += o.Taken
	c.Passed += o.Passed
	c.Early += o.Early
	c.Unchanged += o.Unchanged
	c.Refused += o.Refused
	c.Failed += o.Failed
	c.Events += o.Events
}

// Misplaced says that no state is where a request begins. The state can be brought to Base and to To.
type Misplaced struct{ Base, To uint64 }

func (m *Misplaced) Error() string {
	return fmt.Sprintf("the state of the routes is at record %d (and %d) of the journal", m.To, m.Base)
}
