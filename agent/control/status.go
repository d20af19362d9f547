package control

import (
	"sort"
	"time"
)

// State is how an output does.
type State string

// The states.
const (
	// StatePending was not written yet since the start.
	StatePending State = "pending"
	// StateSafe: nobody holds it, and it is at its safe value.
	StateSafe State = "safe"
	// StateHeld: somebody holds it, and it is at their value.
	StateHeld State = "held"
	// StateRamping is on the way to its aim.
	StateRamping State = "ramping"
	// StateFailed: the last write failed, and is tried again.
	StateFailed State = "failed"
	// StateMismatch: the device reads other than what it was given.
	StateMismatch State = "mismatch"
)

// OutputStatus is how an output stands.
type OutputStatus struct {
	Output  string `json:"output"`
	Channel string `json:"channel"`
	State   State  `json:"state"`
	// Value that the device was given last; null before the first write.
	Value *float64 `json:"value"`
	Unit  string   `json:"unit"`
	// Aim is where it goes.
	Aim float64 `json:"aim"`
	// Owner of the request that holds it, empty at the safe value.
	Owner    string     `json:"owner"`
	Priority *int       `json:"priority"`
	Expires  *time.Time `json:"expires"`
	ReadBack *float64   `json:"read_back"`
	// LastWrite is when the device was last written to, Answer what it said when it refused.
	LastWrite *time.Time `json:"last_write"`
	Answer    string     `json:"answer,omitempty"`
	Counters
}

// Status is how every output stands, by name.
func (c *Controller) Status() []OutputStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.o.Now()
	out := make([]OutputStatus, 0, len(c.outputs))
	for _, o := range c.outputs {
		j, ok := c.arb.Now(o.Name, now.UnixMilli())
		if !ok {
			j.Aim = o.Limits.clamp(o.Limits.Safe)
		}
		out = append(out, o.status(j))
	}
	sort.Slice(out, func(i, k int) bool { return out[i].Output < out[k].Output })
	return out
}

// Refused counts the requests that could not be taken.
func (c *Controller) Refused() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

func (o *output) status(j Judgement) OutputStatus {
	s := OutputStatus{
		Output: o.Name, Channel: o.Channel, State: o.state(j), Unit: o.Unit, Aim: j.Aim, Owner: j.Owner(),
		ReadBack: o.check.seen, Answer: o.lastAnswer(), Counters: o.counts,
	}
	if o.known {
		s.Value = number(o.written)
	}
	if j.Winner != nil {
		p := j.Winner.Priority
		s.Priority, s.Expires = &p, j.Winner.Expires()
	}
	if !o.tried.IsZero() {
		t := o.tried.UTC().Round(0)
		s.LastWrite = &t
	}
	return s
}

func (o *output) state(j Judgement) State {
	switch {
	case o.failures > 0:
		return StateFailed
	case !o.known:
		return StatePending
	case o.check.verdict == mismatched:
		return StateMismatch
	case j.Value != j.Aim:
		return StateRamping
	case !same(o.applied, j.Aim):
		return StatePending
	case j.Winner == nil:
		return StateSafe
	default:
		return StateHeld
	}
}
