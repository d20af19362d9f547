package intake

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/agent/store"
)

// TestQueueKeepsOrderAndLosesNothing pushes, takes and puts back at random: a batch has one frame a device at most, the order
// is that of the pushes, and a frame is only left out when a newer one of its device follows.
func TestQueueKeepsOrderAndLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue()
		pushed := 0
		newest := map[string]int64{}    // by device, of what was pushed
		delivered := map[string]int64{} // by device
		count, last := 0, int64(-1)
		var flying []store.Frame
		take := func() {
			flying = q.take(nil)
			seen := map[string]bool{}
			for _, f := range flying {
				if seen[f.Device] {
					t.Fatalf("device %s is in the batch twice", f.Device)
				}
				seen[f.Device] = true
			}
		}
		land := func() {
			for _, f := range flying {
				if f.Millis <= last {
					t.Fatalf("frame %d comes after %d", f.Millis, last)
				}
				last = f.Millis
				delivered[f.Device] = f.Millis
				count++
			}
			flying = nil
		}
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"push", "push", "push", "take", "fail"}).Draw(t, "step") {
			case "push":
				for range rapid.IntRange(1, 40).Draw(t, "frames") {
					d := fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "device"))
					q.push(store.Frame{Device: d, Millis: int64(pushed)})
					newest[d] = int64(pushed)
					pushed++
				}
				if limit := 2*len(newest) + slack; len(q.frames) > limit {
					t.Fatalf("%d frames wait, the limit is %d", len(q.frames), limit)
				}
			case "take":
				if flying == nil {
					take()
				} else {
					land()
				}
			case "fail":
				if flying != nil {
					q.putBack(flying)
					flying = nil
				}
			}
		}
		land()
		for len(q.frames) > 0 {
			take()
			land()
		}
		for d, at := range newest {
			if delivered[d] != at {
				t.Fatalf("the newest frame of %s is %d, delivered was %d", d, at, delivered[d])
			}
		}
		if uint64(pushed) != uint64(count)+q.skipped {
			t.Fatalf("%d frames came, %d were delivered and %d skipped", pushed, count, q.skipped)
		}
	})
}

func TestQueueSkipsNothingWhileItIsShort(t *testing.T) {
	q := newQueue()
	for i := range 40 {
		q.push(store.Frame{Device: fmt.Sprint(i % 3), Millis: int64(i)})
	}
	n := 0
	for len(q.frames) > 0 {
		n += len(q.take(nil))
	}
	if n != 40 || q.skipped != 0 {
		t.Errorf("%d frames, %d skipped", n, q.skipped)
	}
}

func TestABatchIsBounded(t *testing.T) {
	q := newQueue()
	for i := range 100 {
		q.push(store.Frame{Device: fmt.Sprint(i), Packed: make([]byte, batchBytes/10)})
	}
	if n := len(q.take(nil)); n != 10 {
		t.Errorf("%d frames in a batch", n)
	}
	q = newQueue()
	q.push(store.Frame{Device: "large", Packed: make([]byte, 2*batchBytes)})
	if n := len(q.take(nil)); n != 1 {
		t.Errorf("a large frame is never taken")
	}
}
