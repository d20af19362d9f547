package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/site/sitetest"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// room is a Redis with the libraries and the programs of one site.
type room struct {
	ctx    context.Context
	pid    int
	store  *store.Store
	client *redis.Client
	device *site.Device
	clock  int64
	close  func()
}

// room starts a redis-server and loads a site into it.
func (b *bench) room(ctx context.Context, name, text string) (*room, error) {
	server, address, err := b.redis(ctx)
	if err != nil {
		return nil, err
	}
	stop := func() {
		server.Process.Kill()
		server.Wait()
	}
	r, err := b.furnished(ctx, name, text, address)
	if err != nil {
		stop()
		return nil, err
	}
	r.pid = server.Process.Pid
	r.close = func() {
		r.client.Close()
		r.store.Close()
		stop()
	}
	return r, nil
}

// furnished opens the store on a server and loads libraries and programs.
func (b *bench) furnished(ctx context.Context, name, text, address string) (*room, error) {
	file := filepath.Join(b.dir, name+".hcl")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, err
	}
	s, diags := site.Load(ctx, file, site.Options{Schemas: sitetest.Plain{}})
	if diags.HasErrors() {
		return nil, diags
	}
	programs, diags := compile.Compile(s)
	if diags.HasErrors() {
		return nil, diags
	}
	st, err := store.Open(ctx, store.Options{
		Site: s.Name, Config: site.Store{Addresses: []string{address}, Mode: "single"}, DataDir: filepath.Join(b.dir, name), RunDir: filepath.Join(b.dir, "r"),
	})
	if err != nil {
		return nil, err
	}
	for _, library := range []string{"models", "alarms", "rules"} {
		lib, err := lua.Bundle(library)
		if err == nil {
			err = st.Load(ctx, lib)
		}
		if err != nil {
			st.Close()
			return nil, err
		}
	}
	if err := st.LoadPrograms(ctx, programs); err != nil {
		st.Close()
		return nil, err
	}
	return &room{ctx: ctx, store: st, client: redis.NewClient(&redis.Options{Addr: address}), device: s.Devices[0], clock: time.Now().UnixMilli()}, nil
}

// used is the processor time of the server for what do does, in µs.
func (r *room) used(do func() error) (float64, error) {
	before, err := cpu(r.pid)
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := cpu(r.pid)
	return float64((after - before).Nanoseconds()) / 1e3, err
}

// frame packs the device's next frame.
func (r *room) frame(b *frame.Builder) []byte {
	r.clock += 100
	return b.Pack(nil, time.UnixMilli(r.clock))
}

// call gives frames to a library's function, so many in a call and all in a pipeline: what the calls cost, and nothing else.
func (r *room) call(library, function string, frames [][]byte, times []int64, inCall int) error {
	key := func(name string) string { return "v:{logic}:" + name }
	pipe := r.client.Pipeline()
	for i := 0; i < len(frames); i += inCall {
		end := min(i+inCall, len(frames))
		args := []any{times[end-1]}
		for k := i; k < end; k++ {
			args = append(args, r.device.Name, times[k], frames[k])
		}
		pipe.FCall(r.ctx, r.store.Function(function), []string{
			key("epoch"), key(library + ":program"), key(library + ":state"), key(library + ":timers"), key("frames"), key("requests"), key("events"),
		}, args...)
	}
	_, err := pipe.Exec(r.ctx)
	return err
}

// perFrame is the median of the server's processor time for a frame, in µs, with so many in a call. set sets the values of frame i.
func (r *room) perFrame(library, function string, rounds, count, inCall int, set func(b *frame.Builder, i int)) (float64, error) {
	b, err := frame.NewBuilder(r.device.Table())
	if err != nil {
		return 0, err
	}
	var all []float64
	for round := range rounds + 1 {
		used, err := r.perCall(library, function, round*count, count, inCall, b, set)
		if err != nil {
			return 0, err
		}
		if round > 0 { // everything is warm after the first
			all = append(all, used)
		}
	}
	return median(all), nil
}

// perCall is the server's processor time for one of count frames, the first of which is frame i, in µs.
func (r *room) perCall(library, function string, i, count, inCall int, b *frame.Builder, set func(b *frame.Builder, i int)) (float64, error) {
	frames, times := make([][]byte, count), make([]int64, count)
	for k := range frames {
		set(b, i+k)
		frames[k] = r.frame(b)
		times[k] = r.clock
	}
	used, err := r.used(func() error { return r.call(library, function, frames, times, inCall) })
	return used / float64(count), err
}

// logic measures the libraries by themselves.
func logic(ctx context.Context, b *bench) ([]figure, error) {
	var all []figure
	for _, part := range []func(context.Context, *bench) ([]figure, error){conditions, mappings, alarms} {
		figures, err := part(ctx, b)
		if err != nil {
			return nil, err
		}
		all = append(all, figures...)
	}
	return all, nil
}

func quiet(b *frame.Builder, i int) {
	r := rand.New(rand.NewPCG(1, uint64(i)))
	for p := range sharePoints {
		b.Set(p, between(r))
	}
}

// conditions are rules of one comparison each, on one device, whose values move and whose verdicts don't.
func conditions(ctx context.Context, b *bench) ([]figure, error) {
	var cost []float64
	for _, n := range []int{100, 10_000} {
		r, err := b.room(ctx, fmt.Sprint("rules", n), logicSite(func(s *strings.Builder) {
			for i := range n {
				fmt.Fprintf(s, "rule \"r%d\" {\n  when = device.d.p%d > %d\n  on = \"rising\"\n  set \"o.out\" {\n    value = 1\n    ttl = \"5s\"\n  }\n}\n", i, i%sharePoints, 50+i%1000)
			}
		}))
		if err != nil {
			return nil, err
		}
		used, err := r.perFrame("rules", "rules_batch_execute", shareRounds, 100, 1, quiet)
		r.close()
		if err != nil {
			return nil, err
		}
		cost = append(cost, used)
	}
	one := cost[0] / 100
	return []figure{
		{what: "a simple condition in a batch", measured: fmt.Sprintf("%.2f µs", one), reach: "≤ 0.4 µs", ok: one <= 0.4,
			note: fmt.Sprintf("a call with a frame of 100 points and 100 rules, %.0f µs, by the rules; %.3f µs each of further ones", cost[0], (cost[1]-cost[0])/9_900)},
		{what: "10,000 rules on one frame", measured: fmt.Sprintf("%.2f ms", cost[1]/1e3), reach: "≤ 5 ms", ok: cost[1] <= 5e3},
	}, nil
}

// mappings read and set a model's measurement and action, in another unit than the point's.
func mappings(ctx context.Context, b *bench) ([]figure, error) {
	r, err := b.room(ctx, "mapping", logicSite(func(s *strings.Builder) {
		s.WriteString("model \"m\" {\n  template = \"battery\"\n  measurements = { power = device.d.p1 / 1000 + device.d.p2 / 1000 }\n  actions = { power = -device.o.out }\n}\n")
	}))
	if err != nil {
		return nil, err
	}
	defer r.close()
	build, err := frame.NewBuilder(r.device.Table())
	if err != nil {
		return nil, err
	}
	quiet(build, 1)
	if _, err := r.store.Apply(ctx, store.Batch{Now: r.clock, Frames: []store.Frame{{Device: r.device.Name, Millis: r.clock, Packed: r.frame(build)}}}); err != nil {
		return nil, err
	}
	const calls = 2000
	value := -7.0
	var figures []figure
	for _, c := range []struct {
		name, command string
		do            func() error
	}{
		{"get", "fcall_ro", func() error { _, err := r.store.GetValue(ctx, "m.power"); return err }},
		{"set", "fcall", func() error {
			_, err := r.store.SetValue(ctx, store.SetRequest{Name: "m.power", Value: &value, Owner: "api.bench", Priority: 50, TTL: time.Minute})
			return err
		}},
	} {
		if err := r.client.ConfigResetStat(ctx).Err(); err != nil {
			return nil, err
		}
		for range calls {
			if err := c.do(); err != nil {
				return nil, err
			}
		}
		took, err := r.serverTime(c.command)
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure{what: "model " + c.name + " by mapping, server time", measured: fmt.Sprintf("%.1f µs", took), reach: "≤ 30 µs", ok: took <= 30})
	}
	return figures, nil
}

// serverTime is the mean time of a command in the server, in µs, since the statistics began.
func (r *room) serverTime(command string) (float64, error) {
	info, err := r.client.Info(r.ctx, "commandstats").Result()
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(info, "cmdstat_"+command+":")
	_, per, found := strings.Cut(rest, "usec_per_call=")
	if !ok || !found {
		return 0, fmt.Errorf("the server's statistics have no %s", command)
	}
	per, _, _ = strings.Cut(per, ",")
	return strconv.ParseFloat(per, 64)
}

// alarms are 10,000 on one device; of 100 points one turns its 100 alarms in each frame.
func alarms(ctx context.Context, b *bench) ([]figure, error) {
	const n = 10_000
	r, err := b.room(ctx, "alarms", logicSite(func(s *strings.Builder) {
		for i := range n {
			fmt.Fprintf(s, "alarm \"a%d\" {\n  when = device.d.p%d > 80\n  deadband = 2\n}\n", i, i%sharePoints)
		}
	}))
	if err != nil {
		return nil, err
	}
	defer r.close()
	still, err := r.perFrame("alarms", "alarm_check_conditions", shareRounds, 20, 1, quiet)
	if err != nil {
		return nil, err
	}
	turning, err := r.perFrame("alarms", "alarm_check_conditions", shareRounds, 10, 1, func(b *frame.Builder, i int) {
		for p := range sharePoints {
			b.Set(p, 20)
		}
		if i%2 == 0 {
			b.Set(i/2%sharePoints, 90)
		}
	})
	if err != nil {
		return nil, err
	}
	return []figure{{what: "10,000 alarms, 1 % changing state in one frame", measured: fmt.Sprintf("%.1f ms", turning/1e3), reach: "≤ 20 ms", ok: turning <= 20e3,
		note: fmt.Sprintf("%.1f ms when none changes", still/1e3)}}, nil
}

// logicSite is a device d of 100 points, an output, and what more writes.
func logicSite(more func(*strings.Builder)) string {
	var s strings.Builder
	s.WriteString(strings.Replace(shareDevices(), "site \"share\"", "site \"logic\"", 1))
	more(&s)
	return s.String()
}
