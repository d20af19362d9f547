package site

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// durationUnits are the units of durations, as people write them.
var durationUnits = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "ms": time.Millisecond, "s": time.Second,
	"m": time.Minute, "min": time.Minute, "h": time.Hour, "d": day, "w": 7 * day, "y": 365 * day,
}

// ParseDuration reads a duration as site.hcl has it: "250ms", "5s", "1h30m", "1d".
func ParseDuration(s string) (time.Duration, error) {
	rest, negative := strings.CutPrefix(strings.TrimSpace(s), "-")
	if rest == "" {
		return 0, fmt.Errorf("a duration such as \"250ms\", \"5s\" or \"1d\" is wanted")
	}
	var sum float64
	for rest != "" {
		n, unit, after := cutQuantity(rest)
		if n == "" {
			return 0, fmt.Errorf("%q is no duration; write it as \"250ms\", \"5s\", \"1h30m\" or \"1d\"", s)
		}
		if unit == "" && n == "0" && after == "" {
			break
		}
		if unit == "" {
			return 0, fmt.Errorf("%q has no unit; write %q", s, s+"s")
		}
		of, ok := durationUnits[unit]
		if !ok {
			return 0, fmt.Errorf("%q has the unknown unit %s; there are ms, s, min, h, d, w and y", s, unit)
		}
		f, err := strconv.ParseFloat(n, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no duration; write it as \"250ms\", \"5s\", \"1h30m\" or \"1d\"", s)
		}
		sum += f * float64(of)
		rest = after
	}
	if sum > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is longer than can be counted", s)
	}
	d := time.Duration(math.Round(sum))
	if negative {
		d = -d
	}
	return d, nil
}

// cutQuantity takes a number and the letters behind it from the front of a text.
func cutQuantity(s string) (number, unit, rest string) {
	s = strings.TrimLeft(s, " ")
	i := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i < 0 {
		return s, "", ""
	}
	number, s = s[:i], strings.TrimLeft(s[i:], " ")
	j := strings.IndexFunc(s, func(r rune) bool { return r >= '0' && r <= '9' || r == '.' || r == ' ' || r == '-' })
	if j < 0 {
		return number, s, ""
	}
	return number, s[:j], strings.TrimLeft(s[j:], " ")
}

// FormatDuration writes a duration as site.hcl has it, in as few parts as there are.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	if d < 0 {
		b.WriteByte('-')
		d = -d
	}
	for _, u := range []struct {
		name string
		of   time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}, {"ns", 1}} {
		if n := d / u.of; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.of
		}
	}
	return b.String()
}

var sizeUnits = map[string]float64{
	"": 1, "B": 1,
	"kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}

// parseSize reads an amount of bytes: "512MB", "2GiB".
func parseSize(s string) (float64, error) {
	n, unit, rest := cutQuantity(strings.TrimSpace(s))
	f, err := strconv.ParseFloat(n, 64)
	of, ok := sizeUnits[unit]
	if err != nil || rest != "" || !ok {
		return 0, fmt.Errorf("%q is no size; write it as \"512MB\" or \"2GiB\"", s)
	}
	if f *= of; f > 1<<60 {
		return 0, fmt.Errorf("%q is larger than any disk", s)
	}
	return math.Round(f), nil
}

// parseRate reads a change per time, and gives it per second: "10/s", "5/min".
func parseRate(s string) (float64, error) {
	n, per, ok := strings.Cut(s, "/")
	f, err := strconv.ParseFloat(strings.TrimSpace(n), 64)
	of, known := durationUnits[strings.TrimSpace(per)]
	if err != nil || !ok || !known || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, fmt.Errorf("%q is no rate; write it as \"10/s\" or \"5/min\", in the point's unit", s)
	}
	return f / of.Seconds(), nil
}
