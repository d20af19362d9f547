package luatest

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Site is the keys of one library of one site on a server, used as the agent uses them.
type Site struct {
	*Server
	Name, Library string
}

// Site gives the keys of a library of a site. Nothing is written.
func (s *Server) Site(name, library string) *Site {
	return &Site{Server: s, Name: name, Library: library}
}

// Key is the full name of one of the site's keys, such as events or model:bess.
func (s *Site) Key(name string) string { return "v:{" + s.Name + "}:" + name }

// Keys are the seven keys that every function is given.
func (s *Site) Keys() []string {
	return []string{
		s.Key("epoch"), s.Key(s.Library + ":program"), s.Key(s.Library + ":state"), s.Key(s.Library + ":timers"),
		s.Key("frames"), s.Key("requests"), s.Key("events"),
	}
}

var epoch atomic.Int64

// Touch changes the epoch: the libraries drop their caches.
func (s *Site) Touch(t testing.TB) {
	t.Helper()
	if err := s.Set(context.Background(), s.Key("epoch"), epoch.Add(1), 0).Err(); err != nil {
		t.Fatal(err)
	}
}

// Program writes the library's program, and changes the epoch.
func (s *Site) Program(t testing.TB, rev string, chunks ...string) {
	t.Helper()
	ctx := context.Background()
	fields := []any{"rev", rev, "n", len(chunks)}
	for i, c := range chunks {
		fields = append(fields, strconv.Itoa(i+1), c)
	}
	_, err := s.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, s.Key(s.Library+":program"))
		p.HSet(ctx, s.Key(s.Library+":program"), fields...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Touch(t)
}

// Call calls a function with the seven keys, and others behind them.
func (s *Site) Call(function string, args ...any) (any, error) {
	return s.FCall(context.Background(), function, s.Keys(), args...).Result()
}

// Must is Call, for a call that must succeed.
func (s *Site) Must(t testing.TB, function string, args ...any) any {
	t.Helper()
	reply, err := s.Call(function, args...)
	if err != nil {
		t.Fatalf("%s: %v", function, err)
	}
	return reply
}

// Take gives one frame to a function that takes frames, and then writes it as the device's newest.
func (s *Site) Take(t testing.TB, function string, now int64, device string, packed []byte) any {
	t.Helper()
	reply := s.Must(t, function, now, device, now, packed)
	if err := s.HSet(context.Background(), s.Key("frames"), device, packed).Err(); err != nil {
		t.Fatal(err)
	}
	return reply
}

// Events reads the site's events behind an id (empty: from the first), and gives the id of the last one.
func (s *Site) Events(t testing.TB, after string) (events []map[string]any, last string) {
	t.Helper()
	from := "-"
	if after != "" {
		from = "(" + after
	}
	entries, err := s.XRange(context.Background(), s.Key("events"), from, "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	last = after
	for _, e := range entries {
		events, last = append(events, e.Values), e.ID
	}
	return events, last
}
