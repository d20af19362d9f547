package replay

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/voltage-edge/voltage/agent/control"
	"github.com/voltage-edge/voltage/agent/event"
)

// Comparison sets two streams of decisions side by side: those that were made, and those that are made now. It keeps what is not
// compared yet, and counts; it is bounded by the number of subjects, not by time. It is not safe for concurrent use.
type Comparison struct {
	// from is when facts begin to count; what is before only makes known what stands then.
	from int64
	// within is how far two facts that count as the same may be apart, in ms.
	within int64
	pairs  map[subject]*pair
	open   map[subject]bool // of the pairs with facts to compare
	clock  int64
}

// examplesKept bounds the differences that are kept of one subject; all are counted.
const examplesKept = 20

// pair is a subject's two sides.
type pair struct {
	then, now                        side
	same, changed, onlyThen, onlyNow int
	examples                         []Difference
}

// Totals count facts of all subjects.
type Totals struct {
	Then, Now, Same, Changed, OnlyThen, OnlyNow int
}

// Differences are how many facts are not the same on both sides.
func (t Totals) Differences() int { return t.Changed + t.OnlyThen + t.OnlyNow }

// Subject is one output's owner, alarm or rule, and how its two sides compare.
type Subject struct {
	// Kind is request, alarm or rule; a request has an owner.
	Kind, Name, Owner string
	Totals
	// HeldThen and HeldNow are how long a request was in force, or an alarm active, in seconds.
	HeldThen, HeldNow float64
	// MeanThen and MeanNow are a request's mean value while it was in force.
	MeanThen, MeanNow *float64
}

// Difference is one decision that is not the same. A side that decided nothing is missing.
type Difference struct {
	Time              time.Time
	Kind, Name, Owner string
	Then, Now         *Decision
}

// Decision is one side of a difference.
type Decision struct {
	Time  time.Time
	What  string // set, withdrawn, expired; activate, return …; fired, ended, error, parked
	Value *float64
}

// NewComparison makes a comparison that counts from a clock on, and takes two facts that are no further apart than within for
// the same.
func NewComparison(from int64, within time.Duration) *Comparison {
	return &Comparison{from: from, within: within.Milliseconds(), pairs: map[subject]*pair{}, open: map[subject]bool{}, clock: from}
}

// Then takes an event of the past or of the live site, in the order of time; Now one of the replay or of the shadow. They return
// an error for a request that is none.
func (c *Comparison) Then(e event.Event) error {
	return c.take(e, func(p *pair) *side { return &p.then })
}

// Now takes an event of the side that is tried.
func (c *Comparison) Now(e event.Event) error {
	return c.take(e, func(p *pair) *side { return &p.now })
}

func (c *Comparison) take(e event.Event, which func(*pair) *side) error {
	of, ok := subjectOf(e)
	if !ok {
		return nil
	}
	p := c.pairs[of]
	if p == nil {
		p = &pair{}
		c.pairs[of] = p
	}
	s := which(p)
	switch e.Kind {
	case event.Request:
		r, err := control.FromEvent(e)
		if err != nil {
			return err
		}
		s.request(r, c.from)
	case event.Alarm:
		s.alarm(e, c.from)
	default:
		s.add(Fact{Millis: e.Millis, What: e.Get("event")}, c.from)
	}
	if len(s.queue) > 0 || of.Kind == event.Request {
		c.open[of] = true
	}
	return nil
}

// Advance says that no event before t comes any more on either side, and compares what can be.
func (c *Comparison) Advance(t int64) {
	c.clock = max(c.clock, t)
	for of := range c.open {
		p := c.pairs[of]
		p.then.expire(t, c.from)
		p.now.expire(t, c.from)
		c.match(of, p, t-2*c.within)
		if len(p.then.queue)+len(p.now.queue) == 0 && !(of.Kind == event.Request && (p.then.held || p.now.held)) {
			delete(c.open, of)
		}
	}
}

// Finish compares what is left, at the end of the time.
func (c *Comparison) Finish(t int64) {
	c.Advance(t)
	for of, p := range c.pairs {
		c.match(of, p, t+c.within+1)
		p.then.stand(t, c.from)
		p.now.stand(t, c.from)
	}
}

// match pairs the facts of a subject that are before a time. A fact finds the first of the other side that says the same within
// the tolerance; what finds none and has a neighbour that found none either is a changed one.
func (c *Comparison) match(of subject, p *pair, before int64) {
	for {
		a, b := first(p.then.queue), first(p.now.queue)
		if (a == nil || a.Millis >= before) && (b == nil || b.Millis >= before) {
			return
		}
		switch {
		case b == nil || a != nil && a.Millis+c.within < b.Millis:
			c.differ(of, p, true, false)
		case a == nil || b.Millis+c.within < a.Millis:
			c.differ(of, p, false, true)
		case a.equal(b):
			p.then.queue, p.now.queue = p.then.queue[1:], p.now.queue[1:]
			p.same++
		case c.find(a, p.now.queue) > 0:
			c.differ(of, p, false, true)
		case c.find(b, p.then.queue) > 0:
			c.differ(of, p, true, false)
		default:
			c.differ(of, p, true, true)
		}
	}
}

func first(queue []Fact) *Fact {
	if len(queue) == 0 {
		return nil
	}
	return &queue[0]
}

// find is where a queue has a fact that equals one within the tolerance, -1 when nowhere.
func (c *Comparison) find(f *Fact, queue []Fact) int {
	for i := range queue {
		if queue[i].Millis > f.Millis+c.within {
			return -1
		}
		if queue[i].equal(f) {
			return i
		}
	}
	return -1
}

// differ takes the first fact of one side, or of both, as a difference.
func (c *Comparison) differ(of subject, p *pair, then, now bool) {
	d := Difference{Kind: of.Kind, Name: of.Name, Owner: of.Owner}
	if now {
		d.Now = decision(&p.now.queue[0])
		d.Time = d.Now.Time
		p.now.queue = p.now.queue[1:]
	}
	if then {
		d.Then = decision(&p.then.queue[0])
		d.Time = d.Then.Time
		p.then.queue = p.then.queue[1:]
	}
	switch {
	case then && now:
		p.changed++
	case then:
		p.onlyThen++
	default:
		p.onlyNow++
	}
	if len(p.examples) < examplesKept {
		p.examples = append(p.examples, d)
	}
}

func decision(f *Fact) *Decision {
	return &Decision{Time: time.UnixMilli(f.Millis).UTC(), What: f.What, Value: f.Value}
}

// Subjects are what was compared, in order, and the totals of all. What stands now is counted up to the last Advance.
func (c *Comparison) Subjects() ([]Subject, Totals) {
	list := []Subject{}
	var total Totals
	for _, of := range slices.SortedFunc(maps.Keys(c.pairs), order) {
		p := c.pairs[of]
		then, now := p.then, p.now
		then.stand(c.clock, c.from)
		now.stand(c.clock, c.from)
		if then.count+now.count == 0 && then.heldFor+now.heldFor == 0 {
			continue
		}
		s := Subject{
			Kind: of.Kind, Name: of.Name, Owner: of.Owner, HeldThen: float64(then.heldFor) / 1000, HeldNow: float64(now.heldFor) / 1000,
			Totals: Totals{Then: then.count, Now: now.count, Same: p.same, Changed: p.changed, OnlyThen: p.onlyThen, OnlyNow: p.onlyNow},
		}
		if of.Kind == event.Request {
			s.MeanThen, s.MeanNow = then.mean(), now.mean()
		}
		total.add(s.Totals)
		list = append(list, s)
	}
	return list, total
}

func (t *Totals) add(o Totals) {
	t.Then += o.Then
	t.Now += o.Now
	t.Same += o.Same
	t.Changed += o.Changed
	t.OnlyThen += o.OnlyThen
	t.OnlyNow += o.OnlyNow
}

func (s *side) mean() *float64 {
	if s.heldFor == 0 {
		return nil
	}
	m := s.area / float64(s.heldFor)
	return &m
}

// Examples are the first differences of each subject, in the order of time.
func (c *Comparison) Examples() []Difference {
	out := []Difference{}
	for _, of := range slices.SortedFunc(maps.Keys(c.pairs), order) {
		out = append(out, c.pairs[of].examples...)
	}
	slices.SortStableFunc(out, func(a, b Difference) int { return a.Time.Compare(b.Time) })
	return out
}

func order(a, b subject) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Owner, b.Owner))
}
