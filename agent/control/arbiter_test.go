package control

import (
	"fmt"
	"math"
	"sort"
	"testing"

	"pgregory.net/rapid"
)

// naive judges by looking at every request ever made, instant by instant, and keeps nothing between two instants but
// the value and where it goes.
type naive struct {
	limits   map[string]Limits
	requests map[string][]Request // in the order in which they were made
	at       map[string]*naiveOutput
}

type naiveOutput struct {
	judged, wasShown bool
	aim, from, shown float64
	since            int64
	owner            string
}

// inForce are the requests that count at t.
func (n *naive) inForce(output string, t int64) []Request {
	newest := map[string]Request{}
	for _, r := range n.requests[output] {
		if r.At <= t {
			newest[r.Owner] = r
		}
	}
	var out []Request
	for _, r := range newest {
		if !r.Withdraw && t < r.Until {
			out = append(out, r)
		}
	}
	return out
}

func (n *naive) judge(output string, t int64) (Judgement, bool) {
	l, s := n.limits[output], n.at[output]
	in := n.inForce(output, t)
	sort.Slice(in, func(i, j int) bool {
		return in[i].Priority > in[j].Priority || in[i].Priority == in[j].Priority && in[i].Owner < in[j].Owner
	})
	aim, owner := math.Max(l.Min, math.Min(l.Max, l.Safe)), ""
	if len(in) > 0 {
		aim, owner = math.Max(l.Min, math.Min(l.Max, in[0].Value)), in[0].Owner
	}
	ramped := func(aim float64) float64 {
		if l.Ramp == 0 {
			return aim
		}
		step := l.Ramp * float64(t-s.since) / 1000
		if aim > s.from {
			return math.Min(aim, s.from+step)
		}
		return math.Max(aim, s.from-step)
	}
	if !s.judged {
		s.from, s.since, s.aim, s.judged = l.Safe, t, aim, true
		if l.Initial != nil {
			s.from = *l.Initial
		}
		s.from = math.Max(l.Min, math.Min(l.Max, s.from))
	} else if s.aim != aim {
		s.from, s.since, s.aim = ramped(s.aim), t, aim
	}
	v := ramped(aim)
	changed := !s.wasShown || v != s.shown || owner != s.owner
	s.shown, s.owner, s.wasShown = v, owner, true
	return Judgement{Millis: t, Output: output, Value: v, Aim: aim}, changed
}

// instants are the moments in (from, to) at which an output is judged by itself.
func (n *naive) instants(output string, from, to int64) []int64 {
	var out []int64
	for t := from + 1; t < to; t++ {
		due := false
		for _, r := range n.requests[output] {
			due = due || r.At == t
		}
		for _, r := range n.inForce(output, t-1) {
			due = due || r.Until == t
		}
		if due {
			out = append(out, t)
		}
	}
	return out
}

// TestArbiterAgainstNaive compares the arbiter with the naive one on random requests, limits and clocks.
func TestArbiterAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := NewArbiter()
		n := &naive{limits: map[string]Limits{}, requests: map[string][]Request{}, at: map[string]*naiveOutput{}}
		names := []string{"a", "b"}
		value := rapid.Map(rapid.IntRange(-20, 20), func(i int) float64 { return float64(i) })
		for _, name := range names {
			l := Limits{Min: math.Inf(-1), Max: math.Inf(1), Safe: value.Draw(t, "safe")}
			if rapid.Bool().Draw(t, "bounded") {
				l.Min, l.Max = -10, 15
			}
			if rapid.Bool().Draw(t, "ramped") {
				l.Ramp = float64(rapid.IntRange(1, 500).Draw(t, "ramp"))
			}
			if rapid.Bool().Draw(t, "started") {
				v := value.Draw(t, "initial")
				l.Initial = &v
			}
			a.SetOutput(name, l)
			n.limits[name], n.at[name] = l, &naiveOutput{}
		}
		var clock int64
		compare := func(to int64) {
			var want []string
			add := func(j Judgement, changed bool, owner string) {
				if changed {
					want = append(want, fmt.Sprintf("%d %s %.9g %.9g %s", j.Millis, j.Output, j.Value, j.Aim, owner))
				}
			}
			for at := clock + 1; at < to; at++ {
				for _, name := range names {
					for _, due := range n.instants(name, at-1, at+1) {
						if due == at {
							j, changed := n.judge(name, at)
							add(j, changed, n.at[name].owner)
						}
					}
				}
			}
			for _, name := range names {
				j, changed := n.judge(name, to)
				add(j, changed, n.at[name].owner)
			}
			var got []string
			for _, j := range a.Advance(to) {
				got = append(got, fmt.Sprintf("%d %s %.9g %.9g %s", j.Millis, j.Output, j.Value, j.Aim, j.Owner()))
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("advance from %d to %d:\n got %q\nwant %q", clock, to, got, want)
			}
			clock = to
		}
		compare(0)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			for range rapid.IntRange(0, 3).Draw(t, "requests") {
				r := Request{
					Output: rapid.SampledFrom(names).Draw(t, "output"), Owner: rapid.SampledFrom([]string{"r1", "r10", "r2", "x"}).Draw(t, "owner"),
					Priority: rapid.IntRange(0, 2).Draw(t, "priority"), Value: value.Draw(t, "value"),
					At: clock + 1 + int64(rapid.IntRange(0, 40).Draw(t, "at")), Until: Forever,
					Withdraw: rapid.IntRange(0, 4).Draw(t, "withdraw") == 0,
				}
				if ttl := rapid.IntRange(-10, 60).Draw(t, "ttl"); ttl > 0 {
					r.Until = r.At + int64(ttl)
				}
				a.Put(r)
				list := append(n.requests[r.Output], r)
				sort.SliceStable(list, func(i, j int) bool { return list[i].At < list[j].At })
				n.requests[r.Output] = list
			}
			compare(clock + int64(rapid.IntRange(0, 50).Draw(t, "advance")))
		}
	})
}

func TestArbiterNeverLeavesTheRangeNorTheRamp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := NewArbiter()
		l := Limits{Min: -5, Max: 7, Ramp: 3, Safe: 1}
		a.SetOutput("o", l)
		a.Advance(0)
		last, clock := 1.0, int64(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			a.Put(Request{Output: "o", Owner: "r", Value: rapid.Float64Range(-1e6, 1e6).Draw(t, "value"), At: clock, Until: Forever})
			by := int64(rapid.IntRange(0, 3000).Draw(t, "by"))
			a.Advance(clock)
			clock += by
			a.Advance(clock)
			j, _ := a.Now("o", clock)
			if j.Value < l.Min || j.Value > l.Max || math.Abs(j.Value-last) > l.Ramp*float64(by)/1000+1e-9 {
				t.Fatalf("from %v to %v in %d ms", last, j.Value, by)
			}
			last = j.Value
		}
	})
}

func TestShiftKeepsTimesToLive(t *testing.T) {
	a := NewArbiter()
	a.SetOutput("o", Limits{Min: -50, Max: 50, Ramp: 10})
	a.Advance(1000)
	a.Put(Request{Output: "o", Owner: "r", Value: 20, At: 1000, Until: 6000})
	a.Advance(2000)
	a.Shift(3_600_000)
	if j := a.Advance(3_603_000); len(j) != 1 || j[0].Value != 20 {
		t.Fatalf("the ramp did not go on: %+v", j)
	}
	if next, ok := a.Next(); !ok || next != 3_606_000 {
		t.Fatalf("next is %d, expected the expiry moved along", next)
	}
}

func TestNewLimitsClampAtOnce(t *testing.T) {
	a := NewArbiter()
	a.SetOutput("o", Limits{Min: -50, Max: 50, Ramp: 1000})
	a.Advance(0)
	a.Put(Request{Output: "o", Owner: "r", Value: 40, At: 0, Until: Forever})
	a.Advance(0)
	a.Advance(1000)
	a.SetOutput("o", Limits{Min: -5, Max: 5, Ramp: 1})
	j := a.Advance(1000)
	if len(j) != 1 || j[0].Value != 5 || j[0].Aim != 5 {
		t.Fatalf("%+v", j)
	}
}
