package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/voltage-edge/voltage/sdk/frame"
)

// windowSamples is how many samples the sliding window holds: 1,000 s of a frame each 100 ms.
const windowSamples = 10_000

// windows measures what one more sample costs a sliding window of four aggregates that is full, by what a call costs more with it than with
// a rule of one comparison alone. Its bytes are those of the library's state.
func windows(ctx context.Context, b *bench) ([]figure, error) {
	const rule = "rule \"r\" {\n  when = device.d.p1 > 5000\n  on = \"rising\"\n  set \"o.out\" {\n    value = 1\n    ttl = \"5s\"\n  }\n}\n"
	const window = "window \"w\" {\n  kind = \"sliding\"\n  size = \"1000s\"\n  source = device.d\n  having = mean > 1000000\n" +
		"  aggregate \"mean\" {\n    fn = \"avg\"\n    value = p0\n  }\n  aggregate \"most\" {\n    fn = \"max\"\n    value = p0\n  }\n" +
		"  aggregate \"least\" {\n    fn = \"min\"\n    value = p0\n  }\n  aggregate \"spread\" {\n    fn = \"stddev\"\n    value = p0\n  }\n  publish \"never\" {}\n}\n"
	var one, ten, bytes [2]float64
	for i, text := range []string{rule, rule + window} {
		r, err := b.room(ctx, fmt.Sprint("window", i), logicSite(func(s *strings.Builder) { s.WriteString(text) }))
		if err != nil {
			return nil, err
		}
		err = r.fill()
		if err == nil {
			one[i], err = r.perFrame("rules", "rules_batch_execute", windowRounds, windowPart, 1, quiet)
		}
		if err == nil {
			ten[i], err = r.perFrame("rules", "rules_batch_execute", windowRounds, windowPart, 10, quiet)
		}
		if err == nil {
			bytes[i], err = r.stateBytes()
		}
		r.close()
		if err != nil {
			return nil, err
		}
	}
	single, batch := one[1]-one[0], ten[1]-ten[0]
	return []figure{{
		what: "a sliding window of 10,000 samples, per sample", measured: fmt.Sprintf("%.1f µs", single), reach: "≤ 5 µs", ok: single <= 5,
		note: fmt.Sprintf("avg, min, max and stddev, its state written at each; %.1f µs with ten frames in a call; %.0f bytes a sample in Redis", batch, (bytes[1]-bytes[0])/windowSamples),
	}}, nil
}

// windowPart is how many frames go in a pipeline, and windowRounds how many pipelines are measured: twice what the window holds.
const windowPart, windowRounds = 1000, 20

// fill fills the windows.
func (r *room) fill() error {
	build, err := frame.NewBuilder(r.device.Table())
	if err != nil {
		return err
	}
	for range windowSamples / windowPart {
		frames, times := make([][]byte, windowPart), make([]int64, windowPart)
		for i := range frames {
			quiet(build, i)
			frames[i] = r.frame(build)
			times[i] = r.clock
		}
		if err := r.call("rules", "rules_batch_execute", frames, times, 1); err != nil {
			return err
		}
	}
	return nil
}

// stateBytes is the length of all that the rules' state holds.
func (r *room) stateBytes() (float64, error) {
	fields, err := r.client.HGetAll(r.ctx, "v:{logic}:rules:state").Result()
	n := 0
	for name, text := range fields {
		n += len(name) + len(text)
	}
	return float64(n), err
}
