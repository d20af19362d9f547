package compile_test

import (
	"context"
	"fmt"
	"math"
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

// sum follows one total by its rulings, over all samples that it had, without a thought for speed.
type sum struct {
	gap, limit float64 // limit 0: energy
	x, t       float64
	total      float64
	missed     float64
	known      bool
	fell       float64 // NaN: nothing fell
}

func newEnergy(gap float64) *sum    { return &sum{gap: gap, fell: math.NaN()} }
func newCounter(limit float64) *sum { return &sum{limit: limit, gap: -1, fell: math.NaN()} }

func (s *sum) sample(t, x float64) {
	if math.IsNaN(x) {
		return
	}
	switch {
	case s.gap < 0:
		s.reading(x)
	case !s.known:
		s.t, s.x = t, x
	default:
		span := t - s.t
		if span > s.gap {
			s.missed += span
		} else if span > 0 {
			s.total += (s.x + x) / 2 * (span / 3600000)
		}
		s.t, s.x = math.Max(s.t, t), x
	}
	s.known = true
}

func (s *sum) reading(x float64) {
	if !s.known {
		s.x, s.total = x, x
		return
	}
	deep := func() bool { return x < s.x-0.1*math.Abs(s.x) }
	if !math.IsNaN(s.fell) && deep() {
		s.total += math.Max(s.fell, 0)
		s.x = s.fell
	}
	s.fell = math.NaN()
	switch {
	case x >= s.x:
		s.total += x - s.x
		s.x = x
	case s.limit > 0 && s.x >= 0.9*s.limit && s.x <= s.limit && x >= 0 && x <= 0.1*s.limit:
		s.total += s.limit - s.x + x
		s.x = x
	case deep():
		s.fell = x
	}
}

// modelOf has a measurement for each expression: m0, m1 …
func modelOf(t fataler, n *names, expressions ...string) *site.Site {
	s := n.siteOf()
	m := &site.Model{Name: "grid", Template: &site.Template{Name: "any"}}
	for i, text := range expressions {
		e, diags := hclsyntax.ParseExpression([]byte(text), "site.hcl", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatalf("%s: %v", text, diags)
		}
		m.Measurements = append(m.Measurements, &site.Mapping{Measurement: &site.Measurement{Name: fmt.Sprint("m", i)}, Value: site.Expr{Expression: e}})
	}
	s.Models = []*site.Model{m}
	return s
}

// Totals over random streams are what a naive sum gives: frame by frame, in batches, with all that the library holds in memory
// lost in between, and with the library loaded anew.
func TestTotalsOnRandomStreams(t *testing.T) {
	server := luatest.Start(t)
	loadLibrary(t, server.Client, "models")
	ctx := context.Background()
	n := newNames()
	table := frame.Table{Numbers: []string{"p0", "p1", "p2"}}
	for d := range 2 {
		n.device(fmt.Sprintf("d%d", d), &site.Point{Name: "p0", Unit: "kW"}, &site.Point{Name: "p1", Unit: "kW"}, &site.Point{Name: "p2", Unit: "kWh"})
	}
	s := modelOf(t, n, "energy(device.d0.p0)", `energy(device.d0.p1 - device.d1.p1, "10s")`, "counter(device.d0.p2)",
		"counter(device.d1.p2, 1000)", "counter(device.d0.p2) - counter(device.d1.p2, 1000) + energy(device.d0.p0)")
	programs, diags := compile.With(s, n)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	k := keys("totals", "models")
	readings := []float64{0, 0, 1, 5, 100, 850, 905, 950, 999, 1000, 940, 901, math.NaN()}
	rapid.Check(t, func(t *rapid.T) {
		var steps []step
		at := int64(1_700_000_000_000)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			at += int64(rapid.SampledFrom([]int{0, 1, 500, 1000, 1000, 9000, 20000, 400000}).Draw(t, "gap"))
			x := step{device: rapid.IntRange(0, 1).Draw(t, "from"), t: at}
			for p := range 2 {
				x.values[p] = rapid.SampledFrom([]float64{-5, 0, 0.1, 3, 80.5, math.NaN()}).Draw(t, "power")
			}
			x.values[2] = rapid.SampledFrom(readings).Draw(t, "reading")
			steps = append(steps, x)
		}
		want := naiveTotals(steps)
		for _, way := range ways {
			if err := server.Del(ctx, append(k, "v:{totals}:model:grid")...).Err(); err != nil {
				t.Fatal(err)
			}
			loadProgram(t, server.Client, k, programs.Models)
			feed(t, server, k, "model_batch_sync", table, steps, feeding{way: way})
			for i, w := range want {
				reply, err := server.FCall(ctx, "model_get_value", k, fmt.Sprint("grid.m", i)).StringSlice()
				if err != nil {
					t.Fatal(err)
				}
				got := math.NaN()
				if reply[0] != "" {
					got, _ = strconv.ParseFloat(reply[0], 64)
				}
				if math.IsNaN(got) != math.IsNaN(w) || math.Abs(got-w) > 1e-9*math.Max(1, math.Abs(w)) {
					t.Fatalf("%s: m%d is %v, expected %v", way, i, reply, w)
				}
			}
		}
	})
}

func naiveTotals(steps []step) []float64 {
	nan := math.NaN()
	last := [2][3]float64{{nan, nan, nan}, {nan, nan, nan}}
	power, difference, first, second := newEnergy(300000), newEnergy(10000), newCounter(0), newCounter(1000)
	// Each occurrence of a total has a sum of its own; they are alike.
	for _, s := range steps {
		last[s.device] = s.values
		at := float64(s.t)
		difference.sample(at, last[0][1]-last[1][1])
		if s.device == 0 {
			power.sample(at, s.values[0])
			first.sample(at, s.values[2])
		} else {
			second.sample(at, s.values[2])
		}
	}
	of := func(s *sum) float64 {
		if !s.known {
			return math.NaN()
		}
		return s.total
	}
	return []float64{of(power), of(difference), of(first), of(second), of(first) - of(second) + of(power)}
}

func TestTotalsAreRefusedWhereTheyCannotStand(t *testing.T) {
	n := newNames()
	n.device("m", &site.Point{Name: "power", Unit: "kW"}, &site.Point{Name: "volts", Unit: "V"}, &site.Point{Name: "rare", Unit: "kW"}).Every = time.Minute
	n.live["sum"] = expr(t, "energy(device.m.power)")
	for text, want := range map[string]string{
		"energy(device.m.volts)":                    "energy sums up a power over time (kW to kWh), a current or a flow. This is in V.",
		"energy(5)":                                 "this reads no point",
		"energy(counter(device.m.power))":           "this is a total already",
		"energy(device.m.power, \"30s\")":           "Values come every 1m, so a gap of at most 30s would bridge none of them",
		"energy(device.m.power, \"soon\")":          "The second argument of energy is the longest gap that it bridges",
		"energy(device.m.power, 5)":                 "The second argument of energy is the longest gap that it bridges",
		"counter(device.m.power, device.m.power)":   "The second argument of counter is the reading, above 0",
		"counter(device.m.power, -1)":               "The second argument of counter is the reading, above 0",
		"counter(device.m.power, 1, 2)":             "It is counter(reading), or counter(reading, highest).",
		"energy(device.m.power) + device.m.power":   "Different units",
		"min(energy(device.m.power), local.sum, 1)": "",
	} {
		_, diags := compile.With(modelOf(t, n, text), n)
		if want == "" && diags.HasErrors() || want != "" && !strings.Contains(diags.Error(), want) {
			t.Errorf("%s: %v, expected %q", text, diags, want)
		}
	}
	rule := &site.Rule{Name: "r", On: "while", When: expr(t, "1 < local.sum")}
	_, diags := compile.With(n.siteOf(rule), n)
	if len(diags) != 1 || diags[0].Summary != "Total in a condition" || diags[0].Subject.Start.Column != 5 {
		t.Errorf("a rule over a total: %v", diags)
	}
}
