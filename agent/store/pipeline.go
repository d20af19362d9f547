package store

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// called is a library's call in a pipeline of several batches.
type called struct {
	stage *stage
	cmd   *redis.Cmd
}

// ApplyAll takes several batches through the libraries in one round trip, each as Apply would, in order. Where Apply puts a
// server in order and tries again, ApplyAll fails: it is for a server of one's own, which is thrown away then. The result's
// counts are of all batches, its events of all in order.
func (s *Store) ApplyAll(ctx context.Context, batches []Batch) (Result, error) {
	if len(batches) == 0 {
		return Result{}, nil
	}
	s.work.Lock()
	defer s.work.Unlock()
	if s.suspect != "" {
		return Result{}, s.lost()
	}
	began := time.Now()
	res, err := s.exchangeAll(ctx, batches)
	if err != nil {
		err = s.explain("working off batches of frames", err)
		s.note(err)
		return Result{}, err
	}
	if s.arrived.Load() {
		s.suspect = "a server started anew"
		return Result{}, s.lost()
	}
	res.Events, s.pending = s.pending, nil
	for _, b := range batches {
		s.finished(b, res, time.Since(began)/time.Duration(len(batches)))
	}
	return res, nil
}

func (s *Store) exchangeAll(ctx context.Context, batches []Batch) (Result, error) {
	if s.stirred.Swap(false) {
		for i := range s.batch.stages {
			s.batch.stages[i].known = false
		}
	}
	pipe := s.client.Pipeline()
	var calls []called
	var puts []*redis.Cmd
	for _, b := range batches {
		for i := range s.batch.stages {
			st := &s.batch.stages[i]
			s.queue(ctx, pipe, st, b)
			st.args = nil // they are sent later
			if st.cmd != nil {
				calls = append(calls, called{st, st.cmd})
				st.known = false
			}
		}
		if len(b.Gone) > 0 {
			pipe.HDel(ctx, s.keys.frames, b.Gone...)
		}
		if len(b.Frames) > 0 {
			p := append(make([]any, 0, len(s.batch.putHead)+2*len(b.Frames)), s.batch.putHead...)
			for i := range b.Frames {
				p = append(p, &b.Frames[i].Device, b.Frames[i].Packed)
			}
			put := redis.NewCmd(ctx, p...)
			pipe.Process(ctx, put)
			puts = append(puts, put)
		}
	}
	read := redis.NewCmd(ctx, s.batch.read...)
	pipe.Process(ctx, read)
	pipe.Exec(ctx)
	if more, err := s.takeEvents(read); err != nil {
		return Result{}, err
	} else if more {
		if err := s.readOn(ctx); err != nil {
			return Result{}, err
		}
	}
	return s.takeAll(batches, calls, puts)
}

// takeAll reads the replies. Of each library the last one says when it wants to be called next.
func (s *Store) takeAll(batches []Batch, calls []called, puts []*redis.Cmd) (Result, error) {
	var res Result
	for _, c := range calls {
		c.stage.cmd = c.cmd
		if err := c.stage.take(&res); err != nil {
			return Result{}, err
		}
	}
	for _, put := range puts {
		if err := put.Err(); err != nil {
			return Result{}, err
		}
	}
	res.Next = 0
	for i := range s.batch.stages {
		if st := &s.batch.stages[i]; st.known {
			res.due(st.next)
		}
	}
	for _, b := range batches {
		s.remember(b)
	}
	s.refresh = false
	return res, nil
}
