package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/sdk/frame"
)

const (
	pastDevices = 10
	pastPoints  = 100
	pastSpan    = 30 * time.Minute
	pastReach   = 1000
)

// replayPast measures how much faster than real time the journal of 1,000 points at 1 s runs through a site with 100 rules and
// 20 alarms: the whole command, from its start to its report.
func replayPast(ctx context.Context, b *bench) ([]figure, error) {
	data := filepath.Join(b.dir, "past")
	until := time.UnixMilli(1_700_000_000_000).Add(pastSpan)
	if err := writePast(filepath.Join(data, "journal"), until.Add(-pastSpan)); err != nil {
		return nil, err
	}
	file := filepath.Join(b.dir, "past.hcl")
	if err := os.WriteFile(file, []byte(pastSite()), 0o644); err != nil {
		return nil, err
	}
	var ratios []float64
	var report struct{ Frames, Points int }
	for range 3 {
		began := time.Now()
		out, err := exec.CommandContext(ctx, filepath.Join(b.bin, "voltage"), "replay", "--json", "--data", data, "--site", file, "--warm-up", "0s",
			"--since", until.Add(-pastSpan).UTC().Format(time.RFC3339), "--until", until.UTC().Format(time.RFC3339)).Output()
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, out)
		}
		ratios = append(ratios, pastSpan.Seconds()/time.Since(began).Seconds())
		if err := json.Unmarshal(out, &report); err != nil {
			return nil, err
		}
	}
	if want := int(pastSpan.Seconds()) * pastDevices; report.Frames != want {
		return nil, fmt.Errorf("%d frames were run, expected %d", report.Frames, want)
	}
	ratio := median(ratios)
	return []figure{{
		what: "replay of 1,000 points at 1 s", measured: fmt.Sprintf("%.0f × real time", ratio), reach: fmt.Sprintf("≥ %d ×", pastReach), ok: ratio >= pastReach,
		note: fmt.Sprintf("%d points through 100 rules and 20 alarms, start of Redis among it", report.Points),
	}}, nil
}

// pastNames are the points' names.
func pastNames() []string {
	names := make([]string, pastPoints)
	for p := range names {
		names[p] = fmt.Sprintf("p%d", p)
	}
	return names
}

func writePast(dir string, from time.Time) error {
	j, err := journal.Open(journal.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer j.Close()
	r := rand.New(rand.NewPCG(1, 2))
	var builders []*frame.Builder
	for d := range pastDevices {
		table := journal.Table{Device: fmt.Sprintf("d%d", d)}
		for _, n := range pastNames() {
			table.Numbers = append(table.Numbers, journal.Column{Name: n, Unit: "kW"})
		}
		if err := j.AppendTable(table); err != nil {
			return err
		}
		b, err := frame.NewBuilder(table.Frame())
		if err != nil {
			return err
		}
		allChange(b, 0, r)
		builders = append(builders, b)
	}
	for s := range int(pastSpan.Seconds()) {
		at := from.Add(time.Duration(s) * time.Second)
		for d, b := range builders {
			for range pastPoints / 10 {
				b.Set(r.IntN(pastPoints), between(r))
			}
			// Now and then a rule begins and ends.
			b.Set(0, 20+40*float64(s/60%2))
			if err := j.AppendFrame(at.UnixMilli()+int64(d), fmt.Sprintf("d%d", d), b.Pack(nil, at)); err != nil {
				return err
			}
		}
	}
	return nil
}

func pastSite() string {
	var s strings.Builder
	s.WriteString(siteHead)
	for d := range pastDevices {
		fmt.Fprintf(&s, "device \"d%d\" {\n  channel = channel.lan\n  config { unit = %d }\n", d, d+1)
		for p, name := range pastNames() {
			fmt.Fprintf(&s, "  point %q {\n    address = \"input:%d\"\n    type = \"float32\"\n    unit = \"kW\"\n  }\n", name, 2*p)
		}
		fmt.Fprint(&s, "  point \"out\" {\n    address = \"holding:0\"\n    type = \"float32\"\n    unit = \"kW\"\n    access = \"w\"\n    write {\n      min = 0\n      max = 100\n      safe = 0\n    }\n  }\n}\n")
		for i := range 10 {
			fmt.Fprintf(&s, "rule \"r%d_%d\" {\n  when = device.d%d.p%d > 50 && device.d%d.p%d < 90\n  set \"d%d.out\" {\n    value = device.d%d.p%d - 5\n    ttl = \"60s\"\n  }\n}\n", d, i, d, i, d, i+7, d, d, i)
		}
		for i := range 2 {
			fmt.Fprintf(&s, "alarm \"a%d_%d\" {\n  when = device.d%d.p%d > 55\n  for = \"5s\"\n  deadband = 2\n}\n", d, i, d, 20+i)
		}
	}
	return s.String()
}
