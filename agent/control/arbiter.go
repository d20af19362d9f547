package control

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// Limits say what an output may be given.
type Limits struct {
	// Min and Max bound the value; infinite where there is no bound.
	Min, Max float64
	// Ramp is the largest change in unit per second; 0: at once.
	Ramp float64
	// Safe is the aim while nobody holds the output.
	Safe float64
	// Initial is where a ramped output stands at the first judgement; nil: at Safe.
	Initial *float64
}

func (l Limits) clamp(v float64) float64 { return math.Max(l.Min, math.Min(l.Max, v)) }

// check refuses limits that give no number to write.
func (l Limits) check() error {
	switch {
	case math.IsNaN(l.Min) || math.IsNaN(l.Max) || l.Min > l.Max:
		return fmt.Errorf("its range %g to %g is none", l.Min, l.Max)
	case math.IsNaN(l.Safe) || math.IsInf(l.Safe, 0):
		return fmt.Errorf("its safe value %g is no number", l.Safe)
	case math.IsNaN(l.Ramp) || l.Ramp < 0:
		return fmt.Errorf("its ramp %g is none", l.Ramp)
	}
	return nil
}

// Judgement is what an output is to be, from Millis on.
type Judgement struct {
	Millis int64
	Output string
	// Value is the ramped value at Millis, Aim where it goes.
	Value, Aim float64
	// Winner is the request that holds the output; nil: nobody, and the aim is the safe value.
	Winner *Request
	// Before is the owner that held the output before, empty for nobody; First is true for an output's first judgement.
	Before string
	First  bool
}

// Owner is the winner's name, empty when nobody holds the output.
func (j Judgement) Owner() string { return ownerOf(j.Winner) }

func ownerOf(r *Request) string {
	if r == nil {
		return ""
	}
	return r.Owner
}

// Ending says how a request came to its end.
type Ending string

// The endings.
const (
	Expired   Ending = "expired"
	Withdrawn Ending = "withdrawn"
	Replaced  Ending = "replaced"
)

// Ended is a request that is over.
type Ended struct {
	Request
	Ending Ending
	// Millis is when it ended.
	Millis int64
}

// keepEnded bounds what is remembered of requests that are over: the last one of each of so many owners.
const keepEnded = 8

// Arbiter decides who holds each output, and what value that gives. It is deterministic: the same limits, requests and
// clock give the same judgements. It is not safe for concurrent use.
//
// A request counts from its At. Each owner has one request per output; its newer one replaces the older. The highest
// priority wins, then the owner that sorts first by bytes. The winner's value is clamped, and the output moves towards it
// at no more than its ramp, counted from the moment the aim changed.
type Arbiter struct {
	clock   int64
	outputs map[string]*standing
	names   []string
	pending []pending
}

// pending is a request that is not yet taken in, and when it is to be.
type pending struct {
	Request
	from int64
}

// standing is how one output stands.
type standing struct {
	name   string
	limits Limits
	held   map[string]Request
	ended  []Ended

	judged bool
	winner *Request
	aim    float64
	// from and since are where and when the way to the aim began.
	from  float64
	since int64
	// value is the one of the last judgement that was put out.
	value float64
}

// NewArbiter makes an arbiter without outputs, with the clock at 0.
func NewArbiter() *Arbiter { return &Arbiter{outputs: map[string]*standing{}} }

// SetOutput adds an output, or changes its limits from the arbiter's clock on. An output that stands beyond its new
// range is clamped at once: the range goes before the ramp.
func (a *Arbiter) SetOutput(name string, l Limits) {
	s := a.outputs[name]
	if s == nil {
		s = &standing{name: name, held: map[string]Request{}}
		a.outputs[name] = s
		at := sort.SearchStrings(a.names, name)
		a.names = append(a.names[:at], append([]string{name}, a.names[at:]...)...)
	}
	if s.judged {
		s.from, s.since = l.clamp(s.at(a.clock)), a.clock
	} else if s.from = l.clamp(l.Safe); l.Initial != nil {
		s.from = l.clamp(*l.Initial)
	}
	s.limits = l
}

// RemoveOutput forgets an output and its requests.
func (a *Arbiter) RemoveOutput(name string) {
	delete(a.outputs, name)
	if at := sort.SearchStrings(a.names, name); at < len(a.names) && a.names[at] == name {
		a.names = append(a.names[:at], a.names[at+1:]...)
	}
	kept := a.pending[:0]
	for _, r := range a.pending {
		if r.Output != name {
			kept = append(kept, r)
		}
	}
	a.pending = kept
}

// Put hands over a request; it counts from its At, or from the clock when that is later. It tells whether the arbiter
// has the output, and the value is a number. Nothing is judged before Advance.
func (a *Arbiter) Put(r Request) bool {
	if a.outputs[r.Output] == nil || math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
		return false
	}
	from := max(r.At, a.clock)
	at := sort.Search(len(a.pending), func(i int) bool { return a.pending[i].from > from })
	a.pending = append(a.pending, pending{})
	copy(a.pending[at+1:], a.pending[at:])
	a.pending[at] = pending{r, from}
	return true
}

// Next is the next moment at which something is due by itself: a request that begins to count, or one that ends.
func (a *Arbiter) Next() (int64, bool) {
	next := Forever
	if len(a.pending) > 0 {
		next = a.pending[0].from
	}
	for _, s := range a.outputs {
		for _, r := range s.held {
			next = min(next, r.Until)
		}
	}
	return next, next != Forever
}

// Advance moves the clock to now and gives the judgements on the way in which value or winner differ from the output's
// last one: in the order of time, and of the outputs' names at one instant. Between instants it judges only the outputs
// that something happened to; at now all. A now behind the clock counts as the clock.
func (a *Arbiter) Advance(now int64) []Judgement {
	now = max(now, a.clock)
	var out []Judgement
	for {
		t, ok := a.Next()
		if !ok || t >= now {
			break
		}
		a.clock = max(t, a.clock)
		out = a.judge(a.clock, false, out)
	}
	a.clock = now
	return a.judge(now, true, out)
}

// judge takes in everything that is due at t, and then judges the outputs that it touched, or all.
func (a *Arbiter) judge(t int64, all bool, out []Judgement) []Judgement {
	touched := map[string]bool{}
	for len(a.pending) > 0 && a.pending[0].from <= t {
		r := a.pending[0].Request
		a.pending = a.pending[1:]
		a.outputs[r.Output].take(r, t)
		touched[r.Output] = true
	}
	for _, name := range a.names {
		s := a.outputs[name]
		if s.expire(t) {
			touched[name] = true
		}
		if !all && !touched[name] {
			continue
		}
		if j, changed := s.judge(t); changed {
			out = append(out, j)
		}
	}
	return out
}

func (s *standing) take(r Request, t int64) {
	if old, ok := s.held[r.Owner]; ok {
		how := Replaced
		if r.Withdraw {
			how = Withdrawn
		}
		s.end(old, how, t)
	}
	if !r.Withdraw {
		s.held[r.Owner] = r
	}
}

func (s *standing) end(r Request, how Ending, t int64) {
	delete(s.held, r.Owner)
	s.ended = slices.DeleteFunc(s.ended, func(e Ended) bool { return e.Owner == r.Owner })
	if len(s.ended) == keepEnded {
		s.ended = slices.Delete(s.ended, 0, 1)
	}
	s.ended = append(s.ended, Ended{Request: r, Ending: how, Millis: t})
}

// expire ends what has run out at t, by owner, and tells whether there was any.
func (s *standing) expire(t int64) bool {
	var over []string
	for owner, r := range s.held {
		if r.Until <= t {
			over = append(over, owner)
		}
	}
	sort.Strings(over)
	for _, owner := range over {
		s.end(s.held[owner], Expired, s.held[owner].Until)
	}
	return len(over) > 0
}

func (s *standing) judge(t int64) (Judgement, bool) {
	winner := s.best()
	aim := s.limits.clamp(s.limits.Safe)
	if winner != nil {
		aim = s.limits.clamp(winner.Value)
	}
	if !s.judged {
		s.aim, s.since = aim, t
	} else if aim != s.aim {
		s.from, s.since, s.aim = s.at(t), t, aim
	}
	value, before, first := s.at(t), ownerOf(s.winner), !s.judged
	changed := first || value != s.value || before != ownerOf(winner)
	s.winner, s.value, s.judged = winner, value, true
	return Judgement{
		Millis: t, Output: s.name, Value: value, Aim: aim, Winner: winner, Before: before, First: first,
	}, changed
}

// better tells whether a goes before b.
func better(a, b Request) bool {
	if a.Priority != b.Priority {
		return a.Priority > b.Priority
	}
	return a.Owner < b.Owner
}

func (s *standing) best() *Request {
	var best *Request
	for _, r := range s.held {
		if best == nil || better(r, *best) {
			best = &r
		}
	}
	return best
}

// at is the ramped value at t.
func (s *standing) at(t int64) float64 {
	if s.limits.Ramp <= 0 {
		return s.aim
	}
	way := s.aim - s.from
	allowed := s.limits.Ramp * float64(max(t-s.since, 0)) / 1000
	if math.Abs(way) <= allowed {
		return s.aim
	}
	return s.from + math.Copysign(allowed, way)
}

// Now is how an output stands at t, which is not before the clock, were nothing to happen until then.
func (a *Arbiter) Now(output string, t int64) (Judgement, bool) {
	s := a.outputs[output]
	if s == nil || !s.judged {
		return Judgement{}, false
	}
	return Judgement{Millis: t, Output: output, Value: s.at(t), Aim: s.aim, Winner: s.winner}, true
}

// Arrival is when an output reaches its aim, the moment its way began when there is no way to go.
func (a *Arbiter) Arrival(output string) int64 {
	s := a.outputs[output]
	if s == nil || s.limits.Ramp <= 0 || s.aim == s.from {
		return 0
	}
	return s.since + int64(math.Ceil(math.Abs(s.aim-s.from)/s.limits.Ramp*1000))
}

// Rebase tells the arbiter where a ramped output really stands: its way to the aim starts there, at the clock.
func (a *Arbiter) Rebase(output string, value float64) {
	if s := a.outputs[output]; s != nil && s.limits.Ramp > 0 {
		s.from, s.since = s.limits.clamp(value), a.clock
		s.value = s.from
	}
}

// Held are the requests in force for an output, the one that holds it first.
func (a *Arbiter) Held(output string) []Request {
	s := a.outputs[output]
	if s == nil {
		return nil
	}
	out := make([]Request, 0, len(s.held))
	for _, r := range s.held {
		out = append(out, r)
	}
	sort.Slice(out, func(i, j int) bool { return better(out[i], out[j]) })
	return out
}

// Ended are the requests for an output that are over, the last one of each owner, the newest first.
func (a *Arbiter) Ended(output string) []Ended {
	s := a.outputs[output]
	if s == nil {
		return nil
	}
	out := make([]Ended, 0, len(s.ended))
	for i := len(s.ended) - 1; i >= 0; i-- {
		out = append(out, s.ended[i])
	}
	return out
}

// Shift moves the clock and everything that was reckoned by it, when the machine's clock was set: times to live and
// ramps go on as if nothing had happened.
func (a *Arbiter) Shift(by int64) {
	a.clock += by
	for i := range a.pending {
		a.pending[i].from += by
		a.pending[i].At += by
		a.pending[i].Until = shifted(a.pending[i].Until, by)
	}
	for _, s := range a.outputs {
		s.since += by
		for owner, r := range s.held {
			r.At += by
			r.Until = shifted(r.Until, by)
			s.held[owner] = r
		}
		for i := range s.ended {
			s.ended[i].Millis += by
		}
		s.winner = s.best()
	}
}

func shifted(t, by int64) int64 {
	if t == Forever {
		return t
	}
	return t + by
}
