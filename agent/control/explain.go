package control

import (
	"math"
	"slices"
	"time"
)

// Holder is a request as people read it.
type Holder struct {
	Owner    string `json:"owner"`
	Priority int    `json:"priority"`
	// Value that was asked for, before it was clamped.
	Value   float64    `json:"value"`
	Request string     `json:"request,omitempty"`
	Rev     string     `json:"rev,omitempty"`
	Why     string     `json:"why,omitempty"`
	Since   time.Time  `json:"since"`
	Expires *time.Time `json:"expires"`
}

// Contender is a request that does not hold the output.
type Contender struct {
	Holder
	// Lost says why: "lower priority", "same priority, later name", "expired", "withdrawn".
	Lost string `json:"lost"`
	// Ended is when it expired or was taken back; nil while it is in force.
	Ended *time.Time `json:"ended"`
}

// Clamp says that the winner's value was cut.
type Clamp struct {
	Asked float64 `json:"asked"`
	To    float64 `json:"to"`
}

// Ramp says how far a ramped output is on its way.
type Ramp struct {
	PerSecond float64   `json:"per_second"`
	Now       float64   `json:"now"`
	Arrives   time.Time `json:"arrives"`
}

// Range is what an output may be given; null where there is no bound.
type Range struct {
	Min  *float64 `json:"min"`
	Max  *float64 `json:"max"`
	Ramp float64  `json:"ramp,omitempty"`
	Safe float64  `json:"safe"`
}

// Explanation says why an output has its value.
type Explanation struct {
	Output string    `json:"output"`
	Unit   string    `json:"unit"`
	Time   time.Time `json:"time"`
	State  State     `json:"state"`
	// Value that the device was given last; null before the first write.
	Value    *float64 `json:"value"`
	ReadBack *float64 `json:"read_back"`
	Aim      float64  `json:"aim"`
	// Winner holds the output; null: nobody, and the aim is the safe value.
	Winner     *Holder     `json:"winner"`
	Contenders []Contender `json:"contenders"`
	Range      Range       `json:"range"`
	Clamped    *Clamp      `json:"clamped,omitempty"`
	Ramp       *Ramp       `json:"ramp,omitempty"`
	// NextWrite is when a write that waits for the least interval, a step of the ramp or a back-off is made.
	NextWrite *time.Time `json:"next_write,omitempty"`
	// Writes are the last ones, the newest first.
	Writes []WriteRecord `json:"writes"`
}

// Why explains an output; false when there is none of that name.
func (c *Controller) Why(name string) (Explanation, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.outputs[name]
	if o == nil {
		return Explanation{}, false
	}
	now := c.o.Now()
	j, ok := c.arb.Now(name, now.UnixMilli())
	if !ok {
		j.Aim = o.Limits.clamp(o.Limits.Safe)
		j.Value = j.Aim
	}
	s := o.status(j)
	e := Explanation{
		Output: name, Unit: o.Unit, Time: now.UTC().Round(0), State: s.State, Value: s.Value, ReadBack: s.ReadBack, Aim: s.Aim,
		Winner: holderOf(j.Winner), Contenders: c.contenders(name), Range: rangeOf(o.Limits), Writes: []WriteRecord{},
	}
	if j.Winner != nil && j.Winner.Value != j.Aim {
		e.Clamped = &Clamp{Asked: j.Winner.Value, To: j.Aim}
	}
	if j.Value != j.Aim {
		e.Ramp = &Ramp{PerSecond: o.Limits.Ramp, Now: j.Value, Arrives: time.UnixMilli(c.arb.Arrival(name)).UTC()}
	}
	for i := len(o.records) - 1; i >= 0; i-- {
		e.Writes = append(e.Writes, o.records[i])
	}
	if _, ready, at := o.due(now, j, c.arb.Arrival(name)); ok && !ready && !at.IsZero() {
		at = at.UTC().Round(0)
		e.NextWrite = &at
	}
	return e, true
}

func (c *Controller) contenders(name string) []Contender {
	out := []Contender{}
	held := c.arb.Held(name)
	for i, r := range held {
		if i == 0 {
			continue
		}
		lost := "lower priority"
		if r.Priority == held[0].Priority {
			lost = "same priority, later name"
		}
		out = append(out, Contender{Holder: *holderOf(&r), Lost: lost})
	}
	for _, e := range c.arb.Ended(name) {
		if e.Ending == Replaced || slices.ContainsFunc(held, func(r Request) bool { return r.Owner == e.Owner }) {
			continue
		}
		at := time.UnixMilli(e.Millis).UTC()
		out = append(out, Contender{Holder: *holderOf(&e.Request), Lost: string(e.Ending), Ended: &at})
	}
	return out
}

func holderOf(r *Request) *Holder {
	if r == nil {
		return nil
	}
	return &Holder{
		Owner: r.Owner, Priority: r.Priority, Value: r.Value, Request: r.ID, Rev: r.Rev, Why: r.Why,
		Since: time.UnixMilli(r.At).UTC(), Expires: r.Expires(),
	}
}

func rangeOf(l Limits) Range {
	r := Range{Ramp: l.Ramp, Safe: l.Safe}
	if !math.IsInf(l.Min, 0) {
		r.Min = number(l.Min)
	}
	if !math.IsInf(l.Max, 0) {
		r.Max = number(l.Max)
	}
	return r
}
