package control

import (
	"context"
	"fmt"
	"sort"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/sdk"
)

// arrivals tells when a write was called.
type arrivals chan time.Time

func (a arrivals) Write(context.Context, string, string, float64) (sdk.WriteResponse, error) {
	a <- time.Now()
	return sdk.WriteResponse{}, nil
}

// BenchmarkRequestToWrite measures the time from a request event to the call of the writer, with 100 outputs.
func BenchmarkRequestToWrite(b *testing.B) {
	calls := make(arrivals, 1)
	outputs := make([]Output, 100)
	for i := range outputs {
		outputs[i] = point(fmt.Sprintf("c%d", i%5), fmt.Sprintf("d%d", i), limits(-1e9, 1e9, 0, 0))
	}
	c, err := New(Options{Outputs: outputs, Writer: calls})
	if err != nil {
		b.Fatal(err)
	}
	c.Start()
	for range outputs {
		<-calls
	}
	took := make([]time.Duration, 0, b.N)
	for i := 1; b.Loop(); i++ {
		e := event.New(time.Now(), event.Request, "output", "d7.setpoint", "owner", "rule.a", "value", fmt.Sprint(i), "priority", "1", "ttl", "30000")
		start := time.Now()
		c.Handle(e)
		took = append(took, (<-calls).Sub(start))
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1000, "p99-µs")
	go func() {
		for range calls {
		}
	}()
	c.Stop(context.Background())
	close(calls)
}
