package store

import (
	"context"
	"errors"
	"maps"

	"github.com/redis/go-redis/v9"
)

// Snapshot is what a site's libraries know between two batches: states, timers, live requests, newest frames. It belongs to no
// program and no version of a library.
type Snapshot struct {
	states   map[string]map[string]string // by library
	timers   map[string][]redis.Z
	requests map[string]string
	frames   map[string][]byte
}

// Snapshot takes what the libraries know now. No batch is on the way while it does.
func (s *Store) Snapshot(ctx context.Context) (*Snapshot, error) {
	const doing = "taking a snapshot of the site's states"
	s.work.Lock()
	defer s.work.Unlock()
	if err := s.available(); err != nil {
		return nil, err
	}
	states, timers := map[string]*redis.MapStringStringCmd{}, map[string]*redis.ZSliceCmd{}
	var requests *redis.MapStringStringCmd
	commands, err := s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for _, lib := range order {
			states[lib] = p.HGetAll(ctx, s.keys.state(lib))
			timers[lib] = p.ZRangeWithScores(ctx, s.keys.timers(lib), 0, -1)
		}
		requests = p.HGetAll(ctx, s.keys.requests)
		return nil
	})
	if err := reason(commands, err); err != nil {
		return nil, s.explain(doing, err)
	}
	snap := &Snapshot{states: map[string]map[string]string{}, timers: map[string][]redis.Z{}, requests: requests.Val()}
	for _, lib := range order {
		snap.states[lib], snap.timers[lib] = states[lib].Val(), timers[lib].Val()
	}
	s.arrival.Lock()
	defer s.arrival.Unlock()
	snap.frames = maps.Clone(s.newest)
	return snap, nil
}

// Seed gives a store that has no programs yet what another one's libraries knew, but for the frames, which are given as they fit
// the site to come.
func (s *Store) Seed(ctx context.Context, snap *Snapshot, frames map[string][]byte) error {
	s.work.Lock()
	defer s.work.Unlock()
	for _, p := range s.program {
		if p != nil {
			return errors.New("seeding the store: its libraries run already")
		}
	}
	s.arrival.Lock()
	maps.Copy(s.newest, frames)
	fields := s.knownFrames()
	s.arrival.Unlock()
	commands, err := s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for _, lib := range order {
			if state := snap.states[lib]; len(state) > 0 {
				p.HSet(ctx, s.keys.state(lib), state)
			}
			if timers := snap.timers[lib]; len(timers) > 0 {
				p.ZAdd(ctx, s.keys.timers(lib), timers...)
			}
		}
		if len(snap.requests) > 0 {
			p.HSet(ctx, s.keys.requests, snap.requests)
		}
		if len(fields) > 0 {
			p.HSet(ctx, s.keys.frames, fields...)
		}
		p.Set(ctx, s.keys.epoch, newEpoch(), 0)
		return nil
	})
	if err := reason(commands, err); err != nil {
		return s.explain("seeding the store", err)
	}
	return nil
}

// Frames are the newest frames that a snapshot has, by device.
func (n *Snapshot) Frames() map[string][]byte { return n.frames }
