package compile_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua/luatest"
)

// stepDraw is a step with what it means: a frame of a device whose point is above a number, or above that of the first
// captured frame.
type stepDraw struct {
	site.Step
	device, point int
	above         float64
	relative      bool
}

// sequenceDraw is a sequence with what it means.
type sequenceDraw struct {
	*site.Sequence
	steps []stepDraw
}

// drawSequence draws frames, repeats and waits, as a site may have them: no repeat before a wait, and none that begins an
// attempt of many.
func drawSequence(t *rapid.T, name string, n *names) sequenceDraw {
	s := sequenceDraw{Sequence: &site.Sequence{Name: name, Every: rapid.Bool().Draw(t, "every"), Group: 1}}
	if rapid.Bool().Draw(t, "bounded") {
		s.Within = time.Duration(rapid.SampledFrom([]int{1000, 3000, 8000}).Draw(t, "within")) * time.Millisecond
	}
	for i := range rapid.IntRange(2, 4).Draw(t, "length") {
		d := stepDraw{device: rapid.IntRange(0, 1).Draw(t, "device"), point: rapid.IntRange(0, 2).Draw(t, "point"), above: rapid.SampledFrom([]float64{-1.5, 0, 1}).Draw(t, "above")}
		d.Device = n.devices[fmt.Sprintf("d%d", d.device)]
		where := fmt.Sprintf("p%d > %v", d.point, d.above)
		if i > 0 && s.steps[0].As == "e0" && !s.steps[0].Repeat && rapid.IntRange(0, 3).Draw(t, "relative") == 0 {
			d.relative = true
			where = fmt.Sprintf("p%d > e0.p%d", d.point, d.point)
		}
		d.Where = flowExpr(t, where)
		switch kind := rapid.IntRange(0, 5).Draw(t, "kind"); {
		case kind == 0 && (i == 0 || !s.steps[i-1].Repeat):
			d.Absent, d.For = true, time.Duration(rapid.SampledFrom([]int{500, 1000, 2500}).Draw(t, "for"))*time.Millisecond
		case kind == 1 && (i > 0 || !s.Every):
			d.As = fmt.Sprintf("e%d", i)
			d.Repeat, d.Min = true, rapid.IntRange(1, 2).Draw(t, "min")
			if rapid.Bool().Draw(t, "bounded") {
				d.Max = d.Min + rapid.IntRange(0, 2).Draw(t, "more")
			}
		default:
			d.As = fmt.Sprintf("e%d", i)
		}
		s.steps = append(s.steps, d)
		s.Steps = append(s.Steps, d.Step)
	}
	return s
}

// try is one attempt at a sequence.
type try struct {
	k, n           int
	arrived, first int64 // first: -1 while nothing is captured
	captured       map[string]any
	base           [3]float64 // of the frame e0
	spawned, over  bool
}

// tries follows a sequence.
type tries struct {
	sequenceDraw
	list []*try
	born []*try
	dead bool
	out  []string
}

func (s *tries) start(t int64) *try {
	return &try{arrived: t, first: -1, captured: map[string]any{}, base: [3]float64{math.NaN(), math.NaN(), math.NaN()}}
}

func (s *tries) late(a *try, t int64) bool {
	return s.Within > 0 && a.first >= 0 && t > a.first+s.Within.Milliseconds()
}

// failed is an attempt that is over without a result.
func (s *tries) failed(a *try, t int64) {
	a.over = true
	switch {
	case !s.Every:
		s.dead = true
	case !a.spawned:
		s.born = append(s.born, s.start(t))
	}
}

// next is an attempt that has done its step.
func (s *tries) next(a *try, t int64) {
	if s.Every && a.k == 0 && !a.spawned {
		a.spawned = true
		s.born = append(s.born, s.start(t))
	}
	if a.k == len(s.steps)-1 {
		a.over = true
		s.dead = !s.Every
		b, _ := json.Marshal(rounded(a.captured))
		s.out = append(s.out, fmt.Sprintf("%09d %s %s", t, s.Name, b))
		return
	}
	a.k, a.n, a.arrived = a.k+1, 0, t
}

// settle takes out the attempts that are over and adds those that were started.
func (s *tries) settle() {
	s.list = slices.DeleteFunc(s.list, func(a *try) bool { return a.over })
	if !s.dead {
		s.list = append(s.list, s.born...)
	}
	s.born = nil
}

// clock lets the waits end that are due at or before t.
func (s *tries) clock(t int64) {
	for {
		at := int64(math.MaxInt64)
		for _, a := range s.list {
			if d := s.steps[a.k]; d.Absent {
				at = min(at, a.arrived+d.For.Milliseconds())
			}
		}
		if at > t {
			return
		}
		for _, a := range s.list {
			if d := s.steps[a.k]; !d.Absent || a.arrived+d.For.Milliseconds() > at {
				continue
			}
			if s.late(a, at) {
				s.failed(a, at)
			} else {
				s.next(a, at)
			}
		}
		s.settle()
	}
}

func (d stepDraw) met(a *try, e step) bool {
	above := d.above
	if d.relative {
		above = a.base[d.point]
	}
	return e.device == d.device && e.values[d.point] > above
}

func (s *tries) frame(e step) {
	s.clock(e.t)
	if s.dead {
		return
	}
	for _, a := range s.list {
		if s.late(a, e.t) {
			s.failed(a, e.t)
		}
	}
	s.settle()
	for _, a := range s.list {
		s.offer(a, e)
	}
	s.settle()
}

func (s *tries) offer(a *try, e step) {
	d := s.steps[a.k]
	if d.Absent {
		switch {
		case !d.met(a, e):
		case a.first < 0 && a.k == 0:
			a.arrived = e.t
		default:
			s.failed(a, e.t)
		}
		return
	}
	// An open repeat is left for a step behind it that has a use for the frame; the furthest first.
	k := a.k
	for n := a.n; s.steps[k].Repeat && n >= s.steps[k].Min && k < len(s.steps)-1; n = 0 {
		k++
	}
	for ; k > a.k; k-- {
		if !s.steps[k].Absent && s.steps[k].met(a, e) {
			break
		}
	}
	if !s.steps[k].met(a, e) {
		return
	}
	for a.k < k {
		s.next(a, e.t)
	}
	d = s.steps[a.k]
	event := map[string]any{}
	for p, v := range e.values {
		if !math.IsNaN(v) {
			event[fmt.Sprint("p", p)] = v
		}
	}
	if a.first < 0 {
		a.first = e.t
	}
	if d.As == "e0" {
		a.base = e.values
	}
	if !d.Repeat {
		a.captured[d.As] = event
		s.next(a, e.t)
		return
	}
	list, _ := a.captured[d.As].([]any)
	a.captured[d.As] = append(list, event)
	if a.n++; a.n == d.Max || a.k == len(s.steps)-1 && a.n >= d.Min {
		s.next(a, e.t)
	}
}

func TestSequencesOnRandomStreams(t *testing.T) {
	server := luatest.Start(t)
	loadLibrary(t, server.Client, "rules")
	n := flowNames()
	k := keys("sequences", "rules")
	rapid.Check(t, func(t *rapid.T) {
		var flows []site.Flow
		var all []*tries
		for i := range rapid.IntRange(1, 4).Draw(t, "sequences") {
			s := drawSequence(t, fmt.Sprintf("s%d", i), n)
			flows, all = append(flows, s.Sequence), append(all, &tries{sequenceDraw: s})
		}
		p, diags := compile.Rules(nil, flows, n)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		steps := drawSteps(t, []int{0, 1, 300, 500, 1000, 1000, 5000})
		// A wait that comes first begins when the program is loaded: with the first frame's call.
		began := steps[0].t
		var want []string
		for _, s := range all {
			s.list = []*try{s.start(began)}
			for _, e := range steps {
				s.frame(e)
			}
			want = append(want, s.out...)
		}
		for _, way := range ways {
			if way == "in batches" && steps[0].t != firstBatch(steps) {
				continue // the clock of its first call is another
			}
			if got := played(t, server, k, p, steps, feeding{way: way}, "captures"); !slices.Equal(got, want) {
				t.Fatalf("%s: got\n%s\nexpected\n%s", way, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
	})
}

// firstBatch is the clock of the first call when frames come in batches.
func firstBatch(steps []step) int64 {
	if len(steps) > 1 && steps[1].device != steps[0].device {
		return steps[1].t
	}
	return steps[0].t
}
