package replay

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// watchful reads the state of an alarm and a schedule in a rule, beside what pastSite has.
const watchful = pastSite + `
schedule "noon" {
  from     = "12:00"
  to       = "12:08"
  timezone = "UTC"
}
rule "careful" {
  when = alarm.high.active && schedule.noon
  set "m.setpoint" {
    value = -5
    ttl   = "60s"
  }
}
`

// beside runs a live engine for some minutes, and from the middle on a candidate beside it, and gives what differed.
func beside(t *testing.T, live, candidate string) *Shadow {
	t.Helper()
	ctx := t.Context()
	s, programs := compiled(t, live)
	e, err := Open(ctx, Options{Site: s, Programs: programs, Start: scenarioStart})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	c, candidatePrograms := compiled(t, candidate)
	sh, err := OpenShadow(ctx, ShadowOptions{Site: c, Programs: candidatePrograms, Live: s, Within: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sh.Close)
	m, err := frame.NewBuilder(s.Device("m").Table())
	if err != nil {
		t.Fatal(err)
	}
	n, err := frame.NewBuilder(s.Device("n").Table())
	if err != nil {
		t.Fatal(err)
	}
	for i := range minutes * 60 {
		at := scenarioStart + int64(i)*1000
		if i == 150 { // the rule and the alarm are in the middle of what they do
			e.Take()
			snap, err := e.store.Snapshot(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := sh.Seed(ctx, snap, at); err != nil {
				t.Fatal(err)
			}
		}
		m.Set(0, 80+30*math.Sin(float64(i)/40))
		m.Set(1, 0)
		n.Set(0, 50)
		b := store.Batch{Now: at + 3, Frames: []store.Frame{
			{Device: "m", Millis: at, Packed: m.Pack(nil, time.UnixMilli(at))}, {Device: "n", Millis: at + 3, Packed: n.Pack(nil, time.UnixMilli(at))},
		}}
		if i == 310 {
			in := event.New(time.UnixMilli(at), event.Alarm, "alarm", "high", "event", "disable", "by", "anna")
			if err := e.Feed(ctx, at); err != nil {
				t.Fatal(err)
			}
			if err := e.Input(ctx, in); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range b.Frames {
			if err := e.Feed(ctx, f.Millis, f); err != nil {
				t.Fatal(err)
			}
		}
		if events := e.Take(); i >= 150 {
			if err := sh.Step(ctx, ShadowStep{Batch: b, Events: events}); err != nil {
				t.Fatal(err)
			}
		}
	}
	sh.Finish()
	return sh
}

func TestShadowOfTheSameSite(t *testing.T) {
	text := strings.ReplaceAll(watchful, "LIMIT", "85")
	sh := beside(t, text, text)
	subjects, totals, differences, notes := sh.Compared()
	if totals.Differences() != 0 || totals.Same < 20 || len(notes) != 0 {
		t.Errorf("%+v %v %v", totals, differenceText(differences), notes)
	}
	found := map[string]bool{}
	for _, s := range subjects {
		found[s.Kind+" "+s.Name+" "+s.Owner] = true
	}
	for _, want := range []string{"request m.setpoint rule.shave", "request m.setpoint rule.careful", "alarm high ", "rule careful "} {
		if !found[want] {
			t.Errorf("nothing of %q in %+v", want, subjects)
		}
	}
	if c := sh.Counts(); c.Frames != 2*(minutes*60-150) || c.Inputs != 1 || c.Spent <= 0 {
		t.Errorf("%+v", c)
	}
}

func TestShadowOfAnotherSite(t *testing.T) {
	live := strings.ReplaceAll(watchful, "LIMIT", "85")
	candidate := strings.Replace(strings.ReplaceAll(watchful, "LIMIT", "85"), "value = -5", "value = -7", 1)
	candidate = strings.Replace(candidate, `point "temp" { unit = "°C" }`, "point \"humidity\" {}\n  point \"temp\" { unit = \"°C\" }", 1)
	sh := beside(t, live, candidate)
	subjects, totals, differences, notes := sh.Compared()
	if totals.Differences() == 0 || len(notes) != 1 || !strings.Contains(notes[0], "n.humidity") {
		t.Errorf("%+v %v", totals, notes)
	}
	for _, s := range subjects {
		if s.Owner == "rule.careful" && (s.MeanNow == nil || *s.MeanNow != -7 || *s.MeanThen != -5) {
			t.Errorf("%+v", s)
		}
		if s.Kind == event.Alarm && s.Differences() != 0 {
			t.Errorf("the alarm did not change: %+v", s)
		}
	}
	for _, d := range differences {
		if d.Kind == event.Request && d.Owner != "rule.careful" {
			t.Errorf("unexpected: %s", differenceText([]Difference{d}))
		}
	}
}

func differenceText(differences []Difference) string {
	var b strings.Builder
	for _, d := range differences {
		fmt.Fprintf(&b, "%s %s %s %s: then %+v, now %+v\n", d.Time.Format(time.RFC3339Nano), d.Kind, d.Name, d.Owner, d.Then, d.Now)
	}
	return b.String()
}
