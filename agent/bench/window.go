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
// a rule of one comparison alone: of a window whose result is held back, and of one whose four results are given each time. The three take
// turns, so that what else the machine does concerns them alike. Its bytes are those of the library's state.
func windows(ctx context.Context, b *bench) ([]figure, error) {
	const rule = "rule \"r\" {\n  when = device.d.p1 > 5000\n  on = \"rising\"\n  set \"o.out\" {\n    value = 1\n    ttl = \"5s\"\n  }\n}\n"
	const window = "window \"w\" {\n  kind = \"sliding\"\n  size = \"1000s\"\n  source = device.d\n" +
		"  aggregate \"mean\" {\n    fn = \"avg\"\n    value = p0\n  }\n  aggregate \"most\" {\n    fn = \"max\"\n    value = p0\n  }\n" +
		"  aggregate \"least\" {\n    fn = \"min\"\n    value = p0\n  }\n  aggregate \"spread\" {\n    fn = \"stddev\"\n    value = p0\n  }\n"
	var rooms []*room
	for i, text := range []string{
		rule,
		rule + window + "  having = mean > 1000000\n  publish \"never\" {}\n}\n",
		rule + window + "}\nalarm \"a\" {\n  when = window.w.mean > 1000000\n}\n",
	} {
		r, err := b.room(ctx, fmt.Sprint("window", i), logicSite(func(s *strings.Builder) { s.WriteString(text) }))
		if err != nil {
			return nil, err
		}
		defer r.close()
		if err := r.fill(); err != nil {
			return nil, err
		}
		rooms = append(rooms, r)
	}
	one, err := windowCosts(rooms, 1)
	if err != nil {
		return nil, err
	}
	ten, err := windowCosts(rooms, 10)
	if err != nil {
		return nil, err
	}
	var bytes [2]float64
	for i := range bytes {
		if bytes[i], err = rooms[i].stateBytes(); err != nil {
			return nil, err
		}
	}
	return []figure{{
		what: "a sliding window of 10,000 samples, per sample", measured: fmt.Sprintf("%.1f µs", one[0]), reach: "≤ 5 µs", ok: one[0] <= 5,
		note: fmt.Sprintf("avg, min, max and stddev, its state written at each; %.1f µs with ten frames in a call; %.0f bytes a sample in Redis", ten[0], (bytes[1]-bytes[0])/windowSamples),
	}, {
		what: "the same, giving its four results at each sample", measured: fmt.Sprintf("%.1f µs", one[1]),
		note: fmt.Sprintf("to conditions and the journal; %.1f µs with ten frames in a call", ten[1]),
	}}, nil
}

// windowCosts gives for each of the other rooms the median of what a frame costs more there than in the first.
func windowCosts(rooms []*room, inCall int) ([]float64, error) {
	build, err := frame.NewBuilder(rooms[0].device.Table())
	if err != nil {
		return nil, err
	}
	more := make([][]float64, len(rooms)-1)
	for round := range windowRounds + 1 {
		var first float64
		for i, r := range rooms {
			used, err := r.perCall("rules", "rules_batch_execute", round*windowPart, windowPart, inCall, build, quiet)
			switch {
			case err != nil:
				return nil, err
			case i == 0:
				first = used
			case round > 0: // everything is warm after the first
				more[i-1] = append(more[i-1], used-first)
			}
		}
	}
	out := make([]float64, len(more))
	for i, all := range more {
		out[i] = median(all)
	}
	return out, nil
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
