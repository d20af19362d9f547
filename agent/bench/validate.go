package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// validate checks a site of 10,000 points in blocks, and one of as many rules and alarms.
func validate(ctx context.Context, b *bench) ([]figure, error) {
	points, err := b.validate(ctx, "points", pointSite())
	if err != nil {
		return nil, err
	}
	rules, err := b.validate(ctx, "rules", ruleSite())
	if err != nil {
		return nil, err
	}
	return []figure{
		{what: "validate of 10,000 points", measured: seconds(points), reach: "≤ 1.5 s", ok: points <= 1500*time.Millisecond, note: "the plugin's own check among it"},
		{what: "  of 10,000 rules and 10,000 alarms", measured: seconds(rules), ok: true, note: "compiled to Lua"},
	}, nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// validate is the median time of a `voltage validate` with the plugin's schema in the cache, as it is after a site's first.
func (b *bench) validate(ctx context.Context, name, text string) (time.Duration, error) {
	file := filepath.Join(b.dir, name+".hcl")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return 0, err
	}
	data := filepath.Join(b.dir, name)
	if err := os.MkdirAll(data, 0o755); err != nil {
		return 0, err
	}
	var took []float64
	for run := range 6 {
		began := time.Now()
		out, err := exec.CommandContext(ctx, filepath.Join(b.bin, "voltage"), "validate", file, "--data", data).CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("%w: %s", err, out)
		}
		if run > 0 {
			took = append(took, float64(time.Since(began)))
		}
	}
	return time.Duration(median(took)), nil
}

const siteHead = `
site "big" {}
channel "lan" {
  plugin = "modbus"
  config {
    transport = "tcp"
    address   = "127.0.0.1:1502"
  }
}
`

func pointSite() string {
	const devices, points = 20, 500
	var s strings.Builder
	s.WriteString(siteHead)
	for d := range devices {
		fmt.Fprintf(&s, "device \"d%d\" {\n  channel = channel.lan\n  config { unit = %d }\n", d, d+1)
		for p := range points {
			fmt.Fprintf(&s, "  point \"p%d\" {\n    address = \"input:%d\"\n    type = \"float32\"\n    unit = \"kW\"\n  }\n", p, 2*p)
		}
		s.WriteString("}\n")
	}
	return s.String()
}

func ruleSite() string {
	const points, items = 100, 10_000
	var s strings.Builder
	s.WriteString(siteHead + "device \"d\" {\n  channel = channel.lan\n  config { unit = 1 }\n")
	for p := range points {
		fmt.Fprintf(&s, "  point \"p%d\" {\n    address = \"input:%d\"\n    type = \"float32\"\n    unit = \"kW\"\n  }\n", p, 2*p)
	}
	s.WriteString("  point \"out\" {\n    address = \"holding:0\"\n    type = \"float32\"\n    unit = \"kW\"\n    access = \"w\"\n    write {\n      min = 0\n      max = 100\n      safe = 0\n    }\n  }\n}\n")
	for i := range items {
		fmt.Fprintf(&s, "rule \"r%d\" {\n  when = device.d.p%d > %d && device.d.p%d < 90\n  set \"d.out\" {\n    value = device.d.p%d - 5\n    ttl = \"5s\"\n  }\n}\n", i, i%points, i%80, (i+7)%points, i%points)
		fmt.Fprintf(&s, "alarm \"a%d\" {\n  when = device.d.p%d > %d\n  deadband = 2\n}\n", i, i%points, i%80)
	}
	return s.String()
}
