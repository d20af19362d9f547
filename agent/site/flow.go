package site

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Flow is an item of the rules library that is more than a condition with actions: a *Chain, a *Window or a *Sequence.
// Rules and flows share one space of names.
type Flow interface {
	// FlowName is its name, and FlowKind the kind of its block.
	FlowName() string
	FlowKind() string
	// Off tells that it is disabled.
	Off() bool
	// Place is where its block begins.
	Place() hcl.Range
}

// Flows are the site's chains, windows and sequences, in this order.
func (s *Site) Flows() []Flow {
	out := make([]Flow, 0, len(s.Chains)+len(s.Windows)+len(s.Sequences))
	for _, x := range s.Chains {
		out = append(out, x)
	}
	for _, x := range s.Windows {
		out = append(out, x)
	}
	for _, x := range s.Sequences {
		out = append(out, x)
	}
	return out
}

// Runs tells whether a rule or flow is there and enabled.
func (s *Site) Runs(name string) bool {
	if r := s.Rule(name); r != nil {
		return !r.Disabled
	}
	f := s.Flow(name)
	return f != nil && !f.Off()
}

// Switched tells whether a rule or flow is enabled or disabled by a switch, where its block says otherwise.
func (s *Site) Switched(name string) bool { return s.switched[name] }

// Flow finds a chain, window or sequence; nil: there is none.
func (s *Site) Flow(name string) Flow {
	if x := lookup(s, "chain", name, s.Chains, (*Chain).FlowName); x != nil {
		return x
	}
	if x := lookup(s, "window", name, s.Windows, (*Window).FlowName); x != nil {
		return x
	}
	if x := lookup(s, "sequence", name, s.Sequences, (*Sequence).FlowName); x != nil {
		return x
	}
	return nil
}

// Actions are what a rule or flow does when it fires.
type Actions struct {
	// Sets are its wishes for outputs.
	Sets []*Set
	// Effects are what it does beside them, in the order in which they were written.
	Effects []*Effect
}

// The kinds of effects.
const (
	EffectRaise   = "raise"
	EffectClear   = "clear"
	EffectPublish = "publish"
	EffectCall    = "call"
)

// Effect raises or clears an alarm without a condition, publishes an event, or runs a chain.
type Effect struct {
	Kind string
	// Name of the alarm, of the event or of the chain.
	Name string
	// Priority and Message of an alarm that is raised.
	Priority, Message string
	// Fields of an event, by name.
	Fields map[string]Expr
	Range  hcl.Range
}

// Chain is a graph of nodes that runs at each frame of a device that it reads, or when it is called.
type Chain struct {
	Name, Description string
	Priority          int
	// MaxDepth bounds the nodes on the longest way; 0: 32.
	MaxDepth int
	Nodes    []ChainNode
	// Tells: an event at each run that acts, not only when what it does changed.
	Tells bool
	// Called: it runs when it is called, and not at frames.
	Called   bool
	Disabled bool
	Range    hcl.Range
}

// ChainNode is one node: condition, switch, transform, merge or action.
type ChainNode struct {
	ID       string
	Kind     string
	Priority int
	// Next has the nodes behind each port: true, false, unknown of a condition; those of the cases and default of a switch;
	// out of a transform and a merge.
	Next map[string][]string
	// When of a condition.
	When Expr
	// Cases of a switch: the first that is true.
	Cases []ChainCase
	// Set of a transform: names and their values.
	Set map[string]Expr
	// All of a merge: it waits for all its edges, not for any.
	All bool
	// Actions of an action.
	Actions
	Range hcl.Range
}

// ChainCase is a case of a switch.
type ChainCase struct {
	When Expr
	Port string
}

// Window collects a device's frames and gives aggregates of them.
type Window struct {
	Name, Description string
	// Kind is tumbling, hopping, sliding, session, count or state.
	Kind string
	// Size and Every of tumbling, hopping and sliding; Gap of session.
	Size, Every, Gap time.Duration
	// Count and CountEvery of count.
	Count, CountEvery int
	// Begin and Emit of state.
	Begin, Emit Expr
	// Source is the device; its points stand in expressions by their own names.
	Source *Device
	// Where decides what enters, Having what is put out; it reads the aggregates by name.
	Where, Having Expr
	Aggregates    []Aggregate
	// Device is the virtual one whose points are the aggregates as they were put out last; nil: nothing reads them.
	Device   *Device
	Priority int
	// Actions happen when it puts something out; their expressions read the aggregates by name.
	Actions
	// Tells: an event at each result, not only when it begins to act.
	Tells    bool
	Disabled bool
	Range    hcl.Range

	results *Device
}

// Lasts is how long a result counts unless another comes; 0: for ever. It is the time in which the next one should have come, and some more,
// or of a sliding window that in which its last frame leaves it.
func (w *Window) Lasts() time.Duration {
	period := w.Size
	switch w.Kind {
	case "sliding":
		return w.Size
	case "hopping":
		period = w.Every
	case "tumbling":
	default:
		return 0
	}
	return period + min(period, 5*time.Second)
}

// Aggregate is one result: avg, sum, min, max, count, first, last, stddev or median of a value. A count without a value
// counts frames.
type Aggregate struct {
	Function string
	Value    Expr
	As       string
}

// Sequence waits for frames that come one after the other, or stay away.
type Sequence struct {
	Name, Description string
	Steps             []Step
	// Every: a new attempt starts when one has done its first Group steps (0: 1). Else there is one attempt.
	Every bool
	Group int
	// Within is the longest time from the first captured frame; 0: any.
	Within time.Duration
	// Strict: a frame that an attempt has no use for breaks it.
	Strict   bool
	Priority int
	// Actions happen when an attempt is done; their expressions read the captured frames.
	Actions
	Disabled bool
	Range    hcl.Range
}

// Step is one step: a part, which may repeat, or all or any of several.
type Step struct {
	Part
	// Repeat: the part matches Min to Max times; Max 0: any number.
	Repeat   bool
	Min, Max int
	All, Any []Part
}

// Part is a frame of a device that meets a condition, or its absence.
type Part struct {
	// As names the captured frame.
	As     string
	Device *Device
	// Where has the frame's points by their own names, and captured ones as NAME.POINT, NAME[0].POINT, NAME[-1].POINT.
	Where Expr
	// Absent: no such frame for the time For; in All it may be 0: not before the others.
	Absent bool
	For    time.Duration
	Range  hcl.Range
}

// Parts are the parts of all steps, in their order.
func (s *Sequence) Parts() []Part {
	var out []Part
	for _, step := range s.Steps {
		if len(step.All)+len(step.Any) == 0 {
			out = append(out, step.Part)
		}
		out = append(append(out, step.All...), step.Any...)
	}
	return out
}

// FlowName is its name.
func (c *Chain) FlowName() string { return c.Name }

// FlowKind is "chain".
func (c *Chain) FlowKind() string { return "chain" }

// Off tells that it is disabled.
func (c *Chain) Off() bool { return c.Disabled }

// Place is where its block begins.
func (c *Chain) Place() hcl.Range { return c.Range }

// FlowName is its name.
func (w *Window) FlowName() string { return w.Name }

// FlowKind is "window".
func (w *Window) FlowKind() string { return "window" }

// Off tells that it is disabled.
func (w *Window) Off() bool { return w.Disabled }

// Place is where its block begins.
func (w *Window) Place() hcl.Range { return w.Range }

// FlowName is its name.
func (s *Sequence) FlowName() string { return s.Name }

// FlowKind is "sequence".
func (s *Sequence) FlowKind() string { return "sequence" }

// Off tells that it is disabled.
func (s *Sequence) Off() bool { return s.Disabled }

// Place is where its block begins.
func (s *Sequence) Place() hcl.Range { return s.Range }
