package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/event"
)

// takeEvents adds what a read of the stream returned to the pending events and moves the cursor. more says that there
// may be further ones.
func (s *Store) takeEvents(read *redis.Cmd) (more bool, err error) {
	reply, err := read.Slice()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	n := 0
	for _, stream := range reply {
		pair, ok := stream.([]any)
		if !ok || len(pair) != 2 {
			return false, fmt.Errorf("unexpected reply of XREAD: %v", stream)
		}
		entries, _ := pair[1].([]any)
		for _, entry := range entries {
			e, err := parseEvent(entry)
			if err != nil {
				return false, err
			}
			s.pending = append(s.pending, e)
			s.cursor = e.ID
			n++
		}
	}
	return n >= eventsAtOnce, nil
}

// readOn fetches what one read did not.
func (s *Store) readOn(ctx context.Context) error {
	for {
		read := redis.NewCmd(ctx, s.batch.read...)
		if err := s.client.Process(ctx, read); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		if more, err := s.takeEvents(read); err != nil || !more {
			return err
		}
	}
}

// parseEvent makes an event of an entry of the stream: id and pairs.
func parseEvent(entry any) (event.Event, error) {
	pair, ok := entry.([]any)
	if !ok || len(pair) != 2 {
		return event.Event{}, fmt.Errorf("unexpected entry of the event stream: %v", entry)
	}
	id, _ := pair[0].(string)
	fields, _ := pair[1].([]any)
	e := event.Event{ID: id, Fields: make(map[string]string, len(fields)/2)}
	for i := 0; i+1 < len(fields); i += 2 {
		name, _ := fields[i].(string)
		value, _ := fields[i+1].(string)
		switch name {
		case "kind":
			e.Kind = value
		case "t":
			t, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return event.Event{}, fmt.Errorf("event %s has the time %q", id, value)
			}
			e.Millis = int64(t)
		default:
			e.Fields[name] = value
		}
	}
	return e, nil
}

// fitCursor moves the cursor back when the stream is younger than it: ids begin with the server's clock, and a server that
// lost its data, or has another clock, would otherwise make events that are never read.
func (s *Store) fitCursor(ctx context.Context) error {
	info, err := s.client.XInfoStream(ctx, s.keys.events).Result()
	if err != nil {
		if strings.Contains(err.Error(), "no such key") {
			s.cursor = "0-0"
			return nil
		}
		return err
	}
	if after(s.cursor, info.LastGeneratedID) {
		s.cursor = info.LastGeneratedID
	}
	return nil
}

// after tells whether stream id a comes after b.
func after(a, b string) bool {
	am, as := splitID(a)
	bm, bs := splitID(b)
	return am > bm || am == bm && as > bs
}

func splitID(id string) (ms, seq uint64) {
	m, q, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseUint(m, 10, 64)
	seq, _ = strconv.ParseUint(q, 10, 64)
	return ms, seq
}
