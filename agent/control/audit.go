package control

import (
	"strconv"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
)

func text(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func number(v float64) *float64 { return &v }

// arbitrationEvent records that an output changed hands.
func arbitrationEvent(j Judgement) event.Event {
	e := event.New(time.UnixMilli(j.Millis), event.Arbitration,
		"output", j.Output, "owner", j.Owner(), "old_owner", j.Before, "aim", text(j.Aim), "why", "")
	if j.Winner != nil {
		e.Fields["why"] = j.Winner.Why
		e.Fields["priority"] = strconv.Itoa(j.Winner.Priority)
		e.Fields["rev"] = j.Winner.Rev
	}
	return e
}

// writeEvent records a write and the device's answer.
func writeEvent(o *output, w job, r WriteRecord) event.Event {
	e := event.New(r.Time, event.Write, "output", o.Name, "value", text(r.Value), "old", optional(r.Old),
		"owner", r.Owner, "outcome", r.Outcome, "answer", r.Answer, "read_back", optional(r.ReadBack),
		"took", strconv.FormatFloat(r.TookMS, 'f', 3, 64))
	if w.winner != nil {
		e.Fields["priority"] = strconv.Itoa(w.winner.Priority)
		e.Fields["rev"], e.Fields["why"], e.Fields["request"] = w.winner.Rev, w.winner.Why, w.winner.ID
	}
	return e
}

// mismatchEvent records that a device reads other than what it was given.
func mismatchEvent(o *output, read float64, now time.Time) event.Event {
	e := event.New(now, event.Write, "output", o.Name, "value", text(o.applied), "outcome", string(ResultMismatch),
		"read_back", text(read), "answer", "the device reads "+quantity(read, o.Unit))
	if n := len(o.records); n > 0 {
		e.Fields["owner"], e.Fields["request"] = o.records[n-1].Owner, o.records[n-1].Request
	}
	return e
}

// refusedEvent records a request that could not be taken.
func refusedEvent(r Request, now time.Time, err error) event.Event {
	return event.New(now, event.Write, "output", r.Output, "owner", r.Owner, "request", r.ID, "rev", r.Rev, "why", r.Why,
		"outcome", string(ResultFailed), "answer", err.Error())
}

func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return text(*v)
}
