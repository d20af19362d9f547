package frame

import "fmt"

// Quality says how far a value can be trusted: a class in the low two bits, and a reason above them.
type Quality uint8

// The classes.
const (
	Good      Quality = 0
	Uncertain Quality = 1
	Bad       Quality = 2
)

// The reasons, to be or-ed to a class.
const (
	// NeverRead is a point that was not read since the start.
	NeverRead Quality = 1 << 2
	// NoAnswer is a device or connection that does not answer.
	NoAnswer Quality = 2 << 2
	// Stale is a value that is older than it may be.
	Stale Quality = 3 << 2
	// Refused is a device that answered with an error for this point.
	Refused Quality = 4 << 2
	// NotANumber is a value that the device marks as not available.
	NotANumber Quality = 5 << 2
	// Stopped is a point whose channel or plugin does not run.
	Stopped Quality = 6 << 2
	// OutOfRange is a value that can't be: it is outside of the range that is declared for the point.
	OutOfRange Quality = 7 << 2
)

const classMask = 3

// Class is the quality without its reason: Good, Uncertain or Bad.
func (q Quality) Class() Quality { return q & classMask }

// Reason is the quality without its class.
func (q Quality) Reason() Quality { return q &^ classMask }

// IsBad tells whether the value is unknown.
func (q Quality) IsBad() bool { return q&classMask >= Bad }

var reasons = map[Quality]string{
	NeverRead:  "never read",
	NoAnswer:   "no answer",
	Stale:      "stale",
	Refused:    "refused by the device",
	NotANumber: "not available",
	OutOfRange: "out of range",
	Stopped:    "channel stopped",
}

// ClassName is "good", "uncertain" or "bad".
func (q Quality) ClassName() string {
	switch q.Class() {
	case Good:
		return "good"
	case Uncertain:
		return "uncertain"
	default:
		return "bad"
	}
}

// ReasonText says the reason in words, empty when there is none.
func (q Quality) ReasonText() string { return reasons[q.Reason()] }

// String is the class, and the reason in parentheses when there is one.
func (q Quality) String() string {
	if r := q.ReasonText(); r != "" {
		return fmt.Sprintf("%s (%s)", q.ClassName(), r)
	}
	return q.ClassName()
}
