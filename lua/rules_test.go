package lua_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

func siteKeys(site, library string) []string {
	p := "v:{" + site + "}:"
	return []string{p + "epoch", p + library + ":program", p + library + ":state", p + library + ":timers", p + "frames", p + "requests", p + "events"}
}

func loadLibrary(t testing.TB, s *luatest.Server, name string) {
	t.Helper()
	lib, err := lua.Bundle(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.FunctionLoadReplace(context.Background(), lib.Source).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestRulesSelfTest(t *testing.T) {
	s := luatest.Start(t)
	loadLibrary(t, s, "rules")
	ctx := context.Background()
	for range 2 {
		if got, err := s.FCall(ctx, "rules_selftest", siteKeys("scratch", "rules")).Text(); err != nil || got != "OK" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if keys, err := s.Keys(ctx, "*").Result(); err != nil || len(keys) != 0 {
		t.Errorf("the self-test left %q, %v", keys, err)
	}
}

// ruleSite is a site with one device "m" of one point "p", whose rules are given as Lua.
type ruleSite struct {
	t       *testing.T
	server  *luatest.Server
	keys    []string
	builder *frame.Builder
	epoch   int
}

func newRuleSite(t *testing.T, rules string) *ruleSite {
	s := &ruleSite{t: t, server: luatest.Start(t), keys: siteKeys("plant", "rules")}
	loadLibrary(t, s.server, "rules")
	var err error
	if s.builder, err = frame.NewBuilder(frame.Table{Numbers: []string{"p"}}); err != nil {
		t.Fatal(err)
	}
	s.program(rules)
	return s
}

func (s *ruleSite) program(rules string) {
	s.t.Helper()
	head := fmt.Sprintf("local d1 = D[1]\nreturn { {head=true, schema=1, rev='x', devices={{name='m', n=1, id=%d, used={1}}}},\n", frame.Table{Numbers: []string{"p"}}.TableID())
	s.epoch++
	ctx := context.Background()
	if err := s.server.HSet(ctx, s.keys[1], "rev", "x", "n", 1, "1", head+rules+"}").Err(); err != nil {
		s.t.Fatal(err)
	}
	if err := s.server.Set(ctx, s.keys[0], s.epoch, 0).Err(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *ruleSite) frame(at int64, value float64) []any {
	s.t.Helper()
	s.builder.Set(0, value)
	packed := s.builder.Pack(nil, time.UnixMilli(at))
	reply, err := s.server.FCall(context.Background(), "rules_batch_execute", s.keys, at, "m", at, packed).Slice()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.server.HSet(context.Background(), s.keys[4], "m", packed).Err(); err != nil {
		s.t.Fatal(err)
	}
	return reply
}

// events are what happened, in short.
func (s *ruleSite) events() []string {
	s.t.Helper()
	list, err := s.server.XRange(context.Background(), s.keys[6], "-", "+").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		if e.Values["kind"] == "request" {
			out = append(out, fmt.Sprintf("%v %v=%v", e.Values["t"], e.Values["owner"], e.Values["value"]))
		} else {
			out = append(out, fmt.Sprintf("%v %v %v", e.Values["t"], e.Values["rule"], e.Values["event"]))
		}
	}
	return out
}

const holds = `{name='hold', rev='%s', dev={1}, when=function() return H.gt(d1[1], 5) end, on='while', initial='arm', unknown='hold',
  priority=1, disabled=%t, inputs={{'m.p', 1, 1}}, set={{output='o.x', constant=3, ttl_ms=9000}}},`

func TestARuleThatFailsIsParkedAndTheOthersGoOn(t *testing.T) {
	s := newRuleSite(t, `{name='bad', rev='1', dev={1}, when=function() return d1[1] > nil end, on='rising', initial='arm', unknown='hold',
		priority=1, inputs={}, set={}},`+fmt.Sprintf(holds, "1", false))
	for i := range 14 {
		s.frame(int64(i+1)*1000, 9)
	}
	errors, parked, fired := 0, 0, 0
	for _, e := range s.events() {
		switch {
		case strings.HasSuffix(e, "bad error"):
			errors++
		case strings.HasSuffix(e, "bad parked"):
			parked++
		case strings.HasSuffix(e, "hold fired"):
			fired++
		}
	}
	if errors != 10 || parked != 1 || fired != 1 {
		t.Errorf("%d errors, %d parked, %d fired: %q", errors, parked, fired, s.events())
	}
	err := s.server.FCall(context.Background(), "rule_execute", s.keys, 20000, "bad").Err()
	if err == nil || !strings.HasPrefix(err.Error(), "PARKED ") {
		t.Errorf("got %v", err)
	}
}

func TestRequestsFollowTheirRule(t *testing.T) {
	s := newRuleSite(t, fmt.Sprintf(holds, "1", false))
	s.frame(1000, 9)
	s.frame(2000, 9) // nothing new
	s.frame(4000, 9) // a third of the time to live has passed
	s.program(fmt.Sprintf(holds, "1", false))
	s.frame(4500, 9) // the same rule after a restart
	s.program(fmt.Sprintf(holds, "2", false))
	s.frame(5000, 9) // another rule of that name
	s.program(fmt.Sprintf(holds, "3", true))
	s.frame(6000, 9) // disabled
	s.program(fmt.Sprintf(holds, "2", false))
	s.frame(7000, 9)
	s.program("")
	s.frame(8000, 9) // gone
	want := []string{
		"1000 hold fired", "1000 rule.hold=3", "4000 rule.hold=3",
		"5000 rule.hold=", "5000 hold fired", "5000 rule.hold=3",
		"6000 rule.hold=", "7000 hold fired", "7000 rule.hold=3", "8000 rule.hold=",
	}
	got := s.events()
	sort.Strings(got)
	sort.Strings(want)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nexpected\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n := s.server.HLen(context.Background(), s.keys[5]).Val(); n != 0 {
		t.Errorf("%d requests are left", n)
	}
}

func TestLookingAtARuleWritesNothing(t *testing.T) {
	s := newRuleSite(t, fmt.Sprintf(holds, "1", false))
	ctx := context.Background()
	s.frame(1000, 9)
	got, err := s.server.FCallRO(ctx, "rule_evaluate_conditions", s.keys, 2500, "hold").StringSlice()
	want := []string{"true", "true", "", "1", "1", "0", "0", "1000", "m.p", "9", "1500"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, expected %q", got, err, want)
	}
	_, err = s.server.FCall(ctx, "rule_execute", s.keys, 2500, "hodl").Result()
	if err == nil || err.Error() != `NOTFOUND there is no rule "hodl", did you mean hold?` {
		t.Errorf("got %v", err)
	}
	forced, err := s.server.FCall(ctx, "rule_execute_actions", s.keys, 3000, "hold").Text()
	if err != nil || forced != "1" && forced != "0" {
		t.Errorf("got %q, %v", forced, err)
	}
	for _, bad := range [][]any{{}, {"x"}, {"1", "m"}, {"1", "m", "y", "z"}} {
		if err := s.server.FCall(ctx, "rules_batch_execute", s.keys, bad...).Err(); err == nil || !strings.HasPrefix(err.Error(), "BADARG ") {
			t.Errorf("%v: got %v", bad, err)
		}
	}
	if reply := s.frame(4000, 9); len(reply) != 3 {
		t.Errorf("after refused calls: %q", reply)
	}
	if err := s.server.FCall(ctx, "rules_batch_execute", siteKeys("none", "rules"), 1).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPROGRAM ") {
		t.Errorf("got %v", err)
	}
	if err := s.server.HSet(ctx, s.keys[2], "@schema", 99).Err(); err != nil {
		t.Fatal(err)
	}
	s.program(fmt.Sprintf(holds, "1", false))
	if err := s.server.FCall(ctx, "rules_batch_execute", s.keys, 5000).Err(); err == nil || !strings.HasPrefix(err.Error(), "NEWERSTATE ") {
		t.Errorf("got %v", err)
	}
}

// A request that stands and is said again is marked as that, whoever asks; one that is new, changed or comes back is not.
func TestRenewalsAreMarked(t *testing.T) {
	s := newRuleSite(t, `{name='hold', rev='1', dev={1}, when=function() return H.gt(d1[1], 5) end, on='while', initial='arm', unknown='hold',
		priority=1, inputs={{'m.p', 1, 1}}, set={{output='o.x', value=function() return d1[1] > 20 and 4 or 3 end, ttl_ms=3000}}},
	{name='chain', kind='chain', rev='1', dev={1}, priority=1, inputs={}, nodes={
		{id='a', kind='condition', incoming=0, next={['true']={2}}, when=function() return H.gt(d1[1], 5) end},
		{id='b', kind='action', incoming=1, next={}, set={{output='o.y', constant=7, ttl_ms=3000}}}}},`)
	for _, f := range []struct {
		at    int64
		value float64
	}{{1000, 1}, {2000, 9}, {2500, 10}, {3000, 11}, {4000, 30}, {5000, 30}, {5500, 1}, {6000, 9}} {
		s.frame(f.at, f.value)
	}
	list, err := s.server.XRange(context.Background(), s.keys[6], "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	got := map[any]string{}
	for _, e := range list {
		if e.Values["kind"] == "request" {
			got[e.Values["output"]] += fmt.Sprintf("%v=%v", e.Values["t"], e.Values["value"])
			if e.Values["renews"] == "1" {
				got[e.Values["output"]] += " again"
			}
			got[e.Values["output"]] += "; "
		}
	}
	for output, want := range map[string]string{
		"o.x": "2000=3; 3000=3 again; 4000=4; 5000=4 again; 5500=; 6000=3; ",
		"o.y": "2000=7; 3000=7 again; 4000=7 again; 5000=7 again; 5500=; 6000=7; ",
	} {
		if got[output] != want {
			t.Errorf("%s: %s, expected %s", output, got[output], want)
		}
	}
}

// Rules that ask again while they are true come and go in any order: each asks at each frame as long as it is true, and no longer.
func TestRulesThatAskAgainComeAndGo(t *testing.T) {
	const rules, frames = 8, 200
	var program strings.Builder
	for k := range rules { // rule k is true while bit k of the value is set
		fmt.Fprintf(&program, `{name='r%d', rev='1', dev={1}, when=function() return d1[1] %% %d >= %d end, on='while', initial='arm', unknown='hold',
			priority=1, inputs={}, set={{output='o.r%d', constant=1, ttl_ms=3000}}},`, k, 2<<k, 1<<k, k)
	}
	s := newRuleSite(t, program.String())
	random := rand.New(rand.NewPCG(1, 2))
	var want []string
	before := 0
	for i := range frames {
		value := random.IntN(1 << rules)
		if i%10 > 6 {
			value = before // nothing turns
		}
		at := int64(1000 * (i + 1))
		s.frame(at, float64(value))
		for k := range rules {
			switch {
			case value>>k&1 == 1:
				want = append(want, fmt.Sprintf("%d rule.r%d=1", at, k))
			case before>>k&1 == 1:
				want = append(want, fmt.Sprintf("%d rule.r%d=", at, k))
			}
		}
		before = value
	}
	var got []string
	for _, e := range s.events() {
		if strings.Contains(e, "=") {
			got = append(got, e)
		}
	}
	if !slices.Equal(got, want) {
		for i := range want {
			if i >= len(got) || got[i] != want[i] {
				t.Fatalf("%d of %d requests, of which the one at %d is not %s: %v", len(got), len(want), i, want[i], got[max(i-3, 0):min(i+4, len(got))])
			}
		}
		t.Fatalf("%d requests, expected %d", len(got), len(want))
	}
}
