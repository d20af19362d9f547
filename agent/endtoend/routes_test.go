package endtoend

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/plugins/influxdb/influxtest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// routedSink is a sink with routes of each kind.
func routedSink(influx *influxtest.Server) string {
	return fmt.Sprintf(`
sink "history" {
  plugin         = "influxdb"
  flush_interval = "200ms"
  config {
    url    = %q
    bucket = %q
    events = true
  }
}

route "grid" {
  sink     = sink.history
  include  = ["grid_meter.power"]
  add_tags = { place = "cellar" }
  on_change {
    deadband     = 2
    max_interval = "3s"
  }
  shape "grid_meter.*" {
    name = "grid.$1_kw"
    unit = "kW"
  }
}

route "bess" {
  sink    = sink.history
  include = ["battery.*"]
  exclude = ["*.setpoint"]
  quality = ["good", "uncertain"]
  every   = "1s"
  align   = true
  shape "battery.*" { name = "bess.$1" }
}

route "logic" {
  sink   = sink.history
  events = ["alarm", "agent"]
  compute "site.demand" {
    value = local.demand
    unit  = "kW"
  }
}
`, influx.URL, influxtest.Bucket)
}

// What goes out by routes is what the journal's frames come to from the first to the last, also when everything is killed.
func TestRoutesGoOnOverKills(t *testing.T) {
	short(t)
	influx := influxtest.Start(t)
	plant := newPlant(t, 110)
	a := newAgent(t, peakSite(plant.Address(), 80, routedSink(influx)))
	a.start()
	random := rand.New(rand.NewPCG(1, 1))
	vary := func() {
		setLoad(t, plant, 60+60*random.Float64())
		a.moreFrames(15)
	}
	vary()
	for _, kill := range []struct {
		name string
		do   func()
	}{
		{"redis-server", func() { syscall.Kill(a.status().Store.PID, syscall.SIGKILL) }},
		{"the agent", func() { a.kill(); a.start() }},
		{"influxd", func() { influx.Kill(); defer influx.Restart(); vary() }},
		{"redis-server and the agent", func() { syscall.Kill(a.status().Store.PID, syscall.SIGKILL); a.kill(); a.start() }},
		{"the InfluxDB plugin", func() { syscall.Kill(a.pluginPID("influxdb"), syscall.SIGKILL) }},
		{"the agent again", func() { a.kill(); a.start() }},
	} {
		t.Logf("killing %s", kill.name)
		time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		kill.do()
		vary()
	}
	a.eventually("the sink has caught up", func() error {
		for _, k := range a.status().Sinks {
			if k.State != "ok" || k.LagRecords > 50 {
				return fmt.Errorf("%+v", k)
			}
		}
		return nil
	})
	if out := a.run("routes"); !strings.Contains(out, "grid") || !strings.Contains(out, "UNCHANGED") {
		t.Errorf("voltage routes says\n%s", out)
	}
	a.stop()
	a.routed(t, influx)
}

// thinned is what a route should have let through of a point.
type thinned struct {
	sent  bool
	at    float64
	value float64
	q     frame.Quality
	rows  map[int64]float64
}

func (s *thinned) send(t, x float64, q frame.Quality) {
	s.sent, s.at, s.value, s.q = true, t, x, q
	if !q.IsBad() {
		s.rows[int64(t)] = x
	}
}

// routed compares InfluxDB with what the journal comes to.
func (a *agent) routed(t *testing.T, influx *influxtest.Server) {
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
	grid, soc, demand := &thinned{rows: map[int64]float64{}}, &thinned{rows: map[int64]float64{}}, &thinned{rows: map[int64]float64{}}
	power := map[string]float64{}
	r := j.ReadFrom(time.Time{})
	defer r.Close()
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) || err == nil && rec.Position.Seq > cursor.Committed().Seq {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if rec.Kind != journal.Frame {
			continue
		}
		v, err := frame.Parse(rec.Packed, nil)
		if err != nil {
			t.Fatal(err)
		}
		at := v.Millis()
		for i, c := range rec.Table.Numbers {
			x, q := v.Value(i), v.Quality(i)
			name := rec.Table.Device + "." + c.Name
			if strings.HasSuffix(name, ".power") {
				power[rec.Table.Device] = x // NaN when it is bad
			}
			switch {
			case name == "grid_meter.power":
				x *= 0.001
				if !grid.sent || at < grid.at || q != grid.q || at-grid.at >= 3000 || !q.IsBad() && math.Abs(x-grid.value) > 2 {
					grid.send(at, x, q)
				}
			case name == "battery.soc" && !q.IsBad():
				if !soc.sent || at < soc.at || math.Floor(at/1000) > math.Floor(soc.at/1000) {
					soc.send(at, x, q)
				}
			}
		}
		if len(power) == 2 && (rec.Table.Device == "grid_meter" || rec.Table.Device == "battery") {
			if sum := power["grid_meter"]*0.001 + power["battery"]; !math.IsNaN(sum) {
				demand.rows[int64(at)] = sum
			}
		}
	}
	for _, c := range []struct {
		measurement, field string
		want               map[int64]float64
		least              int
	}{{"grid", "power_kw", grid.rows, 10}, {"bess", "soc", soc.rows, 3}, {"site", "demand", demand.rows, 50}} {
		got := map[int64]float64{}
		for _, s := range influx.Query(fmt.Sprintf(`SELECT %q FROM %q`, c.field, c.measurement)) {
			values := s.Column(c.field)
			for i, at := range s.Column("time") {
				got[int64(at.(float64))] = values[i].(float64)
			}
		}
		missing, extra, other := 0, 0, 0
		for at, x := range c.want {
			switch y, ok := got[at]; {
			case !ok:
				missing++
			case math.Abs(x-y) > 1e-9:
				other++
			}
		}
		for at := range got {
			if _, ok := c.want[at]; !ok {
				extra++
			}
		}
		t.Logf("%s.%s: %d rows", c.measurement, c.field, len(got))
		if missing+extra+other > 0 || len(got) < c.least {
			t.Errorf("%s.%s: of %d rows that the journal comes to, %d are missing and %d are others; %d more are there", c.measurement, c.field, len(c.want), missing, other, extra)
		}
	}
	if got := influx.Query(`SELECT * FROM "grid" WHERE "place" = 'cellar'`); len(got) == 0 {
		t.Error("no row has the tag that the route gives")
	}
	if got := influx.Query(`SELECT * FROM "battery"`); len(got) > 0 {
		t.Error("there are rows by a name that was changed")
	}
	events := map[string]bool{}
	for _, s := range influx.Query(`SELECT * FROM "voltage_events"`) {
		for _, kind := range s.Column("kind") {
			events[kind.(string)] = true
		}
	}
	if !events["agent"] || events["write"] || events["plugin"] || events["request"] {
		t.Errorf("there are events of %v", events)
	}
}
