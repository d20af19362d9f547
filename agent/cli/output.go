package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
)

// print writes v as JSON, or the table that human makes.
func (e *environment) print(v any, human func() *table) error {
	if e.json {
		return e.printJSON(v)
	}
	width, _ := e.size()
	human().write(e.out, e.colors(), width)
	return nil
}

func (e *environment) printJSON(v any) error {
	enc := json.NewEncoder(e.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (e *environment) say(format string, args ...any) { fmt.Fprintf(e.out, format+"\n", args...) }

// number prints a value as a person wants it: some four significant digits, no exponent for what a site has.
func number(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v) && a < 1e15:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case a >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a >= 0.001:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func optional(v *float64) string {
	if v == nil {
		return "–"
	}
	return number(*v)
}

// withUnit joins a number and its unit.
func withUnit(text, unit string) string {
	if unit == "" || text == "–" {
		return text
	}
	return text + " " + unit
}

func valueText(v api.Value) string {
	switch x := v.Value.(type) {
	case nil:
		return "–"
	case float64:
		return number(x)
	case bool:
		if x {
			return "on"
		}
		return "off"
	default:
		return fmt.Sprint(x)
	}
}

func qualityCell(v api.Value) cell {
	text := v.Quality
	if v.Reason != "" {
		text += " (" + v.Reason + ")"
	}
	return cell{text, qualityColor(v.Quality)}
}

func qualityColor(q string) color {
	switch q {
	case "good":
		return green
	case "uncertain":
		return yellow
	}
	return red
}

// stateColor paints a state by what it means.
func stateColor(state string) color {
	switch state {
	case "ok", "running", "open", "held", "written", "safe", "idle", "active", "promoted":
		return green
	case "disabled", "pending", "ended", "dropped":
		return dim
	case "starting", "connecting", "opening", "partial", "retrying", "waiting", "backoff", "ramping", "degraded", "restarting":
		return yellow
	}
	return red
}

func stateCell(state string) cell { return cell{state, stateColor(state)} }

// age says a span as a person does: 850 ms, 3.2 s, 4 m, 2 h, 3 d.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "now"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f m", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f d", d.Hours()/24)
}

func ageOf(v api.Value) string {
	if v.Time.IsZero() {
		return "–"
	}
	return age(time.Duration(v.AgeMS) * time.Millisecond)
}

func since(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return age(time.Since(t))
}

// ago says how long ago something was.
func ago(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return since(t) + " ago"
}

// binarySize says a size in binary units.
func binarySize(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// span reads a duration with the units of site.hcl: ms, s, m, h, and d beside them.
func span(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || n < 0 {
			return 0, exit{exitUsage, fmt.Sprintf("%q is no duration: write 90s, 15m, 12h or 7d", text)}
		}
		return time.Duration(n * float64(24*time.Hour)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, exit{exitUsage, fmt.Sprintf("%q is no duration: write 90s, 15m, 12h or 7d", text)}
	}
	return d, nil
}

// moment reads a point in time: a span back from now, or a time stamp.
func moment(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	d, err := span(text)
	if err != nil {
		return time.Time{}, exit{exitUsage, fmt.Sprintf("%q is no time: write a span back from now (10m, 24h, 7d) or a time like 2026-01-31T08:00:00Z", text)}
	}
	return now.Add(-d), nil
}
