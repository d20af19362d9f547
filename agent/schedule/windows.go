package schedule

import (
	"fmt"
	"slices"
	"time"
)

// Window is a part of the day, on some days of the week. What the clock on the wall shows decides: where clocks are set
// forward, the part of a window that is left out does not come; where they are set back, what comes twice holds twice.
type Window struct {
	// From and To are seconds since midnight; To is not in the window. A To that is not above From is of the next day.
	From, To int64
	// Days on which it begins, by time.Weekday.
	Days [7]bool
}

// Windows are several windows of one place; any of them will do.
type Windows struct {
	Zone *time.Location
	List []Window
}

// Clock reads a time of the day, "HH:MM" or "HH:MM:SS"; "24:00" is the end of the day.
func Clock(text string) (seconds int64, err error) {
	if text == "24:00" || text == "24:00:00" {
		return daySeconds, nil
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return int64(t.Hour()*3600 + t.Minute()*60 + t.Second()), nil
		}
	}
	return 0, fmt.Errorf("%q is no time of the day: write it as \"06:30\", up to \"24:00\"", text)
}

// holds tells whether a reading of the clock on the wall is within the window.
func (w Window) holds(wall int64) bool {
	day, second := split(wall)
	today := w.Days[weekday(day)]
	if w.From < w.To {
		return today && w.From <= second && second < w.To
	}
	return today && second >= w.From || w.Days[weekday(day-1)] && second < w.To
}

// Active implements Times.
func (w *Windows) Active(t time.Time) bool {
	at := instant(t)
	return w.holds(at + spanAt(at, w.Zone).offset)
}

func (w *Windows) holds(wall int64) bool {
	return slices.ContainsFunc(w.List, func(x Window) bool { return x.holds(wall) })
}

// horizon is beyond any change: windows come every week, but for one that is left out when clocks are set forward.
const horizon = 30 * daySeconds

// Next implements Times.
func (w *Windows) Next(t time.Time) time.Time {
	began := instant(t)
	now, edges, limit := w.Active(t), w.edges(), began+horizon
	for at := began; at < limit; {
		s := spanAt(at, w.Zone)
		first, _ := split(at + s.offset)
		for day := first; ; day++ {
			if day*daySeconds-s.offset >= min(s.to, limit) {
				break
			}
			for _, edge := range edges {
				x := day*daySeconds + edge - s.offset
				if x > began && x >= at && x < s.to && w.holds(x+s.offset) != now {
					return time.Unix(x, 0)
				}
			}
		}
		if s.to >= limit {
			break
		}
		// Clocks that are set change what they show without a window's edge.
		at = s.to
		if w.holds(at+spanAt(at, w.Zone).offset) != now {
			return time.Unix(at, 0)
		}
	}
	return time.Time{}
}

// edges are the seconds of a day at which a window may begin or end, rising.
func (w *Windows) edges() []int64 {
	var out []int64
	for _, x := range w.List {
		out = append(out, x.From%daySeconds, x.To%daySeconds)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
