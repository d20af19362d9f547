package intake

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/sdk/frame"
)

const patience = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handClock is a clock that a test moves.
type handClock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[chan time.Time]time.Time
}

func newHandClock() *handClock {
	return &handClock{now: time.UnixMilli(1_700_000_000_000), timers: map[chan time.Time]time.Time{}}
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) After(t time.Time) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan time.Time, 1)
	if !t.After(c.now) {
		ch <- c.now
		return ch, func() {}
	}
	c.timers[ch] = t
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.timers, ch)
	}
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for ch, t := range c.timers {
		if !t.After(c.now) {
			ch <- c.now
			delete(c.timers, ch)
		}
	}
}

// testSite has devices of one number and one text each.
func testSite(names ...string) *site.Site {
	s := &site.Site{Name: "test"}
	for _, n := range names {
		d := &site.Device{Name: n, StaleAfter: 3 * time.Second}
		d.Points = []*site.Point{
			{Device: d, Name: "x", Unit: "kW", Readable: true},
			{Device: d, Name: "order", Unit: "kW", Index: -1},
			{Device: d, Name: "y", Bool: true, Index: 1, Readable: true},
			{Device: d, Name: "label", Text: true, Readable: true},
		}
		s.Devices = append(s.Devices, d)
	}
	return s
}

var table = testSite("a").Devices[0].Table()

type builders map[string]*frame.Builder

func (b builders) pack(t testing.TB, device string, at time.Time, value float64, text string) []byte {
	t.Helper()
	if b[device] == nil {
		nb, err := frame.NewBuilder(table)
		if err != nil {
			t.Fatal(err)
		}
		b[device] = nb
	}
	b[device].Set(0, value)
	b[device].Set(1, 1)
	b[device].SetText(0, text)
	return b[device].Pack(nil, at)
}

// rig is an intake with a real journal and a real Redis.
type rig struct {
	t       testing.TB
	store   *store.Store
	journal *journal.Journal
	in      *Intake
	clock   Clock

	mu      sync.Mutex
	events  []event.Event
	changed []Value
	cancel  context.CancelFunc
	done    chan struct{}
}

func newRig(t testing.TB, clock Clock, devices ...string) *rig {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a redis-server")
	}
	dir, err := os.MkdirTemp("", "vi-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	log := hclog.NewNullLogger()
	if os.Getenv("STORE_LOG") != "" {
		log = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: os.Stderr})
	}
	r := &rig{t: t, clock: clock}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r.store, err = store.Open(ctx, store.Options{Site: "test", Config: site.Store{Embedded: true}, DataDir: dir + "/d", RunDir: dir + "/r", Log: log, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.store.Close)
	r.journal, err = journal.Open(journal.Options{Dir: dir + "/j", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.journal.Close() })
	s := testSite(devices...)
	r.loadLogic(ctx, s)
	r.in = New(Options{
		Clock: clock, Journal: r.journal, Store: r.store, Log: log,
		Table: func(d *site.Device) error { return r.journal.AppendTable(journalTable(d)) },
		Events: func(events []event.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, events...)
		},
		Watching: func() bool { return true },
		Changed: func(values []Value) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.changed = append(r.changed, values...)
		},
	}, s)
	return r
}

func journalTable(d *site.Device) journal.Table {
	t := journal.Table{Device: d.Name}
	numbers, texts := d.Slots()
	for _, p := range numbers {
		t.Numbers = append(t.Numbers, journal.Column{Name: p.Name, Unit: p.Unit})
	}
	for _, p := range texts {
		t.Texts = append(t.Texts, journal.Column{Name: p.Name, Unit: p.Unit})
	}
	return t
}

func (r *rig) loadLogic(ctx context.Context, s *site.Site) {
	r.t.Helper()
	var libs []lua.Library
	for _, name := range []string{store.Models, store.Alarms} {
		lib, err := lua.Bundle(name)
		if err != nil {
			r.t.Fatal(err)
		}
		libs = append(libs, lib)
	}
	rules, err := lua.BundleFile("../store/testdata/rules.lua")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, lib := range append(libs, rules) {
		if err := r.store.Load(ctx, lib); err != nil {
			r.t.Fatal(err)
		}
	}
	var heads, names []string
	for _, d := range s.Devices {
		tab := d.Table()
		names = append(names, d.Name)
		heads = append(heads, fmt.Sprintf("{name='%s', n=%d, id=%d, used={1}, points={{'x','kW'},{'y',''}}}", d.Name, len(tab.Numbers), tab.TableID()))
	}
	program := func(lib string) compile.Program {
		return compile.Program{Library: lib, Revision: lib + "1", Devices: names,
			Chunks: []string{"return { { head = true, schema = 1, rev = '1', devices = {" + strings.Join(heads, ",") + "} }, { name = 'seen', output = 'a.x' } }"}}
	}
	alarms := program(store.Alarms)
	alarms.Chunks[0] = strings.Replace(alarms.Chunks[0], ", { name = 'seen', output = 'a.x' }", "", 1)
	models := program(store.Models)
	models.Chunks[0] = strings.Replace(models.Chunks[0], "name = 'seen', ", "", 1)
	if err := r.store.LoadPrograms(ctx, &compile.Programs{Models: models, Alarms: alarms, Rules: program(store.Rules)}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done = cancel, make(chan struct{})
	go func() {
		defer close(r.done)
		r.in.Run(ctx)
	}()
	r.t.Cleanup(r.stop)
}

func (r *rig) stop() {
	r.cancel()
	<-r.done
}

// seen are the values of the rules' events of a device, in order.
func (r *rig) seen(device string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, e := range r.events {
		if e.Get("device") == device {
			out = append(out, e.Get("value"))
		}
	}
	return out
}

func (r *rig) last(device string) string {
	if s := r.seen(device); len(s) > 0 {
		return s[len(s)-1]
	}
	return ""
}

func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	end := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(end) {
			r.t.Fatalf("not within %v: %s; intake %+v; store %+v", patience, what, r.in.Status(), r.store.Status())
		}
		time.Sleep(time.Millisecond)
	}
}

// journalled counts the frames in the journal by device.
func (r *rig) journalled() map[string]int {
	r.t.Helper()
	return countFrames(r.t, r.journal)
}
