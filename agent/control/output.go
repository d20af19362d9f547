package control

import (
	"math"
	"time"

	"github.com/voltage-edge/voltage/sdk"
)

const (
	// The pauses between two attempts on a device that refuses: doubled from the first to the last. A new aim is tried
	// after the first, whatever the back-off says.
	firstPause = 500 * time.Millisecond
	lastPause  = 30 * time.Second
	// keepWrites bounds the writes that an explanation shows.
	keepWrites = 10
)

// output is the state of one output: what it was given, and what is to be done next.
type output struct {
	Output
	worker *worker

	aim   float64
	aimed bool
	// step is when the next value on the way to the aim may be written.
	step time.Time

	// known tells whether a write succeeded; applied is what was asked for, written what the device was given.
	known            bool
	applied, written float64
	// dirty: write, whatever was applied. lost: the device may have forgotten what it was given.
	dirty, lost bool
	tried, okAt time.Time
	failures    int
	check       check
	// leaving: the output is gone from the site and is to be left at its safe value. parked: it is, or was tried once.
	leaving, parked, parkTried bool
	// gone is closed when a leaving output was parked.
	gone chan struct{}

	open    []*tracked
	records []WriteRecord
	counts  Counters
}

// Counters of an output since the start.
type Counters struct {
	Writes     uint64 `json:"writes"`
	Failures   uint64 `json:"failures"`
	Mismatches uint64 `json:"mismatches"`
	Refreshes  uint64 `json:"refreshes"`
}

// WriteRecord is one write and what the device answered.
type WriteRecord struct {
	Time     time.Time `json:"time"`
	Value    float64   `json:"value"`
	Old      *float64  `json:"old"`
	Owner    string    `json:"owner,omitempty"`
	Priority int       `json:"priority,omitempty"`
	Request  string    `json:"request,omitempty"`
	// Outcome is written, failed or mismatch.
	Outcome  string   `json:"outcome"`
	Answer   string   `json:"answer,omitempty"`
	ReadBack *float64 `json:"read_back"`
	TookMS   float64  `json:"took_ms"`
}

// job is one write to be made.
type job struct {
	o       *output
	value   float64
	winner  *Request
	refresh bool
	park    bool
}

// same compares set-points: they agree but for rounding.
func same(a, b float64) bool {
	return a == b || math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b))
}

// aimAt notes a new aim. A ramp that is under way keeps its step, so that an aim that moves all the time starves no write.
func (o *output) aimAt(aim float64, now time.Time, ramp time.Duration) {
	o.aim, o.aimed = aim, true
	if o.step.Before(now) {
		o.step = now.Add(ramp / 5)
	}
	o.check.rewrites = 0
}

// pause is the back-off after a number of failures.
func pause(failures int) time.Duration {
	return min(firstPause<<min(failures-1, 10), lastPause)
}

// due tells whether the output is to be written now, and else when to look again; the zero time is never.
func (o *output) due(now time.Time, j Judgement, arrival int64) (job, bool, time.Time) {
	write := job{o: o, value: j.Value, winner: j.Winner}
	var next time.Time
	later := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	moving := j.Value != j.Aim && o.known && !o.dirty && o.failures == 0
	stale := o.dirty || !o.known || !same(j.Value, o.applied)
	if moving && (!stale || now.Before(o.step)) {
		later(o.step)
		later(time.UnixMilli(arrival))
		stale = false
	}
	if !stale && o.Refresh > 0 && o.known {
		if at := o.tried.Add(o.Refresh); at.After(now) {
			later(at)
		} else {
			stale, write.refresh = true, true
		}
	}
	if !stale {
		return job{}, false, next
	}
	if at := o.allowed(j.Aim); at.After(now) {
		later(at)
		return job{}, false, next
	}
	return write, true, time.Time{}
}

// allowed is the earliest time of the next write.
func (o *output) allowed(aim float64) time.Time {
	var at time.Time
	if !o.tried.IsZero() && o.MinInterval > 0 {
		at = o.tried.Add(o.MinInterval)
	}
	if o.failures == 0 {
		return at
	}
	wait := pause(o.failures)
	if !same(aim, o.lastAim()) {
		wait = firstPause
	}
	if retry := o.tried.Add(wait); retry.After(at) {
		at = retry
	}
	return at
}

func (o *output) lastAim() float64 {
	if len(o.records) == 0 {
		return o.aim
	}
	return o.records[len(o.records)-1].Value
}

// answer is what the device said last.
func (o *output) answer() string {
	if len(o.records) == 0 {
		return "no write was made"
	}
	if r := o.records[len(o.records)-1]; r.Answer != "" {
		return r.Answer
	}
	return o.records[len(o.records)-1].Outcome
}

// took notes the outcome of a write, and gives its record.
func (o *output) took(w job, started, ended time.Time, resp sdk.WriteResponse, err error) WriteRecord {
	r := WriteRecord{
		Time: started.UTC().Round(0), Value: w.value, Outcome: string(ResultWritten), Answer: resp.Answer,
		TookMS: float64(ended.Sub(started).Microseconds()) / 1000,
	}
	if o.known {
		old := o.applied
		r.Old = &old
	}
	if w.winner != nil {
		r.Owner, r.Priority, r.Request = w.winner.Owner, w.winner.Priority, w.winner.ID
	}
	o.tried, o.dirty = started, false
	if w.refresh {
		o.counts.Refreshes++
	}
	if err != nil {
		r.Outcome, o.dirty = string(ResultFailed), true
		if r.Answer == "" {
			r.Answer = err.Error()
		}
		o.failures++
		o.counts.Failures++
		o.check = check{rewrites: o.check.rewrites}
	} else {
		o.known, o.applied, o.written, o.okAt, o.failures, o.lost = true, w.value, resp.Written, ended, 0, false
		o.counts.Writes++
		if resp.ReadBack != nil && !math.IsNaN(*resp.ReadBack) {
			back := *resp.ReadBack
			r.ReadBack = &back
		}
		o.startCheck(r.ReadBack, w.refresh)
	}
	o.keep(r)
	return r
}

func (o *output) keep(r WriteRecord) {
	if len(o.records) == keepWrites {
		o.records = append(o.records[:0], o.records[1:]...)
	}
	o.records = append(o.records, r)
}
