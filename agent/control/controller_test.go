package control

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plant holds points as a device would: what is written can be read, unless it is told otherwise.
type plant struct {
	mu     sync.Mutex
	values map[string]float64
	times  map[string]time.Time
	log    []string
	wrote  []time.Time
	// refuse, by point, is the error that a write gets; stuck points take a write and keep their value; slow ones take
	// this long; hung ones answer when ctx ends.
	refuse map[string]error
	stuck  map[string]bool
	slow   map[string]time.Duration
	hung   map[string]bool
	start  time.Time
}

func newPlant() *plant {
	return &plant{
		values: map[string]float64{}, times: map[string]time.Time{}, refuse: map[string]error{}, stuck: map[string]bool{},
		slow: map[string]time.Duration{}, hung: map[string]bool{}, start: time.Now(),
	}
}

func (p *plant) Write(ctx context.Context, device, point string, value float64) (sdk.WriteResponse, error) {
	name := device + "." + point
	p.mu.Lock()
	slow, hung := p.slow[name], p.hung[name]
	p.mu.Unlock()
	if hung {
		<-ctx.Done()
		return sdk.WriteResponse{}, ctx.Err()
	}
	time.Sleep(slow)
	p.mu.Lock()
	defer p.mu.Unlock()
	at := time.Since(p.start).Milliseconds()
	p.wrote = append(p.wrote, time.Now())
	if err := p.refuse[name]; err != nil {
		p.log = append(p.log, fmt.Sprintf("%d %s=%g refused", at, name, value))
		return sdk.WriteResponse{Answer: err.Error(), Err: err}, nil
	}
	p.log = append(p.log, fmt.Sprintf("%d %s=%g", at, name, value))
	if !p.stuck[name] {
		p.values[name] = value
	}
	return sdk.WriteResponse{Written: value}, nil
}

// Value reads a point as if it was polled this very moment.
func (p *plant) Value(device, point string) (float64, frame.Quality, time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, ok := p.values[device+"."+point]
	at := time.Now()
	if t, fixed := p.times[device+"."+point]; fixed {
		at = t
	}
	return v, frame.Good, at, ok
}

func (p *plant) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// take gives the log since the last take.
func (p *plant) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.log
	p.log = nil
	return out
}

// rig is a controller on a plant, inside a bubble of synctest: time is the test's.
type rig struct {
	t      *testing.T
	plant  *plant
	c      *Controller
	mu     sync.Mutex
	events []event.Event
}

func limits(min, max, ramp, safe float64) Limits {
	return Limits{Min: min, Max: max, Ramp: ramp, Safe: safe}
}

func point(channel, device string, l Limits) Output {
	return Output{Name: device + ".setpoint", Channel: channel, Device: device, Point: "setpoint", Unit: "kW", Limits: l}
}

func newRig(t *testing.T, change func(*Options), outputs ...Output) *rig {
	t.Helper()
	r := &rig{t: t, plant: newPlant()}
	o := Options{Outputs: outputs, Writer: r.plant, Reader: r.plant, Emit: func(e event.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	}}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.c = c
	c.Start()
	synctest.Wait()
	return r
}

func (r *rig) stop() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.c.Stop(ctx); err != nil {
		r.t.Errorf("stop: %v", err)
	}
}

// ask makes a request as the libraries do.
func (r *rig) ask(id, output, owner string, value string, priority int, ttl string) {
	r.c.Handle(event.New(time.Now(), event.Request, "id", id, "output", output, "owner", owner, "value", value,
		"priority", fmt.Sprint(priority), "ttl", ttl, "rev", "r7", "why", "grid.power=100"))
	synctest.Wait()
}

func (r *rig) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) expect(want ...string) {
	r.t.Helper()
	if got := r.plant.take(); fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Fatalf("writes:\n got %q\nwant %q", got, want)
	}
}

func (r *rig) state(output string, want State) OutputStatus {
	r.t.Helper()
	for _, s := range r.c.Status() {
		if s.Output == output {
			if s.State != want {
				r.t.Fatalf("%s is %s, expected %s: %+v", output, s.State, want, s)
			}
			return s
		}
	}
	r.t.Fatalf("no status of %s", output)
	return OutputStatus{}
}

func (r *rig) outcome(id string) Outcome {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := r.c.Wait(ctx, id)
	if err != nil {
		r.t.Fatalf("%v: %+v", err, out)
	}
	return out
}

func (r *rig) count(kind, outcome string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, e := range r.events {
		if e.Kind == kind && (outcome == "" || e.Get("outcome") == outcome) {
			n++
		}
	}
	return n
}

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
		want := "rule.peak holds bess.setpoint with priority 50 and asked for 80 kW, cut to 50 kW, until 00:00:31; " +
			"it ramps at 10 kW a second and is there in 3.5 s."
		if got := e.Sentence(nil); got != want {
			t.Errorf("sentence:\n got %s\nwant %s", got, want)
		}
		if _, ok := r.c.Why("none.such"); ok {
			t.Error("an explanation of nothing")
		}
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
