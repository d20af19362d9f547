package conformance

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
	"github.com/voltage-edge/voltage/sdk/protocol"
)

// receiver keeps what a channel sends, and what is wrong with it.
type receiver struct {
	spec   sdk.ChannelSpec
	mu     sync.Mutex
	good   map[string]int
	last   map[string]time.Time
	status map[string]sdk.DeviceStatus
	faults []string
}

func newReceiver(spec sdk.ChannelSpec) *receiver {
	return &receiver{spec: spec, good: make(map[string]int), last: make(map[string]time.Time), status: make(map[string]sdk.DeviceStatus)}
}

func (r *receiver) fault(format string, args ...any) {
	if len(r.faults) < 10 {
		r.faults = append(r.faults, fmt.Sprintf(format, args...))
	}
}

// Frame checks a frame against its device's table.
func (r *receiver) Frame(device string, packed []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.spec.Devices {
		if d.Name != device {
			continue
		}
		table := d.Table()
		v, err := frame.Parse(packed, &table)
		if err != nil {
			r.fault("%s: %v", device, err)
			return
		}
		if ahead := time.Until(v.Time()); ahead > time.Second {
			r.fault("%s: a frame's time is %s ahead", device, ahead)
		}
		if v.Time().Before(r.last[device]) {
			r.fault("%s: a frame is older than the one before", device)
		}
		r.last[device] = v.Time()
		known := false
		for i := range v.Len() {
			if q := v.Quality(i); q.IsBad() != math.IsNaN(v.Value(i)) {
				r.fault("%s.%s: value %v with quality %s", device, table.Numbers[i], v.Value(i), q)
			} else if !q.IsBad() {
				known = true
			}
		}
		for i := range v.Texts() {
			known = known || !v.TextQuality(i).IsBad()
		}
		if known {
			r.good[device]++
		}
		return
	}
	r.fault("a frame of device %q, which the channel has not", device)
}

// Status keeps a device's state.
func (r *receiver) Status(s sdk.DeviceStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status[s.Device] = s
}

// served tells whether every device with readable points had a frame with a known value and is reported to be well.
func (r *receiver) served() (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.spec.Devices {
		readable := false
		for _, p := range d.Points {
			readable = readable || p.Readable
		}
		if !readable {
			continue
		}
		if r.good[d.Name] == 0 {
			return fmt.Sprintf("no frame of %s with a known value; its state: %+v", d.Name, r.status[d.Name]), false
		}
		if s := r.status[d.Name].State; s != sdk.DeviceOK && s != sdk.DevicePartial {
			return fmt.Sprintf("the state of %s is %q", d.Name, s), false
		}
	}
	return "", true
}

func (r *receiver) report(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.faults {
		t.Error(f)
	}
}

// open opens the channel under a name and waits until its devices answer.
func (s *suite) open(t *testing.T, p *process, name string) (*protocol.Channel, *receiver) {
	t.Helper()
	spec := *s.o.Channel
	spec.Name = name
	r := newReceiver(spec)
	c, diags, err := p.rpc.OpenChannel(s.limit(t), spec, r)
	if err != nil || c == nil {
		t.Fatalf("open: %v %+v\n%s", err, diags, p.stderr())
	}
	var why string
	if !within(s.o.Patience, func() (ok bool) { why, ok = r.served(); return ok }) {
		t.Fatalf("after %s: %s\n%s", s.o.Patience, why, p.stderr())
	}
	return c, r
}

// within waits until f is true.
func within(d time.Duration, f func() bool) bool {
	for end := time.Now().Add(d); ; time.Sleep(5 * time.Millisecond) {
		if f() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

func (s *suite) frames(t *testing.T) {
	p := s.start(t)
	c, r := s.open(t, p, "first")
	before := func() int {
		r.mu.Lock()
		defer r.mu.Unlock()
		n := 0
		for _, g := range r.good {
			n += g
		}
		return n
	}
	n := before()
	if !within(s.o.Patience, func() bool { return before() > n }) {
		t.Error("the first frame stayed the only one")
	}
	if closed, err := c.Drain(s.limit(t)); err != nil || closed.Err != nil {
		t.Errorf("drain: %v %v", err, closed.Err)
	}
	r.report(t)
}

func (s *suite) twoChannels(t *testing.T) {
	p := s.start(t)
	a, ra := s.open(t, p, "first")
	b, rb := s.open(t, p, "second")
	if !s.goesOn(ra) {
		t.Error("when a second channel is opened the first gives no more frames")
	}
	if _, err := a.Drain(s.limit(t)); err != nil {
		t.Error(err)
	}
	if !s.goesOn(rb) {
		t.Error("when one channel is closed the other gives no more frames")
	}
	if _, err := b.Drain(s.limit(t)); err != nil {
		t.Error(err)
	}
	ra.report(t)
	rb.report(t)
}

// goesOn tells whether every device of a channel has another frame.
func (s *suite) goesOn(r *receiver) bool {
	r.mu.Lock()
	clear(r.good)
	r.mu.Unlock()
	return within(s.o.Patience, func() bool { _, ok := r.served(); return ok })
}

// target is a writable point with a safe value.
type target struct {
	device string
	point  sdk.PointSpec
}

func (s *suite) targets() []target {
	var out []target
	for _, d := range s.o.Channel.Devices {
		for _, p := range d.Points {
			if p.Writable && p.Safe != nil {
				out = append(out, target{d.Name, p})
			}
		}
	}
	return out
}

func (s *suite) value(p sdk.PointSpec) float64 {
	if s.o.Write != nil {
		return s.o.Write(p)
	}
	return *p.Safe + 1
}

// set writes a set-point to every target, and checks that it arrived.
func (s *suite) set(t *testing.T, c *protocol.Channel) {
	t.Helper()
	for _, x := range s.targets() {
		want := s.value(x.point)
		r, err := c.Write(s.limit(t), x.device, x.point.Name, want)
		if err != nil || r.Err != nil {
			t.Fatalf("write %s.%s = %v: %v %v", x.device, x.point.Name, want, err, r.Err)
		}
		if math.Abs(r.Written-want) > 1 {
			t.Errorf("write %s.%s = %v: the plugin says that it wrote %v", x.device, x.point.Name, want, r.Written)
		}
		s.holds(t, x, r.Written, 0)
	}
}

// holds checks, if the suite can see it, what a point holds at the device.
func (s *suite) holds(t *testing.T, x target, want float64, patience time.Duration) {
	t.Helper()
	if s.o.Read == nil {
		return
	}
	var got float64
	var err error
	if !within(patience, func() bool {
		got, err = s.o.Read(x.device, x.point.Name)
		return err == nil && math.Abs(got-want) < 1e-6*(1+math.Abs(want))
	}) {
		t.Errorf("%s.%s is %v at the device (%v), want %v", x.device, x.point.Name, got, err, want)
	}
}

func (s *suite) safe(t *testing.T, patience time.Duration) {
	t.Helper()
	for _, x := range s.targets() {
		s.holds(t, x, *x.point.Safe, patience)
	}
}

func (s *suite) writes(t *testing.T) {
	p := s.start(t)
	c, _ := s.open(t, p, "first")
	s.set(t, c)
	d := s.o.Channel.Devices[0]
	for what, point := range map[string]string{"a point that is not there": "no_such_point"} {
		if r, err := c.Write(s.limit(t), d.Name, point, 1); err == nil && r.Err == nil {
			t.Errorf("a write to %s succeeded", what)
		}
	}
	for _, x := range s.o.Channel.Devices {
		for _, point := range x.Points {
			if point.Writable {
				continue
			}
			if r, err := c.Write(s.limit(t), x.Name, point.Name, 1); err == nil && r.Err == nil {
				t.Errorf("a write to the read-only point %s.%s succeeded", x.Name, point.Name)
			}
		}
	}
	if _, err := c.Drain(s.limit(t)); err != nil {
		t.Error(err)
	}
}

func (s *suite) drain(t *testing.T) {
	p := s.start(t)
	c, _ := s.open(t, p, "first")
	s.set(t, c)
	closed, err := c.Drain(s.limit(t))
	if err != nil || closed.Err != nil {
		t.Fatalf("drain: %v %v", err, closed.Err)
	}
	for _, w := range closed.Safe {
		if w.Err != nil {
			t.Errorf("the safe value of %s.%s: %v", w.Device, w.Point, w.Err)
		}
	}
	s.safe(t, 0)
	c, _ = s.open(t, p, "first")
	s.set(t, c)
	if _, err := p.rpc.Drain(s.limit(t)); err != nil {
		t.Errorf("drain of the plugin: %v", err)
	}
	s.safe(t, 0)
	p.end()
	if strings.Contains(p.stderr(), "panic: ") {
		t.Errorf("a panic:\n%s", p.stderr())
	}
}

func (s *suite) brokenStream(t *testing.T) {
	p := s.start(t)
	c, _ := s.open(t, p, "first")
	s.set(t, c)
	c.Abort()
	s.safe(t, protocol.FailSafe)
	if p.ended() {
		t.Error("the process ended with one broken stream")
	}
	c, _ = s.open(t, p, "first")
	if _, err := c.Drain(s.limit(t)); err != nil {
		t.Error(err)
	}
}

func (s *suite) lostHost(t *testing.T) {
	p := s.start(t)
	c, _ := s.open(t, p, "first")
	s.set(t, c)
	lost := time.Now()
	p.loseHost()
	s.safe(t, protocol.FailSafe)
	ctx, cancel := context.WithDeadline(context.Background(), lost.Add(protocol.FailSafe+3*time.Second))
	defer cancel()
	if !p.waitEnd(ctx) {
		t.Errorf("the process still runs %s after its host was lost", time.Since(lost))
	}
	left, _ := filepath.Glob(filepath.Join(p.socketDir, "*"))
	if len(left) > 0 {
		t.Errorf("the process left %v behind", left)
	}
	if _, err := os.Stat(p.socketDir); err == nil {
		t.Error("the process left its socket's folder behind")
	}
}
