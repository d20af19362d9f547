package sink

import (
	"fmt"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/plugins/influxdb/influxtest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// BenchmarkDrain carries a backlog of frames of 500 points to a real InfluxDB, through the plugin's process.
func BenchmarkDrain(b *testing.B) {
	server := influxtest.Start(b)
	_, far := openInfluxDB(b, server.URL)
	j, err := journal.Open(journal.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	table := journal.Table{Device: "meter"}
	for i := range 500 {
		table.Numbers = append(table.Numbers, journal.Column{Name: fmt.Sprintf("p%d", i), Unit: "kW"})
	}
	if err := j.AppendTable(table); err != nil {
		b.Fatal(err)
	}
	builder, err := frame.NewBuilder(table.Frame())
	if err != nil {
		b.Fatal(err)
	}
	for i := range b.N {
		for k := range 500 {
			if i%10 == k%10 {
				builder.Set(k, float64(float32(i)/3))
			}
		}
		at := time.UnixMilli(1_700_000_000_000 + int64(i)*100)
		if err := j.AppendFrame(at.UnixMilli(), "meter", builder.Pack(nil, at)); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	r, err := Start(Options{Name: "history", Journal: j, Writer: far})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Stop()
	for r.Status().Lag.Records > 0 {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(b.N)*500/b.Elapsed().Seconds(), "samples/s")
}
