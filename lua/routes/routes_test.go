// Package routes_test tests the routes library on a real redis-server.
package routes_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

var (
	meter   = frame.Table{Numbers: []string{"power", "energy"}, Texts: []string{"mode"}}
	battery = frame.Table{Numbers: []string{"power"}}
)

// program has one item of each kind. first are further fields of the first.
func program(rev, first string) string {
	return fmt.Sprintf(`local d1, d2 = D[1], D[2]
return {
  { head = true, schema = 1, rev = %q, devices = {
    { name = "meter", n = 2, id = %d, used = {1} }, { name = "battery", n = 1, id = %d, used = {1} } } },
  { group = 1, name = "group a meter.power", rev = "1", device = 1, slots = {1, 2}, %s },
  { group = 2, name = "group b meter.mode", rev = "1", device = 1, texts = {1}, thin = true, change = true, deadband = 0, percent = 0 },
  { group = 3, name = "group c site.sum", rev = "1", dev = {1, 2}, inputs = {{"meter.power", 1, 1}, {"battery.power", 2, 1}},
    value = function() return H.add(d1[1], d2[1]) end },
}`, rev, meter.TableID(), battery.TableID(), first)
}

const changing = `gain = {1, 0.001}, offset = {0, 273.15}, thin = true, every_ms = 1000, change = true, deadband = 1, percent = 0.1, max_ms = 5000`

func site(t testing.TB, text string) *luatest.Site {
	t.Helper()
	server := luatest.Start(t, "--appendfsync", "always")
	lib, err := lua.Bundle("routes")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.FunctionLoadReplace(context.Background(), lib.Source).Err(); err != nil {
		t.Fatal(err)
	}
	s := server.Site("bakery", "routes:history")
	s.Program(t, "r1", text)
	return s
}

// record is a frame at its place in the journal.
type record struct {
	seq    int
	device string
	t      int64
	packed []byte
}

func meterFrame(seq int, t int64, power, energy float64, mode string) record {
	b, _ := frame.NewBuilder(meter)
	set(b, 0, power)
	set(b, 1, energy)
	b.SetText(0, mode)
	return record{seq, "meter", t, b.Pack(nil, time.UnixMilli(t))}
}

func batteryFrame(seq int, t int64, power float64) record {
	b, _ := frame.NewBuilder(battery)
	set(b, 0, power)
	return record{seq, "battery", t, b.Pack(nil, time.UnixMilli(t))}
}

// set puts a value; NaN is a bad one, -999 an uncertain 5.
func set(b *frame.Builder, i int, v float64) {
	switch {
	case math.IsNaN(v):
		b.SetBad(i, frame.NoAnswer)
	case v == -999:
		b.SetQuality(i, 5, frame.Uncertain)
	default:
		b.Set(i, v)
	}
}

// out is what went out of records, one line a sample.
type out struct {
	lines  []string
	fresh  bool
	counts map[int][6]uint32
}

func shape(s *luatest.Site, rev string, base, from, to int, records ...record) (out, error) {
	args := []any{rev, base, from, to}
	for _, r := range records {
		args = append(args, r.device, r.t, r.packed)
	}
	got, err := s.Call("route_shape_batch", args...)
	if err != nil {
		return out{}, err
	}
	list := got.([]any)
	o := out{fresh: list[0].(string) == "1", counts: map[int][6]uint32{}}
	for b := []byte(list[1].(string)); len(b) > 0; b = b[26:] {
		var c [6]uint32
		for i := range c {
			c[i] = binary.LittleEndian.Uint32(b[2+4*i:])
		}
		o.counts[int(binary.LittleEndian.Uint16(b))] = c
	}
	for i := 2; i < len(list); i += 2 {
		r := records[list[i].(int64)-1]
		for b := []byte(list[i+1].(string)); len(b) > 0; {
			group, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
			b = b[4:]
			for range n {
				o.lines = append(o.lines, fmt.Sprintf("%d: %d.%d q%d %.10g", r.seq, group, binary.LittleEndian.Uint16(b), b[2], math.Float64frombits(binary.LittleEndian.Uint64(b[3:]))))
				b = b[11:]
			}
		}
	}
	return o, nil
}

func must(t testing.TB, s *luatest.Site, base, from, to int, records ...record) out {
	t.Helper()
	o, err := shape(s, "r1", base, from, to, records...)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func expect(t testing.TB, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("it gives\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestShapes(t *testing.T) {
	s := site(t, program("r1", changing))
	o := must(t, s, 0, 0, 7,
		meterFrame(1, 0, 10, 1000, "run"),           // all go, the sum is unknown
		batteryFrame(2, 100, 5),                     // the sum
		meterFrame(3, 500, 99, 1000, "run"),         // too early; the sum goes, it is not thinned
		meterFrame(4, 1000, 10.9, 1500, "run"),      // within the deadband of 1
		meterFrame(5, 2000, 12, math.NaN(), "stop"), // beyond; and to bad quality
		meterFrame(6, 5500, 12.5, math.NaN(), "stop"),
		meterFrame(7, 7000, 12.5, math.NaN(), "stop"), // max_interval
	)
	if !o.fresh {
		t.Error("it is not said to be fresh")
	}
	expect(t, o.lines,
		"1: 1.1 q0 10", "1: 1.2 q0 274.15", "1: 2.1 q0 0", "1: 3.1 q6 0", "2: 3.1 q0 15", "3: 3.1 q0 104", "4: 3.1 q0 15.9",
		"5: 1.1 q0 12", "5: 1.2 q10 0", "5: 2.1 q0 0", "5: 3.1 q0 17", "6: 3.1 q0 17.5", "7: 1.1 q0 12.5", "7: 1.2 q10 0", "7: 3.1 q0 17.5")
	if got := o.counts[1]; got != [6]uint32{12, 6, 2, 4, 0, 0} {
		t.Errorf("counts of group 1: %v", got)
	}
	if got := o.counts[2]; got != [6]uint32{6, 2, 0, 4, 0, 0} {
		t.Errorf("counts of group 2: %v", got)
	}
}

func TestQualityAndAlignment(t *testing.T) {
	s := site(t, program("r1", `keep = {[0] = true}, thin = true, every_ms = 10000, align = true`))
	o := must(t, s, 0, 0, 6, meterFrame(1, 9_999, 1, -999, ""), meterFrame(2, 10_000, 2, 7, ""), meterFrame(3, 19_999, 3, 8, ""), meterFrame(4, 20_050, math.NaN(), 9, ""), meterFrame(5, 20_100, 5, 9, ""))
	var lines []string
	for _, l := range o.lines {
		if strings.Contains(l, ": 1.") {
			lines = append(lines, l)
		}
	}
	expect(t, lines, "1: 1.1 q0 1", "2: 1.1 q0 2", "2: 1.2 q0 7", "4: 1.2 q0 9", "5: 1.1 q0 5")
	if got := o.counts[1]; got != [6]uint32{10, 5, 3, 0, 2, 0} {
		t.Errorf("counts %v", got)
	}
}

func TestPlaces(t *testing.T) {
	s := site(t, program("r1", changing))
	a, b := meterFrame(1, 0, 10, 0, "a"), meterFrame(2, 1000, 20, 0, "b")
	first, second := must(t, s, 0, 0, 1, a), must(t, s, 0, 1, 2, b)
	expect(t, must(t, s, 0, 0, 2, a, b).lines, append(first.lines, second.lines...)...)
	// From 2 on it can't be brought back to 0.
	if _, err := shape(s, "r1", 2, 2, 2); err != nil {
		t.Fatal(err)
	}
	for _, from := range []int{0, 1, 3} {
		if _, err := shape(s, "r1", 0, from, 5, a); err == nil || !strings.HasPrefix(err.Error(), "MISPLACED 2 2") {
			t.Errorf("from %d: %v", from, err)
		}
	}
	if _, err := shape(s, "r0", 2, 2, 3, a); err == nil || !strings.HasPrefix(err.Error(), "OTHERPROGRAM") {
		t.Errorf("of another revision: %v", err)
	}
	if got := fmt.Sprint(s.Must(t, "route_place")); got != "[2 2 r1]" {
		t.Errorf("route_place says %s", got)
	}
	s.Must(t, "route_forget")
	if o := must(t, s, 7, 7, 8, a); !o.fresh || len(o.lines) != len(first.lines) {
		t.Errorf("after it was forgotten: %+v", o)
	}
	for _, args := range [][]any{{"r1", 0, 0}, {"r1", 0, 0, "x"}, {"r1", 0, 0, 1, "meter"}, {"r1", 9, 8, 9}, {"r1", 0, 0, 1, "meter", "now", a.packed}} {
		if _, err := s.Call("route_shape_batch", args...); err == nil || !strings.HasPrefix(err.Error(), "BADARG") {
			t.Errorf("%v: %v", args[1:], err)
		}
	}
}

func TestAChangedItemBeginsAnew(t *testing.T) {
	s := site(t, program("r1", changing))
	must(t, s, 0, 0, 1, meterFrame(1, 0, 10, 0, "a"))
	s.Program(t, "r1", strings.Replace(program("r1", changing), `meter.power", rev = "1"`, `meter.power", rev = "2"`, 1))
	expect(t, must(t, s, 0, 1, 2, meterFrame(2, 100, 10, 0, "a")).lines, "2: 1.1 q0 10", "2: 1.2 q0 273.15", "2: 3.1 q6 0")
}

func TestSelfTest(t *testing.T) {
	s := site(t, program("r1", changing))
	if got := s.Must(t, "routes_selftest"); got != "OK" {
		t.Errorf("the self-test says %v", got)
	}
}

// However a stream is cut into calls, whatever is given again, and whenever caches are lost: the same goes out.
func TestCutsAndRestartsMakeNoDifference(t *testing.T) {
	for name, fields := range map[string]string{
		"changes": changing, "interval": `thin = true, every_ms = 1000`, "aligned good ones": `keep = {[0] = true}, thin = true, every_ms = 2000, align = true`,
		"all": `gain = {2, 1}, offset = {0, 1}`,
	} {
		t.Run(name, func(t *testing.T) { cutAnyhow(t, fields) })
	}
}

func cutAnyhow(outer *testing.T, fields string) {
	s := site(outer, program("r1", fields))
	rapid.Check(outer, func(t *rapid.T) {
		var records []record
		at := int64(0)
		value := rapid.SampledFrom([]float64{0, 1, 1.5, 2, 3, -4, 20, 22, math.NaN(), -999})
		for i := range rapid.IntRange(1, 40).Draw(t, "records") {
			at += rapid.SampledFrom([]int64{1, 300, 700, 1000, 2500, 6000}).Draw(t, "step")
			if rapid.IntRange(0, 3).Draw(t, "device") == 0 {
				records = append(records, batteryFrame(i+1, at, value.Draw(t, "x")))
			} else {
				records = append(records, meterFrame(i+1, at, value.Draw(t, "x"), value.Draw(t, "y"), rapid.SampledFrom([]string{"run", "stop"}).Draw(t, "mode")))
			}
		}
		s.Must(outer, "route_forget")
		whole, err := shape(s, "r1", 0, 0, len(records), records...)
		if err != nil {
			t.Fatal(err)
		}
		s.Must(outer, "route_forget")
		var got []string
		base, sure, place := 0, 0, 0 // sure: lines that belong to base
		for place < len(records) {
			to := rapid.IntRange(place, len(records)).Draw(t, "to")
			o, err := shape(s, "r1", base, place, to, records[place:to]...)
			if err != nil {
				t.Fatal(err)
			}
			got, place = append(got, o.lines...), to
			switch rapid.IntRange(0, 4).Draw(t, "then") {
			case 0: // the place is on disk
				base, sure = place, len(got)
			case 1: // killed: what came behind base is given again
				place, got = base, got[:sure]
				s.Touch(outer)
			case 2:
				s.Touch(outer)
			}
		}
		if strings.Join(got, "\n") != strings.Join(whole.lines, "\n") {
			t.Fatalf("cut it gives\n%s\nwhole\n%s", strings.Join(got, "\n"), strings.Join(whole.lines, "\n"))
		}
	})
}

// oracle is what goes out of one numeric stream, in the plainest words.
type oracle struct {
	every, deadband, percent, longest float64
	align                             bool
	sent                              bool
	t, x                              float64
	q                                 byte
}

func (o *oracle) goes(t, x float64, q byte) bool {
	if o.sent && t >= o.t {
		if o.every > 0 && (o.align && math.Floor(t/o.every) == math.Floor(o.t/o.every) || !o.align && t-o.t < o.every) {
			return false
		}
		same := q == o.q && (q%4 == 2 || math.Abs(x-o.x) <= math.Max(o.deadband, o.percent*math.Abs(o.x)))
		if same && (o.longest == 0 || t-o.t < o.longest) {
			return false
		}
	}
	o.sent, o.t, o.x, o.q = true, t, x, q
	return true
}

// The library lets through what a naive model does, also when the clock of a device goes back.
func TestAgainstAnOracle(outer *testing.T) {
	server := site(outer, program("r1", changing))
	rapid.Check(outer, func(t *rapid.T) {
		o := oracle{
			every: rapid.SampledFrom([]float64{0, 1, 1000, 3000}).Draw(t, "every"), align: rapid.Bool().Draw(t, "align"),
			deadband: rapid.SampledFrom([]float64{0, 0.5, 3}).Draw(t, "deadband"), percent: rapid.SampledFrom([]float64{0, 0.1}).Draw(t, "percent"),
			longest: rapid.SampledFrom([]float64{0, 5000}).Draw(t, "longest"),
		}
		fields := fmt.Sprintf("thin = true, change = true, align = %v, deadband = %v, percent = %v", o.align, o.deadband, o.percent)
		if o.every > 0 {
			fields += fmt.Sprintf(", every_ms = %v", o.every)
		}
		if o.longest > 0 {
			fields += fmt.Sprintf(", max_ms = %v", o.longest)
		}
		server.Program(outer, "r1", program("r1", fields))
		server.Must(outer, "route_forget")
		var records []record
		var want []string
		at := int64(100_000)
		for i := range rapid.IntRange(1, 50).Draw(t, "records") {
			at += rapid.SampledFrom([]int64{-500, 1, 400, 1000, 2500}).Draw(t, "step")
			x := rapid.SampledFrom([]float64{0, 0.4, 1, 4, 4.3, -4, 100, 109, math.NaN(), -999}).Draw(t, "x")
			records = append(records, meterFrame(i+1, at, x, 0, ""))
			q, y := byte(0), x
			switch {
			case math.IsNaN(x):
				q, y = byte(frame.NoAnswer|frame.Bad), 0
			case x == -999:
				q, y = byte(frame.Uncertain), 5
			}
			if o.goes(float64(at), y, q) {
				want = append(want, fmt.Sprintf("%d: 1.1 q%d %.10g", i+1, q, y))
			}
		}
		got, err := shape(server, "r1", 0, 0, len(records), records...)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, l := range got.lines {
			if strings.Contains(l, ": 1.1 ") {
				lines = append(lines, l)
			}
		}
		if strings.Join(lines, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%+v: it gives\n%s\nwant\n%s", o, strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
	})
}
