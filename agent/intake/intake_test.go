package intake

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/sdk/frame"
)

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
