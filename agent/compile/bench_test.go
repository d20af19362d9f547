package compile_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// callMicros is the server's CPU time for each call of a function since the last CONFIG RESETSTAT.
func callMicros(b *testing.B, c *redis.Client) float64 {
	b.Helper()
	info, err := c.Info(context.Background(), "commandstats").Result()
	if err != nil {
		b.Fatal(err)
	}
	for _, line := range strings.Split(info, "\n") {
		if _, rest, ok := strings.Cut(line, "cmdstat_fcall:"); ok {
			_, per, _ := strings.Cut(rest, "usec_per_call=")
			per, _, _ = strings.Cut(per, ",")
			v, err := strconv.ParseFloat(per, 64)
			if err != nil {
				b.Fatal(err)
			}
			return v
		}
	}
	b.Fatal("no fcall in commandstats")
	return 0
}

func benchSite(b *testing.B, points, rules int, make func(i int) *site.Rule) (*site.Site, *names) {
	n := newNames()
	ps := []*site.Point{}
	for i := range points {
		ps = append(ps, &site.Point{Name: fmt.Sprintf("p%d", i)})
	}
	n.device("meter", ps...)
	var list []*site.Rule
	for i := range rules {
		list = append(list, make(i))
	}
	return n.siteOf(list...), n
}

func benchFrames(b *testing.B, points int) (*frame.Builder, func(i int) []byte) {
	table := frame.Table{}
	for i := range points {
		table.Numbers = append(table.Numbers, fmt.Sprintf("p%d", i))
	}
	builder, err := frame.NewBuilder(table)
	if err != nil {
		b.Fatal(err)
	}
	return builder, func(i int) []byte {
		for k := range points {
			builder.Set(k, float64((i+k)%60))
		}
		return builder.Pack(nil, time.UnixMilli(int64(i)*1000))
	}
}

// BenchmarkBatch measures the server's CPU time of one frame.
func BenchmarkBatch(b *testing.B) {
	for _, c := range []struct {
		name          string
		points, rules int
		rule          func(b *testing.B, i int) *site.Rule
	}{
		{"no rules", 100, 0, nil},
		{"100 simple rules", 100, 100, func(b *testing.B, i int) *site.Rule {
			return &site.Rule{Name: fmt.Sprintf("r%d", i), On: "rising", When: expr(b, fmt.Sprintf("device.meter.p%d > 80", i))}
		}},
		{"100 rules with and", 100, 100, func(b *testing.B, i int) *site.Rule {
			return &site.Rule{Name: fmt.Sprintf("r%d", i), On: "rising", When: expr(b, fmt.Sprintf("device.meter.p%d > 80 && device.meter.p%d > 20", i, (i+1)%100))}
		}},
		{"100 rules that hold", 100, 100, func(b *testing.B, i int) *site.Rule {
			return &site.Rule{Name: fmt.Sprintf("r%d", i), On: "while", When: expr(b, fmt.Sprintf("device.meter.p%d >= 0", i)),
				Sets: []*site.Set{{Target: "o.x", Value: expr(b, "5"), TTL: time.Hour}}}
		}},
		{"10000 rules", 100, 10000, func(b *testing.B, i int) *site.Rule {
			return &site.Rule{Name: fmt.Sprintf("r%d", i), On: "rising", When: expr(b, fmt.Sprintf("device.meter.p%d > %d", i%100, 80+i))}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, n := benchSite(b, c.points, c.rules, func(i int) *site.Rule { return c.rule(b, i) })
			programs, diags := compile.With(s, n)
			if diags.HasErrors() {
				b.Fatal(diags)
			}
			server := luatest.Start(b)
			loadLibrary(b, server.Client, "rules")
			k := keys("bench", "rules")
			loadProgram(b, server.Client, k, programs.Rules)
			_, pack := benchFrames(b, c.points)
			ctx := context.Background()
			call := func(i int, pipe redis.Pipeliner) {
				at := strconv.Itoa(i * 1000)
				pipe.FCall(ctx, "rules_batch_execute", k, at, "meter", at, pack(i))
			}
			pipe := server.Pipeline()
			for i := range 50 {
				call(i, pipe)
			}
			if _, err := pipe.Exec(ctx); err != nil {
				b.Fatal(err)
			}
			server.ConfigResetStat(ctx)
			at := 50
			b.ResetTimer()
			for range b.N {
				call(at, pipe)
				at++
				if at%100 == 0 {
					if _, err := pipe.Exec(ctx); err != nil {
						b.Fatal(err)
					}
				}
			}
			if _, err := pipe.Exec(ctx); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(callMicros(b, server.Client), "server-µs/op")
		})
	}
}

// BenchmarkCompile measures the compilation of 10,000 rules.
func BenchmarkCompile(b *testing.B) {
	s, n := benchSite(b, 100, 10000, func(i int) *site.Rule {
		return &site.Rule{Name: fmt.Sprintf("r%d", i), On: "rising", When: expr(b, fmt.Sprintf("device.meter.p%d > %d && device.meter.p%d < 20", i%100, i, (i+3)%100)),
			Sets: []*site.Set{{Target: "o.x", Value: expr(b, "device.meter.p1 - 5"), TTL: time.Minute}}}
	})
	for b.Loop() {
		if _, diags := compile.With(s, n); diags.HasErrors() {
			b.Fatal(diags)
		}
	}
}
