package api

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
)

func valueOf(name string, v float64) Value { return Value{Name: name, Value: v, Quality: "good"} }

// collect takes n changes as text.
func collect(t *testing.T, from <-chan Change, n int) []Change {
	t.Helper()
	out := make([]Change, 0, n)
	for range n {
		select {
		case c, ok := <-from:
			if !ok {
				t.Fatalf("closed after %d of %d", len(out), n)
			}
			out = append(out, c)
		case <-time.After(20 * time.Second):
			t.Fatalf("%d of %d changes came", len(out), n)
		}
	}
	return out
}

func TestHubSnapshotChangesAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(8, time.Now)
		if h.Active() {
			t.Error("active without subscribers")
		}
		now := []Value{valueOf("a.x", 1), valueOf("b.x", 2)}
		snapshot := func() []Value { return now }
		ctx, cancel := context.WithCancel(t.Context())
		ch, err := h.Subscribe(ctx, []string{"a.*", "alarm.*"}, 0, snapshot)
		if err != nil {
			t.Fatal(err)
		}
		h.Values(valueOf("b.x", 3), valueOf("a.x", 4))
		h.Event(event.New(time.Now(), event.Alarm, "alarm", "hot"))
		h.Event(event.New(time.Now(), event.Device, "device", "a"))
		got := collect(t, ch, 3)
		if !got[0].Snapshot || got[0].Value.Value != 1.0 || got[1].Snapshot || got[1].Value.Value != 4.0 || got[2].Event.Get("alarm") != "hot" {
			t.Fatalf("%+v", got)
		}
		if got[2].Sequence != got[1].Sequence+1 || got[1].Sequence != got[0].Sequence+2 {
			t.Errorf("sequences %d %d %d", got[0].Sequence, got[1].Sequence, got[2].Sequence)
		}
		last := got[2].Sequence
		cancel()
		for range ch {
		}
		// While it is away, changes are remembered for a while.
		h.Values(valueOf("a.x", 5))
		again, err := h.Subscribe(t.Context(), []string{"a.*"}, last, func() []Value { t.Error("a snapshot"); return nil })
		if err != nil {
			t.Fatal(err)
		}
		if got := collect(t, again, 1); got[0].Value.Value != 5.0 || got[0].Snapshot || got[0].Sequence != last+2 {
			t.Errorf("%+v", got)
		}
		// What is no longer remembered, and what never was, begins anew.
		for i := range 20 {
			h.Values(valueOf("a.x", float64(i)))
			synctest.Wait()
		}
		for _, after := range []uint64{last, 1, last + 1_000_000} {
			ctx, cancel := context.WithCancel(t.Context())
			ch, err := h.Subscribe(ctx, nil, after, snapshot)
			if err != nil {
				t.Fatal(err)
			}
			if got := collect(t, ch, 2); !got[0].Snapshot || !got[1].Snapshot {
				t.Errorf("after %d: %+v", after, got)
			}
			cancel()
		}
		h.Close()
		if _, err := h.Subscribe(t.Context(), nil, 0, snapshot); err == nil {
			t.Error("a subscription to a closed hub")
		}
	})
}

func TestHubForgetsWhenNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(8, time.Now)
		ctx, cancel := context.WithCancel(t.Context())
		ch, _ := h.Subscribe(ctx, nil, 0, func() []Value { return nil })
		h.Values(valueOf("a.x", 1))
		last := collect(t, ch, 1)[0].Sequence
		cancel()
		synctest.Wait()
		time.Sleep(linger + time.Second)
		if h.Active() {
			t.Error("still active")
		}
		h.Values(valueOf("a.x", 2))
		ch, _ = h.Subscribe(t.Context(), nil, last-1, func() []Value { return []Value{valueOf("a.x", 2)} })
		if got := collect(t, ch, 1); !got[0].Snapshot {
			t.Errorf("%+v", got)
		}
		h.Close()
	})
}

func TestHubDropsWhoIsTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(100, time.Now)
		slow, _ := h.Subscribe(t.Context(), nil, 0, func() []Value { return nil })
		quick, _ := h.Subscribe(t.Context(), nil, 0, func() []Value { return nil })
		n := 0
		for i := range 1000 {
			h.Values(valueOf("a.x", float64(i)))
			synctest.Wait()
			if c := <-quick; c.Value.Value != float64(i) {
				t.Fatalf("%+v", c)
			}
		}
		for range slow {
			n++
		}
		if n == 0 || n >= 1000 {
			t.Errorf("the slow one got %d of 1000, then its end", n)
		}
		h.Close()
	})
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"battery.*", "battery.soc", true}, {"battery.*", "battery2.soc", false}, {"*", "x", true}, {"*.soc", "a.b.soc", true},
		{"b?t.soc", "bat.soc", true}, {"b?t.soc", "bt.soc", false}, {"battery.soc", "battery.soc", true}, {"", "", true},
		{"a*b*c", "aXbXbXc", true}, {"a*b*c", "aXbXbX", false}, {"meter[*].power", "meter[a].power", true}, {"**", "", true},
	} {
		if got := Match([]string{c.pattern}, c.name); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.name, got)
		}
	}
	if !Match(nil, "x") {
		t.Error("no pattern must match all")
	}
}

func BenchmarkHub(b *testing.B) {
	h := NewHub(8192, time.Now)
	defer h.Close()
	for range 3 {
		ch, _ := h.Subscribe(b.Context(), []string{"d1.*"}, 0, func() []Value { return nil })
		go func() {
			for range ch {
			}
		}()
	}
	values := make([]Value, 50)
	for i := range values {
		values[i] = valueOf(fmt.Sprintf("d2.p%d", i), 1)
	}
	for b.Loop() {
		h.Values(values...)
	}
}
