package sink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/voltage-edge/voltage/agent/journal"
)

const (
	// callPoints is about how many points one call of the program looks at: others wait for Redis meanwhile.
	callPoints = 2000
	// keepEvery is how often a routed sink has its place on disk, at least: behind it the program's state can't be brought back.
	keepEvery = time.Second
	// mostReplayed bounds how many records are shaped again for the state they leave; beyond it the streams begin anew.
	mostReplayed = 500_000
)

// shaping is a runner's dealing with the program of its routes.
type shaping struct {
	sink    string
	routing *Routing
	layouts *layouts
	journal *journal.Journal
	cursor  *journal.Cursor
	say     func(string, ...any)

	// place is the record up to which the program has shaped, base the one to which its state can be brought back.
	place, base uint64
	kept        time.Time
}

func newShaping(r *Runner) *shaping {
	at := r.cursor.Committed().Seq
	return &shaping{
		sink: r.o.Name, routing: r.o.Routing, layouts: r.batch.layouts, journal: r.o.Journal, cursor: r.cursor,
		say: func(text string, args ...any) { r.log.Info(text, args...) }, place: at, base: at, kept: time.Now(),
	}
}

// checkpoint is called between two batches: what was shaped is committed.
func (s *shaping) checkpoint() {
	if time.Since(s.kept) < keepEvery {
		return
	}
	// Where it can't be written, the place before stays the base.
	if s.cursor.Keep() == nil {
		s.base, s.kept = s.place, time.Now()
	}
}

// shape gives the samples of each record. retry is told of a call that failed, and says whether to try it again.
func (s *shaping) shape(ctx context.Context, records []journal.Record, retry func(error) error) (samples [][]byte, counts []GroupCounts, err error) {
	samples = make([][]byte, len(records))
	for from := 0; from < len(records); {
		req, indexes, next := s.request(records, from)
		if len(req.Frames) > 0 {
			reply, err := s.ask(ctx, req)
			for err != nil {
				if err = retry(err); err != nil {
					return nil, nil, err
				}
				reply, err = s.ask(ctx, req)
			}
			if len(reply.Samples) != len(indexes) {
				return nil, nil, errSamples
			}
			for i, at := range indexes {
				samples[at] = reply.Samples[i]
			}
			counts = append(counts, reply.Counts...)
			s.place = req.To
		}
		from = next
	}
	return samples, counts, nil
}

// request gathers as many records as one call takes.
func (s *shaping) request(records []journal.Record, from int) (req ShapeRequest, indexes []int, next int) {
	req = ShapeRequest{Sink: s.sink, Revision: s.routing.Revision, Base: s.base, From: s.place}
	points := 0
	for next = from; next < len(records) && points < callPoints; next++ {
		r := &records[next]
		req.To = r.Position.Seq
		if r.Kind != journal.Frame {
			continue
		}
		if packed, ok := s.layouts.of(r.Table).forProgram(r); ok {
			req.Frames = append(req.Frames, ShapeFrame{Device: r.Table.Device, Millis: r.Millis, Packed: packed})
			indexes = append(indexes, next)
			points += 5 + len(r.Table.Numbers) + len(r.Table.Texts)
		}
	}
	return req, indexes, next
}

// ask calls the program. When its state is at another place, it is brought to this one.
func (s *shaping) ask(ctx context.Context, req ShapeRequest) (ShapeReply, error) {
	for range 3 {
		reply, err := s.routing.Shaper.Shape(ctx, req)
		var m *Misplaced
		if !errors.As(err, &m) {
			if err == nil && reply.Fresh {
				s.base = req.From
				s.say("the routes begin anew: each stream passes once", "record", req.From)
			}
			return reply, err
		}
		if err := s.recover(ctx, *m, req.From); err != nil {
			return ShapeReply{}, err
		}
		req.Base = s.base
	}
	return ShapeReply{}, fmt.Errorf("the state of the routes can't be brought to record %d", req.From)
}

// recover brings the program's state to a place: a redis-server may have lost the last of it, or have what a killed agent shaped and
// did not get to the sink. What the journal has between is shaped again, and what comes of it is left alone: the sink has it.
func (s *shaping) recover(ctx context.Context, m Misplaced, to uint64) error {
	from := m.Base
	switch {
	case m.To <= to:
		from = m.To
	case m.Base > to:
		return s.forget(ctx, to)
	}
	if to-from > mostReplayed {
		return s.forget(ctx, to)
	}
	reader := s.journal.ReadAfter(from)
	defer reader.Close()
	req := ShapeRequest{Sink: s.sink, Revision: s.routing.Revision, Base: m.Base, From: from, To: from}
	points := 0
	for last := from; last < to; {
		r, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF) || err == nil && r.Position.Seq != last+1:
			return s.forget(ctx, to) // retention has taken some of it
		case err != nil:
			return err
		}
		last = r.Position.Seq
		req.To = last
		if r.Kind == journal.Frame {
			if packed, ok := s.layouts.of(r.Table).forProgram(&r); ok {
				req.Frames = append(req.Frames, ShapeFrame{Device: r.Table.Device, Millis: r.Millis, Packed: append([]byte(nil), packed...)})
				points += 5 + len(r.Table.Numbers) + len(r.Table.Texts)
			}
		}
		if points >= callPoints && last < to {
			if _, err := s.routing.Shaper.Shape(ctx, req); err != nil {
				return err
			}
			req.From, req.Frames, points = last, nil, 0
		}
	}
	// The last stretch, which is empty when the state is only to be brought back.
	if _, err := s.routing.Shaper.Shape(ctx, req); err != nil {
		return err
	}
	s.base = m.Base
	s.say("brought the state of the routes to the sink's place", "from", from, "to", to)
	return nil
}

func (s *shaping) forget(ctx context.Context, at uint64) error {
	s.say("there is no state of the routes for the sink's place", "record", at)
	s.base = at
	return s.routing.Shaper.Forget(ctx, s.sink)
}
