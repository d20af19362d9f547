package plugin

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// BenchmarkFrames sends frames of 500 points through a real plugin, as fast as they go and ten at a time ten
// times a second, and reports
// the CPU time of a frame in each of the two processes. The plugin's includes packing.
func BenchmarkFrames(b *testing.B) {
	if testing.Short() {
		b.Skip("needs processes")
	}
	for _, how := range []string{"flood", "pace"} {
		b.Run(how, func(b *testing.B) {
			dir := b.TempDir()
			var frames, wanted atomic.Int64
			wanted.Store(1)
			there := make(chan struct{}, 1)
			h, err := NewHost(Options{
				AgentDir: bin, Plugins: faultyEnv("GOMAXPROCS", os.Getenv("PLUGIN_GOMAXPROCS")), RunDir: filepath.Join(dir, "r"), Log: hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Warn}),
				OnFrame: func(string, string, []byte) error {
					if frames.Add(1) == wanted.Load() {
						there <- struct{}{}
					}
					return nil
				},
			})
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close(context.Background())
			spec := faulty("a", filepath.Join(dir, "record"), "flood", "pace")
			for i := len(spec.Devices[0].Points); i < 500; i++ {
				p := spec.Devices[0].Points[1]
				p.Name, p.Index = fmt.Sprintf("p%d", i), i
				spec.Devices[0].Points = append(spec.Devices[0].Points, p)
			}
			c, err := h.OpenChannel(context.Background(), "faulty", spec)
			if err != nil {
				b.Fatal(err)
			}
			if err := c.Wait(context.Background()); err != nil {
				b.Fatal(err)
			}
			<-there
			pid := h.Status().Plugins[0].PID
			n := b.N
			if how == "pace" {
				n = max(min(n, 1000)/10, 1) * 10
			}
			wanted.Store(int64(n) + 1)
			own, theirs := cpu(b, "self"), cpu(b, pid)
			b.ReportAllocs()
			b.ResetTimer()
			if r, err := c.Write(context.Background(), "a_dev", how, float64(n)); err != nil || r.Err != nil {
				b.Fatal(err, r.Err)
			}
			<-there
			b.ReportMetric(float64((cpu(b, "self")-own).Microseconds())/float64(n), "host-µs/frame")
			b.ReportMetric(float64((cpu(b, pid)-theirs).Microseconds())/float64(n), "plugin-µs/frame")
		})
	}
}

// cpu is the CPU time that a process has used.
func cpu(b *testing.B, pid string) time.Duration {
	if pid == "self" {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			b.Fatal(err)
		}
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	// The scheduler's sum of all threads, in nanoseconds.
	tasks, err := filepath.Glob("/proc/" + pid + "/task/*/schedstat")
	if err != nil {
		b.Fatal(err)
	}
	var sum int64
	for _, t := range tasks {
		text, err := os.ReadFile(t)
		if err != nil {
			continue
		}
		n, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += n
	}
	return time.Duration(sum)
}
