package virtual_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site/sitetest"
	"github.com/voltage-edge/voltage/agent/virtual"
	"github.com/voltage-edge/voltage/sdk/frame"
)

const timed = `
site "s" { timezone = "Europe/Berlin" }
schedule "night" {
  from = "22:00"
  to   = "02:30"
}
schedule "quarter" {
  cron = "*/15 * * * *"
  for  = "90s"
}
schedule "daily" {
  cron     = "30 2 * * *"
  for      = "2h"
  timezone = "America/New_York"
}
schedule "always" {
  from = "00:00"
  to   = "24:00"
}
`

func lines(frames []virtual.Frame) []string {
	var out []string
	for _, f := range frames {
		v, err := frame.Parse(f.Packed, nil)
		if err != nil {
			return []string{err.Error()}
		}
		out = append(out, fmt.Sprintf("%d %s %v %v", f.Millis, f.Device, v.Value(0), int64(v.Millis())))
	}
	return out
}

const day = 24 * 3600 * 1000

// However the clock is brought forward, the frames are the same, each at its time.
func TestFramesDoNotDependOnWhenTheClockIsLookedAt(t *testing.T) {
	s := sitetest.Load(t, timed)
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC).UnixMilli() + rapid.Int64Range(0, 1e9).Draw(t, "start")
		end := start + 2*day
		one, two := virtual.New(s), virtual.New(s)
		a, b := lines(one.Start(start)), lines(two.Start(start))
		for one.Due() <= end {
			a = append(a, lines(one.Advance(one.Due()))...)
		}
		for now := start; now < end; {
			now = min(end, now+rapid.Int64Range(1, day).Draw(t, "step"))
			b = append(b, lines(two.Advance(now))...)
		}
		if !slices.Equal(a, b) {
			t.Fatalf("one by one\n%q\notherwise\n%q", a, b)
		}
		if len(a) < 4+2*2*24*4 {
			t.Fatalf("%d frames only", len(a))
		}
	})
}

func TestALongJumpGivesWhatHoldsThen(t *testing.T) {
	v := virtual.New(sitetest.Load(t, timed))
	start := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC).UnixMilli()
	if got := v.Start(start); len(got) != 4 {
		t.Fatalf("%q", lines(got))
	}
	later := time.Date(2027, 3, 28, 22, 20, 0, 0, time.UTC).UnixMilli() // 0:20 in Berlin
	if got, want := lines(v.Advance(later)), []string{fmt.Sprintf("%d schedule.night 1 %d", later, later)}; !slices.Equal(got[:1], want) || len(got) > 2 {
		t.Errorf("%q, expected %q and perhaps one more", got, want)
	}
	if due := time.UnixMilli(v.Due()).UTC(); due.Format("15:04") != "22:30" {
		t.Errorf("it goes on at %v", due)
	}
}

func TestWhatIsNoAlarmOfTheSiteIsLeftAlone(t *testing.T) {
	v := virtual.New(sitetest.Load(t, timed))
	for _, e := range []event.Event{
		event.New(time.Now(), event.Alarm, "alarm", "x", "active", "1"), event.New(time.Now(), event.Rule, "rule", "night"),
	} {
		if got := v.Follow(e, 1); len(got) != 0 {
			t.Errorf("%v gives %q", e, lines(got))
		}
	}
	if v.Follows() || len(v.Learn(virtual.States{Alarms: []virtual.AlarmState{{Name: "x"}}}, 1)) != 0 {
		t.Error("it has alarms")
	}
}
