package schedule_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/agent/schedule"
)

// naive reads a field of numbers the slow way.
func naive(text string, least, most, value int) bool {
	for part := range strings.SplitSeq(text, ",") {
		body, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			step, _ = strconv.Atoi(stepText)
		}
		a, b := least, most
		if body != "*" {
			low, high, ranged := strings.Cut(body, "-")
			a, _ = strconv.Atoi(low)
			b = a
			if ranged {
				b, _ = strconv.Atoi(high)
			}
		}
		for v := a; v <= b; v += step {
			if v == value || most == 6 && v == 7 && value == 0 {
				return true
			}
		}
	}
	return false
}

type naiveCron []string

// shows tells whether a clock that shows t is at a time of the expression.
func (n naiveCron) shows(t time.Time) bool {
	day, week := naive(n[2], 1, 31, t.Day()), naive(n[4], 0, 6, int(t.Weekday()))
	if strings.HasPrefix(n[2], "*") || strings.HasPrefix(n[4], "*") {
		day = day && week
	} else {
		day = day || week
	}
	return t.Second() == 0 && naive(n[0], 0, 59, t.Minute()) && naive(n[1], 0, 23, t.Hour()) && day && naive(n[3], 1, 12, int(t.Month()))
}

// wall is what a clock shows at an instant, as if it were UTC.
func wall(at time.Time, loc *time.Location) time.Time {
	_, offset := at.In(loc).Zone()
	return at.UTC().Add(time.Duration(offset) * time.Second)
}

// comes tells whether the expression comes at an instant.
func (n naiveCron) comes(at time.Time, loc *time.Location) bool {
	now, before := wall(at, loc), wall(at.Add(-time.Minute), loc).Add(time.Minute)
	if strings.HasPrefix(n[1], "*") {
		return n.shows(now)
	}
	for skipped := before; skipped.Before(now); skipped = skipped.Add(time.Minute) {
		if n.shows(skipped) {
			return true
		}
	}
	for earlier := at.Add(-time.Minute); earlier.After(at.Add(-26 * time.Hour)); earlier = earlier.Add(-time.Minute) {
		if wall(earlier, loc).Equal(now) {
			return false // the clock showed this before
		}
	}
	return n.shows(now)
}

func TestCronAgainstAnOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		n := naiveCron{aField(t, 0, 59), aField(t, 0, 23), aField(t, 1, 31), aField(t, 1, 12), aField(t, 0, 6)}
		c, err := schedule.ParseCron(strings.Join(n, " "))
		if err != nil {
			if strings.Contains(err.Error(), "never comes") {
				return
			}
			t.Fatal(err)
		}
		x := &schedule.Crons{Zone: loc, List: []*schedule.Cron{c}, For: time.Second}
		start := anInstant(t, loc).Truncate(time.Minute)
		var want, got []int64
		end := start.Add(12 * time.Hour)
		for at := start.Add(time.Minute); at.Before(end); at = at.Add(time.Minute) {
			if n.comes(at, loc) {
				want = append(want, at.Unix())
			}
		}
		last := start
		for at := x.Next(start); !at.IsZero() && at.Before(end); at = x.Next(at) {
			if !at.After(last) {
				t.Fatalf("%v in %s: behind %v comes %v", n, loc, last.In(loc), at.In(loc))
			}
			last = at
			if x.Active(at) && at.After(start) {
				got = append(got, at.Unix())
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v in %s from %v: got %v, expected %v", n, loc, start.In(loc), got, want)
		}
	})
}

// TestCronWhereZonesSayTooMuch asks around an instant at which Go's time zones tell of a change of clocks that is none: the last day
// but one of a leap year behind those that a zone's table lists.
func TestCronWhereZonesSayTooMuch(t *testing.T) {
	for _, expression := range []string{"0 6 * * *", "30 * * * *", "0 2 29 2 *"} {
		for _, zone := range zones {
			loc, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			c, err := schedule.ParseCron(expression)
			if err != nil {
				t.Fatal(err)
			}
			x := &schedule.Crons{Zone: loc, List: []*schedule.Cron{c}, For: time.Second}
			at := time.Date(2040, 12, 29, 0, 0, 0, 0, time.UTC)
			for range 200 {
				next := x.Next(at)
				if !next.After(at) {
					t.Fatalf("%q in %s: behind %v comes %v", expression, zone, at.In(loc), next.In(loc))
				}
				at = next
			}
		}
	}
}

func FuzzParseCron(f *testing.F) {
	for _, s := range []string{"0 6 * * 1-5", "*/15 8-18 * jan,mar 0-7", "5/10 * 29 2 sun", "* * * * *", "1-1-1 * * * *"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := schedule.ParseCron(s)
		if err != nil {
			return
		}
		x := &schedule.Crons{Zone: time.UTC, List: []*schedule.Cron{c}, For: time.Minute}
		at := time.Date(2026, 2, 28, 23, 59, 0, 0, time.UTC)
		if next := x.Next(at); next.IsZero() || !next.After(at) {
			t.Fatalf("%q: next %v", s, next)
		}
	})
}
