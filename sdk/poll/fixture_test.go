package poll

import (
	"context"
	"fmt"
	"strings"
	"sync"
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
