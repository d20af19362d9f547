package journal

import (
	"math/bits"
	"time"
)

// Stats are the journal's figures.
type Stats struct {
	// Bytes and Segments on disk; Oldest and Newest are the times of the records in them.
	Bytes    int64
	Segments int
	Oldest   time.Time
	Newest   time.Time
	// Records on disk, and the number of the newest one.
	Records uint64
	Seq     uint64

	// Frames, Events and AppendedBytes since the journal was opened.
	Frames        uint64
	Events        uint64
	AppendedBytes uint64
	// Dropped counts the records that retention took, over restarts.
	Dropped uint64
	// DamagedBytes were unreadable when the journal was opened.
	DamagedBytes int64
	// AppendFailures and SyncFailures since the journal was opened. Err is what hinders appends now, SyncErr what hinders
	// syncs; both nil when all is well.
	AppendFailures uint64
	SyncFailures   uint64
	Err            error
	SyncErr        error
	// AppendP50 and AppendP99 are how long appends take, to within a factor of two.
	AppendP50 time.Duration
	AppendP99 time.Duration
}

// Stats tells how the journal does.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Stats{
		Segments: len(j.segments), Seq: j.seq,
		Frames: j.counts.frames, Events: j.counts.events, AppendedBytes: j.counts.bytes,
		Dropped: j.counts.dropped, DamagedBytes: j.counts.damaged,
		AppendFailures: j.counts.failures, SyncFailures: j.counts.syncFailures, Err: j.counts.err, SyncErr: j.counts.syncErr,
		AppendP50: j.latency.quantile(0.5), AppendP99: j.latency.quantile(0.99),
	}
	oldest, newest := int64(0), int64(0)
	for _, g := range j.segments {
		s.Bytes += g.size()
		s.Records += g.records()
		if g.LastSeq == 0 {
			continue
		}
		if oldest == 0 || g.First < oldest {
			oldest = g.First
		}
		newest = max(newest, g.Last)
	}
	if s.Records > 0 {
		s.Oldest, s.Newest = time.UnixMilli(oldest).UTC(), time.UnixMilli(newest).UTC()
	}
	return s
}

// latency counts durations by their power of two in nanoseconds.
type latency struct {
	counts [64]uint64
	total  uint64
}

func (l *latency) add(d time.Duration) {
	l.counts[bits.Len64(uint64(max(d, 0)))]++
	l.total++
}

// quantile is the upper bound of the power of two in which it lies.
func (l *latency) quantile(q float64) time.Duration {
	left := uint64(q * float64(l.total))
	for i, n := range l.counts {
		if n > left {
			return 1 << i
		}
		left -= n
	}
	return 0
}
