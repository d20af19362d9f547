package models_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// BenchmarkSync is a frame of 100 points with a model of five measurements on it, whose values do or do not change.
func BenchmarkSync(b *testing.B) {
	for _, changing := range []bool{false, true} {
		b.Run(fmt.Sprintf("changing=%t", changing), func(b *testing.B) {
			s := luatest.Start(b, "--appendonly", "no").Site("wide", "models")
			lib, err := lua.Bundle("models")
			if err != nil {
				b.Fatal(err)
			}
			if err := s.FunctionLoadReplace(context.Background(), lib.Source).Err(); err != nil {
				b.Fatal(err)
			}
			var table frame.Table
			for i := range 100 {
				table.Numbers = append(table.Numbers, fmt.Sprintf("p%d", i))
			}
			var measurements strings.Builder
			for k := 1; k <= 5; k++ {
				fmt.Fprintf(&measurements, "{name='m%d',unit='kW',dev={1},inputs={{'d.p',1,%d}},value=function() return D[1][%d] end},", k, k, k)
			}
			s.Program(b, "r", fmt.Sprintf("return {{head=true,schema=1,rev='r',devices={{name='d',n=100,id=%d,used={1,2,3,4,5}}}},{name='m',rev='1',template='t',dev={1},measurements={%s},actions={}}}",
				table.TableID(), measurements.String()))
			builder, _ := frame.NewBuilder(table)
			pack := func(k int) []byte {
				for i := range 100 {
					builder.Set(i, 55.25)
					if changing {
						builder.Set(i, float64(k)+0.25)
					}
				}
				return builder.Pack(nil, time.UnixMilli(start+int64(k)))
			}
			sync(b, s, pack)
		})
	}
}

func sync(b *testing.B, s *luatest.Site, pack func(k int) []byte) {
	b.Helper()
	ctx := context.Background()
	keys := s.Keys()
	s.Must(b, "model_batch_sync", start)
	before := cpu(b, s)
	b.ResetTimer()
	for k := 0; k < b.N; {
		_, err := s.Pipelined(ctx, func(p redis.Pipeliner) error {
			for range 50 {
				k++
				p.FCall(ctx, "model_batch_sync", keys, start+int64(k), "d", start+int64(k), pack(k))
				if k == b.N {
					break
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu(b, s)-before).Microseconds())/float64(b.N), "server-µs/frame")
}

// cpu is what the server has used.
func cpu(b *testing.B, s *luatest.Site) time.Duration {
	b.Helper()
	info, err := s.InfoMap(context.Background(), "server").Result()
	if err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile("/proc/" + info["Server"]["process_id"] + "/stat")
	if err != nil {
		b.Skip(err)
	}
	fields := strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+2:])
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
