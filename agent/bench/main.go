// Command bench measures the product's speed and size on this machine, and prints them beside the figures that it is to
// reach. Where a peer or a limit exists, both are measured in the same run and the ratio counts.
//
// It needs the built programs (make build), redis-server, and a quiet machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// figure is one row of the table.
type figure struct {
	what     string
	measured string
	reach    string
	ok       bool
	note     string
}

// scenario measures one or more figures.
type scenario struct {
	name string
	run  func(ctx context.Context, b *bench) ([]figure, error)
}

// bench is what every scenario needs.
type bench struct {
	bin string
	dir string
	// span is how long a scenario with a load runs.
	span time.Duration
}

func main() {
	bin := flag.String("bin", "bin", "folder of the built programs")
	span := flag.Duration("span", 15*time.Second, "how long a load runs")
	only := flag.String("only", "", "run only the scenarios whose name contains this")
	flag.Parse()
	if err := run(*bin, *span, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(bin string, span time.Duration, only string) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "voltage-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{bin: bin, dir: dir, span: span}
	var all []figure
	for _, s := range []scenario{
		{"redis", redisShare}, {"logic", logic}, {"window", windows}, {"execute", execute}, {"load", load}, {"latency", latency}, {"validate", validate}, {"replay", replayPast},
	} {
		if !strings.Contains(s.name, only) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s …\n", s.name)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		figures, err := s.run(ctx, b)
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		all = append(all, figures...)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tmeasured\treach\t\tof which")
	for _, f := range all {
		verdict := ""
		switch {
		case f.reach == "": // told only
		case f.ok:
			verdict = "reached"
		default:
			verdict = "NOT YET"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", f.what, f.measured, f.reach, verdict, f.note)
	}
	return w.Flush()
}
