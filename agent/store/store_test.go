package store

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// patience bounds every wait, far above what anything takes.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func deadline(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// folders are a data and a run folder that are short enough for a socket.
func folders(t testing.TB) (data, run string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "vs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir + "/data", dir + "/run"
}

func quiet(t testing.TB) hclog.Logger {
	level := hclog.Off
	if os.Getenv("STORE_LOG") != "" {
		level = hclog.Debug
	}
	return hclog.New(&hclog.LoggerOptions{Level: level, Output: os.Stderr})
}

// options are those of an embedded store of a test's own.
func options(t testing.TB) Options {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	data, run := folders(t)
	return Options{Site: "test", Config: site.Store{Embedded: true}, DataDir: data, RunDir: run, Log: quiet(t), CheckEvery: 50 * time.Millisecond}
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(deadline(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func testRules(t testing.TB) lua.Library {
	t.Helper()
	lib, err := lua.BundleFile("testdata/rules.lua")
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// load puts the libraries and the programs of two devices, a and b, on a server.
func load(t testing.TB, s *Store) {
	t.Helper()
	for _, name := range []string{Models, Alarms} {
		lib, err := lua.Bundle(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Load(deadline(t), lib); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Load(deadline(t), testRules(t)); err != nil {
		t.Fatal(err)
	}
	if err := s.LoadPrograms(deadline(t), programs("1", "")); err != nil {
		t.Fatal(err)
	}
}

var functionQuery = redis.FunctionListQuery{}

var table = frame.Table{Numbers: []string{"x"}}

// programs read devices a and b; more is put behind the rules' items.
func programs(rev, more string) *compile.Programs {
	make := func(library, items string) compile.Program {
		var devices []string
		for _, d := range []string{"a", "b"} {
			devices = append(devices, fmt.Sprintf("{name='%s', n=1, id=%d, used={1}, points={{'x', 'kW'}}}", d, table.TableID()))
		}
		return compile.Program{Library: library, Revision: library + rev, Devices: []string{"a", "b"},
			Chunks: []string{fmt.Sprintf("return { { head = true, schema = 1, rev = '%s', devices = {%s} },\n%s }", rev, strings.Join(devices, ","), items)}}
	}
	return &compile.Programs{
		Models: make(Models, "{ name = 'm', rev = '1', template = 'meter', properties = {}, dev = {1}, measurements = { { name = 'half', unit = 'kW', dev = {1}, inputs = {{'a.x', 1, 1}}, value = function() return H.div(D[1][1], 2) end } }, actions = {} }, { output = 'a.x', min = -10, max = 10, unit = 'kW' }"),
		Alarms: make(Alarms, "{ name = 'high', rev = '1', dev = {1}, kind = 'high', limit = 100, deadband = 5, input = function() return D[1][1] end, on_delay_ms = 0, off_delay_ms = 0, priority = 'high', message = 'm', unknown = 'hold', inputs = {{'a.x', 1, 1}} }"),
		Rules:  make(Rules, "{ name = 'seen' },"+more),
	}
}

type builders map[string]*frame.Builder

func (b builders) frame(t testing.TB, device string, at int64, value float64) Frame {
	t.Helper()
	if b[device] == nil {
		nb, err := frame.NewBuilder(table)
		if err != nil {
			t.Fatal(err)
		}
		b[device] = nb
	}
	b[device].Set(0, value)
	return Frame{Device: device, Millis: at, Packed: b[device].Pack(nil, time.UnixMilli(at))}
}

func apply(t testing.TB, s *Store, now int64, frames ...Frame) Result {
	t.Helper()
	res, err := s.Apply(deadline(t), Batch{Now: now, Frames: frames})
	if err != nil {
		t.Fatal(err)
	}
	if res.Failures != nil {
		t.Fatal(res.Failures)
	}
	return res
}

func fields(events []event.Event, kind string, names ...string) []string {
	var out []string
	for _, e := range events {
		if e.Kind != kind {
			continue
		}
		var f []string
		for _, n := range names {
			f = append(f, e.Get(n))
		}
		out = append(out, strings.Join(f, " "))
	}
	return out
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	end := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func TestABatchGoesThroughTheLibrariesInOneRoundTrip(t *testing.T) {
	s := open(t, options(t))
	load(t, s)
	b := builders{}
	res := apply(t, s, 1000, b.frame(t, "a", 900, 120), b.frame(t, "b", 950, 7))
	if got := fmt.Sprint(fields(res.Events, "rule", "device", "value")); got != "[a 120 b 7]" {
		t.Errorf("rule events: %v", got)
	}
	if got := fmt.Sprint(fields(res.Events, "alarm", "alarm", "event")); got != "[high activate]" {
		t.Errorf("alarm events: %v", got)
	}
	if res.Next != 1950 {
		t.Errorf("next is %d, expected 1950", res.Next)
	}
	if res.Events[0].Millis == 0 || res.Events[0].ID == "" || res.Events[0].Kind == "" {
		t.Errorf("an event lacks time, id or kind: %+v", res.Events[0])
	}
	r, err := s.GetValue(deadline(t), "m.half")
	if err != nil || r.Value != "60" || r.Unit != "kW" || r.Quality != "good" {
		t.Errorf("m.half is %+v, %v", r, err)
	}
	if r, err := s.GetValue(deadline(t), "b.x"); err != nil || r.Value != "7" {
		t.Errorf("b.x is %+v, %v", r, err)
	}
	if res := apply(t, s, 1960); fmt.Sprint(fields(res.Events, "rule", "event")) != "[due]" || res.Next != 0 {
		t.Errorf("the deadline brought %+v", res)
	}
	if res := apply(t, s, 1970); len(res.Events) != 0 {
		t.Errorf("events came twice: %v", res.Events)
	}
	st := s.Status()
	if st.State != StateOK || st.Pid == 0 || st.Batches != 3 || st.Frames != 2 || st.Mode != "embedded" || !strings.HasPrefix(st.Version, "redis ") && !strings.HasPrefix(st.Version, "valkey ") {
		t.Errorf("status is %+v", st)
	}
}
