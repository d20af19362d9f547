package intake

import (
	"errors"
	"maps"
	"time"

	"github.com/voltage-edge/voltage/sdk/frame"
)

// The reasons for which a frame is refused.
const (
	reasonDevice  = "unknown device"
	reasonTable   = "other point table"
	reasonVersion = "unknown layout version"
	reasonCorrupt = "corrupt"
)

func reasonOf(err error) string {
	switch {
	case errors.Is(err, frame.ErrTable):
		return reasonTable
	case errors.Is(err, frame.ErrVersion):
		return reasonVersion
	default:
		return reasonCorrupt
	}
}

// Status counts what came in.
type Status struct {
	// State is ok, waiting (Redis does not take frames) or unjournalled (the journal does not).
	State string
	// Frames that were accepted and Points in them, since the start.
	Frames, Points uint64
	// FramesPerSecond and PointsPerSecond over the last seconds.
	FramesPerSecond, PointsPerSecond float64
	// Rejected counts the frames that were refused, by reason.
	Rejected map[string]uint64
	// Unjournalled counts the frames that the journal did not take.
	Unjournalled uint64
	// Queue are the frames that wait for Redis. Skipped counts those that Redis will never see, because a newer one of the same
	// device came while it was away or slow; the journal has them.
	Queue   int
	Skipped uint64
	// Stale are the devices without values.
	Stale []string
	// Batches that Redis took, and the time of the last one.
	Batches uint64
	Last    time.Duration
	// LastError is the last trouble with Redis or the journal.
	LastError string
}

// Status tells how the intake does.
func (in *Intake) Status() Status {
	in.accept.Lock()
	defer in.accept.Unlock()
	c := &in.counters
	st := Status{
		State: "ok", Frames: c.frames, Points: c.points, Rejected: maps.Clone(c.rejected), Unjournalled: c.lost,
		Queue: len(in.queue.frames), Skipped: in.queue.skipped, Batches: c.batches, Last: c.last, LastError: c.err,
	}
	st.FramesPerSecond, st.PointsPerSecond = c.rates(in.millis())
	switch {
	case c.waiting:
		st.State = "waiting"
	case c.losing:
		st.State = "unjournalled"
	}
	for _, d := range in.live.layout.Load().devices {
		if d.stale {
			st.Stale = append(st.Stale, d.name)
		}
	}
	return st
}

// span is how many seconds the rates look back.
const span = 8

type second struct {
	at             int64
	frames, points uint64
}

// counters are what the status is made of.
type counters struct {
	start          int64
	frames, points uint64
	rejected       map[string]uint64
	lost           uint64
	losing         bool
	waiting        bool
	batches        uint64
	last           time.Duration
	err            string
	seconds        [span + 2]second
}

func (c *counters) began(at time.Time) { c.start = at.UnixMilli() }

// rates are of the last whole seconds, as many as there were.
func (c *counters) rates(now int64) (frames, points float64) {
	current := now / 1000
	n := min(current-c.start/1000, span)
	if n <= 0 {
		return 0, 0
	}
	for _, s := range c.seconds {
		if s.at < current && s.at >= current-n {
			frames += float64(s.frames)
			points += float64(s.points)
		}
	}
	return frames / float64(n), points / float64(n)
}

func (c *counters) reject(reason string) {
	if c.rejected == nil {
		c.rejected = map[string]uint64{}
	}
	c.rejected[reason]++
}

// unjournalled counts a frame that the journal did not take; true for the first in a row.
func (c *counters) unjournalled(err error) bool {
	first := !c.losing
	c.losing = true
	c.lost++
	c.err = err.Error()
	return first
}

// journalled counts a frame that the journal took; true for the first one after others that it did not.
func (c *counters) journalled(at int64, points int) bool {
	c.frames++
	c.points += uint64(points)
	s := &c.seconds[at/1000%int64(len(c.seconds))]
	if s.at != at/1000 {
		*s = second{at: at / 1000}
	}
	s.frames++
	s.points += uint64(points)
	first := c.losing
	c.losing = false
	return first
}

func (c *counters) failed(err error) {
	c.waiting = true
	c.err = err.Error()
}

func (c *counters) applied(took time.Duration) {
	c.waiting = false
	c.batches++
	c.last = took
}
