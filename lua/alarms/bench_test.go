package alarms_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// wide is a site with one device of 100 points and n alarms on it.
func wide(b *testing.B, n int, more string) (*luatest.Site, func(at int64, value float64) []byte) {
	b.Helper()
	var table frame.Table
	used := make([]string, 100)
	for i := range 100 {
		table.Numbers = append(table.Numbers, fmt.Sprintf("p%d", i))
		used[i] = strconv.Itoa(i + 1)
	}
	s := luatest.Start(b, "--appendonly", "no").Site("wide", "alarms")
	load(b, s.Server)
	var items strings.Builder
	for k := range n {
		slot := k%100 + 1
		fmt.Fprintf(&items, "{name='a%d',rev='1',dev={1},kind='high',limit=%d,deadband=5,priority='high',message='too much',input=function() return D[1][%d] end,inputs={{'d.p',1,%d}},%s},\n",
			k, 100+k, slot, slot, more)
	}
	if n < 100 {
		used = used[:n]
	}
	s.Program(b, "r", fmt.Sprintf("return {{head=true,schema=1,rev='r',devices={{name='d',n=100,id=%d,used={%s}}}},\n%s}", table.TableID(), strings.Join(used, ","), items.String()))
	builder, _ := frame.NewBuilder(table)
	return s, func(at int64, value float64) []byte {
		for i := range 100 {
			builder.Set(i, value)
		}
		return builder.Pack(nil, time.UnixMilli(at))
	}
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

func run(b *testing.B, s *luatest.Site, frames func(k int) []byte) {
	b.Helper()
	ctx := context.Background()
	keys := s.Keys()
	s.Must(b, "alarm_check_conditions", start)
	before := cpu(b, s)
	b.ResetTimer()
	for k := 0; k < b.N; {
		_, err := s.Pipelined(ctx, func(p redis.Pipeliner) error {
			for range 50 {
				at := start + int64(k) + 1
				p.FCall(ctx, "alarm_check_conditions", keys, at, "d", at, frames(k))
				k++
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
	b.ReportMetric(float64((cpu(b, s)-before).Nanoseconds())/float64(b.N)/1000, "server-µs/frame")
}

// BenchmarkQuiet is a frame of 100 points with alarms on it, of which none changes.
func BenchmarkQuiet(b *testing.B) {
	for _, n := range []int{0, 20, 100, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s, pack := wide(b, n, "")
			run(b, s, func(k int) []byte { return pack(start+int64(k)+1, float64(k%50)) })
		})
	}
}

// BenchmarkOnePercent is a frame that changes the state of one alarm in a hundred, of 10,000.
func BenchmarkOnePercent(b *testing.B) {
	s, pack := wide(b, 10_000, "")
	run(b, s, func(k int) []byte { return pack(start+int64(k)+1, float64(50+k%2*149)) }) // the limits of a0 to a98 lie between
}

// BenchmarkMakeAnew is a call that finds its cache of 10,000 alarms stale.
func BenchmarkMakeAnew(b *testing.B) {
	s, _ := wide(b, 10_000, "")
	before := cpu(b, s)
	for range b.N {
		s.Touch(b)
		s.Must(b, "alarm_check_conditions", start)
	}
	b.ReportMetric(float64((cpu(b, s)-before).Microseconds())/float64(b.N)/1000, "server-ms/op")
}
