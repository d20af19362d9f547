package schedule_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/agent/schedule"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func window(t testing.TB, from, to string, days ...time.Weekday) schedule.Window {
	t.Helper()
	w := schedule.Window{}
	var err, err2 error
	w.From, err = schedule.Clock(from)
	w.To, err2 = schedule.Clock(to)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	for i := range w.Days {
		w.Days[i] = len(days) == 0
	}
	for _, d := range days {
		w.Days[d] = true
	}
	return w
}

// changes lists the changes from an instant on, for some days.
func changes(x schedule.Times, from time.Time, days int, loc *time.Location) []string {
	out := []string{word(x.Active(from))}
	end := from.AddDate(0, 0, days)
	for at := x.Next(from); !at.IsZero() && at.Before(end); at = x.Next(at) {
		out = append(out, at.In(loc).Format("02 15:04 -0700 ")+word(x.Active(at)))
	}
	return out
}

func word(active bool) string {
	if active {
		return "on"
	}
	return "off"
}

func TestWindowsOverTheChangeOfClocks(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, c := range []struct {
		name, start string
		windows     []schedule.Window
		want        string
	}{
		{"a night in winter", "2026-01-05T12:00:00+01:00", []schedule.Window{window(t, "22:00", "06:00")}, "off, 05 22:00 +0100 on, 06 06:00 +0100 off, 06 22:00 +0100 on, 07 06:00 +0100 off"},
		{"days are those of the beginning", "2026-01-09T12:00:00+01:00", []schedule.Window{window(t, "22:00", "06:00", time.Friday)}, "off, 09 22:00 +0100 on, 10 06:00 +0100 off"},
		{"the night in which an hour is left out", "2026-03-28T21:00:00+01:00", []schedule.Window{window(t, "22:00", "06:00")}, "off, 28 22:00 +0100 on, 29 06:00 +0200 off, 29 22:00 +0200 on, 30 06:00 +0200 off"},
		{"the night in which an hour comes twice", "2026-10-24T21:00:00+02:00", []schedule.Window{window(t, "22:00", "06:00")}, "off, 24 22:00 +0200 on, 25 06:00 +0100 off, 25 22:00 +0100 on, 26 06:00 +0100 off"},
		{"begins in the hour that is left out", "2026-03-29T01:00:00+01:00", []schedule.Window{window(t, "02:30", "04:00")}, "off, 29 03:00 +0200 on, 29 04:00 +0200 off, 30 02:30 +0200 on, 30 04:00 +0200 off"},
		{"ends in the hour that is left out", "2026-03-29T00:30:00+01:00", []schedule.Window{window(t, "01:00", "02:30")}, "off, 29 01:00 +0100 on, 29 03:00 +0200 off, 30 01:00 +0200 on, 30 02:30 +0200 off, 31 01:00 +0200 on"},
		{"within the hour that is left out", "2026-03-29T01:00:00+01:00", []schedule.Window{window(t, "02:15", "02:45")}, "off, 30 02:15 +0200 on, 30 02:45 +0200 off"},
		{"within the hour that comes twice", "2026-10-25T01:00:00+02:00", []schedule.Window{window(t, "02:15", "02:45")}, "off, 25 02:15 +0200 on, 25 02:45 +0200 off, 25 02:15 +0100 on, 25 02:45 +0100 off, 26 02:15 +0100 on, 26 02:45 +0100 off"},
		{"begins in the hour that comes twice", "2026-10-25T01:00:00+02:00", []schedule.Window{window(t, "02:30", "04:00", time.Sunday)}, "off, 25 02:30 +0200 on, 25 02:00 +0100 off, 25 02:30 +0100 on, 25 04:00 +0100 off"},
		{"until midnight, and from midnight on", "2026-01-05T12:00:00+01:00", []schedule.Window{window(t, "20:00", "24:00"), window(t, "00:00", "04:00")}, "off, 05 20:00 +0100 on, 06 04:00 +0100 off, 06 20:00 +0100 on, 07 04:00 +0100 off"},
		{"always", "2026-01-05T12:00:00+01:00", []schedule.Window{window(t, "00:00", "24:00")}, "on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start, err := time.Parse(time.RFC3339, c.start)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(changes(&schedule.Windows{Zone: berlin, List: c.windows}, start, 2, berlin), ", ")
			if got != c.want {
				t.Errorf("got\n%s\nexpected\n%s", got, c.want)
			}
		})
	}
}

func crons(t testing.TB, loc *time.Location, hold time.Duration, texts ...string) *schedule.Crons {
	t.Helper()
	out := &schedule.Crons{Zone: loc, For: hold}
	for _, text := range texts {
		c, err := schedule.ParseCron(text)
		if err != nil {
			t.Fatal(err)
		}
		out.List = append(out.List, c)
	}
	return out
}

func TestCronOverTheChangeOfClocks(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, c := range []struct {
		name, start string
		cron        []string
		hold        time.Duration
		want        string
	}{
		{"on weekdays", "2026-01-09T05:00:00+01:00", []string{"0 6 * * 1-5"}, 15 * time.Minute, "off, 09 06:00 +0100 on, 09 06:15 +0100 off, 12 06:00 +0100 on, 12 06:15 +0100 off"},
		{"in the hour that is left out: right then", "2026-03-29T01:00:00+01:00", []string{"30 2 * * *"}, time.Hour, "off, 29 03:00 +0200 on, 29 04:00 +0200 off, 30 02:30 +0200 on, 30 03:30 +0200 off, 31 02:30 +0200 on, 31 03:30 +0200 off, 01 02:30 +0200 on, 01 03:30 +0200 off"},
		{"in the hour that comes twice: once", "2026-10-25T01:00:00+02:00", []string{"30 2 * * sun"}, 10 * time.Minute, "off, 25 02:30 +0200 on, 25 02:40 +0200 off"},
		{"each hour, where one is left out", "2026-03-29T01:30:00+01:00", []string{"0 * 29 3 *"}, time.Minute, "off, 29 03:00 +0200 on, 29 03:01 +0200 off, 29 04:00 +0200 on, 29 04:01 +0200 off"},
		{"each hour, where one comes twice", "2026-10-25T01:30:00+02:00", []string{"0 * 25 10 *"}, time.Minute, "off, 25 02:00 +0200 on, 25 02:01 +0200 off, 25 02:00 +0100 on, 25 02:01 +0100 off"},
		{"what runs into each other is one", "2026-01-05T00:30:00+01:00", []string{"0 1 5 1 *", "30 1 5 1 *", "0 2 5 1 *"}, 30 * time.Minute, "off, 05 01:00 +0100 on, 05 02:30 +0100 off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start, err := time.Parse(time.RFC3339, c.start)
			if err != nil {
				t.Fatal(err)
			}
			days := 4
			if strings.HasPrefix(c.name, "each hour") {
				days = 1
			}
			got := changes(crons(t, berlin, c.hold, c.cron...), start, days, berlin)
			if days == 1 {
				got = got[:5]
			}
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("got\n%s\nexpected\n%s", text, c.want)
			}
		})
	}
}

func TestCronWithoutAnEndIsBounded(t *testing.T) {
	x := crons(t, time.UTC, time.Hour, "* * * * *")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if next := x.Next(at); !x.Active(at) || !next.After(at) || !x.Active(next) {
		t.Errorf("next %v", next)
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"0 6 * *":        "4 fields",
		"60 6 * * *":     "from 0 to 59",
		"0 6 * * mo":     "a name such as mon",
		"0 6 0 * *":      "from 1 to 31",
		"0 6-4 * * *":    "goes backwards",
		"*/0 * * * *":    "a step",
		"*/x * * * *":    "a step",
		"0 6 30 feb *":   "never comes",
		"1,,2 * * * *":   "minute",
		"TZ=UTC 0 6 * *": "minute",
		"@daily":         "1 fields",
		"-1 * * * *":     "minute",
		"? * * * *":      "minute",
	} {
		if _, err := schedule.ParseCron(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected %q", text, err, want)
		}
	}
	for _, text := range []string{"", "6", "25:00", "24:01", "06:60", "-1:00"} {
		if _, err := schedule.Clock(text); err == nil {
			t.Errorf("%q is taken for a time of the day", text)
		}
	}
}

var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca", "Pacific/Apia", "America/St_Johns"}

// anInstant is one near a change of clocks, or anywhere.
func anInstant(t *rapid.T, loc *time.Location) time.Time {
	at := time.Unix(rapid.Int64Range(1.2e9, 2.5e9).Draw(t, "at"), 0)
	if _, end := at.In(loc).ZoneBounds(); !end.IsZero() && rapid.Bool().Draw(t, "near") {
		return end.Add(time.Duration(rapid.Int64Range(-30, 30).Draw(t, "minutes")) * 7 * time.Minute)
	}
	return at
}

// TestWindowsAgainstAnOracle asks each minute what the clock on the wall shows.
func TestWindowsAgainstAnOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		x := &schedule.Windows{Zone: loc}
		for range rapid.IntRange(1, 3).Draw(t, "windows") {
			w := schedule.Window{From: rapid.Int64Range(0, 95).Draw(t, "from") * 900, To: rapid.Int64Range(0, 96).Draw(t, "to") * 900}
			for d := range w.Days {
				w.Days[d] = rapid.Bool().Draw(t, "day")
			}
			x.List = append(x.List, w)
		}
		oracle := func(at time.Time) bool {
			local := at.In(loc)
			second := int64(local.Hour()*3600 + local.Minute()*60 + local.Second())
			today := local.Weekday()
			for _, w := range x.List {
				switch {
				case w.From < w.To:
					if w.Days[today] && w.From <= second && second < w.To {
						return true
					}
				case w.Days[today] && second >= w.From, w.Days[(today+6)%7] && second < w.To:
					return true
				}
			}
			return false
		}
		start := anInstant(t, loc)
		if x.Active(start) != oracle(start) {
			t.Fatalf("at %v: %v", start.In(loc), x.Active(start))
		}
		next := x.Next(start)
		if !next.IsZero() && x.Active(next) == x.Active(start) {
			t.Fatalf("nothing changes at %v", next.In(loc))
		}
		for at := start.Add(time.Second).Truncate(time.Minute); at.Before(start.Add(3 * 24 * time.Hour)); at = at.Add(time.Minute) {
			if !at.After(start) {
				continue
			}
			if changed := oracle(at) != oracle(start); changed || !next.IsZero() && !at.Before(next) {
				if !changed || !at.Equal(next) {
					t.Fatalf("from %v the next change is %v, and the oracle's %v (%v)", start.In(loc), next.In(loc), at.In(loc), changed)
				}
				return
			}
		}
	})
}

func aField(t *rapid.T, least, most int) string {
	switch rapid.IntRange(0, 4).Draw(t, "form") {
	case 0, 1:
		return "*"
	case 2:
		return "*/" + strconv.Itoa(rapid.IntRange(1, most).Draw(t, "step"))
	case 3:
		a := rapid.IntRange(least, most).Draw(t, "a")
		return strconv.Itoa(a) + "-" + strconv.Itoa(rapid.IntRange(a, most).Draw(t, "b"))
	}
	return strconv.Itoa(rapid.IntRange(least, most).Draw(t, "a")) + "," + strconv.Itoa(rapid.IntRange(least, most).Draw(t, "b"))
}
