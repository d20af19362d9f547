package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// executions is how often a rule is executed for the figure.
const executions = 5000

// execute measures what Redis needs for one rule_execute, by its own statistics of commands, among 100 rules: of a rule whose
// condition is false, and of one that acts and makes its request anew each time.
func execute(ctx context.Context, b *bench) ([]figure, error) {
	site := shareSite() + "rule \"fires\" {\n  when = device.d.p0 > 5\n  set \"o.out\" {\n    value = device.d.p0 + age(device.d.p1)\n    ttl = \"5s\"\n  }\n}\n"
	r, err := b.room(ctx, "execute", site)
	if err != nil {
		return nil, err
	}
	defer r.close()
	fb, err := frame.NewBuilder(r.device.Table())
	if err != nil {
		return nil, err
	}
	for p := range sharePoints {
		fb.Set(p, 20)
	}
	packed := r.frame(fb)
	if _, err := r.store.Apply(ctx, store.Batch{Now: r.clock, Frames: []store.Frame{{Device: r.device.Name, Millis: r.clock, Packed: packed}}}); err != nil {
		return nil, err
	}
	var figures []figure
	for _, c := range []struct{ rule, verdict, made, what string }{
		{"r0", "false", "0", "of a condition that is false"},
		{"fires", "true", "1", "with a new request each time"},
	} {
		us, err := r.timeOf(c.rule, c.verdict, c.made)
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure{
			what: "rule_execute in Redis, " + c.what, measured: fmt.Sprintf("%.1f µs", us), reach: "≤ 50 µs", ok: us <= 50,
			note: fmt.Sprintf("mean of %d calls by INFO commandstats", executions),
		})
	}
	return figures, nil
}

// timeOf is the mean time of a call that executes a rule, in µs; made is how many requests each makes.
func (r *room) timeOf(rule, verdict, made string) (float64, error) {
	var keys []string
	for _, name := range []string{"epoch", "rules:program", "rules:state", "rules:timers", "frames", "requests", "events"} {
		keys = append(keys, "v:{share}:"+name)
	}
	for i := range 2 * executions {
		if i == executions { // everything is warm
			if err := r.client.ConfigResetStat(r.ctx).Err(); err != nil {
				return 0, err
			}
		}
		r.clock++ // what is computed of an age differs each time
		reply, err := r.client.FCall(r.ctx, r.store.Function("rule_execute"), keys, r.clock, rule).StringSlice()
		if err != nil {
			return 0, err
		}
		if want := []string{verdict, made}; !slices.Equal(reply, want) {
			return 0, fmt.Errorf("rule %s answers %q, expected %q", rule, reply, want)
		}
	}
	return r.serverTime("fcall")
}
