package journal

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// Bucket is one interval of a point's past. Its numbers are NaN when no value of good or uncertain quality came: a gap
// is never zero.
type Bucket struct {
	// Time is the interval's start.
	Time                 time.Time
	Min, Max, Mean, Last float64
	// Count counts the values that the numbers stand for, Uncertain those of them that are not good, and Bad the readings
	// without a value.
	Count, Uncertain, Bad int
}

// Good is the share of the readings that were good, between 0 and 1; NaN when there was none.
func (b Bucket) Good() float64 { return float64(b.Count-b.Uncertain) / float64(b.Count+b.Bad) }

const maxBuckets = 100_000

// History gives a numeric point's values between two source times, since included and until not, one bucket for
// each interval of every; the first begins at since.
func (j *Journal) History(ctx context.Context, device, point string, since, until time.Time, every time.Duration) ([]Bucket, error) {
	from, to, step := since.UnixMilli(), until.UnixMilli(), every.Milliseconds()
	if step <= 0 || to <= from {
		return nil, fmt.Errorf("history of %s.%s: it needs an interval of at least 1 ms, and an end behind its beginning", device, point)
	}
	n := (to - from + step - 1) / step
	if n > maxBuckets {
		return nil, fmt.Errorf("history of %s.%s: %d intervals are too many, at most %d can be asked for: take longer ones", device, point, n, maxBuckets)
	}
	buckets := make([]Bucket, n)
	for i := range buckets {
		buckets[i] = Bucket{Time: time.UnixMilli(from + int64(i)*step).UTC(), Min: math.NaN(), Max: math.NaN(), Mean: math.NaN(), Last: math.NaN()}
	}
	w := j.newWalker(0)
	defer w.close()
	w.skipEvents, w.dec.only = true, device
	w.wanted = func(s *segment) bool { return s.LastSeq > 0 && s.FromSource < to && s.ToSource >= from }
	slots := map[*Table]int{}
	err := w.each(ctx, func(r *Record) {
		slot, known := slots[r.Table]
		if !known {
			slot, known = r.Table.number(point)
			if !known {
				slot = -1
			}
			slots[r.Table] = slot
		}
		v, err := frame.Parse(r.Packed, nil)
		if ms := v.Millis(); err == nil && slot >= 0 && ms >= float64(from) && ms < float64(to) {
			buckets[(int64(ms)-from)/step].add(v.Value(slot), v.Quality(slot))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("history of %s.%s: %w", device, point, err)
	}
	for i := range buckets {
		if buckets[i].Count > 0 {
			buckets[i].Mean /= float64(buckets[i].Count)
		}
	}
	return buckets, nil
}

// add takes a reading; Mean holds the sum until all are there.
func (b *Bucket) add(v float64, q frame.Quality) {
	if q.IsBad() || math.IsNaN(v) {
		b.Bad++
		return
	}
	if b.Count == 0 {
		b.Min, b.Max, b.Mean = v, v, 0
	}
	b.Count++
	if q.Class() == frame.Uncertain {
		b.Uncertain++
	}
	b.Min, b.Max, b.Last = min(b.Min, v), max(b.Max, v), v
	b.Mean += v
}

// each calls f for each record that there is now.
func (w *walker) each(ctx context.Context, f func(*Record)) error {
	var r Record
	w.ctx = ctx
	for {
		ok, err := w.next(&r)
		if !ok {
			return err
		}
		f(&r)
	}
}

// Events gives the newest events between two times, since included and until not (zero times: no bound), oldest first.
// wanted chooses among them; limit 0: all.
func (j *Journal) Events(ctx context.Context, since, until time.Time, wanted func(event.Event) bool, limit int) ([]event.Event, error) {
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if !since.IsZero() {
		from = since.UnixMilli()
	}
	if !until.IsZero() {
		to = until.UnixMilli()
	}
	var found []event.Event // newest segment first, each oldest first
	for _, index := range j.eventSegments(from, to) {
		w := j.newWalker(0)
		w.index, w.skipFrames = index-1, true
		w.wanted = func(s *segment) bool { return s.Index == index }
		var events []event.Event
		err := w.each(ctx, func(r *Record) {
			if e := r.Event; e.Millis >= from && e.Millis < to && wanted(e) {
				events = append(events, e)
			}
		})
		w.close()
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		found = append(events, found...)
		if limit > 0 && len(found) >= limit {
			return found[len(found)-limit:], nil
		}
	}
	return found, nil
}

// eventSegments lists the segments that have events between two times, the newest first.
func (j *Journal) eventSegments(from, to int64) []int {
	j.mu.Lock()
	defer j.mu.Unlock()
	var indexes []int
	for _, s := range slices.Backward(j.segments) {
		if s.Events > 0 && s.First < to && s.Last >= from {
			indexes = append(indexes, s.Index)
		}
	}
	return indexes
}
