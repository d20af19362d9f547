package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// shareRounds is how often what is compared is measured, in turn; the median counts, of so many that a second of other work does not.
const shareRounds = 27

// share is a room in which the two are compared.
type share struct{ *room }

// redisShare compares what a frame costs Redis, with rules and alarms on it, with what the plain write of its values
// into a hash costs. Both run in turn on one server, so that what else the machine does weighs on both alike.
func redisShare(ctx context.Context, b *bench) ([]figure, error) {
	r, err := b.room(ctx, "share", shareSite())
	if err != nil {
		return nil, err
	}
	defer r.close()
	s := &share{r}
	// A hash of 100 fields would be a list pack else, which a hash of a site's values soon is not.
	if err := s.client.ConfigSet(ctx, "hash-max-listpack-entries", "16").Err(); err != nil {
		return nil, err
	}
	var figures []figure
	for _, v := range variants {
		f, err := s.compare(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		figures = append(figures, f)
	}
	return figures, nil
}

// compare measures a variant: own, peer, own, peer and so on, each over the same frames.
func (s *share) compare(v variant) (figure, error) {
	frames, err := v.frames(s.device.Table())
	if err != nil {
		return figure{}, err
	}
	own := func() error { return s.apply(frames, v.batch) }
	peer := func() error { return s.hash(frames, v.batch) }
	var owns, peers, ratios []float64
	for round := range shareRounds + 1 {
		a, err := s.used(own)
		if err != nil {
			return figure{}, err
		}
		b, err := s.used(peer)
		if err != nil {
			return figure{}, err
		}
		if round == 0 {
			continue // everything is warm after the first
		}
		owns, peers, ratios = append(owns, a), append(peers, b), append(ratios, a/b)
	}
	ratio := median(ratios)
	f := figure{
		what: "  the same, " + v.name, measured: fmt.Sprintf("%.2f", ratio), ok: true,
		note: fmt.Sprintf("%.1f µs against %.1f µs", median(owns)/float64(len(frames)), median(peers)/float64(len(frames))),
	}
	if v.reach > 0 {
		f.what = "Redis CPU per 100-point frame, 100 rules and 20 alarms, over a pipelined HSET of its values"
		f.reach, f.ok = fmt.Sprintf("≤ %.1f (aim 1.0)", v.reach), ratio <= v.reach
		f.note += ", " + v.name
	}
	return f, nil
}

// apply takes the frames through the libraries, as the intake does, n in a batch.
func (s *share) apply(frames [][]byte, n int) error {
	for part := range slices.Chunk(frames, n) {
		var batch store.Batch
		for _, f := range part {
			s.clock += 100
			// Each reading is newer than all before it, also when the frames come a second time.
			binary.LittleEndian.PutUint64(f[8:], math.Float64bits(float64(s.clock)))
			batch.Frames = append(batch.Frames, store.Frame{Device: s.device.Name, Millis: s.clock, Packed: f})
		}
		batch.Now = s.clock
		if _, err := s.store.Apply(s.ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// hash writes the frames' values into a hash, n writes in a pipeline.
func (s *share) hash(frames [][]byte, n int) error {
	for part := range slices.Chunk(frames, n) {
		pipe := s.client.Pipeline()
		for _, f := range part {
			v, err := frame.Parse(f, nil)
			if err != nil {
				return err
			}
			args := make([]any, 0, 2+2*v.Len())
			args = append(args, "HSET", "peer")
			for i := range v.Len() {
				args = append(args, "p"+strconv.Itoa(i), strconv.FormatFloat(v.Value(i), 'g', -1, 32))
			}
			pipe.Do(s.ctx, args...)
		}
		if _, err := pipe.Exec(s.ctx); err != nil {
			return err
		}
	}
	return nil
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
	dir, err := os.MkdirTemp(b.dir, "redis-") // none loads what another one wrote
	if err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(ctx, "redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
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

// shareDevices are a device d of 100 points and an output.
func shareDevices() string {
	var s strings.Builder
	s.WriteString("site \"share\" {}\nchannel \"c\" {\n  plugin = \"none\"\n  every = \"100ms\"\n}\ndevice \"d\" {\n  channel = channel.c\n")
	for p := range sharePoints {
		fmt.Fprintf(&s, "  point \"p%d\" {\n    address = \"%d\"\n    type = \"float32\"\n  }\n", p, p)
	}
	s.WriteString("}\ndevice \"o\" {\n  channel = channel.c\n  point \"out\" {\n    address = \"out\"\n    type = \"float32\"\n    access = \"w\"\n    write {\n      min = 0\n      max = 100\n      safe = 0\n    }\n  }\n}\n")
	return s.String()
}

func shareSite() string {
	var s strings.Builder
	s.WriteString(shareDevices())
	for r := range shareRules {
		fmt.Fprintf(&s, "rule \"r%d\" {\n  when = device.d.p%d > 50 && device.d.p%d < 90\n  set \"o.out\" {\n    value = 1\n    ttl = \"5s\"\n  }\n}\n", r, r%sharePoints, (r+7)%sharePoints)
	}
	for a := range shareAlarms {
		fmt.Fprintf(&s, "alarm \"a%d\" {\n  when = device.d.p%d > 80\n  deadband = 2\n}\n", a, a)
	}
	return s.String()
}
