package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// pastSite has windows of time (for, ttl), two devices and an output that people use too.
const pastSite = `
site "past" {}
channel "c" {
  plugin = "plain"
  every  = "1s"
}
device "m" {
  channel = channel.c
  point "power" { unit = "kW" }
  point "setpoint" {
    unit = "kW"
    write {
      min  = -50
      max  = 50
      safe = 0
    }
  }
}
device "n" {
  channel = channel.c
  point "temp" { unit = "°C" }
}
alarm "high" {
  when     = device.m.power > 90
  for      = "3s"
  deadband = 2
}
rule "shave" {
  when = device.m.power > LIMIT && device.n.temp < 60
  for  = "2s"
  set "m.setpoint" {
    value = device.m.power - LIMIT
    ttl   = "5s"
  }
}
`

func columns(names ...string) []journal.Column {
	var out []journal.Column
	for _, n := range names {
		name, unit, _ := strings.Cut(n, " ")
		out = append(out, journal.Column{Name: name, Unit: unit})
	}
	return out
}

const minutes = 10

// lived runs a site for some minutes with a journal beside it, as an agent does, and gives the journal's folder.
func lived(t *testing.T, s *site.Site, e *Engine) string {
	t.Helper()
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "journal")
	j, err := journal.Open(journal.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	tables := map[string]journal.Table{
		"m": {Device: "m", Numbers: columns("power kW", "setpoint kW")}, "n": {Device: "n", Numbers: columns("temp °C")},
	}
	builders := map[string]*frame.Builder{}
	for _, name := range []string{"m", "n"} {
		table := tables[name]
		if err := j.AppendTable(table); err != nil {
			t.Fatal(err)
		}
		b, err := frame.NewBuilder(s.Device(name).Table())
		if err != nil {
			t.Fatal(err)
		}
		builders[name] = b
	}
	keep := func() {
		for _, ev := range e.Take() {
			if err := j.AppendEvent(ev); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range minutes * 60 {
		at := scenarioStart + int64(i)*1000
		builders["m"].Set(0, 80+30*math.Sin(float64(i)/40))
		builders["m"].Set(1, 0)
		builders["n"].Set(0, 55+10*math.Sin(float64(i)/90))
		for k, name := range []string{"m", "n"} {
			packed := builders[name].Pack(nil, time.UnixMilli(at))
			millis := at + int64(k)*7
			if err := j.AppendFrame(millis, name, packed); err != nil {
				t.Fatal(err)
			}
			if err := e.Feed(ctx, millis, store.Frame{Device: name, Millis: millis, Packed: packed}); err != nil {
				t.Fatal(err)
			}
			keep()
		}
		var in *event.Event
		switch i {
		case 100:
			in = &event.Event{Kind: event.Request, Fields: map[string]string{"output": "m.setpoint", "owner": "cli.anna", "value": "12", "priority": "90", "ttl": "60000"}}
		case 120:
			in = &event.Event{Kind: event.Alarm, Fields: map[string]string{"alarm": "high", "event": "ack", "by": "anna"}}
		case 200:
			in = &event.Event{Kind: event.Alarm, Fields: map[string]string{"alarm": "high", "event": "shelve", "shelving": "timed", "by": "anna"}}
			in.Fields["shelf_end"] = fmt.Sprint(at + 500 + 90_000)
		}
		if in == nil {
			continue
		}
		in.Millis = at + 500
		if err := e.Feed(ctx, in.Millis); err != nil {
			t.Fatal(err)
		}
		if err := e.Input(ctx, *in); err != nil && !refused(err) {
			t.Fatal(err)
		}
		keep()
	}
	return dir
}

func pastJournal(t *testing.T) string {
	t.Helper()
	return journalOf(t, pastSite)
}

func journalOf(t *testing.T, text string) string {
	t.Helper()
	s, programs := compiled(t, strings.ReplaceAll(text, "LIMIT", "85"))
	e, err := Open(t.Context(), Options{Site: s, Programs: programs, Start: scenarioStart})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return lived(t, s, e)
}

func runPast(t *testing.T, dir, text string, change func(*PastOptions)) (*Report, string) {
	t.Helper()
	s, programs := compiled(t, text)
	return runSite(t, dir, s, programs, change)
}

func runSite(t *testing.T, dir string, s *site.Site, programs *compile.Programs, change func(*PastOptions)) (*Report, string) {
	t.Helper()
	o := PastOptions{
		Site: s, Programs: programs, Journal: dir, Since: time.UnixMilli(scenarioStart), Until: time.UnixMilli(scenarioStart + minutes*60_000), Within: time.Second,
	}
	if change != nil {
		change(&o)
	}
	r, err := RunPast(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(b)
}

func TestPastOfTheSameSiteIsTheSame(t *testing.T) {
	for name, text := range map[string]string{"plain": pastSite, "with schedules and states of alarms": watchful} {
		t.Run(name, func(t *testing.T) { samePast(t, text) })
	}
}

func samePast(t *testing.T, text string) {
	dir := journalOf(t, text)
	s, programs := compiled(t, strings.ReplaceAll(text, "LIMIT", "85"))
	r, first := runSite(t, dir, s, programs, nil)
	if r.Totals.Differences() != 0 || r.Totals.Same < 20 || r.Inputs != 3 || r.Frames != 2*minutes*60 {
		t.Fatalf("%s", first)
	}
	kinds := map[string]bool{}
	for _, x := range r.Subjects {
		kinds[x.Kind+" "+x.Owner] = true
		if x.HeldThen != x.HeldNow {
			t.Errorf("%+v: held longer on one side", x)
		}
	}
	for _, want := range []string{"request rule.shave", "request cli.anna", "alarm ", "rule "} {
		if !kinds[want] {
			t.Errorf("nothing of %q in %s", want, first)
		}
	}
	for _, c := range []struct{ cut, depth int }{{0, 0}, {1, 1}, {2, 7}, {1, 32}} {
		if _, again := runSite(t, dir, s, programs, func(o *PastOptions) { o.cut, o.depth = c.cut, c.depth }); again != first {
			t.Errorf("cut into %+v it is another report:\n%s\n%s", c, again, first)
		}
	}
}

func TestPastOfAnotherSiteDiffers(t *testing.T) {
	dir := pastJournal(t)
	r, text := runPast(t, dir, strings.ReplaceAll(pastSite, "LIMIT", "95"), nil)
	if r.Totals.Changed == 0 || r.Totals.Differences() == 0 || len(r.Differences) == 0 {
		t.Fatalf("%s", text)
	}
	i := slices.IndexFunc(r.Subjects, func(s Subject) bool { return s.Owner == "rule.shave" })
	if i < 0 || r.Subjects[i].HeldNow >= r.Subjects[i].HeldThen || *r.Subjects[i].MeanNow >= *r.Subjects[i].MeanThen {
		t.Errorf("a higher limit holds less: %s", text)
	}
	for _, x := range r.Subjects {
		if x.Kind == event.Alarm && x.Differences() != 0 {
			t.Errorf("the alarm did not change: %+v", x)
		}
	}
}

// A warm-up makes a stretch in the middle come out as it was.
func TestPastNeedsAWarmUp(t *testing.T) {
	dir := pastJournal(t)
	text := strings.ReplaceAll(pastSite, "LIMIT", "85")
	middle := func(warm time.Duration) func(*PastOptions) {
		return func(o *PastOptions) { o.Since, o.WarmUp = time.UnixMilli(scenarioStart+130_000), warm }
	}
	r, out := runPast(t, dir, text, middle(2*time.Minute))
	if r.Totals.Differences() != 0 || r.Start.UnixMilli() != scenarioStart+10_000 {
		t.Errorf("%s", out)
	}
	i := slices.IndexFunc(r.Subjects, func(s Subject) bool { return s.Owner == "cli.anna" })
	if i < 0 || math.Abs(r.Subjects[i].HeldNow-30.5) > 0.01 {
		t.Errorf("the request that was in force is not: %s", out)
	}
	// Without one, what a person had asked for before is still known.
	r, out = runPast(t, dir, text, middle(0))
	if i = slices.IndexFunc(r.Subjects, func(s Subject) bool { return s.Owner == "cli.anna" }); i < 0 || math.Abs(r.Subjects[i].HeldNow-30.5) > 0.01 {
		t.Errorf("the request that was in force is not: %s", out)
	}
}

func TestPastOfOtherPoints(t *testing.T) {
	dir := pastJournal(t)
	text := strings.ReplaceAll(pastSite, "LIMIT", "85")
	text = strings.Replace(text, `point "power" { unit = "kW" }`, "point \"energy\" { unit = \"kWh\" }\n  point \"power\" { unit = \"kW\" }", 1)
	text = strings.Replace(text, `point "temp" { unit = "°C" }`, "point \"humidity\" { unit = \"%\" }\n  point \"temp\" { unit = \"°C\" }", 1)
	text += "device \"o\" {\n  channel = channel.c\n  point \"x\" {}\n}\n"
	r, out := runPast(t, dir, text, nil)
	if r.Totals.Differences() != 0 {
		t.Errorf("the values were not found by name: %s", out)
	}
	want := []string{
		"device o: there is no frame of it; its points are unknown", "point m.energy: nothing was read of it then; it is unknown",
		"point n.humidity: nothing was read of it then; it is unknown",
	}
	if !slices.Equal(r.Notes, want) {
		t.Errorf("%q", r.Notes)
	}
	r, _ = runPast(t, dir, strings.Replace(text, `point "temp" { unit = "°C" }`, `point "temp" { unit = "K" }`, 1), nil)
	if !slices.ContainsFunc(r.Notes, func(s string) bool { return strings.Contains(s, "n.temp: it was read in °C") }) || r.Totals.OnlyThen == 0 {
		t.Errorf("another unit: %+v", r)
	}
}

func TestPastRefused(t *testing.T) {
	dir := pastJournal(t)
	s, programs := compiled(t, strings.ReplaceAll(pastSite, "LIMIT", "85"))
	o := PastOptions{Site: s, Programs: programs, Journal: dir, Since: time.UnixMilli(0), Until: time.UnixMilli(1000)}
	if _, err := RunPast(t.Context(), o); err == nil || !strings.Contains(err.Error(), "has nothing of") {
		t.Errorf("%v", err)
	}
	o.Until = o.Since
	if _, err := RunPast(t.Context(), o); err == nil || !strings.Contains(err.Error(), "must end later") {
		t.Errorf("%v", err)
	}
	o.Until, o.Journal = time.UnixMilli(1), filepath.Join(dir, "nowhere")
	if _, err := RunPast(t.Context(), o); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
