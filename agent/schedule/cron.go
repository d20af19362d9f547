package schedule

import (
	"math/bits"
	"time"
)

// Cron is one cron expression of five fields.
type Cron struct {
	minute, hour, dayOfMonth, month, dayOfWeek uint64
	// anyDayOfMonth and anyDayOfWeek say that the field begins with *. When neither does, a day has to fit one of the two.
	anyDayOfMonth, anyDayOfWeek bool
	// everyHour says that the hour's field begins with *: such an expression goes by the hours that pass. One of fixed
	// hours comes once a day: what is left out when clocks are set forward comes right then, and what the clocks show
	// twice comes the first time.
	everyHour bool
}

// longest is the longest pause of an expression that comes at all: February 29, around a year such as 2100.
const longest = 9 * 366

func (c *Cron) fitsDay(day int64) bool {
	date := time.Unix(day*daySeconds, 0).UTC()
	if c.month&(1<<date.Month()) == 0 {
		return false
	}
	ofMonth, ofWeek := c.dayOfMonth&(1<<date.Day()) != 0, c.dayOfWeek&(1<<date.Weekday()) != 0
	if c.anyDayOfMonth || c.anyDayOfWeek {
		return ofMonth && ofWeek
	}
	return ofMonth || ofWeek
}

// nextWall is the first reading of the clock on the wall at or after one that fits.
func (c *Cron) nextWall(wall int64) (int64, bool) {
	first, second := split(wall)
	minute := (second + 59) / 60
	for day := first; day <= first+longest; day++ {
		if c.fitsDay(day) {
			if m, ok := c.inDay(minute); ok {
				return day*daySeconds + m*60, true
			}
		}
		minute = 0
	}
	return 0, false
}

// inDay is the first minute of a day at or after one that fits.
func (c *Cron) inDay(from int64) (int64, bool) {
	for hour := from / 60; hour < 24; hour++ {
		if c.hour&(1<<hour) == 0 {
			continue
		}
		least := max(from-hour*60, 0)
		if rest := c.minute >> least; rest != 0 && least < 60 {
			return hour*60 + least + int64(bits.TrailingZeros64(rest)), true
		}
	}
	return 0, false
}

// next is the first Unix time after one at which the expression comes.
func (c *Cron) next(after int64, zone *time.Location) (int64, bool) {
	for at := after; ; {
		s := spanAt(at, zone)
		from := at + 1
		if at != after { // the span begins behind after
			from = at
			if !c.everyHour && s.offset > s.before && s.from == at {
				if w, ok := c.nextWall(from + s.before); ok && w < from+s.offset {
					return from, true
				}
			}
		}
		wall := from + s.offset
		if !c.everyHour && s.offset < s.before {
			wall = max(wall, s.from+s.before)
		}
		w, ok := c.nextWall(wall)
		if !ok {
			return 0, false
		}
		if x := w - s.offset; x < s.to {
			return x, true
		}
		at = s.to
	}
}

// Crons hold for some time from each instant at which one of their expressions comes.
type Crons struct {
	Zone *time.Location
	List []*Cron
	For  time.Duration
}

// after is the first instant after t at which an expression comes.
func (c *Crons) after(t time.Time) (time.Time, bool) {
	var best int64
	found := false
	for _, x := range c.List {
		if at, ok := x.next(instant(t), c.Zone); ok && (!found || at < best) {
			best, found = at, true
		}
	}
	return time.Unix(best, 0), found
}

// Active implements Times.
func (c *Crons) Active(t time.Time) bool {
	at, ok := c.after(t.Add(-c.For))
	return ok && !at.After(t)
}

// mostJoined bounds how many times that run into each other are joined in search of their end.
const mostJoined = 1000

// Next implements Times. Behind very many times that run into each other it is an instant at which nothing changes.
func (c *Crons) Next(t time.Time) time.Time {
	if !c.Active(t) {
		at, ok := c.after(t)
		if !ok {
			return time.Time{}
		}
		return at
	}
	at, _ := c.after(t.Add(-c.For))
	for range mostJoined {
		again, ok := c.after(at)
		if !ok || again.After(at.Add(c.For)) {
			break
		}
		at = again
	}
	return at.Add(c.For)
}
