package control

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
)

// Forever is the Until of a request without a time to live.
const Forever int64 = math.MaxInt64

// Request is somebody's wish for an output, in force from At until just before Until. Times are in milliseconds since
// the Unix epoch.
type Request struct {
	ID       string
	Output   string
	Owner    string
	Priority int
	// Value in the output's unit, not yet clamped.
	Value float64
	// Withdraw takes the owner's request for the output back; Value does not count then.
	Withdraw bool
	At       int64
	Until    int64
	// Rev is the revision of the rule that asks, and Why what it saw.
	Rev string
	Why string
}

// FromEvent reads a request event. It refuses what can't be arbitrated: no output, no owner, a value that is no number.
func FromEvent(e event.Event) (Request, error) {
	r := Request{
		ID: e.Get("id"), Output: e.Get("output"), Owner: e.Get("owner"),
		At: e.Millis, Until: Forever, Rev: e.Get("rev"), Why: e.Get("why"),
	}
	if r.Output == "" || r.Owner == "" {
		return r, fmt.Errorf("request %q of %q for output %q: it must name its output and its owner", r.ID, r.Owner, r.Output)
	}
	if p := e.Get("priority"); p != "" {
		f, err := strconv.ParseFloat(p, 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) > 1e6 {
			return r, fmt.Errorf("request of %s for %s: priority %q is not a whole number", r.Owner, r.Output, p)
		}
		r.Priority = int(f)
	}
	if e.Get("value") == "" {
		r.Withdraw = true
		return r, nil
	}
	v, ok := e.Number("value")
	if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
		return r, fmt.Errorf("request of %s for %s: value %q is not a number", r.Owner, r.Output, e.Get("value"))
	}
	r.Value = v
	if t := e.Get("ttl"); t != "" {
		ttl, err := strconv.ParseFloat(t, 64)
		if err != nil || math.IsNaN(ttl) || ttl < 0 {
			return r, fmt.Errorf("request of %s for %s: time to live %q is not a number of milliseconds", r.Owner, r.Output, t)
		}
		r.Until = until(r.At, ttl)
	}
	return r, nil
}

// until adds a time to live, and gives Forever where the sum is beyond all clocks.
func until(at int64, ttl float64) int64 {
	if ttl > float64(math.MaxInt64/4) {
		return Forever
	}
	return at + int64(ttl)
}

// Expires is the end of the request, nil when it has none.
func (r Request) Expires() *time.Time {
	if r.Until == Forever {
		return nil
	}
	t := time.UnixMilli(r.Until).UTC()
	return &t
}
