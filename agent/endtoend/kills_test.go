package endtoend

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/plugins/influxdb/influxtest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// accepted is a frame that the journal has, by what a row in InfluxDB is known by.
type accepted struct {
	device string
	millis int64
}

// Everything is killed in turn under load, and every frame that was accepted is in InfluxDB in the end.
func TestNothingAcceptedIsLost(t *testing.T) {
	short(t)
	influx := influxtest.Start(t)
	plant := newPlant(t, 110)
	a := newAgent(t, peakSite(plant.Address(), 80, fmt.Sprintf(`
sink "history" {
  plugin         = "influxdb"
  flush_interval = "200ms"
  config {
    url    = %q
    bucket = %q
  }
}
`, influx.URL, influxtest.Bucket)))
	a.start()
	a.eventually("the peak is shaved", func() error { return aboutSetpoint(plant, 30, 1.5) })

	random := rand.New(rand.NewPCG(1, 1))
	for round := range 2 {
		for _, kill := range []struct {
			name string
			do   func()
		}{
			{"the Modbus plugin", func() { syscall.Kill(a.pluginPID("modbus"), syscall.SIGKILL) }},
			{"the InfluxDB plugin", func() { syscall.Kill(a.pluginPID("influxdb"), syscall.SIGKILL) }},
			{"redis-server", func() { syscall.Kill(a.status().Store.PID, syscall.SIGKILL) }},
			{"influxd", func() { influx.Kill(); defer influx.Restart(); a.moreFrames(10) }},
			{"the agent", func() { a.kill(); a.start() }},
		} {
			t.Logf("round %d: killing %s", round+1, kill.name)
			time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
			kill.do()
			a.moreFrames(10)
			a.eventually("the peak is shaved after the kill of "+kill.name, func() error { return aboutSetpoint(plant, 30, 1.5) })
		}
	}

	a.eventually("the sink has caught up", func() error {
		for _, k := range a.status().Sinks {
			if k.State != "ok" || k.LagRecords > 50 {
				return fmt.Errorf("%+v", k)
			}
		}
		return nil
	})
	a.stop()
	a.drained(t, influx)
}

// moreFrames waits until so many more frames were taken in.
func (a *agent) moreFrames(n uint64) {
	a.t.Helper()
	before := a.status().Intake.Frames
	a.eventually("frames go on", func() error {
		if now := a.status().Intake.Frames; now < before+n && now >= before {
			return fmt.Errorf("%d frames, %d before", now, before)
		}
		return nil
	})
}

// drained compares the journal of a stopped agent with InfluxDB: each frame with a known value is a row. What came after
// the sink's last commit may still be missing, and only that.
func (a *agent) drained(t *testing.T, influx *influxtest.Server) {
	t.Helper()
	j, err := journal.Open(journal.Options{Dir: filepath.Join(a.data, "journal")})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	cursor, err := j.Cursor("sink.history", journal.Oldest)
	if err != nil {
		t.Fatal(err)
	}
	defer cursor.Close()
	lag := cursor.Lag()
	rows := map[accepted]bool{}
	for _, device := range []string{"grid_meter", "battery"} {
		for _, s := range influx.Query(fmt.Sprintf(`SELECT * FROM %q`, device)) {
			for _, at := range s.Column("time") {
				rows[accepted{device, int64(at.(float64))}] = true
			}
		}
	}
	all, missing, skip := 0, 0, uint64(0)
	r := j.ReadFrom(time.Time{})
	defer r.Close()
	total := j.Stats().Records
	for n := uint64(1); ; n++ {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if total-n < lag.Records {
			skip++
			continue
		}
		if rec.Kind != journal.Frame {
			continue
		}
		v, err := frame.Parse(rec.Packed, nil)
		if err != nil {
			t.Fatal(err)
		}
		all++
		if !rows[accepted{rec.Table.Device, int64(v.Millis())}] {
			missing++
		}
	}
	t.Logf("%d accepted frames, %d rows in InfluxDB; %d records after the sink's last commit", all, len(rows), skip)
	if all < 100 {
		t.Errorf("only %d frames: the load did not run", all)
	}
	if missing > 0 {
		t.Errorf("%d of %d accepted frames are not in InfluxDB", missing, all)
	}
	if skip > 200 {
		t.Errorf("%d records after the sink's last commit: it did not drain before the stop", skip)
	}
}
