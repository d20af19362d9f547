package compile_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// oracle follows one rule by the rulings, word for word and without a thought for speed. Its condition is x > 0, or x
// itself with hysteresis.
type oracle struct {
	rule     *site.Rule
	index    int
	known    bool // the state was set
	state    bool
	held     bool // of hysteresis
	unknown  bool
	rises    int64 // when a pending for ends; -1: none
	falls    int64
	last     int64 // firing; -1: none
	let      []int64
	acts     bool // a while that began
	standing bool // a request stands
	at       int64
	out      []string
}

func (o *oracle) note(t int64, format string, args ...any) {
	o.out = append(o.out, fmt.Sprintf("%012d r%02d ", t, o.index)+fmt.Sprintf(format, args...))
}

func (o *oracle) fire(t int64, edge string) {
	if edge == "while" && o.acts {
		o.request(t, false)
		return
	}
	if o.rule.Cooldown > 0 && o.last >= 0 && t < o.last+o.rule.Cooldown.Milliseconds() {
		return
	}
	if th := o.rule.Throttle; th != nil {
		o.let = slices.DeleteFunc(o.let, func(at int64) bool { return at <= t-th.Per.Milliseconds() })
		if len(o.let) >= th.Count {
			return
		}
		o.let = append(o.let, t)
	}
	o.last = t
	o.acts = edge == "while"
	o.note(t, "fired %s", edge)
	o.request(t, edge != "while" && edge != "level")
}

func (o *oracle) request(t int64, again bool) {
	if again || !o.standing || t >= o.at+10000 {
		o.note(t, "request 7")
		o.standing, o.at = true, t
	}
}

func (o *oracle) turn(t int64, to, first bool) {
	was := o.state && o.known
	o.known, o.state, o.rises, o.falls = true, to, -1, -1
	if was && !to && o.acts {
		o.note(t, "request ")
		o.note(t, "ended")
		o.standing, o.acts = false, false
	}
	if first && !(to && o.rule.Initial == "fire") {
		return
	}
	switch {
	case to && (o.rule.On == "rising" || o.rule.On == "both"):
		o.fire(t, "rising")
	case !to && (o.rule.On == "falling" || o.rule.On == "both"):
		o.fire(t, "falling")
	}
}

func (o *oracle) level(t int64) {
	if o.known && o.state && (o.rule.On == "level" || o.rule.On == "while") {
		o.fire(t, o.rule.On)
	}
}

func (o *oracle) advance(t int64) {
	if o.unknown {
		return
	}
	if at := o.rises; at >= 0 && at <= t {
		o.turn(at, true, false)
		o.level(at)
	}
	if at := o.falls; at >= 0 && at <= t {
		o.turn(at, false, false)
	}
}

func (o *oracle) event(t int64, x float64) {
	verdict, known := x > 0, !math.IsNaN(x)
	if !known && o.rule.Unknown == site.UnknownTrue {
		verdict, known = true, true
	} else if !known && o.rule.Unknown == site.UnknownFalse {
		verdict, known = false, true
	} else if h := o.rule.Hysteresis; h != nil && known {
		if h.On >= h.Off && x > h.On || h.On < h.Off && x < h.On {
			o.held = true
		} else if h.On >= h.Off && x < h.Off || h.On < h.Off && x > h.Off {
			o.held = false
		}
		verdict = o.held
	}
	o.unknown = !known
	if !known {
		return
	}
	before := o.known && o.state
	if verdict {
		o.falls = -1
		if !before {
			switch wait := o.rule.For.Milliseconds(); {
			case wait == 0 || o.rises >= 0 && o.rises <= t:
				o.turn(t, true, !o.known)
			case o.rises < 0:
				o.known, o.state, o.rises = true, false, t+wait
			}
		}
	} else {
		o.rises = -1
		switch keep := o.rule.KeepFor.Milliseconds(); {
		case !o.known:
			o.turn(t, false, true)
		case before && (keep == 0 || o.falls >= 0 && o.falls <= t):
			o.turn(t, false, false)
		case before && o.falls < 0:
			o.falls = t + keep
		}
	}
	o.level(t)
}

type step struct {
	device int
	t      int64
	values [3]float64
}

func genRule(t *rapid.T, i int) (*site.Rule, int, int) {
	seconds := func(name string) time.Duration {
		return time.Duration(rapid.SampledFrom([]int{0, 0, 1, 2, 5}).Draw(t, name)) * time.Second
	}
	device, point := rapid.IntRange(0, 1).Draw(t, "device"), rapid.IntRange(0, 2).Draw(t, "point")
	r := &site.Rule{
		Name:    fmt.Sprintf("r%02d", i),
		On:      rapid.SampledFrom([]string{"while", "level", "rising", "falling", "both"}).Draw(t, "on"),
		Initial: rapid.SampledFrom([]string{"arm", "fire"}).Draw(t, "initial"),
		Unknown: rapid.SampledFrom([]site.Unknown{site.UnknownHold, site.UnknownFalse, site.UnknownTrue}).Draw(t, "unknown"),
		For:     seconds("for"), KeepFor: seconds("keep"), Cooldown: seconds("cooldown"),
	}
	if rapid.IntRange(0, 3).Draw(t, "throttled") == 0 {
		r.Throttle = &site.Throttle{Count: rapid.IntRange(1, 3).Draw(t, "count"), Per: 4 * time.Second}
	}
	if r.On == "both" { // which has neither
		r.Cooldown, r.Throttle = 0, nil
	}
	text := fmt.Sprintf("device.d%d.p%d", device, point)
	if rapid.IntRange(0, 3).Draw(t, "hysteresis") == 0 {
		r.Hysteresis = &site.Hysteresis{On: float64(rapid.IntRange(-1, 1).Draw(t, "h")), Off: float64(rapid.IntRange(-1, 1).Draw(t, "off"))}
	} else {
		text += " > 0"
	}
	when, _ := hclsyntax.ParseExpression([]byte(text), "when", hcl.InitialPos)
	value, _ := hclsyntax.ParseExpression([]byte("7"), "value", hcl.InitialPos)
	r.When = site.Expr{Expression: when}
	r.Sets = []*site.Set{{Target: "o." + r.Name, Value: site.Expr{Expression: value}, TTL: 30 * time.Second}}
	return r, device, point
}

func expected(rules []*site.Rule, places [][2]int, steps []step) []string {
	var out []string
	for i, r := range rules {
		o := &oracle{rule: r, index: i, rises: -1, falls: -1, last: -1}
		for _, s := range steps {
			o.advance(s.t)
			if s.device == places[i][0] {
				o.event(s.t, s.values[places[i][1]])
			}
		}
		out = append(out, o.out...)
	}
	sort.SliceStable(out, func(a, b int) bool { return out[a][:16] < out[b][:16] })
	return out
}

// The library on random streams does what the rulings say: fed frame by frame, several frames a call, and with all that it
// holds in memory lost in between.
func TestRulesOnRandomStreams(t *testing.T) {
	server := luatest.Start(t)
	loadLibrary(t, server.Client, "rules")
	ctx := context.Background()
	n := newNames()
	table := frame.Table{Numbers: []string{"p0", "p1", "p2"}}
	for d := range 2 {
		n.device(fmt.Sprintf("d%d", d), &site.Point{Name: "p0"}, &site.Point{Name: "p1"}, &site.Point{Name: "p2"})
	}
	k := keys("stream", "rules")
	rapid.Check(t, func(t *rapid.T) {
		var rules []*site.Rule
		var places [][2]int
		for i := range rapid.IntRange(1, 12).Draw(t, "rules") {
			r, device, point := genRule(t, i)
			rules, places = append(rules, r), append(places, [2]int{device, point})
		}
		programs, diags := compile.With(n.siteOf(rules...), n)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		var steps []step
		var at int64
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			at += int64(rapid.SampledFrom([]int{0, 1, 500, 1000, 1000, 3000, 20000}).Draw(t, "gap"))
			s := step{device: rapid.IntRange(0, 1).Draw(t, "from"), t: at}
			silent := rapid.IntRange(0, 4).Draw(t, "silent") == 0
			for p := range s.values {
				if silent {
					s.values[p] = math.NaN()
					continue
				}
				s.values[p] = rapid.SampledFrom([]float64{-2, -1, 0, 1, 2, math.NaN()}).Draw(t, "value")
			}
			steps = append(steps, s)
		}
		want := expected(rules, places, steps)
		for _, way := range ways {
			if err := server.Del(ctx, k...).Err(); err != nil {
				t.Fatal(err)
			}
			loadProgram(t, server.Client, k, programs.Rules)
			feed(t, server, k, "rules_batch_execute", table, steps, feeding{way: way})
			events, err := server.XRange(ctx, k[6], "-", "+").Result()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range events {
				field := func(name string) string { s, _ := e.Values[name].(string); return s }
				at, _ := strconv.ParseInt(field("t"), 10, 64)
				switch {
				case field("kind") == "request":
					got = append(got, fmt.Sprintf("%012d %s request %s", at, strings.TrimPrefix(field("owner"), "rule."), field("value")))
				case field("edge") != "":
					got = append(got, fmt.Sprintf("%012d %s fired %s", at, field("rule"), field("edge")))
				default:
					got = append(got, fmt.Sprintf("%012d %s %s%s", at, field("rule"), field("event"), field("error")))
				}
			}
			// Rules of one instant stand in any order; so do a rule's own events and its requests.
			a, b := slices.Clone(got), slices.Clone(want)
			sort.Strings(a)
			sort.Strings(b)
			if !slices.Equal(a, b) {
				t.Fatalf("%s: got\n%s\nexpected\n%s", way, strings.Join(a, "\n"), strings.Join(b, "\n"))
			}
		}
	})
}
