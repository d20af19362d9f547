package poll

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/sdk"
)

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
