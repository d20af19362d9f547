package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"syscall"
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
	for _, p := range d.Points {
		c := journal.Column{Name: p.Name, Unit: p.Unit}
		switch {
		case !p.Readable:
		case p.Text:
			t.Texts = append(t.Texts, c)
		default:
			t.Numbers = append(t.Numbers, c)
		}
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

func TestAFrameIsJournalledShownAndTakenToTheLibraries(t *testing.T) {
	clock := newHandClock()
	r := newRig(t, clock, "a", "b")
	r.run()
	b := builders{}
	if v, ok := r.in.Live().Get("a.x"); !ok || v.Quality != frame.Bad|frame.NeverRead || !math.IsNaN(v.Value) || !v.Time.IsZero() {
		t.Errorf("before the first frame a.x is %+v", v)
	}
	at := clock.Now().Add(-20 * time.Millisecond)
	if err := r.in.Frame("a", b.pack(t, "a", at, 42, "hello")); err != nil {
		t.Fatal(err)
	}
	v, _ := r.in.Live().Get("a.x")
	if v.Value != 42 || v.Unit != "kW" || v.Quality != frame.Good || !v.Time.Equal(at) {
		t.Errorf("a.x is %+v", v)
	}
	if v, _ := r.in.Live().Get("a.label"); v.Text != "hello" || !v.IsText {
		t.Errorf("a.label is %+v", v)
	}
	if v, _ := r.in.Live().Get("a.y"); !v.Bool || v.Value != 1 {
		t.Errorf("a.y is %+v", v)
	}
	if v, ok := r.in.Live().Get("a.order"); !ok || !v.Quality.IsBad() || !math.IsNaN(v.Value) {
		t.Errorf("a.order, which can't be read, is %+v", v)
	}
	if _, ok := r.in.Live().Get("a.z"); ok {
		t.Error("a.z is there")
	}
	if n := len(r.in.Live().All()); n != 8 {
		t.Errorf("%d values", n)
	}
	r.eventually("the rules see it", func() bool { return r.last("a") == "42" })
	if got := r.journalled(); got["a"] != 1 {
		t.Errorf("journal: %v", got)
	}
	// A deadline of the libraries wakes the intake.
	clock.advance(time.Second)
	r.eventually("the deadline is kept", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.events[len(r.events)-1].Get("event") == "due"
	})
	r.in.Frame("a", b.pack(t, "a", clock.Now(), 43, "hello"))
	r.mu.Lock()
	defer r.mu.Unlock()
	names := []string{}
	for _, v := range r.changed {
		names = append(names, v.Name)
	}
	if got := strings.Join(names, " "); got != "a.x a.y a.label a.x" {
		t.Errorf("changes: %s", got)
	}
}

func TestFramesAreRefused(t *testing.T) {
	r := newRig(t, newHandClock(), "a")
	b := builders{}
	good := b.pack(t, "a", r.clock.Now(), 1, "")
	other, err := frame.NewBuilder(frame.Table{Numbers: []string{"z"}})
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(p []byte) []byte) []byte { return f(append([]byte(nil), good...)) }
	for name, c := range map[string]struct {
		device string
		packed []byte
		reason string
	}{
		"unknown device": {"nobody", good, reasonDevice},
		"other table":    {"a", other.Pack(nil, r.clock.Now()), reasonTable},
		"other version":  {"a", change(func(p []byte) []byte { p[0] = 9; return p }), reasonVersion},
		"short":          {"a", good[:len(good)-1], reasonCorrupt},
		"empty":          {"a", nil, reasonCorrupt},
		"too long":       {"a", append(append([]byte(nil), good...), 0), reasonCorrupt},
		"no time": {"a", change(func(p []byte) []byte {
			copy(p[8:16], []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x7f})
			return p
		}), reasonCorrupt},
	} {
		before := r.in.Status().Rejected[c.reason]
		if err := r.in.Frame(c.device, c.packed); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: %v", name, err)
		}
		if n := r.in.Status().Rejected[c.reason]; n != before+1 {
			t.Errorf("%s: %d refused for %s", name, n-before, c.reason)
		}
	}
	if st := r.in.Status(); st.Frames != 0 || st.Queue != 0 {
		t.Errorf("status: %+v", st)
	}
}

func TestASilentDeviceBecomesUnknown(t *testing.T) {
	clock := newHandClock()
	r := newRig(t, clock, "a", "b")
	r.run()
	b := builders{}
	start := clock.Now()
	r.in.Frame("a", b.pack(t, "a", start, 1, "t"))
	r.eventually("the frame is there", func() bool { return r.last("a") == "1" })
	clock.advance(2900 * time.Millisecond)
	if st := r.in.Status(); len(st.Stale) != 0 {
		t.Fatalf("stale too early: %v", st.Stale)
	}
	clock.advance(100 * time.Millisecond)
	r.eventually("a is unknown to the rules", func() bool { return r.last("a") == "unknown" })
	r.eventually("b is unknown to the rules", func() bool { return r.last("b") == "unknown" })
	if v, _ := r.in.Live().Get("a.x"); v.Quality != frame.Bad|frame.Stale || !math.IsNaN(v.Value) || v.Time.Sub(start) > time.Millisecond {
		t.Errorf("a.x is %+v", v)
	}
	if v, _ := r.in.Live().Get("b.label"); v.Quality != frame.Bad|frame.NeverRead {
		t.Errorf("b.label is %+v", v)
	}
	// The same value comes back: its frame says that nothing changed, and all did.
	r.mu.Lock()
	r.changed = nil
	r.mu.Unlock()
	if err := r.in.Frame("a", b.pack(t, "a", clock.Now(), 1, "t")); err != nil {
		t.Fatal(err)
	}
	r.eventually("a is known again", func() bool { return r.last("a") == "1" })
	r.mu.Lock()
	if len(r.changed) != 3 {
		t.Errorf("changes: %+v", r.changed)
	}
	r.mu.Unlock()
	if st := r.in.Status(); fmt.Sprint(st.Stale) != "[b]" {
		t.Errorf("stale: %v", st.Stale)
	}
	r.in.Stopped("a", "nobody")
	if v, _ := r.in.Live().Get("a.x"); v.Quality != frame.Bad|frame.Stopped {
		t.Errorf("a.x is %+v", v)
	}
	if got := r.journalled(); got["a"] != 4 || got["b"] != 1 {
		t.Errorf("journal: %v", got)
	}
}

func TestReconfigure(t *testing.T) {
	clock := newHandClock()
	r := newRig(t, clock, "a", "b", "c")
	b := builders{}
	for _, d := range []string{"a", "b", "c"} {
		r.in.Frame(d, b.pack(t, d, clock.Now(), 1, "t"))
	}
	next := testSite("a", "c", "d")
	next.Devices[0].Points[0].Unit = "W"
	c := next.Devices[1]
	c.Points = c.Points[:2]
	r.in.Reconfigure(next)
	if v, _ := r.in.Live().Get("a.x"); v.Value != 1 || v.Unit != "W" {
		t.Errorf("a.x is %+v", v)
	}
	if _, ok := r.in.Live().Get("b.x"); ok {
		t.Error("b is still there")
	}
	for _, name := range []string{"c.x", "d.x"} {
		if v, ok := r.in.Live().Get(name); !ok || v.Quality != frame.Bad|frame.NeverRead {
			t.Errorf("%s is %+v", name, v)
		}
	}
	if err := r.in.Frame("b", b.pack(t, "b", clock.Now(), 2, "t")); err == nil {
		t.Error("a frame of b was taken")
	}
	if err := r.in.Frame("c", b.pack(t, "c", clock.Now(), 2, "t")); !errors.Is(err, frame.ErrTable) {
		t.Errorf("a frame of c's old points: %v", err)
	}
	if err := r.in.Frame("d", b.pack(t, "d", clock.Now(), 2, "t")); err != nil {
		t.Error(err)
	}
	// b and c were taken leave of.
	if got := fmt.Sprint(r.journalled()); got != "map[a:1 b:2 c:2 d:1]" {
		t.Errorf("journal: %s", got)
	}
	if st := r.in.Status(); st.Queue != 2 {
		t.Errorf("%d frames wait, expected those of a and d", st.Queue)
	}
}

func TestADeviceThatIsGoneIsForgotten(t *testing.T) {
	clock := newHandClock()
	r := newRig(t, clock, "a", "b")
	r.run()
	b := builders{}
	quality := func(name string) string {
		v, err := r.store.GetValue(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		return v.Quality
	}
	for _, d := range []string{"a", "b"} {
		if err := r.in.Frame(d, b.pack(t, d, clock.Now(), 1, "t")); err != nil {
			t.Fatal(err)
		}
	}
	r.eventually("b is known", func() bool { return quality("b.x") == "good" })
	r.in.Reconfigure(testSite("a"))
	r.eventually("b is unknown", func() bool { return quality("b.x") == "bad (never read)" })
	if q := quality("a.x"); q != "good" {
		t.Errorf("a.x is %s", q)
	}
}

func TestAJournalThatFailsDoesNotStopControl(t *testing.T) {
	r := newRig(t, newHandClock(), "a")
	r.run()
	b := builders{}
	r.journal.Close()
	if err := r.in.Frame("a", b.pack(t, "a", r.clock.Now(), 7, "")); err != nil {
		t.Fatal(err)
	}
	r.eventually("the rules see it", func() bool { return r.last("a") == "7" })
	if st := r.in.Status(); st.State != "unjournalled" || st.Unjournalled != 1 || st.Frames != 0 || st.LastError == "" {
		t.Errorf("status: %+v", st)
	}
}

// feed sends frames of devices until stop is closed, and tells the last value of each.
func (r *rig) feed(stop chan struct{}, every time.Duration, devices ...string) (sent map[string]int) {
	b := builders{}
	sent = map[string]int{}
	for i := 1; ; i++ {
		select {
		case <-stop:
			return sent
		default:
		}
		for _, d := range devices {
			if err := r.in.Frame(d, b.pack(r.t, d, r.clock.Now(), float64(i), "t")); err != nil {
				r.t.Error(err)
			}
			sent[d] = i
		}
		time.Sleep(every)
	}
}

func TestKilledRedisUnderLoad(t *testing.T) {
	devices := []string{"a", "b", "c"}
	r := newRig(t, NewClock(), devices...)
	r.run()
	stop := make(chan struct{})
	result := make(chan map[string]int)
	go func() { result <- r.feed(stop, time.Millisecond, devices...) }()
	for round := range 4 {
		mark := r.in.Status().Batches
		r.eventually("batches go through", func() bool { return r.in.Status().Batches > mark+50 })
		pid := r.store.Status().Pid
		syscall.Kill(pid, syscall.SIGKILL)
		r.eventually(fmt.Sprint("redis is back, round ", round), func() bool {
			st := r.store.Status()
			return st.Pid != 0 && st.Pid != pid && st.State == store.StateOK
		})
	}
	mark := r.in.Status().Batches
	r.eventually("batches go through", func() bool { return r.in.Status().Batches > mark+50 })
	close(stop)
	sent := <-result
	for _, d := range devices {
		r.eventually("the last frame is seen", func() bool { return r.last(d) == fmt.Sprint(sent[d]) })
	}
	r.stop()
	journalled := r.journalled()
	st := r.in.Status()
	for _, d := range devices {
		if journalled[d] != sent[d] {
			t.Errorf("%s: %d frames sent, %d journalled", d, sent[d], journalled[d])
		}
		// Every frame is seen, but for those skipped while Redis was away; in order, and again only around a restart.
		before, distinct := 0, 0
		for _, text := range r.seen(d) {
			var n int
			fmt.Sscan(text, &n)
			if n < before {
				t.Errorf("%s: value %d is seen after %d", d, n, before)
			}
			if n > before {
				distinct++
			}
			before = n
		}
		if uint64(distinct)+st.Skipped < uint64(sent[d]) {
			t.Errorf("%s: %d frames sent, %d seen, %d skipped of all devices", d, sent[d], distinct, st.Skipped)
		}
	}
	ids := map[string]bool{}
	for _, e := range r.events {
		if ids[e.ID] {
			t.Errorf("event %s came twice", e.ID)
		}
		ids[e.ID] = true
	}
	libs, err := r.store.Libraries(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range libs {
		if l.State != store.LibraryOK {
			t.Errorf("library %s is %s", l.Name, l.State)
		}
	}
}

func TestASlowRedisHoldsUpNobody(t *testing.T) {
	r := newRig(t, NewClock(), "a", "b")
	r.run()
	r.eventually("a batch went through", func() bool { return r.in.Status().Batches > 0 })
	pid := r.store.Status().Pid
	syscall.Kill(pid, syscall.SIGSTOP)
	b := builders{}
	const many = 1000
	for i := range many {
		for _, d := range []string{"a", "b"} {
			if err := r.in.Frame(d, b.pack(t, d, r.clock.Now(), float64(i), "t")); err != nil {
				t.Fatal(err)
			}
		}
	}
	st := r.in.Status()
	if st.Frames != 2*many || st.Queue > 2*2+slack || st.Skipped == 0 {
		t.Errorf("status: %+v", st)
	}
	syscall.Kill(pid, syscall.SIGCONT)
	r.eventually("the newest frames are seen", func() bool { return r.last("a") == fmt.Sprint(many-1) && r.last("b") == fmt.Sprint(many-1) })
	if got := r.journalled(); got["a"] != many || got["b"] != many {
		t.Errorf("journal: %v", got)
	}
}

func TestWhatWaitsIsTakenToRedisAtTheEnd(t *testing.T) {
	r := newRig(t, newHandClock(), "a")
	b := builders{}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r.in.Frame("a", b.pack(t, "a", r.clock.Now(), 1, ""))
	r.in.Frame("a", b.pack(t, "a", r.clock.Now(), 2, ""))
	r.in.Run(ctx)
	if got := fmt.Sprint(r.seen("a")); got != "[1 2]" {
		t.Errorf("seen: %s", got)
	}
}

func TestAConcurrentIntakeKeepsOneOrder(t *testing.T) {
	r := newRig(t, NewClock(), "a", "b", "c", "d")
	r.run()
	var all sync.WaitGroup
	const many = 300
	for _, d := range []string{"a", "b", "c", "d"} {
		all.Go(func() {
			b := builders{}
			for i := range many {
				if err := r.in.Frame(d, b.pack(t, d, r.clock.Now(), float64(i), "t")); err != nil {
					t.Error(err)
				}
				if i%10 == 0 {
					r.in.Live().All()
					r.in.Status()
				}
				time.Sleep(200 * time.Microsecond)
			}
		})
	}
	all.Wait()
	for _, d := range []string{"a", "b", "c", "d"} {
		r.eventually("the last is seen", func() bool { return r.last(d) == fmt.Sprint(many-1) })
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var before int64
	for _, e := range r.events {
		if e.Millis < before {
			t.Errorf("event at %d after %d", e.Millis, before)
		}
		before = e.Millis
	}
}

// countFrames counts the frames in a journal by device.
func countFrames(t testing.TB, j *journal.Journal) map[string]int {
	t.Helper()
	reader := j.ReadFrom(time.Time{})
	defer reader.Close()
	out := map[string]int{}
	for {
		rec, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if rec.Packed != nil {
			out[rec.Table.Device]++
		}
	}
}
