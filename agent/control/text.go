package control

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// quantity is a number with its unit, rounded to six significant digits when it is long.
func quantity(v float64, unit string) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if len(s) > 10 {
		s = strconv.FormatFloat(v, 'g', 6, 64)
	}
	if math.Signbit(v) && v == 0 {
		s = "0"
	}
	if unit == "" {
		return s
	}
	return s + " " + unit
}

// span is a duration as people say it.
func span(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

// rangeText is the range as people read it.
func rangeText(l Limits, unit string) string {
	switch {
	case math.IsInf(l.Min, 0) && math.IsInf(l.Max, 0):
		return "unbounded"
	case math.IsInf(l.Min, 0):
		return "at most " + quantity(l.Max, unit)
	case math.IsInf(l.Max, 0):
		return "at least " + quantity(l.Min, unit)
	}
	return fmt.Sprintf("%s to %s", quantity(l.Min, ""), quantity(l.Max, unit))
}

// Sentence says for people who holds the output, where it goes and what hinders it.
func (e Explanation) Sentence() string {
	parts := []string{e.holder()}
	if e.Winner != nil && e.Winner.Expires != nil {
		parts[0] += ", for " + span(e.Winner.Expires.Sub(e.Time)) + " more"
	}
	if e.Ramp != nil {
		parts = append(parts, fmt.Sprintf("it ramps at %s a second and is there in %s",
			quantity(e.Ramp.PerSecond, e.Unit), span(e.Ramp.Arrives.Sub(e.Time))))
	}
	switch {
	case e.State == StatePending && e.Value == nil:
		parts = append(parts, "it was not written yet")
	case e.State == StatePending && e.NextWrite != nil:
		parts = append(parts, "it is written in "+span(e.NextWrite.Sub(e.Time)))
	case e.State == StateFailed && len(e.Writes) > 0:
		parts = append(parts, "the last write failed: "+e.Writes[0].Answer)
		if e.NextWrite != nil {
			parts = append(parts, "the next attempt is in "+span(e.NextWrite.Sub(e.Time)))
		}
	case e.State == StateMismatch && e.ReadBack != nil:
		parts = append(parts, fmt.Sprintf("the device reads %s instead", quantity(*e.ReadBack, e.Unit)))
	}
	return strings.Join(parts, "; ") + "."
}

func (e Explanation) holder() string {
	switch {
	case e.Winner == nil:
		return fmt.Sprintf("nobody holds %s, so it takes its safe value %s", e.Output, quantity(e.Aim, e.Unit))
	case e.Clamped != nil:
		return fmt.Sprintf("%s holds %s with priority %d and asked for %s, cut to %s",
			e.Winner.Owner, e.Output, e.Winner.Priority, quantity(e.Clamped.Asked, e.Unit), quantity(e.Clamped.To, e.Unit))
	}
	return fmt.Sprintf("%s holds %s with priority %d and asked for %s",
		e.Winner.Owner, e.Output, e.Winner.Priority, quantity(e.Winner.Value, e.Unit))
}
