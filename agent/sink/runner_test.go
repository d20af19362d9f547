package sink

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// far is a far end, of which a test says what it does.
type far struct {
	mu      sync.Mutex
	samples []sdk.Sample
	events  []sdk.Event
	away    bool
	rejects func(sdk.Sample) bool // for good
	chokes  func(sdk.Sample) bool // the whole batch fails
	writes  int
}

func (f *far) Write(_ context.Context, req sdk.SinkWriteRequest) (sdk.SinkWriteResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	var resp sdk.SinkWriteResponse
	if f.away {
		return resp, errors.New("connection refused")
	}
	for _, s := range req.Samples {
		if f.chokes != nil && f.chokes(s) {
			return resp, errors.New("panic: index out of range")
		}
	}
	for _, s := range req.Samples {
		if f.rejects != nil && f.rejects(s) {
			resp.Rejected++
			resp.Reason = "out of bounds"
			continue
		}
		f.samples = append(f.samples, s)
	}
	f.events = append(f.events, req.Events...)
	return resp, nil
}

func (f *far) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// values are the values that arrived for a point, each once, in the order of their first arrival.
func (f *far) values(device, point string) []float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	var values []float64
	seen := map[float64]bool{}
	for _, s := range f.samples {
		if s.Device == device && s.Point == point && !seen[s.Value] {
			seen[s.Value] = true
			values = append(values, s.Value)
		}
	}
	return values
}

type plant struct {
	t       *testing.T
	journal *journal.Journal
	builder *frame.Builder
	at      int64
}

func newPlant(t *testing.T, o journal.Options) *plant {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	j, err := journal.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	p := &plant{t: t, journal: j, at: 1_700_000_000_000}
	table := journal.Table{Device: "meter", Numbers: []journal.Column{{Name: "power", Unit: "kW"}, {Name: "energy", Unit: "kWh"}}, Texts: []journal.Column{{Name: "mode"}}}
	if err := j.AppendTable(table); err != nil {
		t.Fatal(err)
	}
	if p.builder, err = frame.NewBuilder(table.Frame()); err != nil {
		t.Fatal(err)
	}
	return p
}

// append appends frames whose power counts on from the given number.
func (p *plant) append(from, to int) {
	p.t.Helper()
	for i := from; i < to; i++ {
		p.at += 100
		p.builder.Set(0, float64(i))
		p.builder.SetBad(1, frame.NoAnswer)
		p.builder.SetText(0, "run")
		if err := p.journal.AppendFrame(p.at, "meter", p.builder.Pack(nil, time.UnixMilli(p.at))); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *plant) start(w Writer, change func(*Options)) *Runner {
	p.t.Helper()
	o := Options{Name: "history", Plugin: "test", Journal: p.journal, Writer: w, BatchSize: 50, FlushInterval: 5 * time.Millisecond, MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	r, err := Start(o)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { r.Stop() })
	return r
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !check(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func caughtUp(r *Runner) func() bool {
	return func() bool { return r.Status().Lag.Records == 0 }
}

func expectCount(t *testing.T, values []float64, n int) {
	t.Helper()
	if len(values) != n {
		t.Fatalf("%d values arrived, want %d", len(values), n)
	}
	for i, v := range values {
		if v != float64(i) {
			t.Fatalf("value %d is %v: not in order", i, v)
		}
	}
}

func TestEverySampleArrivesInOrder(t *testing.T) {
	p, f := newPlant(t, journal.Options{}), &far{}
	p.append(0, 500)
	r := p.start(f, nil)
	p.append(500, 1000)
	if err := p.journal.AppendEvent(event.New(time.UnixMilli(p.at), event.Alarm, "alarm", "overload")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all is written", caughtUp(r))
	expectCount(t, f.values("meter", "power"), 1000)
	if len(f.events) != 1 || f.events[0].Fields["alarm"] != "overload" || f.events[0].ID == "" {
		t.Errorf("events %+v", f.events)
	}
	first := f.samples[:3]
	if first[0].Unit != "kW" || first[0].Time.UnixMilli() != 1_700_000_000_100 || first[0].Quality != frame.Good {
		t.Errorf("power came as %+v", first[0])
	}
	if !first[1].Quality.IsBad() || !math.IsNaN(first[1].Value) {
		t.Errorf("a bad value came as %+v", first[1])
	}
	if !first[2].IsText || first[2].Text != "run" {
		t.Errorf("a text came as %+v", first[2])
	}
	s := r.Status()
	if s.State != OK || s.Written != 3001 || s.Rejected != 0 || s.Lag.Bytes != 0 || s.Lag.Age != 0 || s.Lag.Dropped != 0 {
		t.Errorf("status %+v", s)
	}
}

func TestAFarEndThatIsAwayCostsNothing(t *testing.T) {
	p, f := newPlant(t, journal.Options{}), &far{away: true}
	r := p.start(f, nil)
	p.append(0, 300)
	eventually(t, "it is trying again", func() bool { s := r.Status(); return s.State == Retrying && s.Failures > 8 })
	if s := r.Status(); s.Lag.Records != 300 || s.Lag.Bytes == 0 || s.Error != "connection refused" {
		t.Errorf("status %+v", s)
	}
	f.set(func() { f.away = false })
	eventually(t, "all is written", caughtUp(r))
	expectCount(t, f.values("meter", "power"), 300)
	if s := r.Status(); s.State != OK || s.Error != "" {
		t.Errorf("status %+v", s)
	}
}

func TestItGoesOnWhereItStopped(t *testing.T) {
	dir := t.TempDir()
	p, f := newPlant(t, journal.Options{Dir: dir}), &far{}
	r := p.start(f, nil)
	p.append(0, 200)
	eventually(t, "all is written", caughtUp(r))
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if s := r.Status().State; s != Stopped {
		t.Errorf("state %s", s)
	}
	p.append(200, 300)
	if err := p.journal.Close(); err != nil {
		t.Fatal(err)
	}
	before := len(f.samples)
	p = newPlant(t, journal.Options{Dir: dir})
	r = p.start(f, nil)
	eventually(t, "the rest is written", caughtUp(r))
	expectCount(t, f.values("meter", "power"), 300)
	if n := len(f.samples) - before; n != 300 {
		t.Errorf("%d samples came after the second start, want 300", n)
	}
}

func TestRefusedSamplesAreCounted(t *testing.T) {
	p, f := newPlant(t, journal.Options{}), &far{rejects: func(s sdk.Sample) bool { return s.Point == "mode" }}
	r := p.start(f, nil)
	p.append(0, 100)
	eventually(t, "all is written", caughtUp(r))
	if s := r.Status(); s.Written != 200 || s.Rejected != 100 || s.Reason != "out of bounds" {
		t.Errorf("status %+v", s)
	}
}

func TestAPoisonedSampleDoesNotBlock(t *testing.T) {
	for _, poison := range []float64{0, 40, 99} {
		t.Run(fmt.Sprint(poison), func(t *testing.T) {
			p, f := newPlant(t, journal.Options{}), &far{chokes: func(s sdk.Sample) bool { return s.Point == "power" && s.Value == poison }}
			r := p.start(f, nil)
			p.append(0, 100)
			eventually(t, "all else is written", caughtUp(r))
			if got := f.values("meter", "power"); len(got) != 99 {
				t.Errorf("%d values arrived, want 99", len(got))
			}
			if s := r.Status(); s.State != OK || s.Rejected != 1 || s.Reason == "" {
				t.Errorf("status %+v", s)
			}
		})
	}
}

func TestWhatWasDroppedIsCounted(t *testing.T) {
	p, f := newPlant(t, journal.Options{MaxBytes: 256 << 10, SegmentBytes: 32 << 10}), &far{away: true}
	r := p.start(f, nil)
	p.append(0, 1)
	eventually(t, "it is trying", func() bool { return r.Status().State == Retrying })
	const n = 20_000
	p.append(1, n)
	dropped := r.Status().Lag.Dropped
	if dropped == 0 {
		t.Fatal("nothing was dropped: the test wants it")
	}
	f.set(func() { f.away = false })
	eventually(t, "the rest is written", caughtUp(r))
	got := f.values("meter", "power")
	s := r.Status()
	if uint64(len(got))+s.Lag.Dropped != n || got[len(got)-1] != n-1 || s.Lag.Dropped != dropped {
		t.Errorf("%d arrived and %d (before: %d) were dropped, of %d", len(got), s.Lag.Dropped, dropped, n)
	}
}

func TestFilter(t *testing.T) {
	p, f := newPlant(t, journal.Options{}), &far{}
	r := p.start(f, func(o *Options) { o.Routing = Everything(func(name string) bool { return name == "meter.power" }) })
	p.append(0, 10)
	eventually(t, "all is written", caughtUp(r))
	expectCount(t, f.values("meter", "power"), 10)
	if len(f.samples) != 10 {
		t.Errorf("%d samples came, want 10", len(f.samples))
	}
}
