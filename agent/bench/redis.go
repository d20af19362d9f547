package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

const (
	sharePoints = 100
	shareRules  = 100
	shareAlarms = 20
	shareFrames = 5000
)

// plainSchemas is a driver without configuration, so that the bench needs no plugin for a site that is never read.
type plainSchemas struct{}

func (plainSchemas) Driver(context.Context, string) (*sdk.SchemaResponse, error) {
	return &sdk.SchemaResponse{PointTypes: []string{"float32"}, Address: "any text"}, nil
}
func (plainSchemas) Sink(context.Context, string) (*sdk.SinkSchemaResponse, error) {
	return nil, errors.New("there are no sinks")
}
func (plainSchemas) Profile(context.Context, string, string) (*sdk.ProfileResponse, error) {
	return &sdk.ProfileResponse{}, nil
}

// redisShare compares what a frame costs Redis, with rules and alarms on it, with what the plain write of its values
// into a hash costs.
func redisShare(ctx context.Context, b *bench) ([]figure, error) {
	file := filepath.Join(b.dir, "share.hcl")
	if err := writeFile(file, shareSite()); err != nil {
		return nil, err
	}
	s, diags := site.Load(ctx, file, site.Options{Schemas: plainSchemas{}})
	if diags.HasErrors() {
		return nil, diags
	}
	programs, diags := compile.Compile(s)
	if diags.HasErrors() {
		return nil, diags
	}
	server, address, err := b.redis(ctx)
	if err != nil {
		return nil, err
	}
	defer server.Wait()
	defer server.Process.Kill()
	st, err := store.Open(ctx, store.Options{
		Site: s.Name, Config: site.Store{Addresses: []string{address}, Mode: "single"}, DataDir: filepath.Join(b.dir, "share"), RunDir: filepath.Join(b.dir, "r"),
	})
	if err != nil {
		return nil, err
	}
	defer st.Close()
	for _, name := range []string{"models", "alarms", "rules"} {
		lib, err := lua.Bundle(name)
		if err != nil {
			return nil, err
		}
		if err := st.Load(ctx, lib); err != nil {
			return nil, err
		}
	}
	if err := st.LoadPrograms(ctx, programs); err != nil {
		return nil, err
	}
	pid := server.Process.Pid
	frames, err := shareFramesOf(s.Devices[0].Table())
	if err != nil {
		return nil, err
	}
	own, err := redisTime(pid, func() error { return applyAll(ctx, st, s.Devices[0].Name, frames) })
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(&redis.Options{Addr: address})
	defer client.Close()
	peer, err := redisTime(pid, func() error { return hashAll(ctx, client, frames) })
	if err != nil {
		return nil, err
	}
	ratio := own.Seconds() / peer.Seconds()
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / shareFrames }
	return []figure{{
		what: "Redis CPU per 100-point frame, 100 rules and 20 alarms, over a pipelined HSET of its values", measured: fmt.Sprintf("%.2f", ratio),
		reach: "≤ 1.5 (aim 1.0)", ok: ratio <= 1.5, note: fmt.Sprintf("%.1f µs against %.1f µs, every value changing", per(own), per(peer)),
	}}, nil
}

// redis starts a redis-server of the bench's own, with the settings of an embedded one.
func (b *bench) redis(ctx context.Context) (*exec.Cmd, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.CommandContext(ctx, "redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", b.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
	if err := cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("start redis-server: %w", err)
	}
	client := redis.NewClient(&redis.Options{Addr: address})
	defer client.Close()
	for client.Ping(ctx).Err() != nil {
		if ctx.Err() != nil {
			return nil, "", ctx.Err()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return cmd, address, nil
}

// redisTime is the processor time of a server for what do does; once before, not counted, so that everything is warm.
func redisTime(pid int, do func() error) (time.Duration, error) {
	if err := do(); err != nil {
		return 0, err
	}
	before, err := cpu(pid)
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := cpu(pid)
	return after - before, err
}

func shareFramesOf(t frame.Table) ([][]byte, error) {
	b, err := frame.NewBuilder(t)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(1, 2))
	frames := make([][]byte, shareFrames)
	for i := range frames {
		for p := range sharePoints {
			// Between the limits of the rules and alarms: values move, conditions do not flip, as on a site most of the time.
			b.Set(p, 10+20*r.Float64())
		}
		frames[i] = b.Pack(nil, time.UnixMilli(1_700_000_000_000+int64(i)*100))
	}
	return frames, nil
}

var shareClock = time.Now().UnixMilli()

func applyAll(ctx context.Context, st *store.Store, device string, frames [][]byte) error {
	for _, f := range frames {
		shareClock += 100
		// Each reading is newer than all before it, also when the frames come a second time.
		binary.LittleEndian.PutUint64(f[8:], math.Float64bits(float64(shareClock)))
		if _, err := st.Apply(ctx, store.Batch{Now: shareClock, Frames: []store.Frame{{Device: device, Millis: shareClock, Packed: f}}}); err != nil {
			return err
		}
	}
	return nil
}

func hashAll(ctx context.Context, c *redis.Client, frames [][]byte) error {
	if err := c.ConfigSet(ctx, "hash-max-listpack-entries", "16").Err(); err != nil {
		return err
	}
	for _, f := range frames {
		v, err := frame.Parse(f, nil)
		if err != nil {
			return err
		}
		args := make([]any, 0, 2+2*v.Len())
		args = append(args, "HSET", "peer")
		for i := range v.Len() {
			args = append(args, "p"+strconv.Itoa(i), strconv.FormatFloat(v.Value(i), 'g', -1, 64))
		}
		// In a pipeline, as the frames go.
		pipe := c.Pipeline()
		pipe.Do(ctx, args...)
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func shareSite() string {
	var s strings.Builder
	s.WriteString("site \"share\" {}\nchannel \"c\" {\n  plugin = \"none\"\n  every = \"100ms\"\n}\ndevice \"d\" {\n  channel = channel.c\n")
	for p := range sharePoints {
		fmt.Fprintf(&s, "  point \"p%d\" {\n    address = \"%d\"\n    type = \"float32\"\n  }\n", p, p)
	}
	s.WriteString("}\ndevice \"o\" {\n  channel = channel.c\n  point \"out\" {\n    address = \"out\"\n    type = \"float32\"\n    access = \"w\"\n    write {\n      min = 0\n      max = 100\n      safe = 0\n    }\n  }\n}\n")
	for r := range shareRules {
		fmt.Fprintf(&s, "rule \"r%d\" {\n  when = device.d.p%d > 50 && device.d.p%d < 90\n  set \"o.out\" {\n    value = 1\n    ttl = \"5s\"\n  }\n}\n", r, r%sharePoints, (r+7)%sharePoints)
	}
	for a := range shareAlarms {
		fmt.Fprintf(&s, "alarm \"a%d\" {\n  when = device.d.p%d > 80\n  deadband = 2\n}\n", a, a)
	}
	return s.String()
}
