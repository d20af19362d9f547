package site

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Route says what goes to its sinks and how it is shaped.
type Route struct {
	Name        string
	Description string
	Sinks       []*Sink
	// Include and Exclude are patterns of points' names. Points tells whether it takes points at all.
	Include, Exclude []string
	Points           bool
	// Tags that a point must have; "*" is any value.
	Tags map[string]string
	// Quality are the classes of samples that go (good, uncertain, bad); empty: all.
	Quality []string
	// Events are the kinds that go; "*" is all.
	Events []string
	// Streams are what goes out, points and computed values, each with its shape.
	Streams []*Stream
	Range   hcl.Range
}

// Stream is one point, or computed value, on its way through a route.
type Stream struct {
	// Point is nil for a computed value, and Value what computes it.
	Point *Point
	Value Expr
	// Device and Name are what it is called at the sink; Unit is that of its values there.
	Device, Name, Unit string
	// A value times Gain plus Offset goes out. A computed value is in its Unit already.
	Gain, Offset float64
	Thinning
	// Tags are those that the route gives.
	Tags map[string]string
	// Range is what made it: its shape or compute block, or the route.
	Range hcl.Range
}

// Thinning says which samples are left out.
type Thinning struct {
	// Every is the least time between two; 0: none. Align counts it by the clock.
	Every time.Duration
	Align bool
	// Change, when set, lets only changes pass.
	Change *OnChange
}

// OnChange is a deadband around what was sent.
type OnChange struct {
	Deadband, Percent float64
	// MaxInterval is after how much time a sample goes all the same; 0: never.
	MaxInterval time.Duration
}

// FullName is DEVICE.NAME.
func (s *Stream) FullName() string { return s.Device + "." + s.Name }

// Source is the point's name, or the computed value's own.
func (s *Stream) Source() string {
	if s.Point != nil {
		return s.Point.FullName()
	}
	return s.FullName()
}

// Shaped tells whether the stream needs more than another name and tags.
func (r *Route) Shaped(s *Stream) bool {
	return s.Point == nil || s.Gain != 1 || s.Offset != 0 || s.Every != 0 || s.Change != nil || len(r.Quality) > 0
}

// RoutesTo are the routes to a sink, in the order of the site.
func (s *Site) RoutesTo(sink *Sink) []*Route {
	var out []*Route
	for _, r := range s.Routes {
		for _, k := range r.Sinks {
			if k == sink {
				out = append(out, r)
			}
		}
	}
	return out
}
