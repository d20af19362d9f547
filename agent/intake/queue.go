package intake

import "github.com/voltage-edge/voltage/agent/store"

const (
	// batchBytes bounds the frames of one batch.
	batchBytes = 512 << 10
	// slack is how many frames may wait beyond two for each device before only the newest are kept.
	slack = 64
)

// queue are the frames that wait for Redis, in the order in which they were accepted.
type queue struct {
	frames  []store.Frame
	devices map[string]bool // of the frames
	taken   map[string]bool // of the batch that is being taken
	skipped uint64
}

func newQueue() *queue { return &queue{devices: map[string]bool{}, taken: map[string]bool{}} }

// push adds a frame. When too many wait, only the newest of each device are kept.
func (q *queue) push(f store.Frame) {
	q.frames = append(q.frames, f)
	q.devices[f.Device] = true
	q.bound()
}

func (q *queue) bound() {
	if len(q.frames) > 2*len(q.devices)+slack {
		q.collapse()
	}
}

// collapse keeps the newest frame of each device, in order, and counts the others as skipped.
func (q *queue) collapse() {
	last := make(map[string]int, len(q.devices))
	for i := range q.frames {
		last[q.frames[i].Device] = i
	}
	kept := q.frames[:0]
	for i, f := range q.frames {
		if last[f.Device] == i {
			kept = append(kept, f)
		}
	}
	q.skipped += uint64(len(q.frames) - len(kept))
	clear(q.frames[len(kept):])
	q.frames = kept
}

// take appends the next batch to dst: the first frames, up to the first whose device has one in the batch already. The
// order stays that of acceptance, so that a run of the journal through the libraries gives the same.
func (q *queue) take(dst []store.Frame) []store.Frame {
	clear(q.taken)
	size, n := 0, 0
	for _, f := range q.frames {
		if n > 0 && size+len(f.Packed) > batchBytes || q.taken[f.Device] {
			break
		}
		q.taken[f.Device] = true
		dst = append(dst, f)
		size += len(f.Packed)
		n++
	}
	left := copy(q.frames, q.frames[n:])
	clear(q.frames[left:])
	q.frames = q.frames[:left]
	if left == 0 {
		clear(q.devices)
	}
	return dst
}

// putBack returns a batch that Redis did not take to the front. While it is away only the newest frames are of use.
func (q *queue) putBack(batch []store.Frame) {
	all := make([]store.Frame, 0, len(batch)+len(q.frames))
	all = append(append(all, batch...), q.frames...)
	q.frames = all
	for _, f := range batch {
		q.devices[f.Device] = true
	}
	q.collapse()
}

// drop forgets the frames of devices that are not to be kept.
func (q *queue) drop(keep func(device string) bool) {
	kept := q.frames[:0]
	for _, f := range q.frames {
		if keep(f.Device) {
			kept = append(kept, f)
		}
	}
	clear(q.frames[len(kept):])
	q.frames = kept
	for d := range q.devices {
		if !keep(d) {
			delete(q.devices, d)
		}
	}
}
