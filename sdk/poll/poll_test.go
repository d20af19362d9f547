package poll

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

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
