package sink

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/voltage-edge/voltage/sdk"
)

const (
	// After so many failures in a row a batch is divided.
	divideAfter = 2
	// A single item that failed so often is doubted.
	doubtAfter = 4
	// A doubted item is given up when it fails while one that is known to be good passes, so many times in a row.
	giveUpAfter = 3

	whole = math.MaxInt
)

// deliver writes the whole batch, however long that takes. Plugins say by themselves which samples the far end refuses
// for good. A batch that fails otherwise is divided, until only what makes it fail is held back. That can be one item on
// which the plugin fails each time, which must not block all that is behind it; but a far end that is away looks just the
// same. So an item that passed before is written once more: only when that passes, again and again, is the other given up.
func (r *Runner) deliver(ctx context.Context) error {
	failures, doubts := 0, 0
	for at, n := 0, r.batch.len(); at < n; {
		to := at + min(r.size, n-at)
		err := r.write(ctx, r.batch.request(at, to))
		if err == nil {
			r.proven = r.batch.proof(to - 1)
			at, failures, doubts = to, 0, 0
			r.grow()
			continue
		}
		failures++
		r.failed(err)
		if failures >= divideAfter {
			r.size = max((to-at)/2, 1)
		}
		if to-at == 1 && failures >= doubtAfter && ctx.Err() == nil {
			if r.passes(ctx, to) {
				doubts++
			} else {
				doubts = 0
			}
			if doubts >= giveUpAfter {
				r.giveUp(at, err)
				at, failures, doubts = to, 0, 0
				continue
			}
		}
		if err := r.pause(ctx, failures); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) grow() {
	if r.size >= r.o.BatchSize {
		r.size = whole
	} else {
		r.size *= 2
	}
}

// passes tells whether the far end takes an item that it took before, or, when there is none, the one at next.
func (r *Runner) passes(ctx context.Context, next int) bool {
	req := r.proven
	if len(req.Samples)+len(req.Events) == 0 {
		if next >= r.batch.len() {
			return false
		}
		req = r.batch.request(next, next+1)
	}
	_, err := r.hand(ctx, req)
	return err == nil
}

// giveUp counts an item as refused for good.
func (r *Runner) giveUp(at int, err error) {
	reason := fmt.Sprintf("%s fails each time: %v", r.batch.name(at), err)
	r.log.Error("gave up a sample", "reason", reason)
	r.set(func(s *Status) {
		s.State, s.Error = OK, ""
		s.Rejected++
		s.Reason = reason
	})
}

// write hands items over and counts them.
func (r *Runner) write(ctx context.Context, req sdk.SinkWriteRequest) error {
	resp, err := r.hand(ctx, req)
	if err != nil {
		return err
	}
	n := len(req.Samples) + len(req.Events)
	rejected := uint64(min(max(resp.Rejected, 0), n))
	if rejected > 0 {
		r.log.Warn("the far end refused samples for good", "samples", rejected, "reason", resp.Reason)
	}
	r.set(func(s *Status) {
		s.State, s.Error, s.LastWrite = OK, "", time.Now()
		s.Written += uint64(n) - rejected
		s.Rejected += rejected
		if rejected > 0 {
			s.Reason = resp.Reason
		}
	})
	return nil
}

// stopGrace is what a write that is under way is given when the runner is stopped.
const stopGrace = 2 * time.Second

// hand hands items over, once.
func (r *Runner) hand(ctx context.Context, req sdk.SinkWriteRequest) (sdk.SinkWriteResponse, error) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.o.WriteTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		grace := time.AfterFunc(stopGrace, cancel)
		context.AfterFunc(limited, func() { grace.Stop() })
	})
	defer stop()
	return r.o.Writer.Write(limited, req)
}
