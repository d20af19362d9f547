package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Timing asks for the time of one rule's evaluation.
type Timing struct {
	Name string
	// Times is how often it is evaluated for that, up to 1000: the more, the less the server's clock of 1 µs matters.
	Times int
	// Each is the answer: how long one evaluation takes. It is negative when that could not be told: a flow, a rule that is gone
	// or fails.
	Each time.Duration
}

// MeasureRules times the evaluation of rules on the newest values. A library has no clock that can be trusted (that of Redis
// stands still within a call from version 7.2 on), so the server's clock is asked before and after calls that evaluate a rule
// many times, all in one pipeline, and what a call costs that evaluates it not once is taken off. What else comes between the
// two looks at the clock counts as the rule's: a single sample may be far too long, never too short.
func (s *Store) MeasureRules(ctx context.Context, rules []Timing) error {
	const doing = "timing rules"
	if len(rules) == 0 {
		return nil
	}
	if err := s.available(); err != nil {
		return err
	}
	node, err := s.node(ctx)
	if err != nil {
		return s.explain(doing, err)
	}
	pipe := node.Pipeline()
	clocks := []*redis.TimeCmd{pipe.Time(ctx)}
	var calls []*redis.Cmd
	call := func(name string, times int) {
		args := []any{"FCALL_RO", s.Function("rule_measure"), 7}
		for _, k := range s.keys.seven(Rules) {
			args = append(args, k)
		}
		calls = append(calls, pipe.Do(ctx, append(args, s.now(), name, strconv.Itoa(times))...))
		clocks = append(clocks, pipe.Time(ctx))
	}
	call(rules[0].Name, 0) // the call that builds a cache is not one that counts
	for i := range rules {
		call(rules[i].Name, 0)
		call(rules[i].Name, rules[i].Times)
	}
	if _, err := pipe.Exec(ctx); err != nil && !isReply(err) {
		return s.explain(doing, err)
	}
	took := func(i int) time.Duration { return clocks[i+1].Val().Sub(clocks[i].Val()) }
	for i := range rules {
		empty, full := 1+2*i, 2+2*i
		rules[i].Each = -1
		done, err := strconv.Atoi(fmt.Sprint(calls[full].Val()))
		if calls[empty].Err() != nil || calls[full].Err() != nil || err != nil || done < rules[i].Times || done == 0 {
			continue
		}
		rules[i].Each = max(took(full)-took(empty), 0) / time.Duration(done)
	}
	return nil
}

// node is the client of the one server that holds the site's keys.
func (s *Store) node(ctx context.Context) (redis.Cmdable, error) {
	if c, ok := s.client.(*redis.ClusterClient); ok {
		return c.MasterForKey(ctx, s.keys.epoch)
	}
	return s.client, nil
}

// isReply tells an error that the server answered from one of the connection.
func isReply(err error) bool {
	_, ok := err.(redis.Error)
	return ok
}
