package sink

import (
	"context"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/plugin"
	"github.com/voltage-edge/voltage/plugins/influxdb/influxtest"
	"github.com/voltage-edge/voltage/sdk"
)

// openInfluxDB builds the plugin, runs it under the agent's own host, and opens a sink on a server.
func openInfluxDB(t testing.TB, url string) (*plugin.Host, *plugin.Sink) {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "voltage-plugin-influxdb"), "../../plugins/influxdb")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	host, err := plugin.NewHost(plugin.Options{
		AgentDir: dir, Log: hclog.NewNullLogger(), MinBackoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := host.Close(ctx); err != nil {
			t.Log(err)
		}
	})
	sink, err := host.OpenSink(context.Background(), "influxdb", sdk.SinkOpenRequest{Name: "history", Site: "bakery", Config: sdk.Values{
		"url": url, "bucket": influxtest.Bucket, "org": "", "quality": "not good", "events": true, "gzip": true, "timeout": float64(5 * time.Second),
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := sink.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	return host, sink
}

// killPlugin kills the plugin's process.
func killPlugin(t *testing.T, h *plugin.Host) {
	t.Helper()
	for _, p := range h.Status().Plugins {
		if pid, err := strconv.Atoi(p.PID); err == nil && pid > 0 {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Log(err)
			}
		}
	}
}

// missing tells which numbers below n InfluxDB lacks.
func missing(s *influxtest.Server, n int) []int {
	have := make([]bool, n)
	for _, series := range s.Query(`SELECT power FROM meter`) {
		for _, v := range series.Column("power") {
			if i := int(v.(float64)); i < n {
				have[i] = true
			}
		}
	}
	var lost []int
	for i, ok := range have {
		if !ok {
			lost = append(lost, i)
		}
	}
	return lost
}

func TestEveryAcceptedFrameReachesInfluxDB(t *testing.T) {
	server := influxtest.Start(t)
	host, far := openInfluxDB(t, server.URL)
	dir := t.TempDir()
	p := newPlant(t, journal.Options{Dir: dir})
	r := p.start(far, func(o *Options) { o.BatchSize = 100 })

	const n = 12_000
	var wg sync.WaitGroup
	progress := make(chan struct{}, n)
	wg.Go(func() {
		for i := range n {
			p.append(i, i+1)
			progress <- struct{}{}
			if i%10 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	await := func(count int) {
		for range count {
			<-progress
		}
	}
	random := rand.New(rand.NewPCG(1, 1))
	for range 2 {
		await(1000 + random.IntN(500))
		server.Kill() // in the middle of a write, most likely
		await(1000)
		eventually(t, "it is trying again", func() bool { return r.Status().State == Retrying })
		server.Restart()
		await(500)
		killPlugin(t, host)
	}
	// The agent dies as well: its journal is opened anew, and the sink goes on where its cursor stood.
	wg.Wait()
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := p.journal.Close(); err != nil {
		t.Fatal(err)
	}
	p = newPlant(t, journal.Options{Dir: dir})
	r = p.start(far, func(o *Options) { o.BatchSize = 5000 })
	eventually(t, "all is written", caughtUp(r))
	if lost := missing(server, n); len(lost) > 0 {
		t.Errorf("InfluxDB lacks %d of %d frames: %v …", len(lost), n, lost[:min(len(lost), 10)])
	}
	if s := r.Status(); s.Rejected != 0 || s.Lag.Dropped != 0 {
		t.Errorf("status %+v", s)
	}
	if got := server.Count("meter", "energy.quality"); got != n {
		t.Errorf("%d rows say that energy is bad, want %d", got, n)
	}
}
