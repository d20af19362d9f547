package replay

import (
	"math"

	"github.com/voltage-edge/voltage/agent/control"
	"github.com/voltage-edge/voltage/agent/event"
)

// Fact is one decision of a site: that somebody asks for another value of an output, a transition of an alarm, a rule that fired
// or ended.
type Fact struct {
	Millis int64
	// What is set, withdrawn or expired of a request, else the event's own word: activate, return, fired …
	What string
	// Value of a set, and of an alarm's transition where it has one.
	Value *float64
}

func (f *Fact) equal(o *Fact) bool {
	if f.What != o.What || (f.Value == nil) != (o.Value == nil) {
		return false
	}
	return f.Value == nil || near(*f.Value, *o.Value)
}

// near allows for the last digit that a way through text may cost.
func near(a, b float64) bool { return a == b || math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) }

// subject is what facts are about.
type subject struct {
	Kind string // request, alarm or rule
	Name string // output, alarm or rule
	// Owner of a request.
	Owner string
}

// side is one of the two streams of decisions about a subject.
type side struct {
	count int
	// queue holds the facts that are not compared yet.
	queue []Fact

	// held is what stands: a request, or an alarm that is active; since is from when on.
	held  bool
	value float64
	since int64
	until int64
	// heldFor and area add up how long, in ms, and the value over that time.
	heldFor int64
	area    float64
}

// stand adds up what stood up to t. Time before from does not count.
func (s *side) stand(t, from int64) {
	begin := max(s.since, from)
	if s.held && t > begin {
		s.heldFor += t - begin
		s.area += s.value * float64(t-begin)
	}
	s.since = max(s.since, t)
}

func (s *side) add(f Fact, from int64) {
	if f.Millis < from {
		return
	}
	s.count++
	s.queue = append(s.queue, f)
}

// expire ends a request whose time is over at t.
func (s *side) expire(t, from int64) {
	if s.held && s.until <= t {
		at := s.until
		s.stand(at, from)
		s.held = false
		s.add(Fact{Millis: at, What: "expired"}, from)
	}
}

// request takes a request's event. One that only goes on is no fact.
func (s *side) request(r control.Request, from int64) {
	s.expire(r.At, from)
	s.stand(r.At, from)
	switch {
	case r.Withdraw:
		if s.held {
			s.add(Fact{Millis: r.At, What: "withdrawn"}, from)
		}
		s.held = false
		return
	case !s.held || !near(s.value, r.Value):
		s.add(Fact{Millis: r.At, What: "set", Value: &r.Value}, from)
	}
	s.held, s.value, s.until = true, r.Value, r.Until
}

// alarm takes an alarm's transition.
func (s *side) alarm(e event.Event, from int64) {
	s.stand(e.Millis, from)
	s.held, s.value, s.until = e.Get("active") == "1", 1, control.Forever
	f := Fact{Millis: e.Millis, What: e.Get("event")}
	if v, ok := e.Number("value"); ok {
		f.Value = &v
	}
	s.add(f, from)
}

// subjectOf is what an event decides about; false for events that decide nothing.
func subjectOf(e event.Event) (subject, bool) {
	switch e.Kind {
	case event.Request:
		return subject{e.Kind, e.Get("output"), e.Get("owner")}, true
	case event.Alarm:
		return subject{Kind: e.Kind, Name: e.Get("alarm")}, true
	case event.Rule:
		return subject{Kind: e.Kind, Name: e.Get("rule")}, true
	}
	return subject{}, false
}
