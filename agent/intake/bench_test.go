package intake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// wideSite has devices of many numbers.
func wideSite(devices, points int) *site.Site {
	s := &site.Site{Name: "test"}
	for i := range devices {
		d := &site.Device{Name: fmt.Sprint("d", i), StaleAfter: time.Minute}
		for k := range points {
			d.Points = append(d.Points, &site.Point{Device: d, Name: fmt.Sprint("p", k), Index: k, Readable: true})
		}
		s.Devices = append(s.Devices, d)
	}
	return s
}

// widePrograms read the first device with the rules, and nothing else.
func widePrograms(s *site.Site) *compile.Programs {
	d := s.Devices[0]
	t := d.Table()
	head := fmt.Sprintf("return { { head = true, schema = 1, rev = '1', devices = {{name='%s', n=%d, id=%d, used={1}, points={{'p0', ''}}}} }", d.Name, len(t.Numbers), t.TableID())
	program := func(lib, items string, devices ...string) compile.Program {
		return compile.Program{Library: lib, Revision: lib + "1", Devices: devices, Chunks: []string{head + items + " }"}}
	}
	return &compile.Programs{Models: program(store.Models, ""), Alarms: program(store.Alarms, ""), Rules: program(store.Rules, ", { name = 'seen' }", d.Name)}
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFrame takes frames of 500 points from intake to events, and tells the processor time of this process and the
// latency from the frame to its event.
func BenchmarkFrame(b *testing.B) {
	for _, devices := range []int{1, 10} {
		b.Run(fmt.Sprint(devices, " devices"), func(b *testing.B) {
			r := newRig(b, NewClock(), "a")
			s := wideSite(devices, 500)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := r.store.LoadPrograms(ctx, widePrograms(s)); err != nil {
				b.Fatal(err)
			}
			seen := make(chan struct{}, 1)
			r.in.o.Watching = func() bool { return false }
			r.in.o.Events = func(events []event.Event) {
				for _, e := range events {
					if e.Get("device") == "d0" {
						seen <- struct{}{}
					}
				}
			}
			r.in.Reconfigure(s)
			r.run()
			builders := make([]*frame.Builder, devices)
			for i := range builders {
				builders[i], _ = frame.NewBuilder(s.Devices[i].Table())
			}
			round := func(n int) time.Duration {
				packed := make([][]byte, devices)
				for i, fb := range builders {
					for k := range 500 {
						fb.Set(k, float64(n%10+k))
					}
					packed[i] = fb.Pack(nil, time.Now())
				}
				began := time.Now()
				for i := devices - 1; i >= 0; i-- {
					if err := r.in.Frame(s.Devices[i].Name, packed[i]); err != nil {
						b.Fatal(err)
					}
				}
				<-seen
				return time.Since(began)
			}
			for n := range 50 {
				round(n)
			}
			latencies := make([]time.Duration, 0, b.N)
			b.ReportAllocs()
			b.ResetTimer()
			before := cpu()
			for n := range b.N {
				latencies = append(latencies, round(n))
			}
			used := cpu() - before
			b.StopTimer()
			slices.Sort(latencies)
			b.ReportMetric(float64(used.Microseconds())/float64(b.N*devices), "cpu-µs/frame")
			b.ReportMetric(float64(latencies[len(latencies)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(latencies[len(latencies)*99/100].Microseconds()), "p99-µs")
			if st := r.in.Status(); strings.Contains(st.State, "un") {
				b.Fatal(st)
			}
		})
	}
}
