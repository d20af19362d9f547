package control

import (
	"context"
	"fmt"
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
