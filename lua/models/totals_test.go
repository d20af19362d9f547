package models_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// meter is a program of one measurement, the sum of a battery's power, and what follows it.
func meter(rev, total string) string {
	measurement := `{ name = "energy", unit = "kWh", dev = {1}, inputs = {{"battery.power", 1, 2}}, totals = {1}, value = function() return D.totals[1] end }`
	if total == "" {
		return program(rev, soc)
	}
	return strings.Replace(program(rev, measurement), `{ output = "relay.on"`, total+`, { output = "relay.on"`, 1)
}

func energyItem(rev, scale, factor string) string {
	return fmt.Sprintf(`{ total = 1, of = "bess.energy", kind = "energy", rev = %q, quantity = "energy", scale = %s, limit = 600000, dev = {1},
		value = function() return H.mul(D[1][2], %s) end }`, rev, scale, factor)
}

func reading(t *testing.T, s *luatest.Site) string {
	t.Helper()
	return fmt.Sprint(s.Must(t, "model_get_value", "bess.energy").([]any)[:3])
}

func TestEnergy(t *testing.T) {
	server := luatest.Start(t)
	load(t, server)
	s := server.Site("bakery", "models")
	s.Program(t, "r1", meter("r1", energyItem("a", "1000", "1")))
	at := start
	take := func(after int64, power float64) {
		t.Helper()
		at += after
		s.Take(t, "model_batch_sync", at, "battery", pack(at, 50, power, 0))
	}
	expect := func(when, value string) {
		t.Helper()
		if got := reading(t, s); got != value {
			t.Errorf("%s: %s, expected %s", when, got, value)
		}
	}
	expect("before the first frame", "[ kWh bad]")
	take(0, 10)
	expect("at the first frame", "[0 kWh good]")
	take(360_000, 20)
	expect("after six minutes", "[1.5 kWh good]")

	b, _ := frame.NewBuilder(battery)
	b.SetBad(1, frame.Stale)
	at += 120_000
	s.Take(t, "model_batch_sync", at, "battery", b.Pack(nil, time.UnixMilli(at)))
	expect("while its power is not known", "[1.5 kWh bad]")
	take(60_000, 20)
	expect("after a gap of three minutes", "[2.5 kWh good]")
	take(3_600_000, 20)
	expect("after a gap of an hour", "[2.5 kWh good (values were missing for 3600 s in all)]")

	s.Program(t, "r2", meter("r2", energyItem("b", "1", "1000")))
	expect("of a meter in W", "[2500 kWh good (values were missing for 3600 s in all)]")
	take(60_000, 20)
	take(360_000, 20)
	expect("when that has gone on", "[4500 kWh good (values were missing for 3660 s in all)]")
	want(t, hash(t, s, "bess"), map[string]string{"energy": "4500", "energy.quality": "good"})

	s.Program(t, "r3", meter("r3", ""))
	take(1000, 20)
	state, err := s.HKeys(context.Background(), s.Key("models:state")).Result()
	if err != nil || strings.Contains(fmt.Sprint(state), "@total") {
		t.Errorf("a total that the program lost is still kept: %v %v", state, err)
	}
}

func TestCounter(t *testing.T) {
	for name, c := range map[string]struct {
		limit    int
		readings []float64
		want     string
	}{
		"it begins with what the meter shows": {0, []float64{1000}, "1000"},
		"it rises with the meter":             {0, []float64{1000, 1000.5, 1003}, "1003"},
		"a reset is seen by two readings":     {0, []float64{1000, 3, 5}, "1005"},
		"one reading below is not counted":    {0, []float64{1000, 0}, "1000"},
		"nor when the meter returns":          {0, []float64{1000, 0, 1001}, "1001"},
		"two resets":                          {0, []float64{1000, 100, 200, 1, 2}, "1202"},
		"noise":                               {0, []float64{1000, 999, 999.5, 1001}, "1001"},
		"it begins anew at its highest":       {10000, []float64{9990, 15}, "10015"},
		"a reset far from its highest":        {10000, []float64{5000, 15, 20}, "5020"},
	} {
		t.Run(name, func(t *testing.T) {
			server := luatest.Start(t)
			load(t, server)
			s := server.Site("bakery", "models")
			item := func(rev string) string {
				return meter(rev, fmt.Sprintf(`{ total = 1, of = "bess.energy", kind = "counter", rev = %q, quantity = "energy", scale = 1000, limit = %d, dev = {1}, value = function() return D[1][2] end }`, rev, c.limit))
			}
			s.Program(t, "r1", item("a"))
			at := start
			for _, x := range c.readings {
				at += 1000
				s.Take(t, "model_batch_sync", at, "battery", pack(at, 50, x, 0))
			}
			if got := reading(t, s); got != "["+c.want+" kWh good]" {
				t.Fatalf("%s, expected %s", got, c.want)
			}
			// Another meter takes its place.
			s.Program(t, "r2", item("b"))
			for _, x := range []float64{77, 78} {
				at += 1000
				s.Take(t, "model_batch_sync", at, "battery", pack(at, 50, x, 0))
			}
			var before, after float64
			fmt.Sscan(c.want, &before)
			if fmt.Sscan(strings.Trim(reading(t, s), "["), &after); after != before+1 {
				t.Errorf("a new meter that rises by 1 brings %v to %v", before, after)
			}
		})
	}
}
