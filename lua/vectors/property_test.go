package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// TestOracleAgreesWithTheCases holds the oracle itself against the cases.
func TestOracleAgreesWithTheCases(t *testing.T) {
	for name, text := range alarmFiles(t) {
		var group alarmGroup
		if err := json.Unmarshal(text, &group); err != nil {
			t.Fatal(err)
		}
		for _, c := range group.Cases {
			t.Run(strings.TrimSuffix(name, ".json")+"/"+c.Name, func(t *testing.T) { playOracle(t, c) })
		}
	}
}

func playOracle(t *testing.T, c alarmCase) {
	defs := c.Alarms
	if c.Alarm != nil {
		c.Alarm.ID = alarmOnly
		defs = []alarmDef{*c.Alarm}
	}
	o := newOracle(defs)
	for i, step := range c.Steps {
		if code := o.step(step); code != step.Error {
			t.Fatalf("step %d was answered with %q, expected %q", i, code, step.Error)
		}
		seen := o.seen()
		for _, e := range c.Expect {
			if e.After == i {
				if problem := seen.differs(e); problem != "" {
					t.Errorf("after step %d, alarm %q: %s", i, e.Alarm, problem)
				}
			}
		}
	}
}

func (o *oracle) step(step alarmStep) string {
	at := alarmBase + step.T
	o.advance(at)
	switch {
	case step.Sample != nil:
		o.sample(at, *step.Sample)
	case step.Do != "advance" && step.Do != "restart":
		if step.Alarm == "" {
			step.Alarm = alarmOnly
		}
		return o.do(at, step)
	}
	return ""
}

func (o *oracle) seen() alarmSeen {
	seen := alarmSeen{states: map[string]map[string]any{}, annunciated: map[string]bool{}, adds: map[string]int{}}
	for _, a := range o.alarms {
		seen.states[a.def.ID] = o.state(a)
	}
	n := o.spokenWithin(o.now)
	seen.metrics = map[string]any{"annunciations_10min": float64(n), "flood": o.flood && n >= 5}
	for _, line := range o.taken() {
		id, rest, _ := cutSpace(line)
		if strings.HasSuffix(rest, "!") {
			seen.annunciated[id] = true
		}
		if !strings.HasPrefix(rest, "annunciate@") {
			seen.adds[id]++
		}
	}
	return seen
}

var propertyPoints = []string{"p0", "p1", "p2"}

func drawAlarm(t *rapid.T, i int) alarmDef {
	ms := func(label string, choices ...int64) int64 { return rapid.SampledFrom(choices).Draw(t, label) }
	point := func(label string) string { return rapid.SampledFrom(propertyPoints).Draw(t, label) }
	d := alarmDef{
		ID: fmt.Sprintf("a%d", i), Kind: rapid.SampledFrom([]string{"high", "high", "low", "level", "level", "deviation", "rate", "discrete", "expression", "stale"}).Draw(t, "kind"),
		Point: point("point"), Limit: float64(rapid.IntRange(0, 10).Draw(t, "limit")), Deadband: float64(rapid.IntRange(0, 3).Draw(t, "deadband")),
		OnDelay: ms("on_delay", 0, 0, 700, 3100), OffDelay: ms("off_delay", 0, 0, 1100, 4300),
		Latching: rapid.Bool().Draw(t, "latching"), Confirm: rapid.Bool().Draw(t, "confirm"),
		ReAlarm: ms("re_alarm", 0, 0, 7_000), MaxShelve: 20_000,
		FirstOut: rapid.SampledFrom([]string{"", "", "g", "h"}).Draw(t, "group"),
	}
	for p := range i {
		if rapid.IntRange(0, 3).Draw(t, "parent") == 0 {
			d.SuppressedBy = append(d.SuppressedBy, fmt.Sprintf("a%d", p))
		}
	}
	switch d.Kind {
	case "level":
		all := map[string]float64{"high": 7, "high_high": 9, "low": 3, "low_low": 1}
		d.Limits = map[string]float64{}
		for _, level := range slices.Sorted(maps.Keys(all)) {
			if rapid.Bool().Draw(t, level) {
				d.Limits[level] = all[level]
			}
		}
		if len(d.Limits) == 0 {
			d.Limits["high"] = 7
		}
		d.Deadband = float64(rapid.IntRange(0, 2).Draw(t, "deadband"))
	case "deviation":
		if rapid.Bool().Draw(t, "moving") {
			d.SetpointPoint = point("setpoint")
		} else {
			five := 5.0
			d.Setpoint = &five
		}
	case "rate":
		d.Direction = rapid.SampledFrom([]string{"", "any", "up", "down"}).Draw(t, "direction")
	case "discrete":
		if rapid.Bool().Draw(t, "states") {
			d.AlarmStates = []float64{3, 4, 8}
		} else {
			normal := 5.0
			d.NormalState = &normal
		}
	case "expression":
		a, b := map[string]any{"point": point("left")}, map[string]any{"point": point("right")}
		d.Expr = []any{rapid.SampledFrom([]string{"and", "or"}).Draw(t, "op"), []any{">", a, d.Limit}, []any{"not", []any{"<", b, 5.0}}}
	case "stale":
		d.Timeout = ms("timeout", 2300, 9000)
	}
	return d
}

// TestLibraryAgreesWithTheOracle plays random streams of samples, commands, waits and restarts, cut into calls at random.
func TestLibraryAgreesWithTheOracle(t *testing.T) {
	server := luatest.Start(t)
	ctx := context.Background()
	r := &alarmRunner{client: func() *redis.Client { return server.Client }}
	r.restart = func() error { return r.load(ctx) }
	if err := r.load(ctx); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		var defs []alarmDef
		for i := range rapid.IntRange(1, 6).Draw(t, "alarms") {
			defs = append(defs, drawAlarm(t, i))
		}
		r.count++
		run, err := r.start(ctx, fmt.Sprintf("random%d", r.count), alarmCase{Alarms: defs})
		if err != nil {
			t.Fatal(err)
		}
		o := newOracle(defs)
		newest := map[string]int64{}
		at := int64(0)
		for range rapid.IntRange(5, 90).Draw(t, "steps") {
			at += rapid.SampledFrom([]int64{0, 1, 100, 700, 1100, 3100, 5003, 9000}).Draw(t, "wait")
			if rapid.IntRange(0, 9).Draw(t, "what") < 6 {
				steps := drawSamples(t, &at, newest)
				if err := playSamples(ctx, run, o, steps); err != nil {
					t.Fatal(err)
				}
				compare(ctx, t, run, o)
				continue
			}
			step := drawCommand(t, at, defs)
			run.now = alarmBase + at
			want := o.step(step)
			got, err := run.step(ctx, step)
			if err != nil {
				t.Fatalf("%+v: %v", step, err)
			}
			if got != want {
				t.Fatalf("%+v was answered with %q, the oracle says %q", step, got, want)
			}
			compare(ctx, t, run, o)
		}
	})
}

// drawSamples draws samples of different points that go into one call.
func drawSamples(t *rapid.T, at *int64, newest map[string]int64) []alarmStep {
	points := rapid.Permutation(propertyPoints).Draw(t, "points")
	var steps []alarmStep
	for _, point := range points[:rapid.IntRange(1, len(points)).Draw(t, "batch")] {
		*at += rapid.SampledFrom([]int64{0, 0, 1, 700, 2000}).Draw(t, "gap")
		value := float64(rapid.IntRange(0, 10).Draw(t, "value"))
		s := &alarmSample{Point: point, Value: &value, Quality: rapid.SampledFrom([]string{"good", "good", "good", "uncertain", "bad"}).Draw(t, "quality")}
		last, seen := newest[point]
		if seen && (*at <= last || rapid.IntRange(0, 6).Draw(t, "late") == 0) {
			ts := last - rapid.SampledFrom([]int64{0, 1, 500}).Draw(t, "behind")
			s.TS = &ts
		} else {
			newest[point] = *at
		}
		steps = append(steps, alarmStep{T: *at, Sample: s})
	}
	return steps
}

func drawCommand(t *rapid.T, at int64, defs []alarmDef) alarmStep {
	d := rapid.SampledFrom(defs).Draw(t, "alarm")
	step := alarmStep{T: at, Alarm: d.ID, Do: rapid.SampledFrom([]string{
		"ack", "ack", "ack", "confirm", "confirm", "reset", "shelve", "shelve", "unshelve", "suppress", "unsuppress", "out_of_service", "in_service",
		"disable", "disable", "enable", "enable", "enable", "enable", "advance", "restart", "restart", "restart",
	}).Draw(t, "do")}
	if d.Kind == "stale" && step.Do == "disable" { // left open
		step.Do = "advance"
	}
	switch step.Do {
	case "ack", "confirm":
		if rapid.Bool().Draw(t, "named") {
			n := int64(rapid.IntRange(0, 4).Draw(t, "occurrence"))
			step.Occurrence = &n
		}
	case "shelve":
		step.Mode = rapid.SampledFrom([]string{"timed", "oneshot"}).Draw(t, "mode")
		if step.Mode == "timed" {
			n := rapid.SampledFrom([]int64{-1, 0, 1500, 4001, 20_000, 20_001}).Draw(t, "duration")
			step.Duration = &n
		}
	}
	return step
}

// playSamples gives the samples to the library in one call, and to the oracle.
func playSamples(ctx context.Context, run *alarmRun, o *oracle, steps []alarmStep) error {
	var args, fields []any
	for _, step := range steps {
		o.step(step)
		s := step.Sample
		run.now = alarmBase + step.T
		if _, ok := run.points.slots[s.Point]; !ok {
			continue
		}
		b, err := frame.NewBuilder(alarmTable(s.Point))
		if err != nil {
			return err
		}
		switch s.Quality {
		case "bad":
			b.SetBad(0, frame.NoAnswer)
		case "uncertain":
			b.SetQuality(0, *s.Value, frame.Uncertain)
		default:
			b.Set(0, *s.Value)
		}
		ts := run.now
		if s.TS != nil {
			ts = alarmBase + *s.TS
		}
		packed := b.Pack(nil, time.UnixMilli(ts))
		args = append(args, s.Point, run.now, packed)
		fields = append(fields, s.Point, packed)
	}
	if err := run.check(ctx, run.now, args...); err != nil {
		return err
	}
	if len(fields) == 0 {
		return nil
	}
	return run.client().HSet(ctx, run.prefix+"frames", fields...).Err()
}

func compare(ctx context.Context, t *rapid.T, run *alarmRun, o *oracle) {
	after := run.last
	seen, err := run.look(ctx)
	if err != nil {
		t.Fatal(err)
	}
	from := "(" + after
	if after == "0" {
		from = "-"
	}
	events, err := run.client().XRange(ctx, run.prefix+"events", from, "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		var at int64
		fmt.Sscan(e.Values["t"].(string), &at)
		line := fmt.Sprintf("%s %s@%d", e.Values["alarm"], e.Values["event"], at)
		if e.Values["annunciate"] == "1" {
			line += "!"
		}
		got = append(got, line)
	}
	sort.SliceStable(got, func(i, j int) bool { return alarmOf(got[i]) < alarmOf(got[j]) })
	if want := o.taken(); !slices.Equal(got, want) {
		t.Fatalf("the library journals %v,\nthe oracle %v", got, want)
	}
	want := o.seen()
	for id, state := range want.states {
		for _, key := range []string{"since", "level"} {
			if _, ok := state[key]; !ok && seen.states[id][key] != nil {
				t.Fatalf("%s: %s is %v, the oracle has none", id, key, seen.states[id][key])
			}
		}
		for key, value := range state {
			if !sameJSON(seen.states[id][key], value) {
				t.Fatalf("%s: %s is %v, the oracle says %v", id, key, seen.states[id][key], value)
			}
		}
	}
	for key, value := range want.metrics {
		if !sameJSON(seen.metrics[key], value) {
			t.Fatalf("%s is %v, the oracle says %v", key, seen.metrics[key], value)
		}
	}
}
