package daemon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/replay"
	"github.com/voltage-edge/voltage/agent/sink"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/site/sitetest"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// road is a journal, a redis-server and a far end, and what is between them.
type road struct {
	t       testing.TB
	server  *luatest.Server
	agent   *Agent
	journal *journal.Journal
	site    *site.Site
	at      int64
	far     farEnd
}

// farEnd keeps what it is given.
type farEnd struct {
	mu      sync.Mutex
	keep    bool
	samples []sdk.Sample
	count   int
	events  []sdk.Event
}

func (f *farEnd) Write(_ context.Context, req sdk.SinkWriteRequest) (sdk.SinkWriteResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.keep {
		f.samples = append(f.samples, req.Samples...)
	}
	f.count += len(req.Samples)
	f.events = append(f.events, req.Events...)
	return sdk.SinkWriteResponse{}, nil
}

// lines are the samples, one a line.
func (f *farEnd) lines() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, s := range f.samples {
		value := fmt.Sprintf("%.6g", s.Value)
		if s.IsText {
			value = s.Text
		}
		line := fmt.Sprintf("%d %s.%s %s %s %s", s.Time.UnixMilli()-roadStart, s.Device, s.Point, value, s.Unit, s.Quality.ClassName())
		for name, v := range s.Tags {
			line += " " + name + "=" + v
		}
		out = append(out, line)
	}
	return out
}

func (f *farEnd) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.samples, f.events, f.count = nil, nil, 0
}

const roadStart = int64(1_700_000_000_000)

const roadDevices = `
site "road" {}
channel "c" { plugin = "any" }
device "meter" {
  channel = channel.c
  point "power" {
    unit = "W"
    type = "float32"
  }
  point "heat" {
    unit = "°C"
    type = "float32"
  }
  point "mode" { type = "string" }
}
sink "far" { plugin = "any" }
`

func newRoad(t testing.TB, routes string) *road {
	t.Helper()
	r := &road{t: t, server: luatest.Start(t), at: roadStart}
	r.far.keep = true
	dir := t.TempDir()
	var err error
	if r.journal, err = journal.Open(journal.Options{Dir: filepath.Join(dir, "journal")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.journal.Close() })
	st, err := store.Open(t.Context(), store.Options{
		Site: "road", Config: site.Store{Addresses: []string{"unix:" + r.server.Socket}, Mode: "single"}, DataDir: filepath.Join(dir, "data"), RunDir: filepath.Join(dir, "run"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	r.agent = &Agent{store: st, journal: r.journal, log: hclog.NewNullLogger()}
	for _, name := range libraryNames {
		lib, err := lua.Bundle(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Load(t.Context(), lib); err != nil {
			t.Fatal(err)
		}
	}
	r.load(routes)
	return r
}

// load gives Redis other routes.
func (r *road) load(routes string) {
	r.t.Helper()
	file := filepath.Join(r.t.TempDir(), "road.hcl")
	if err := os.WriteFile(file, []byte(roadDevices+routes), 0o644); err != nil {
		r.t.Fatal(err)
	}
	s, diags := site.Load(r.t.Context(), file, site.Options{Schemas: sitetest.Plain{}})
	if diags.HasErrors() {
		r.t.Fatal(diags)
	}
	programs, diags := compile.Compile(s)
	if diags.HasErrors() {
		r.t.Fatal(diags)
	}
	if err := r.agent.store.LoadPrograms(r.t.Context(), programs); err != nil {
		r.t.Fatal(err)
	}
	r.site, r.agent.programs = s, programs
	for _, d := range s.Devices {
		if err := r.journal.AppendTable(replay.TableOf(d)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// start starts a runner to the far end.
func (r *road) start() *sink.Runner {
	r.t.Helper()
	runner, err := sink.Start(sink.Options{
		Name: "far", Journal: r.journal, Writer: &r.far, Routing: r.agent.routingOf(r.site.Sinks[0], r.agent.programs), FlushInterval: 5 * time.Millisecond,
		MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { runner.Stop() })
	return runner
}

func (r *road) drained(runner *sink.Runner) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); runner.Status().Lag.Records > 0; time.Sleep(time.Millisecond) {
		if s := runner.Status(); time.Now().After(deadline) || s.State == sink.Stopped {
			r.t.Fatalf("not drained: %+v", s)
		}
	}
}

// meter appends a frame of the meter, a step later; NaN is bad.
func (r *road) meter(step int64, power, heat float64, mode string) {
	r.t.Helper()
	r.at += step
	b, err := frame.NewBuilder(frame.Table{Numbers: []string{"power", "heat"}, Texts: []string{"mode"}})
	if err != nil {
		r.t.Fatal(err)
	}
	for i, x := range []float64{power, heat} {
		if math.IsNaN(x) {
			b.SetBad(i, frame.NoAnswer)
		} else {
			b.Set(i, x)
		}
	}
	b.SetText(0, mode)
	if err := r.journal.AppendFrame(r.at, "meter", b.Pack(nil, time.UnixMilli(r.at))); err != nil {
		r.t.Fatal(err)
	}
}

func (r *road) expect(want ...string) {
	r.t.Helper()
	if got := r.far.lines(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		r.t.Errorf("the far end has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	r.far.clear()
}

const shapedRoutes = `
route "shaped" {
  sink     = sink.far
  events   = ["alarm"]
  every    = "1s"
  add_tags = { by = "route" }
  on_change { deadband = 0.5 }
  shape "meter.power" {
    name = "grid.kw"
    unit = "kW"
  }
  shape "*.heat" { unit = "K" }
  shape "*.mode" { name = "grid.$1_$1" }
  compute "grid.double" {
    value = device.meter.power + device.meter.power
    unit  = "kW"
  }
}
`

func TestARouteShapes(t *testing.T) {
	r := newRoad(t, shapedRoutes)
	r.meter(1, 1000, 20, "run")
	r.meter(500, 9000, 30, "stop")         // early
	r.meter(500, 1400, 20.4, "run")        // unchanged
	r.meter(1000, 1600, math.NaN(), "run") // power beyond the deadband, heat bad
	for _, kind := range []string{event.Alarm, event.Rule} {
		if err := r.journal.AppendEvent(event.New(time.UnixMilli(r.at), kind, "alarm", "x")); err != nil {
			t.Fatal(err)
		}
	}
	runner := r.start()
	r.drained(runner)
	want := []string{
		"1 grid.kw 1 kW good by=route", "1 meter.heat 293.15 K good by=route", "1 grid.meter_meter run  good by=route", "1 grid.double 2 kW good by=route",
		"1001 grid.double 2.8 kW good by=route",
		"2001 grid.kw 1.6 kW good by=route", "2001 meter.heat NaN K bad by=route",
	}
	if len(r.far.events) != 1 || r.far.events[0].Kind != event.Alarm {
		t.Errorf("events %+v", r.far.events)
	}
	r.expect(want...)
	got := runner.Status().Routes
	if len(got) != 1 || got[0].Counts != (sink.Counts{Taken: 16, Passed: 7, Early: 4, Unchanged: 5, Events: 1}) {
		t.Errorf("counts %+v", got)
	}
}

// A Redis that lost the last of the state, or all, or has more than the sink got, makes no sample more or less.
func TestTheStateIsBroughtToThePlaceOfTheSink(t *testing.T) {
	r := newRoad(t, shapedRoutes)
	key := "v:{road}:routes:far:state"
	runner := r.start()
	r.meter(1, 1000, 20, "run")
	r.drained(runner)
	r.far.clear()
	old, err := r.server.Dump(t.Context(), key).Result()
	if err != nil {
		t.Fatal(err)
	}
	r.meter(1000, 2000, 20, "run")
	r.drained(runner)
	r.expect("1001 grid.kw 2 kW good by=route", "1001 grid.double 4 kW good by=route")
	// The state of before: the last frame is shaped again for it.
	if err := r.server.RestoreReplace(t.Context(), key, 0, old).Err(); err != nil {
		t.Fatal(err)
	}
	r.server.Set(t.Context(), "v:{road}:epoch", "other", 0)
	r.meter(1000, 2000, 20, "run")
	r.drained(runner)
	r.expect()
	// Nothing at all: each stream passes once.
	r.server.Del(t.Context(), key)
	r.server.Set(t.Context(), "v:{road}:epoch", "another", 0)
	r.meter(1000, 2000, 20, "run")
	r.drained(runner)
	if got := len(r.far.lines()); got != 4 {
		t.Errorf("%d samples, want 4", got)
	}
	if s := runner.Status(); s.State != sink.OK {
		t.Errorf("status %+v", s)
	}
}

// An agent that was killed had shaped what its sink did not get.
func TestWhatWasShapedAndNotWrittenIsShapedAgain(t *testing.T) {
	r := newRoad(t, shapedRoutes)
	r.meter(1, 1000, 20, "run")
	runner := r.start()
	r.drained(runner)
	if err := runner.Stop(); err != nil {
		t.Fatal(err)
	}
	r.far.clear()
	r.meter(1000, 2000, 20, "run")
	r.meter(1000, 3000, 20, "run")
	// As the agent that is then killed does it: from the sink's place, with nothing written.
	req := store.ShapeRequest{Sink: "far", Revision: r.agent.programs.Routes[0].Program.Revision, Base: 1, From: 1, To: 3}
	reader := r.journal.ReadAfter(1)
	for range 2 {
		rec, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		req.Frames = append(req.Frames, store.Frame{Device: "meter", Millis: rec.Millis, Packed: append([]byte(nil), rec.Packed...)})
	}
	reader.Close()
	_, err := r.agent.store.Shape(t.Context(), req)
	var d *store.Displaced
	if errors.As(err, &d) { // the base is still the beginning
		req.Base = d.Base
		_, err = r.agent.store.Shape(t.Context(), req)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.drained(r.start())
	r.expect("1001 grid.kw 2 kW good by=route", "1001 grid.double 4 kW good by=route", "2001 grid.kw 3 kW good by=route", "2001 grid.double 6 kW good by=route")
}

// Frames of before a change of the device's points are shaped by the points that it still has; those that are gone go as they are.
func TestFramesOfAnotherTable(t *testing.T) {
	r := newRoad(t, "")
	table := journal.Table{Device: "meter", Numbers: []journal.Column{{Name: "gone", Unit: "A"}, {Name: "heat", Unit: "K"}, {Name: "power", Unit: "W"}}}
	if err := r.journal.AppendTable(table); err != nil {
		t.Fatal(err)
	}
	b, err := frame.NewBuilder(table.Frame())
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range []float64{7, 300, 5000} {
		b.Set(i, x)
	}
	if err := r.journal.AppendFrame(r.at, "meter", b.Pack(nil, time.UnixMilli(r.at))); err != nil {
		t.Fatal(err)
	}
	r.load(shapedRoutes)
	r.drained(r.start())
	// heat was in another unit then: it is another point.
	r.expect("0 meter.gone 7 A good", "0 meter.heat 300 K good", "0 grid.kw 5 kW good by=route", "0 grid.double 10 kW good by=route")
}

// Without shapes nobody asks Redis.
func TestAPlainRouteNeedsNoRedis(t *testing.T) {
	r := newRoad(t, "route \"plain\" {\n  sink    = sink.far\n  include = [\"meter.p*\"]\n  shape \"meter.*\" { name = \"m.$1\" }\n}\n")
	if rev := r.agent.programs.Routes[0].Program.Revision; rev != "" {
		t.Errorf("there is a program %s", rev)
	}
	r.agent.store.Close()
	r.meter(1, 1000, 20, "run")
	runner := r.start()
	r.drained(runner)
	r.expect("1 m.power 1000 W good")
	if got := runner.Status().Routes; len(got) != 1 || got[0].Passed != 1 {
		t.Errorf("counts %+v", got)
	}
}

// A Redis that is away is waited for.
func TestARoutedSinkWaitsForRedis(t *testing.T) {
	r := newRoad(t, shapedRoutes)
	runner := r.start()
	r.meter(1, 1000, 20, "run")
	r.drained(runner)
	r.far.clear()
	if err := r.server.Do(t.Context(), "CONFIG", "SET", "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	r.meter(1000, 3000, 20, "run")
	for deadline := time.Now().Add(patience); runner.Status().State != sink.Waiting; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not wait: %+v", runner.Status())
		}
	}
	if s := runner.Status(); s.Error == "" || s.Failures == 0 || s.Lag.Records != 1 {
		t.Errorf("status %+v", s)
	}
	if err := r.server.Do(t.Context(), "CONFIG", "SET", "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	r.drained(runner)
	r.expect("1001 grid.kw 3 kW good by=route", "1001 grid.double 6 kW good by=route")
	if s := runner.Status(); s.State != sink.OK {
		t.Errorf("status %+v", s)
	}
}

// The samples a second from the journal to a far end that takes everything: as they are, and through a route that
// leaves out most, or none.
func BenchmarkTheWayToASink(b *testing.B) {
	for _, c := range []struct{ name, routes string }{
		{"plain", ""},
		{"deadband", "route \"r\" {\n  sink = sink.far\n  on_change { deadband = 1000 }\n}\n"},
		{"every", "route \"r\" {\n  sink  = sink.far\n  every = \"1h\"\n}\n"},
		{"converted", "route \"r\" {\n  sink = sink.far\n  shape \"wide.*\" { unit = \"kW\" }\n}\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var points strings.Builder
			for i := range 100 {
				fmt.Fprintf(&points, "  point \"p%d\" {\n    unit = \"W\"\n    type = \"float32\"\n  }\n", i)
			}
			r := newRoad(b, "device \"wide\" {\n  channel = channel.c\n"+points.String()+"}\n"+c.routes)
			r.far.keep = false
			var table frame.Table
			for i := range 100 {
				table.Numbers = append(table.Numbers, fmt.Sprintf("p%d", i))
			}
			builder, err := frame.NewBuilder(table)
			if err != nil {
				b.Fatal(err)
			}
			for n := range b.N {
				for i := range 100 {
					builder.Set(i, float64((n*7+i)%97))
				}
				r.at += 100
				if err := r.journal.AppendFrame(r.at, "wide", builder.Pack(nil, time.UnixMilli(r.at))); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			runner := r.start()
			r.drained(runner)
			b.StopTimer()
			b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "points/s")
		})
	}
}
