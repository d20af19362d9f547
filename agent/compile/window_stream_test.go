package compile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

var flowTable = frame.Table{Numbers: []string{"p0", "p1", "p2"}}

// flowNames are two devices, d0 and d1, of three points.
func flowNames() *names {
	n := newNames()
	for d := range 2 {
		n.device(fmt.Sprintf("d%d", d), &site.Point{Name: "p0"}, &site.Point{Name: "p1"}, &site.Point{Name: "p2"})
	}
	return n
}

func flowExpr(t fataler, text string) site.Expr {
	e, diags := hclsyntax.ParseExpression([]byte(text), "flow", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("%s: %v", text, diags)
	}
	return site.Expr{Expression: e}
}

func drawSteps(t *rapid.T, gaps []int) []step {
	var steps []step
	var at int64
	for range rapid.IntRange(1, 50).Draw(t, "steps") {
		at += int64(rapid.SampledFrom(gaps).Draw(t, "gap"))
		s := step{device: rapid.IntRange(0, 1).Draw(t, "from"), t: at}
		for p := range s.values {
			s.values[p] = rapid.SampledFrom([]float64{-2, -1, 0, 1, 2, 3.5, math.NaN()}).Draw(t, "value")
		}
		steps = append(steps, s)
	}
	return steps
}

// played gives the stream to the rules library in one of the ways, and what it says: time, name and what of each event.
func played(t fataler, server *luatest.Server, k []string, p compile.Program, steps []step, how feeding, what string) []string {
	ctx := context.Background()
	if err := server.Del(ctx, k...).Err(); err != nil {
		t.Fatal(err)
	}
	loadProgram(t, server.Client, k, p)
	feed(t, server, k, "rules_batch_execute", flowTable, steps, how)
	events, err := server.XRange(ctx, k[6], "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		field := func(name string) string { s, _ := e.Values[name].(string); return s }
		if field("event") == "error" {
			t.Fatalf("%v", e.Values)
		}
		if text := field(what); text != "" {
			at, _ := strconv.ParseInt(field("t"), 10, 64)
			out = append(out, fmt.Sprintf("%09d %s %s", at, field("rule"), plain(t, text)))
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return strings.Compare(strings.Fields(a)[1], strings.Fields(b)[1]) })
	return out
}

// plain writes JSON in one form, numbers to nine digits.
func plain(t fataler, text string) string {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	b, err := json.Marshal(rounded(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func rounded(v any) any {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', 9, 64)
	case map[string]any:
		for k := range v {
			v[k] = rounded(v[k])
		}
	case []any:
		for i := range v {
			v[i] = rounded(v[i])
		}
	}
	return v
}

// entry is a frame that entered a window.
type entry struct {
	t      int64
	values [3]float64
}

var windowAggregates = []string{"avg", "sum", "min", "max", "count", "first", "last", "stddev", "median"}

// aggregated are the aggregates of p1, and the number of frames, by their definitions.
func aggregated(entries []entry) map[string]any {
	var v []float64
	for _, e := range entries {
		if !math.IsNaN(e.values[1]) {
			v = append(v, e.values[1])
		}
	}
	out := map[string]any{"frames": float64(len(entries)), "count": float64(len(v))}
	if len(v) == 0 {
		for _, a := range windowAggregates {
			if a != "count" {
				out[a] = nil
			}
		}
		return out
	}
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	mean, variance := sum/float64(len(v)), 0.0
	for _, x := range v {
		variance += (x - mean) * (x - mean) / float64(len(v))
	}
	sorted := slices.Sorted(slices.Values(v))
	out["sum"], out["avg"], out["min"], out["max"] = sum, mean, slices.Min(v), slices.Max(v)
	out["first"], out["last"], out["stddev"] = v[0], v[len(v)-1], math.Sqrt(variance)
	out["median"] = (sorted[(len(v)-1)/2] + sorted[len(v)/2]) / 2
	return out
}

// windowOutputs are what a window puts out until end, found by looking at all entries anew.
func windowOutputs(w *site.Window, all []entry, end int64) []string {
	var out []string
	put := func(at int64, entries []entry) {
		if len(entries) == 0 || at > end {
			return
		}
		got := aggregated(entries)
		if w.Having.Given() && got["count"].(float64) <= 1 {
			return
		}
		b, _ := json.Marshal(rounded(got))
		out = append(out, fmt.Sprintf("%09d %s %s", at, w.Name, b))
	}
	between := func(from, to int64) []entry { // from ≤ t < to
		return slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return e.t < from || e.t >= to })
	}
	size, every, gap := w.Size.Milliseconds(), w.Every.Milliseconds(), w.Gap.Milliseconds()
	switch w.Kind {
	case "tumbling":
		for at := size; at <= end; at += size {
			put(at, between(at-size, at))
		}
	case "hopping":
		for at := every; at <= end; at += every {
			put(at, between(at-size, at))
		}
	case "sliding":
		for i, e := range all {
			put(e.t, slices.DeleteFunc(slices.Clone(all[:i+1]), func(o entry) bool { return o.t <= e.t-size }))
		}
	case "session":
		for i := 0; i < len(all); {
			j := i + 1
			for j < len(all) && all[j].t < all[j-1].t+gap {
				j++
			}
			put(all[j-1].t+gap, all[i:j])
			i = j
		}
	case "count":
		step := w.CountEvery
		if step == 0 {
			step = w.Count
		}
		for n := step; n <= len(all); n += step {
			if n >= w.Count {
				put(all[n-1].t, all[n-w.Count:n])
			}
		}
	case "state":
		begins := func(e entry) bool { return e.values[0] > 1 }
		emits := func(e entry) bool { return e.values[2] > 0 }
		opened := -1
		for i, e := range all {
			switch {
			case opened < 0:
				if begins(e) {
					opened = i
				}
			case w.Emit.Given():
				if emits(e) {
					put(e.t, all[opened:i+1])
					opened = -1
				}
			case begins(e):
				put(e.t, all[opened:i])
				opened = i
			}
		}
	}
	return out
}

func TestWindowsOnRandomStreams(t *testing.T) {
	t.Run("as they are", func(t *testing.T) { windowsOnRandomStreams(t, nil) })
	// Short streams then go over the ends of chunks, and through the log.
	t.Run("in chunks of three frames with a log of four entries", func(t *testing.T) {
		windowsOnRandomStreams(t, map[string]string{"LONGEST, FULLEST = 128,": "LONGEST, FULLEST = 3,", "ENTRIES, LONG = 256, 4096": "ENTRIES, LONG = 4, 200"})
	})
}

func windowsOnRandomStreams(t *testing.T, changes map[string]string) {
	server := luatest.Start(t)
	load := func() { loadChanged(t, server.Client, "rules", changes) }
	load()
	n := flowNames()
	k := keys("windows", "rules")
	rapid.Check(t, func(t *rapid.T) {
		var flows []site.Flow
		var windows []*site.Window
		for i := range rapid.IntRange(1, 6).Draw(t, "windows") {
			length := func(name string) time.Duration {
				return time.Duration(rapid.SampledFrom([]int{500, 1000, 1500, 4000}).Draw(t, name)) * time.Millisecond
			}
			w := &site.Window{
				Tells: true, Name: fmt.Sprintf("w%d", i), Kind: rapid.SampledFrom([]string{"tumbling", "hopping", "sliding", "session", "count", "state"}).Draw(t, "kind"),
				Size: length("size"), Every: length("every"), Gap: length("gap"), Count: rapid.IntRange(1, 4).Draw(t, "count"),
				CountEvery: rapid.IntRange(0, 5).Draw(t, "count_every"), Source: n.devices[fmt.Sprintf("d%d", rapid.IntRange(0, 1).Draw(t, "source"))],
			}
			if w.Kind == "state" {
				w.Begin = flowExpr(t, "p0 > 1")
				if rapid.Bool().Draw(t, "emit") {
					w.Emit = flowExpr(t, "p2 > 0")
				}
			}
			if rapid.Bool().Draw(t, "where") {
				w.Where = flowExpr(t, "p0 >= 0")
			}
			if rapid.IntRange(0, 3).Draw(t, "having") == 0 {
				w.Having = flowExpr(t, "count > 1")
			}
			for _, a := range windowAggregates {
				w.Aggregates = append(w.Aggregates, site.Aggregate{Function: a, Value: flowExpr(t, "p1"), As: a})
			}
			w.Aggregates = append(w.Aggregates, site.Aggregate{Function: "count", As: "frames"})
			flows, windows = append(flows, w), append(windows, w)
		}
		p, diags := compile.Rules(nil, flows, n)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		steps := drawSteps(t, []int{0, 1, 300, 500, 1000, 1000, 5000})
		var want []string
		for _, w := range windows {
			var all []entry
			for _, s := range steps {
				if w.Source == n.devices[fmt.Sprintf("d%d", s.device)] && (!w.Where.Given() || s.values[0] >= 0) {
					all = append(all, entry{s.t, s.values})
				}
			}
			want = append(want, windowOutputs(w, all, steps[len(steps)-1].t)...)
		}
		for _, way := range ways {
			if got := played(t, server, k, p, steps, feeding{way: way, load: load}, "captures"); !slices.Equal(got, want) {
				t.Fatalf("%s: got\n%s\nexpected\n%s", way, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	})
}

// Windows that hold many more frames than a chunk has, and more than go through the log before it begins anew.
func TestLongWindows(t *testing.T) {
	server := luatest.Start(t)
	loadLibrary(t, server.Client, "rules")
	n := flowNames()
	d := n.devices["d0"]
	windows := []*site.Window{
		{Name: "w0", Kind: "sliding", Size: 100 * time.Second, Having: flowExpr(t, "last > 9.99")},
		{Name: "w1", Kind: "count", Count: 1000, CountEvery: 97},
		{Name: "w2", Kind: "hopping", Size: 70 * time.Second, Every: 13 * time.Second},
		{Name: "w3", Kind: "tumbling", Size: 50 * time.Second},
		{Name: "w4", Kind: "count", Count: 5},
	}
	var flows []site.Flow
	for _, w := range windows {
		w.Source, w.Tells = d, true
		for _, a := range windowAggregates {
			w.Aggregates = append(w.Aggregates, site.Aggregate{Function: a, Value: flowExpr(t, "p1"), As: a})
		}
		w.Aggregates = append(w.Aggregates, site.Aggregate{Function: "count", As: "frames"})
		flows = append(flows, w)
	}
	p, diags := compile.Rules(nil, flows, n)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	r := rand.New(rand.NewPCG(7, 7))
	var steps []step
	var all []entry
	var at int64
	for range 3000 {
		at += 50 + r.Int64N(100)
		s := step{t: at, values: [3]float64{0, math.Round(r.Float64()*1e4) / 1e3, 0}}
		if r.IntN(20) == 0 {
			s.values[1] = math.NaN()
		}
		steps, all = append(steps, s), append(all, entry{s.t, s.values})
	}
	var want []string
	for _, w := range windows {
		outputs := windowOutputs(&site.Window{Name: w.Name, Kind: w.Kind, Size: w.Size, Every: w.Every, Count: w.Count, CountEvery: w.CountEvery}, all, at)
		want = append(want, slices.DeleteFunc(outputs, func(o string) bool { return w.Having.Given() && !lastAbove(t, o, 9.99) })...)
	}
	k := keys("long", "rules")
	var bits []string
	for _, way := range ways {
		got := played(t, server, k, p, steps, feeding{way: way, every: 200}, "captures")
		said := rawCaptures(t, server, k)
		if bits == nil {
			bits = said
		} else if !slices.Equal(said, bits) {
			t.Errorf("%s: results differ in their last digits from those of %s", way, ways[0])
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %d results, expected %d", way, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%s: got\n%s\nexpected\n%s", way, got[i], want[i])
			}
		}
	}
}

// rawCaptures are results as the library wrote them.
func rawCaptures(t *testing.T, server *luatest.Server, k []string) []string {
	t.Helper()
	events, err := server.XRange(context.Background(), k[6], "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		out = append(out, fmt.Sprint(e.Values["t"], " ", e.Values["rule"], " ", e.Values["captures"]))
	}
	return out
}

// lastAbove tells whether the last value of a result is above a limit.
func lastAbove(t *testing.T, output string, limit float64) bool {
	t.Helper()
	var result map[string]string
	if err := json.Unmarshal([]byte(strings.SplitN(output, " ", 3)[2]), &result); err != nil {
		t.Fatal(err)
	}
	last, err := strconv.ParseFloat(result["last"], 64)
	return err == nil && last > limit
}
