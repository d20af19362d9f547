package poll

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// bus is a Link to devices that answer as a test says.
type bus struct {
	mu       sync.Mutex
	busy     bool
	overlap  bool
	log      []string
	start    time.Time
	refuse   error // of Connect
	connects int
	poll     func(ctx context.Context, r *Reading) error
	write    func(ctx context.Context, w Writing, resp *sdk.WriteResponse)
}

func (b *bus) enter(what string) func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.overlap = b.overlap || b.busy
	b.busy = true
	b.log = append(b.log, fmt.Sprintf("%s %s", time.Since(b.start), what))
	return func() {
		b.mu.Lock()
		b.busy = false
		b.mu.Unlock()
	}
}

func (b *bus) Connect(ctx context.Context) error {
	defer b.enter("connect")()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.connects++
	return b.refuse
}

func (b *bus) Poll(ctx context.Context, r *Reading) error {
	defer b.enter("poll " + r.Device.Name)()
	b.mu.Lock()
	poll := b.poll
	b.mu.Unlock()
	if poll != nil {
		return poll(ctx, r)
	}
	for _, p := range r.Device.Points {
		r.Frame.Set(p.Index, 1)
	}
	return nil
}

func (b *bus) Write(ctx context.Context, w Writing, resp *sdk.WriteResponse) {
	what := fmt.Sprintf("write %s.%s=%v", w.Device.Name, w.Point.Name, w.Value)
	b.mu.Lock()
	b.log = append(b.log, fmt.Sprintf("%s %s", time.Since(b.start), what))
	write := b.write
	b.mu.Unlock()
	if write != nil {
		write(ctx, w, resp)
		return
	}
	resp.Written = w.Value
}

func (b *bus) Close() error { return nil }

func (b *bus) lines(prefix string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, l := range b.log {
		if _, rest, _ := strings.Cut(l, " "); strings.HasPrefix(rest, prefix) {
			out = append(out, l)
		}
	}
	return out
}

// sinkOut keeps what a channel puts out.
type sinkOut struct {
	mu       sync.Mutex
	start    time.Time
	frames   []gotFrame
	statuses []sdk.DeviceStatus
	block    chan struct{}
	err      error
}

type gotFrame struct {
	device string
	after  time.Duration // of its own time
	at     time.Duration // of coming
	view   frame.View
}

func (o *sinkOut) Frame(device string, packed []byte) error {
	if o.block != nil {
		<-o.block
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	v, err := frame.Parse(append([]byte(nil), packed...), nil)
	if err != nil {
		return err
	}
	o.frames = append(o.frames, gotFrame{device, v.Time().Sub(o.start), time.Since(o.start), v})
	return o.err
}

func (o *sinkOut) Status(s sdk.DeviceStatus) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.statuses = append(o.statuses, s)
	return nil
}

func (o *sinkOut) of(device string) []gotFrame {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []gotFrame
	for _, f := range o.frames {
		if f.device == device {
			out = append(out, f)
		}
	}
	return out
}

func (o *sinkOut) status(device string) sdk.DeviceStatus {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := len(o.statuses) - 1; i >= 0; i-- {
		if o.statuses[i].Device == device {
			return o.statuses[i]
		}
	}
	return sdk.DeviceStatus{}
}

func deviceSpec(name string, every time.Duration) sdk.DeviceSpec {
	return sdk.DeviceSpec{Name: name, Every: every, Points: []sdk.PointSpec{
		{Name: "p", Index: 0, Scale: 1, Readable: true, Writable: true},
		{Name: "ro", Index: 1, Scale: 1, Readable: true},
	}}
}

// rig runs a channel in a bubble of fake time, which begins on a whole second.
type rig struct {
	*Channel
	t   *testing.T
	bus *bus
	out *sinkOut
	ctx context.Context
	end func()
}

func run(t *testing.T, o Options, devices []sdk.DeviceSpec, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, out := &bus{start: time.Now()}, &sinkOut{start: time.Now()}
		if o.Jitter == nil {
			o.Jitter = func() float64 { return 0 }
		}
		c, err := New(sdk.ChannelSpec{Name: "lan", Devices: devices}, b, o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		r := &rig{Channel: c, t: t, bus: b, out: out, ctx: ctx}
		f(r)
		cancel()
		if r.end != nil {
			r.end()
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if b.overlap {
			t.Error("two requests ran at the same time")
		}
	})
}

// start begins Run, which must return nil at the end.
func (r *rig) start() {
	done := make(chan error, 1)
	go func() { done <- r.Run(r.ctx, r.out) }()
	r.end = func() {
		if err := <-done; err != nil {
			r.t.Errorf("Run: %v", err)
		}
	}
}

func (r *rig) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestIntervalsAreAligned(t *testing.T) {
	run(t, Options{}, []sdk.DeviceSpec{deviceSpec("fast", 100*time.Millisecond), deviceSpec("slow", time.Second)}, func(r *rig) {
		r.bus.poll = func(ctx context.Context, rd *Reading) error {
			time.Sleep(7 * time.Millisecond)
			rd.Frame.Set(0, 1)
			rd.Frame.Set(1, 2)
			return nil
		}
		time.Sleep(50 * time.Millisecond)
		r.start()
		r.wait(2*time.Second + 40*time.Millisecond)
		for device, want := range map[string][]time.Duration{"fast": {50, 100, 200, 300}, "slow": {57, 1007, 2007}} {
			got := r.out.of(device)
			if len(got) < len(want) {
				t.Fatalf("%s: %d frames", device, len(got))
			}
			for i, w := range want {
				if got[i].after != w*time.Millisecond {
					t.Errorf("%s: frame %d is of %s, want %dms", device, i, got[i].after, w)
				}
			}
		}
		// No drift: the ticks stay on whole multiples.
		last := r.out.of("fast")
		if n := len(last); n != 21 || last[n-1].after != 2000*time.Millisecond {
			t.Errorf("%d frames, the last of %s", n, last[n-1].after)
		}
		if s := r.out.status("fast"); s.State != sdk.DeviceOK || s.Latency != 7*time.Millisecond {
			t.Errorf("status: %+v", s)
		}
	})
}

func TestMissedTicksAreSkipped(t *testing.T) {
	run(t, Options{}, []sdk.DeviceSpec{deviceSpec("a", 100*time.Millisecond), deviceSpec("b", 100*time.Millisecond)}, func(r *rig) {
		r.bus.poll = func(ctx context.Context, rd *Reading) error {
			time.Sleep(130 * time.Millisecond)
			return nil
		}
		r.start()
		r.wait(2600 * time.Millisecond)
		a, b := len(r.out.of("a")), len(r.out.of("b"))
		if a+b < 18 || a-b > 1 || b-a > 1 {
			t.Errorf("%d and %d frames: an overloaded connection must serve its devices in turn", a, b)
		}
	})
}

func TestSilentDeviceCostsOneTimeoutPerPause(t *testing.T) {
	o := Options{Timeout: 500 * time.Millisecond, MinBackoff: time.Second, MaxBackoff: 30 * time.Second}
	run(t, o, []sdk.DeviceSpec{deviceSpec("good", 100*time.Millisecond), deviceSpec("dead", 100*time.Millisecond)}, func(r *rig) {
		var silent sync.Map
		silent.Store("dead", true)
		r.bus.poll = func(ctx context.Context, rd *Reading) error {
			if _, ok := silent.Load(rd.Device.Name); ok {
				rd.Frame.Set(0, 99)
				<-ctx.Done()
				return ctx.Err()
			}
			rd.Frame.Set(0, 1)
			return nil
		}
		r.start()
		r.wait(63 * time.Second)
		// Time-outs of 0.5 s, pauses of 1, 2, 4, 8, 16, 30 s.
		want := []time.Duration{500, 2000, 4500, 9000, 17500, 34000}
		got := r.out.of("dead")
		if len(got) != len(want) {
			t.Fatalf("%d frames of the silent device", len(got))
		}
		for i, w := range want {
			if got[i].at != w*time.Millisecond || got[i].view.Quality(0) != frame.Bad|frame.NoAnswer || got[i].view.Quality(1) != frame.Bad|frame.NoAnswer {
				t.Errorf("frame %d came at %s with quality %v, want %dms", i, got[i].at, got[i].view.Quality(0), w)
			}
		}
		if n := len(r.out.of("good")); n < 570 {
			t.Errorf("the good device has %d frames of 630", n)
		}
		s := r.out.status("dead")
		if s.State != sdk.DeviceBackoff || s.Failures != 6 || !strings.Contains(s.Error, "deadline") || s.RetryAt.Sub(r.out.start) != 64*time.Second {
			t.Errorf("status: %+v", s)
		}
		silent.Delete("dead")
		r.wait(2 * time.Second)
		if s := r.out.status("dead"); s.State != sdk.DeviceOK || s.Error != "" || !s.RetryAt.IsZero() {
			t.Errorf("status after it came back: %+v", s)
		}
	})
}

func TestUnsetPointIsNeverOld(t *testing.T) {
	run(t, Options{}, []sdk.DeviceSpec{deviceSpec("a", 100*time.Millisecond)}, func(r *rig) {
		n := 0
		r.bus.poll = func(ctx context.Context, rd *Reading) error {
			if n++; n == 1 {
				rd.Frame.Set(0, 1)
			}
			rd.Frame.Set(1, 2)
			if n == 3 {
				return Partial(errors.New("point p: illegal address"))
			}
			return nil
		}
		r.start()
		r.wait(190 * time.Millisecond)
		f := r.out.of("a")
		if f[0].view.Quality(0) != frame.Good || !f[1].view.Quality(0).IsBad() || f[1].view.Quality(1) != frame.Good {
			t.Errorf("qualities: %v, then %v", f[0].view.Quality(0), f[1].view.Quality(0))
		}
		r.wait(100 * time.Millisecond)
		if s := r.out.status("a"); s.State != sdk.DevicePartial || s.Error != "point p: illegal address" {
			t.Errorf("status: %+v", s)
		}
	})
}

func TestLostConnection(t *testing.T) {
	run(t, Options{MinBackoff: time.Second, MaxBackoff: 4 * time.Second}, []sdk.DeviceSpec{deviceSpec("a", 100*time.Millisecond), deviceSpec("b", time.Second)}, func(r *rig) {
		r.start()
		r.wait(250 * time.Millisecond)
		// A peer that closes an idle connection: made again at once, nobody notices.
		var reset atomic.Bool
		reset.Store(true)
		r.bus.mu.Lock()
		r.bus.poll = func(ctx context.Context, rd *Reading) error {
			if reset.CompareAndSwap(true, false) {
				return Lost(errors.New("connection reset"))
			}
			rd.Frame.Set(0, 1)
			rd.Frame.Set(1, 1)
			return nil
		}
		r.bus.mu.Unlock()
		r.wait(100 * time.Millisecond)
		if s := r.out.status("a"); r.bus.connects != 2 || s.State != sdk.DeviceOK || s.Failures != 0 {
			t.Errorf("%d connections, %+v", r.bus.connects, s)
		}
		// A peer that is gone: everything is bad at once, and the connection is tried after pauses.
		r.bus.mu.Lock()
		r.bus.refuse = errors.New("connection refused")
		r.bus.mu.Unlock()
		reset.Store(true)
		bad := len(r.out.of("b"))
		r.wait(60 * time.Millisecond) // 410 ms
		for _, d := range []string{"a", "b"} {
			f := r.out.of(d)
			if last := f[len(f)-1]; last.at != 400*time.Millisecond || last.view.Quality(0) != frame.Bad|frame.NoAnswer {
				t.Errorf("%s: the last frame is of %s, %v", d, last.at, last.view.Quality(0))
			}
		}
		if n := len(r.out.of("b")) - bad; n != 1 {
			t.Errorf("%d bad frames of b", n)
		}
		r.wait(8 * time.Second)
		var tries []string
		for _, l := range r.bus.lines("connect")[2:] {
			tries = append(tries, strings.Fields(l)[0])
		}
		if got := strings.Join(tries, " "); got != "400ms 1.4s 3.4s 7.4s" {
			t.Errorf("tries to connect: %s", got)
		}
		if _, err := write(r, "a", "p", 1); err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("write: %v", err)
		}
		r.bus.mu.Lock()
		r.bus.refuse = nil
		r.bus.mu.Unlock()
		r.wait(4 * time.Second)
		for _, d := range []string{"a", "b"} {
			if s := r.out.status(d); s.State != sdk.DeviceOK {
				t.Errorf("%s: %+v", d, s)
			}
		}
	})
}

func write(r *rig, device, point string, value float64) (sdk.WriteResponse, error) {
	var resp sdk.WriteResponse
	r.Write(context.Background(), sdk.WriteRequest{Device: device, Point: point, Value: value}, &resp)
	return resp, resp.Err
}

func TestWritesGoFirst(t *testing.T) {
	run(t, Options{Timeout: 10 * time.Second}, []sdk.DeviceSpec{deviceSpec("a", 100*time.Millisecond), deviceSpec("b", 100*time.Millisecond)}, func(r *rig) {
		r.bus.poll = func(ctx context.Context, rd *Reading) error {
			for i := range 4 {
				if i > 0 {
					if err := rd.Next(ctx); err != nil {
						return err
					}
				}
				time.Sleep(20 * time.Millisecond)
			}
			rd.Frame.Set(0, 1)
			return nil
		}
		r.start()
		r.wait(30 * time.Millisecond) // within the second request of a's poll
		if resp, err := write(r, "b", "p", 5); err != nil || resp.Written != 5 {
			t.Fatalf("%+v %v", resp, err)
		}
		if got := r.bus.lines("write"); got[0] != "40ms write b.p=5" {
			t.Errorf("%v", got)
		}
		r.wait(50 * time.Millisecond)
		if s := r.out.status("a"); s.State != sdk.DeviceOK {
			t.Errorf("the poll that was broken into: %+v", s)
		}
	})
}

func TestSafeValueInterruptsAPoll(t *testing.T) {
	run(t, Options{Timeout: 10 * time.Second}, []sdk.DeviceSpec{deviceSpec("a", time.Second)}, func(r *rig) {
		r.bus.poll = func(ctx context.Context, rd *Reading) error {
			<-ctx.Done()
			return Lost(ctx.Err())
		}
		r.start()
		r.wait(30 * time.Millisecond)
		var resp sdk.WriteResponse
		r.Write(context.Background(), sdk.WriteRequest{Device: "a", Point: "p", Value: 0, Safe: true}, &resp)
		if resp.Err != nil {
			t.Fatal(resp.Err)
		}
		if got := r.bus.lines("write"); got[0] != "30ms write a.p=0" {
			t.Errorf("%v", got)
		}
		if n := len(r.out.of("a")); n != 0 {
			t.Errorf("the interrupted poll gave %d frames", n)
		}
	})
}

func TestWriteToSilentDeviceFailsAtOnce(t *testing.T) {
	run(t, Options{Timeout: 100 * time.Millisecond}, []sdk.DeviceSpec{deviceSpec("a", time.Second)}, func(r *rig) {
		r.bus.poll = func(ctx context.Context, rd *Reading) error { <-ctx.Done(); return ctx.Err() }
		r.start()
		r.wait(150 * time.Millisecond)
		begin := time.Now()
		if _, err := write(r, "a", "p", 1); err == nil || !strings.Contains(err.Error(), "tried again in 950ms") {
			t.Errorf("%v", err)
		}
		if time.Since(begin) != 0 || len(r.bus.lines("write")) != 0 {
			t.Error("it was tried")
		}
		var resp sdk.WriteResponse
		r.Write(context.Background(), sdk.WriteRequest{Device: "a", Point: "p", Safe: true}, &resp)
		if resp.Err != nil || len(r.bus.lines("write")) != 1 {
			t.Errorf("the safe value was not tried: %v", resp.Err)
		}
	})
}

func TestWriteErrors(t *testing.T) {
	run(t, Options{Timeout: 100 * time.Millisecond}, []sdk.DeviceSpec{deviceSpec("a", time.Second)}, func(r *rig) {
		for _, test := range []struct{ device, point, want string }{
			{"nobody", "p", "has no device"},
			{"a", "nothing", "no such point"},
			{"a", "ro", "takes no set-points"},
		} {
			if _, err := write(r, test.device, test.point, 1); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s.%s: %v", test.device, test.point, err)
			}
		}
		// Before Run, too, a write reaches the device.
		if _, err := write(r, "a", "p", 1); err != nil {
			t.Error(err)
		}
		r.start()
		r.wait(10 * time.Millisecond)
		// A refusal is no outage.
		r.bus.mu.Lock()
		r.bus.write = func(_ context.Context, _ Writing, resp *sdk.WriteResponse) { resp.Err = errors.New("illegal value") }
		r.bus.mu.Unlock()
		if _, err := write(r, "a", "p", 1); err == nil {
			t.Error("a refusal is no success")
		}
		r.wait(10 * time.Millisecond)
		if s := r.out.status("a"); s.State != sdk.DeviceOK {
			t.Errorf("after a refusal: %+v", s)
		}
		// No answer is: the device is polled at once, to see.
		r.bus.write = func(ctx context.Context, _ Writing, resp *sdk.WriteResponse) {
			<-ctx.Done()
			resp.Err = os.ErrDeadlineExceeded
		}
		r.bus.mu.Lock()
		r.bus.poll = func(ctx context.Context, rd *Reading) error { return os.ErrDeadlineExceeded }
		r.bus.mu.Unlock()
		if _, err := write(r, "a", "p", 1); err == nil {
			t.Error("no answer is no success")
		}
		r.wait(time.Millisecond)
		if s := r.out.status("a"); s.State != sdk.DeviceBackoff {
			t.Errorf("after no answer: %+v", s)
		}
	})
}

func TestBackPressureHoldsPollsNotWrites(t *testing.T) {
	run(t, Options{}, []sdk.DeviceSpec{deviceSpec("a", 100*time.Millisecond)}, func(r *rig) {
		r.out.block = make(chan struct{})
		r.start()
		r.wait(time.Second)
		if n := len(r.bus.lines("poll")); n != 1 {
			t.Errorf("%d polls while nobody takes frames", n)
		}
		if _, err := write(r, "a", "p", 1); err != nil {
			t.Error(err)
		}
		close(r.out.block)
	})
}

func TestOutputErrorEndsRun(t *testing.T) {
	run(t, Options{}, []sdk.DeviceSpec{deviceSpec("a", 100*time.Millisecond)}, func(r *rig) {
		r.out.err = errors.New("no more")
		if err := r.Run(r.ctx, r.out); err == nil || err.Error() != "no more" {
			t.Errorf("%v", err)
		}
	})
}

func TestStatusIsRepeated(t *testing.T) {
	run(t, Options{StatusEvery: 5 * time.Second}, []sdk.DeviceSpec{deviceSpec("a", time.Hour)}, func(r *rig) {
		r.start()
		r.wait(21 * time.Second)
		r.out.mu.Lock()
		defer r.out.mu.Unlock()
		// Connecting, OK, and one every 5 s.
		if n := len(r.out.statuses); n != 6 {
			t.Errorf("%d reports", n)
		}
	})
}

func TestDeviceWithoutReadablePoints(t *testing.T) {
	d := deviceSpec("a", 100*time.Millisecond)
	for i := range d.Points {
		d.Points[i].Readable = false
	}
	run(t, Options{}, []sdk.DeviceSpec{d}, func(r *rig) {
		r.start()
		r.wait(time.Second)
		if _, err := write(r, "a", "p", 1); err != nil {
			t.Error(err)
		}
		r.wait(10 * time.Millisecond)
		if n := len(r.bus.lines("poll")); n != 0 || len(r.out.of("a")) != 0 {
			t.Errorf("%d polls", n)
		}
		if s := r.out.status("a"); s.State != sdk.DeviceOK {
			t.Errorf("%+v", s)
		}
	})
}

func TestPanicFreesTheConnection(t *testing.T) {
	run(t, Options{}, []sdk.DeviceSpec{deviceSpec("a", 100*time.Millisecond)}, func(r *rig) {
		r.bus.poll = func(context.Context, *Reading) error { panic("oops") }
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = r.Run(r.ctx, r.out)
		}()
		if _, err := write(r, "a", "p", 0); err != nil {
			t.Errorf("a write after the panic: %v", err)
		}
	})
}

func TestPauseGrowsToItsBound(t *testing.T) {
	o := Options{MinBackoff: time.Second, MaxBackoff: 10 * time.Second, Jitter: func() float64 { return 1 }}.withDefaults()
	var got []string
	for _, n := range []int{1, 2, 3, 4, 5, 1000} {
		got = append(got, o.pause(n).String())
	}
	if s := strings.Join(got, " "); s != "750ms 1.5s 3s 6s 7.5s 7.5s" {
		t.Errorf("pauses: %s", s)
	}
}
