package control

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
)

func TestReadBackMismatchIsWrittenOverOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := point("lan", "bess", limits(-50, 50, 0, 0))
		o.ReadBack = &ReadBack{Device: "bess", Point: "setpoint", Within: 0.5, After: 2 * time.Second}
		r := newRig(t, nil, o)
		r.after(3 * time.Second)
		r.plant.take()
		r.ask("1", "bess.setpoint", "cli.anna", "20", 1, "")
		out := r.outcome("1")
		if out.Result != ResultWritten || out.ReadBack == nil || *out.ReadBack != 20 || !out.OK() {
			t.Fatalf("%+v", out)
		}
		r.plant.take()
		r.plant.set(func() { r.plant.stuck["bess.setpoint"] = true })
		r.ask("2", "bess.setpoint", "cli.anna", "30", 1, "")
		out = r.outcome("2")
		if out.Result != ResultMismatch || *out.ReadBack != 20 {
			t.Fatalf("%+v", out)
		}
		r.after(time.Minute)
		r.expect("5000 bess.setpoint=30", "7000 bess.setpoint=30")
		r.state("bess.setpoint", StateMismatch)
		if n := r.count(event.Write, "mismatch"); n != 2 {
			t.Errorf("%d mismatch events, expected 2", n)
		}
		// It heals when the reading agrees again, and a value that reverts silently is written over.
		r.plant.set(func() { r.plant.values["bess.setpoint"] = 30.2; delete(r.plant.stuck, "bess.setpoint") })
		r.after(11 * time.Second)
		r.state("bess.setpoint", StateHeld)
		r.expect()
		r.plant.set(func() { r.plant.values["bess.setpoint"] = 0 })
		r.after(11 * time.Second)
		if got := r.plant.take(); len(got) != 1 {
			t.Errorf("%q", got)
		}
		r.stop()
	})
}

func TestMismatchIsToldOnceThoughTheValueIsRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := point("lan", "bess", limits(-50, 50, 0, 0))
		o.Refresh = 3 * time.Second
		o.ReadBack = &ReadBack{Device: "bess", Point: "setpoint", Within: 0.5, After: time.Second}
		r := newRig(t, nil, o)
		r.after(2 * time.Second)
		r.plant.set(func() { r.plant.stuck["bess.setpoint"] = true })
		r.ask("1", "bess.setpoint", "cli.anna", "20", 1, "")
		r.after(time.Minute)
		r.state("bess.setpoint", StateMismatch)
		if n := r.count(event.Write, "mismatch"); n != 2 {
			t.Errorf("%d mismatch events, expected that of the write and that of its repetition", n)
		}
		r.plant.set(func() { delete(r.plant.stuck, "bess.setpoint") })
		r.after(time.Minute)
		r.state("bess.setpoint", StateHeld)
		r.stop()
	})
}

func TestUnreadableReadBackIsNoMismatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := point("lan", "bess", limits(-50, 50, 0, 0))
		o.ReadBack = &ReadBack{Device: "bess", Point: "setpoint", Within: 0.5, After: time.Second}
		r := newRig(t, nil, o)
		r.plant.set(func() { r.plant.times["bess.setpoint"] = time.Now().Add(-time.Hour) })
		r.ask("1", "bess.setpoint", "cli.anna", "20", 1, "")
		if out := r.outcome("1"); out.Result != ResultWritten || out.ReadBack != nil {
			t.Fatalf("%+v", out)
		}
		r.state("bess.setpoint", StateHeld)
		r.stop()
	})
}

func TestOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := point("lan", "bess", limits(-50, 50, 0, 0))
		p := point("lan", "pv", limits(0, 50, 1, 0))
		r := newRig(t, nil, o, p)
		r.ask("held-by", "bess.setpoint", "rule.peak", "10", 50, "")
		check := func(id string, want Result) Outcome {
			t.Helper()
			out := r.outcome(id)
			if out.Result != want || out.Detail == "" || out.Request != id {
				t.Fatalf("%s: %+v, expected %s", id, out, want)
			}
			return out
		}
		r.ask("a", "bess.setpoint", "cli.anna", "5", 10, "1000")
		if out := check("a", ResultOutranked); out.Holder == nil || out.Holder.Owner != "rule.peak" {
			t.Errorf("%+v", out)
		}
		r.ask("b", "bess.setpoint", "cli.anna", "500", 60, "1000")
		if out := check("b", ResultWritten); !out.Clamped || *out.Value != 50 || *out.Asked != 500 || !out.OK() {
			t.Errorf("%+v", out)
		}
		r.ask("b2", "bess.setpoint", "cli.anna", "50", 60, "1000") // already there
		check("b2", ResultWritten)
		r.ask("c", "bess.setpoint", "cli.anna", "", 60, "")
		if out := check("c", ResultWithdrawn); out.Holder.Owner != "rule.peak" {
			t.Errorf("%+v", out)
		}
		r.ask("d", "pv.setpoint", "cli.anna", "40", 60, "2000") // a ramp of 40 s
		check("d", ResultExpired)
		r.ask("e", "pv.setpoint", "cli.anna", "40", 60, "")
		r.ask("f", "pv.setpoint", "cli.anna", "2", 60, "")
		check("e", ResultReplaced)
		check("f", ResultWritten)
		r.ask("g", "none.such", "cli.anna", "2", 60, "")
		check("g", ResultFailed)
		r.ask("h", "bess.setpoint", "cli.anna", "nan", 60, "")
		check("h", ResultFailed)
		if r.c.Refused() != 2 {
			t.Errorf("refused %d", r.c.Refused())
		}
		// Who waits before the request has arrived is served too.
		got := make(chan Outcome)
		go func() { got <- r.outcome("late") }()
		synctest.Wait()
		r.ask("late", "bess.setpoint", "cli.anna", "1", 99, "")
		if out := <-got; out.Result != ResultWritten {
			t.Errorf("%+v", out)
		}
		r.ask("i", "pv.setpoint", "cli.anna", "49", 60, "")
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		out, err := r.c.Wait(ctx, "i")
		if err != nil || out.Result != ResultPending {
			t.Errorf("%+v %v", out, err)
		}
		gone, leave := context.WithCancel(context.Background())
		leave()
		if _, err := r.c.Wait(gone, "i"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		r.stop()
	})
}

func TestWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, point("lan", "bess", limits(math.Inf(-1), 50, 10, 0)))
		r.ask("", "bess.setpoint", "rule.self_use", "5", 10, "")
		r.ask("", "bess.setpoint", "cli.anna", "9", 90, "1000")
		r.after(1500 * time.Millisecond)
		r.ask("", "bess.setpoint", "rule.peak", "80", 50, "30000")
		r.after(time.Second)
		e, ok := r.c.Why("bess.setpoint")
		if !ok || e.Winner.Owner != "rule.peak" || e.Winner.Rev != "r7" || e.Clamped == nil || e.Clamped.To != 50 || e.Ramp == nil ||
			len(e.Contenders) != 2 || e.Contenders[0].Lost != "lower priority" || e.Contenders[1].Lost != "expired" || e.Range.Min != nil {
			t.Fatalf("%+v", e)
		}
		want := "rule.peak holds bess.setpoint with priority 50 and asked for 80 kW, cut to 50 kW, for 29 s more; " +
			"it ramps at 10 kW a second and is there in 3.5 s."
		if got := e.Sentence(); got != want {
			t.Errorf("sentence:\n got %s\nwant %s", got, want)
		}
		if _, ok := r.c.Why("none.such"); ok {
			t.Error("an explanation of nothing")
		}
		r.stop()
	})
}
