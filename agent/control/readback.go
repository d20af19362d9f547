package control

import (
	"math"
	"time"
)

const (
	// patience is how long after its time a reading may come that is younger than the write.
	patience = 30 * time.Second
	// glance is the pause between two looks for such a reading.
	glance = 250 * time.Millisecond
	// watch is the least pause between two looks at a value that was verified: devices revert silently.
	watch = 10 * time.Second
)

// verdict is what a read-back said.
type verdict string

const (
	unverified verdict = ""
	verified   verdict = "verified"
	mismatched verdict = "mismatch"
	unreadable verdict = "unreadable"
)

// check is the verification of the last write.
type check struct {
	verdict verdict
	// due is when to look; zero: never.
	due time.Time
	// rewrites since the aim changed or the value was last verified.
	rewrites int
	seen     *float64
}

// startCheck begins the verification of a write. A driver that read the value back at once has verified it. That a device
// reads differently is not forgotten by writing the same again.
func (o *output) startCheck(back *float64, again bool) {
	before := o.check
	o.check = check{rewrites: before.rewrites}
	if again && before.verdict == mismatched {
		o.check.verdict, o.check.seen = before.verdict, before.seen
	}
	if o.ReadBack == nil {
		return
	}
	o.check.due = o.okAt.Add(o.ReadBack.After)
	if back != nil && o.agrees(*back) {
		o.check = check{verdict: verified, due: o.okAt.Add(o.watch()), seen: back}
	}
}

func (o *output) watch() time.Duration { return max(watch, o.ReadBack.After) }

// agrees compares a reading with what the device was given.
func (o *output) agrees(v float64) bool {
	off := math.Min(math.Abs(v-o.written), math.Abs(v-o.applied))
	return off <= o.ReadBack.Within+1e-9*math.Max(1, math.Abs(v))
}

// verify looks at the reading of an output when that is due, and tells whether it came to a verdict. A reading that
// disagrees is written over once; if it still disagrees then, the output stays marked until a reading agrees.
func (c *Controller) verify(o *output, now time.Time) bool {
	if o.check.due.IsZero() || now.Before(o.check.due) {
		return false
	}
	if c.o.Reader == nil || o.ReadBack == nil {
		o.check.due = time.Time{}
		return false
	}
	v, q, at, ok := c.o.Reader.Value(o.ReadBack.Device, o.ReadBack.Point)
	if !ok || q.IsBad() || math.IsNaN(v) || at.Before(o.okAt.Round(0).Truncate(time.Millisecond)) {
		return o.unseen(now)
	}
	o.check.seen = &v
	o.check.due = now.Add(o.watch())
	if len(o.records) > 0 {
		o.records[len(o.records)-1].ReadBack = &v
	}
	if o.agrees(v) {
		o.check.verdict, o.check.rewrites = verified, 0
		return true
	}
	if o.check.verdict == mismatched {
		return false
	}
	o.counts.Mismatches++
	if len(o.records) > 0 {
		o.records[len(o.records)-1].Outcome = string(ResultMismatch)
	}
	c.outbox = append(c.outbox, mismatchEvent(o, v, now))
	c.o.Log.Warn("read-back differs", "output", o.Name, "written", o.written, "read", v, "within", o.ReadBack.Within)
	if o.check.rewrites == 0 {
		o.check.rewrites, o.dirty = 1, true
		return false
	}
	o.check.verdict = mismatched
	return true
}

// unseen is verify without a usable reading: it waits for one, then gives up, but keeps watching.
func (o *output) unseen(now time.Time) bool {
	if o.check.verdict != unverified {
		o.check.due = now.Add(o.watch())
		return false
	}
	if now.Before(o.okAt.Add(o.ReadBack.After + patience)) {
		o.check.due = now.Add(glance)
		return false
	}
	o.check.verdict, o.check.due = unreadable, now.Add(o.watch())
	return true
}
