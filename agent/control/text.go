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

// Text is the explanation for a terminal; times are shown in loc.
func (e Explanation) Text(loc *time.Location) string {
	if loc == nil {
		loc = time.UTC
	}
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-9s %s\n", label, fmt.Sprintf(format, args...))
	}
	value := "not written yet"
	if e.Value != nil {
		value = quantity(*e.Value, e.Unit)
	}
	fmt.Fprintf(&b, "%s: %s (%s)\n", e.Output, value, e.State)
	e.winnerText(line, loc)
	if e.Clamped != nil {
		line("clamped", "%s was asked for, cut to %s", quantity(e.Clamped.Asked, e.Unit), quantity(e.Clamped.To, e.Unit))
	}
	if e.Ramp != nil {
		line("ramp", "%s a second: now at %s, at %s in %s", quantity(e.Ramp.PerSecond, e.Unit), quantity(e.Ramp.Now, e.Unit),
			quantity(e.Aim, e.Unit), span(e.Ramp.Arrives.Sub(e.Time)))
	}
	line("range", "%s, safe %s", e.Range.text(e.Unit), quantity(e.Range.Safe, e.Unit))
	if e.ReadBack != nil {
		line("reads", "%s", quantity(*e.ReadBack, e.Unit))
	}
	if e.NextWrite != nil && (e.State == StateFailed || e.State == StateRamping || e.State == StatePending) {
		line("next", "write in %s", span(e.NextWrite.Sub(e.Time)))
	}
	for i, c := range e.Contenders {
		line(first(i, "lost"), "%s", c.text(e, loc))
	}
	for i, w := range e.Writes {
		line(first(i, "writes"), "%s", w.text(e.Unit, loc))
	}
	return b.String()
}

func first(i int, label string) string {
	if i == 0 {
		return label
	}
	return ""
}

func (e Explanation) winnerText(line func(label, format string, args ...any), loc *time.Location) {
	if e.Winner == nil {
		line("aim", "%s, the safe value: nobody holds the output", quantity(e.Aim, e.Unit))
		return
	}
	line("aim", "%s", quantity(e.Aim, e.Unit))
	line("held by", "%s", e.Winner.text(e, loc))
	if e.Winner.Why != "" {
		line("because", "%s", e.Winner.Why)
	}
}

func (h Holder) text(e Explanation, loc *time.Location) string {
	parts := []string{fmt.Sprintf("%s, priority %d, %s", h.Owner, h.Priority, quantity(h.Value, e.Unit))}
	parts = append(parts, "since "+h.Since.In(loc).Format("15:04:05"))
	if h.Expires != nil && h.Expires.After(e.Time) {
		parts = append(parts, "expires in "+span(h.Expires.Sub(e.Time)))
	}
	if h.Rev != "" {
		parts = append(parts, "revision "+h.Rev)
	}
	return strings.Join(parts, ", ")
}

func (c Contender) text(e Explanation, loc *time.Location) string {
	if c.Ended == nil {
		return fmt.Sprintf("%s: %s", c.Holder.text(e, loc), c.Lost)
	}
	return fmt.Sprintf("%s, priority %d, %s: %s %s ago", c.Owner, c.Priority, quantity(c.Value, e.Unit), c.Lost,
		span(e.Time.Sub(*c.Ended)))
}

func (w WriteRecord) text(unit string, loc *time.Location) string {
	s := fmt.Sprintf("%s  %s  %s in %.1f ms", w.Time.In(loc).Format("15:04:05.000"), quantity(w.Value, unit), w.Outcome, w.TookMS)
	if w.Answer != "" {
		s += ": " + w.Answer
	}
	if w.ReadBack != nil {
		s += ", read back " + quantity(*w.ReadBack, unit)
	}
	if w.Owner != "" {
		return s + ", for " + w.Owner
	}
	return s + ", safe value"
}

func (r Range) text(unit string) string {
	l := Limits{Min: math.Inf(-1), Max: math.Inf(1)}
	if r.Min != nil {
		l.Min = *r.Min
	}
	if r.Max != nil {
		l.Max = *r.Max
	}
	s := rangeText(l, unit)
	if r.Ramp > 0 {
		s += fmt.Sprintf(", ramp %s a second", quantity(r.Ramp, unit))
	}
	return s
}
