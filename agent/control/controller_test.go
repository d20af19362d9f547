package control

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
)

func TestStartWritesTheSafeValueAndExpiryFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, point("lan", "bess", limits(-50, 50, 0, -1)))
		r.expect("0 bess.setpoint=-1")
		r.state("bess.setpoint", StateSafe)
		r.ask("1", "bess.setpoint", "rule.low", "5", 10, "")
		r.ask("2", "bess.setpoint", "rule.peak", "20", 50, "10000")
		r.expect("0 bess.setpoint=5", "0 bess.setpoint=20")
		s := r.state("bess.setpoint", StateHeld)
		if s.Owner != "rule.peak" || *s.Priority != 50 || s.Expires == nil || *s.Value != 20 {
			t.Fatalf("%+v", s)
		}
		r.after(10 * time.Second)
		r.expect("10000 bess.setpoint=5")
		r.ask("", "bess.setpoint", "rule.low", "", 10, "")
		r.expect("10000 bess.setpoint=-1")
		if n := r.count(event.Arbitration, ""); n != 4 {
			t.Errorf("%d arbitration events, expected 4", n)
		}
		r.ask("", "bess.setpoint", "rule.low", "7", 10, "")
		r.plant.take()
		r.stop()
		r.expect("10000 bess.setpoint=-1")
	})
}

func TestRequestsInForceAreTakenUpAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().UnixMilli()
		r := newRig(t, func(o *Options) {
			o.Requests = []Request{
				{Output: "bess.setpoint", Owner: "cli.anna", Value: 9, Priority: 5, At: now - 60000, Until: now + 5000},
				{Output: "bess.setpoint", Owner: "rule.gone", Value: 30, Priority: 90, At: now - 60000, Until: now - 1},
				{Output: "none.such", Owner: "rule.x", Value: 30, At: now - 60000, Until: Forever},
			}
		}, point("lan", "bess", limits(-50, 50, 0, 0)))
		r.expect("0 bess.setpoint=9")
		e, _ := r.c.Why("bess.setpoint")
		if e.Winner == nil || e.Time.Sub(e.Winner.Since) != time.Minute {
			t.Errorf("winner %+v", e.Winner)
		}
		r.after(5 * time.Second)
		r.expect("5000 bess.setpoint=0")
		r.stop()
	})
}

func TestRampStepsAndArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, point("lan", "bess", limits(-50, 50, 10, 0)))
		r.expect("0 bess.setpoint=0")
		r.ask("1", "bess.setpoint", "rule.a", "12", 1, "")
		r.state("bess.setpoint", StateRamping)
		r.after(1300 * time.Millisecond)
		r.expect("100 bess.setpoint=1", "600 bess.setpoint=6", "1100 bess.setpoint=11", "1200 bess.setpoint=12")
		r.state("bess.setpoint", StateHeld)
		// An aim that moves all the time is followed none the less.
		for i := range 20 {
			r.ask("", "bess.setpoint", "rule.a", fmt.Sprint(-10-i), 1, "")
			r.after(50 * time.Millisecond)
		}
		if got := r.plant.take(); len(got) < 2 || len(got) > 4 {
			t.Errorf("writes while the aim moved: %q", got)
		}
		r.stop()
	})
}

func TestSlowChannelDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, point("lan", "bess", limits(-50, 50, 0, 0)), point("serial", "pv", limits(0, 50, 0, 0)))
		r.plant.take()
		r.plant.set(func() { r.plant.slow["pv.setpoint"] = 3 * time.Second })
		for i := 1; i <= 5; i++ {
			r.ask("", "pv.setpoint", "rule.a", fmt.Sprint(i), 1, "")
			r.ask("", "bess.setpoint", "rule.a", fmt.Sprint(i), 1, "")
		}
		r.expect("0 bess.setpoint=1", "0 bess.setpoint=2", "0 bess.setpoint=3", "0 bess.setpoint=4", "0 bess.setpoint=5")
		r.after(7 * time.Second)
		// What came while the first write was under way was not queued: only the newest is written.
		r.expect("3000 pv.setpoint=1", "6000 pv.setpoint=5")
		r.plant.set(func() { r.plant.slow["pv.setpoint"] = 0 })
		r.stop()
	})
}

func TestLeastIntervalAndRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := point("lan", "bess", limits(-50, 50, 0, 0))
		o.MinInterval = 2 * time.Second
		p := point("lan", "pv", limits(0, 50, 0, 10))
		p.Refresh = 3 * time.Second
		r := newRig(t, nil, o, p)
		r.plant.take()
		r.ask("", "bess.setpoint", "rule.a", "1", 1, "")
		r.ask("", "bess.setpoint", "rule.a", "2", 1, "")
		r.expect()
		before := r.count(event.Write, "")
		r.after(7 * time.Second)
		r.expect("2000 bess.setpoint=2", "3000 pv.setpoint=10", "6000 pv.setpoint=10")
		if n := r.count(event.Write, "") - before; n != 1 {
			t.Errorf("%d write events, expected that of the change alone", n)
		}
		r.stop()
	})
}

func TestDeadDeviceIsTriedAgainAndReapplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, point("lan", "bess", limits(-50, 50, 0, 0)), point("lan", "pv", limits(0, 50, 0, 0)))
		r.plant.take()
		r.plant.set(func() { r.plant.refuse["bess.setpoint"] = errors.New("exception 11: gateway target did not respond") })
		r.ask("7", "bess.setpoint", "api.anna", "5", 1, "")
		out := r.outcome("7")
		if out.Result != ResultFailed || out.Answer != "exception 11: gateway target did not respond" || out.OK() {
			t.Errorf("%+v", out)
		}
		r.after(3600 * time.Millisecond)
		r.expect("0 bess.setpoint=5 refused", "500 bess.setpoint=5 refused", "1500 bess.setpoint=5 refused", "3500 bess.setpoint=5 refused")
		r.state("bess.setpoint", StateFailed)
		r.ask("", "pv.setpoint", "rule.a", "3", 1, "")
		r.expect("3600 pv.setpoint=3")
		// A new aim does not wait for the back-off, but for the shortest pause.
		r.ask("", "bess.setpoint", "api.anna", "6", 1, "")
		r.after(500 * time.Millisecond)
		r.expect("4000 bess.setpoint=6 refused")
		r.plant.set(func() { delete(r.plant.refuse, "bess.setpoint") })
		r.c.Reapply("bess")
		synctest.Wait()
		r.expect("4100 bess.setpoint=6")
		r.state("bess.setpoint", StateHeld)
		r.c.ReapplyChannel("lan")
		synctest.Wait()
		if got := r.plant.take(); len(got) != 2 {
			t.Errorf("%q", got)
		}
		r.stop()
	})
}

func TestRampGoesOnFromWhereTheDeviceStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Reader = nil }, point("lan", "bess", limits(-50, 50, 1, 0)))
		r.plant.take()
		r.plant.set(func() { r.plant.refuse["bess.setpoint"] = errors.New("no answer") })
		r.ask("", "bess.setpoint", "rule.a", "40", 1, "")
		r.after(time.Minute)
		r.plant.set(func() { delete(r.plant.refuse, "bess.setpoint") })
		r.plant.take()
		r.c.Reapply("bess")
		synctest.Wait()
		r.expect("60000 bess.setpoint=0")
		r.after(600 * time.Millisecond)
		r.expect("60500 bess.setpoint=0.5")
		r.stop()
	})
}

func TestReconfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bess, pv, charger := point("lan", "bess", limits(-50, 50, 0, 0)), point("lan", "pv", limits(0, 50, 0, 5)), point("serial", "ev", limits(0, 22, 0, 0))
		r := newRig(t, nil, bess, pv, charger)
		for _, name := range []string{"bess", "pv", "ev"} {
			r.ask("", name+".setpoint", "rule.a", "20", 1, "")
		}
		r.plant.take()
		bess.Limits.Max = 15
		added := point("new", "heater", limits(0, 3, 0, 1))
		if err := r.c.Reconfigure(context.Background(), []Output{bess, charger, added}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		got := map[string]bool{}
		for _, w := range r.plant.take() {
			got[w] = true
		}
		if len(got) != 3 || !got["0 bess.setpoint=15"] || !got["0 pv.setpoint=5"] || !got["0 heater.setpoint=1"] {
			t.Fatalf("%v", got)
		}
		if len(r.c.Status()) != 3 {
			t.Errorf("%+v", r.c.Status())
		}
		// A channel that went away takes its goroutine with it, and an output that can't be left safe is named.
		r.plant.set(func() { r.plant.refuse["ev.setpoint"] = errors.New("no answer") })
		if err := r.c.Reconfigure(context.Background(), []Output{bess, added}); err == nil {
			t.Error("expected an error that names ev.setpoint")
		}
		synctest.Wait()
		if n := len(r.c.workers); n != 2 {
			t.Errorf("%d workers, expected 2", n)
		}
		bess.Channel = "serial"
		r.plant.take()
		if err := r.c.Reconfigure(context.Background(), []Output{bess, added}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.expect("0 bess.setpoint=15")
		r.stop()
	})
}

func TestStopGivesUpOnAHungDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, point("lan", "bess", limits(-50, 50, 0, 0)), point("lan", "pv", limits(0, 50, 0, 0)))
		r.ask("", "bess.setpoint", "rule.a", "5", 1, "")
		r.ask("", "pv.setpoint", "rule.a", "5", 1, "")
		r.plant.take()
		r.plant.set(func() { r.plant.hung["bess.setpoint"] = true })
		r.c.Reapply("bess")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		err := r.c.Stop(ctx)
		if err == nil {
			t.Error("expected an error that names bess.setpoint")
		}
		if got := r.plant.take(); len(got) != 1 {
			t.Errorf("%q", got)
		}
	})
}

func TestClockThatIsSetMovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, point("lan", "bess", limits(-50, 50, 0, 0)))
		r.plant.take()
		// The libraries' clock runs an hour ahead of the controller's.
		r.c.Handle(event.New(time.Now().Add(time.Hour), event.Request, "output", "bess.setpoint", "owner", "rule.a", "value", "5", "ttl", "3000"))
		synctest.Wait()
		r.expect("0 bess.setpoint=5")
		r.after(3 * time.Second)
		r.expect("3000 bess.setpoint=0")
		r.stop()
	})
}

func TestLimitsThatGiveNoNumberAreRefused(t *testing.T) {
	for _, l := range []Limits{
		limits(math.NaN(), 1, 0, 0), limits(5, 1, 0, 0), limits(0, 1, 0, math.NaN()), limits(0, 1, math.NaN(), 0), limits(0, 1, -1, 0),
		limits(0, math.Inf(1), 0, math.Inf(1)),
	} {
		if _, err := New(Options{Writer: newPlant(), Outputs: []Output{point("lan", "bess", l)}}); err == nil {
			t.Errorf("%+v was taken", l)
		}
	}
}
