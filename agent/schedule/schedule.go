// Package schedule says when recurring times are: daily windows and cron expressions, by the clock on the wall of a time
// zone. It is a pure function of the instant that it is asked for.
package schedule

import (
	"math"
	"time"
)

// Times is a condition of the time alone.
type Times interface {
	// Active tells whether it holds at t.
	Active(t time.Time) bool
	// Next is the first instant after t at which Active may change; zero: it does not within the years to come.
	Next(t time.Time) time.Time
}

const daySeconds = 24 * 60 * 60

// span is a stretch of time in which the clock on the wall runs evenly: its reading is the Unix time plus offset, both in
// seconds. It ends before to. before is the offset of the span before it.
type span struct{ from, to, offset, before int64 }

func spanAt(at int64, zone *time.Location) span {
	t := time.Unix(at, 0).In(zone)
	_, offset := t.Zone()
	s := span{from: math.MinInt64, to: math.MaxInt64, offset: int64(offset), before: int64(offset)}
	start, end := t.ZoneBounds()
	if end.After(t) {
		s.to = end.Unix()
	}
	if !start.IsZero() {
		s.from = start.Unix()
		_, before := time.Unix(s.from-1, 0).In(zone).Zone()
		s.before = int64(before)
	}
	return s
}

// split takes a reading of the clock on the wall apart: the day since 1970-01-01, and the second of that day.
func split(wall int64) (day, second int64) {
	day = wall / daySeconds
	if wall < day*daySeconds {
		day--
	}
	return day, wall - day*daySeconds
}

// weekday of a day since 1970-01-01, which was a Thursday.
func weekday(day int64) time.Weekday { return time.Weekday(((day+4)%7 + 7) % 7) }

// instant is the Unix time in seconds at or before t.
func instant(t time.Time) int64 { return t.Unix() }
