package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/store"
)

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
