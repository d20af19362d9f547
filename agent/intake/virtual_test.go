package intake

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site/sitetest"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/agent/virtual"
	"github.com/voltage-edge/voltage/sdk/frame"
)

const virtualSite = `
site "s" {}
channel "c" { plugin = "plain" }
device "m" {
  channel = channel.c
  point "x" {}
  point "out" {
    access = "w"
    write {
      min  = 0
      max  = 1
      safe = 0
    }
  }
}
alarm "high" { when = device.m.x > 5 }
rule "r" {
  when = alarm.high.active && schedule.evening
  on   = "rising"
  set "m.out" {
    value = 1
    ttl   = "1m"
  }
}
schedule "evening" {
  from = "22:15"
  to   = "23:00"
}
`

// written is what was appended to the journal: clock, device, and the first value.
type written struct{ lines []string }

func (w *written) AppendFrame(millis int64, device string, packed []byte) error {
	v, err := frame.Parse(packed, nil)
	if err != nil {
		return err
	}
	w.lines = append(w.lines, fmt.Sprintf("%s %s %v at %s", time.UnixMilli(millis).UTC().Format("15:04:05.000"), device, v.Value(0), v.Time().UTC().Format("15:04:05")))
	return nil
}

func TestSchedulesChangeAtTheirTimeHoweverLate(t *testing.T) {
	s := sitetest.Load(t, virtualSite)
	clock, log := newHandClock(), &written{}
	in := New(Options{Clock: clock, Journal: log}, s)
	b, err := frame.NewBuilder(s.Device("m").Table())
	if err != nil {
		t.Fatal(err)
	}
	give := func(v float64) {
		t.Helper()
		b.Set(0, v)
		if err := in.Frame("m", b.Pack(nil, clock.Now())); err != nil {
			t.Fatal(err)
		}
	}
	give(1)
	clock.advance(5 * time.Minute) // past the change, which nobody was awake for
	give(2)
	if due := in.passTime(clock.Now().UnixMilli()); time.UnixMilli(due).UTC().Format("15:04:05.000") != "23:00:00.000" {
		t.Errorf("it changes next at %v", time.UnixMilli(due).UTC())
	}
	clock.advance(time.Hour)
	in.passTime(clock.Now().UnixMilli())
	want := []string{
		"22:13:20.000 schedule.evening 0 at 22:13:20", "22:13:20.000 m 1 at 22:13:20",
		"22:15:00.000 schedule.evening 1 at 22:15:00", "22:18:20.000 m 2 at 22:18:20",
		"23:00:00.000 schedule.evening 0 at 23:00:00",
	}
	if !slices.Equal(log.lines, want) {
		t.Errorf("the journal has\n%q\nexpected\n%q", log.lines, want)
	}
	if err := in.Frame("schedule.evening", b.Pack(nil, clock.Now())); err == nil {
		t.Error("a plugin gives a frame of a schedule")
	}
	if st := in.Status(); len(st.Stale) != 0 {
		t.Errorf("stale: %v", st.Stale)
	}
}

func TestStatesOfAlarmsFollowEvents(t *testing.T) {
	s := sitetest.Load(t, virtualSite)
	clock, log := newHandClock(), &written{}
	fail := true
	in := New(Options{Clock: clock, Journal: log, States: func(context.Context) (virtual.States, error) {
		if fail {
			return virtual.States{}, os.ErrDeadlineExceeded
		}
		return virtual.States{Alarms: []virtual.AlarmState{{Name: "other", Active: true}, {Name: "high", Acked: true, Enabled: true}}}, nil
	}}, s)
	state := func() string {
		v, ok := in.live.Get("alarm.high.active")
		return fmt.Sprint(v.Value, v.Quality.ClassName(), ok)
	}
	if got := state(); got != "NaNbadtrue" {
		t.Errorf("before it is asked for: %s", got)
	}
	in.learnStates(context.Background())
	if got := state(); got != "NaNbadtrue" {
		t.Errorf("when it can't be had: %s", got)
	}
	fail = false
	in.learnStates(context.Background())
	if got := state(); got != "0goodtrue" {
		t.Errorf("when it was had: %s", got)
	}
	change := func(active, acked string) event.Event {
		return event.New(clock.Now(), event.Alarm, "alarm", "high", "event", "x", "active", active, "acked", acked, "shelving", "unshelved", "enabled", "1")
	}
	before := len(log.lines)
	in.follow(store.Result{Events: []event.Event{change("1", "0"), change("1", "0"), change("0", "1"), event.New(clock.Now(), event.Alarm, "alarm", "gone", "event", "removed")}})
	// The first point is acked. Twice the same is once; on and off again is both.
	if got := log.lines[before:]; len(got) != 2 || got[0][:28] != "22:13:20.000 alarm.high 0 at" || got[1][:28] != "22:13:20.000 alarm.high 1 at" {
		t.Errorf("frames %q", got)
	}
	in.forgot()
	in.learnStates(context.Background())
	if len(log.lines) != before+3 {
		t.Error("what Redis forgot is not said again")
	}
}

// unsteady is a store whose answers are lost now and then.
type unsteady struct{ lost bool }

func (u *unsteady) Apply(context.Context, store.Batch) (store.Result, error) {
	if u.lost {
		return store.Result{}, os.ErrDeadlineExceeded
	}
	return store.Result{}, nil
}

func (u *unsteady) Wake() <-chan struct{} { return nil }

// The results of windows are in the answer to a batch. When one is lost, they are asked for.
func TestWhatALostAnswerSaidIsAskedFor(t *testing.T) {
	asked, u := 0, &unsteady{}
	clock := newHandClock()
	in := New(Options{Clock: clock, Journal: &written{}, Store: u, States: func(context.Context) (virtual.States, error) {
		asked++
		return virtual.States{}, nil
	}}, sitetest.Load(t, virtualSite))
	r := &runner{in: in, pause: firstPause}
	for i, lost := range []bool{false, false, true, true, false, false} {
		u.lost = lost
		if r.apply(context.Background(), clock.Now().UnixMilli()) == lost {
			t.Errorf("batch %d: an answer that was lost: %v", i, lost)
		}
		if want := 1 + i/4; asked != want {
			t.Errorf("after batch %d they were asked for %d times, expected %d", i, asked, want)
		}
	}
}
