package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	loadDevices = 10
	loadPoints  = 500
)

// load reads 10 devices of 500 float32 every 100 ms, a tenth of them changing: processor time per point, memory, and the
// time from the start to the first frame.
func load(ctx context.Context, b *bench) ([]figure, error) {
	plant, address, err := b.plant(ctx, "--bulk-units", fmt.Sprint(loadDevices), "--bulk-points", fmt.Sprint(loadPoints))
	if err != nil {
		return nil, err
	}
	defer plant()
	a, err := b.start("load", loadSite(address))
	if err != nil {
		return nil, err
	}
	defer a.stop()
	s, err := a.running(ctx)
	if err != nil {
		return nil, err
	}
	var first time.Time
	if first, err = a.firstFrame(ctx); err != nil {
		return nil, err
	}
	// What a start costs is over by then.
	time.Sleep(3 * time.Second)
	pids := []int{a.cmd.Process.Pid, s.Plugins[0].PID, s.Store.PID}
	names := []string{"agent", "plugin", "Redis"}
	before, err := times(pids)
	if err != nil {
		return nil, err
	}
	var s0, s1 status
	if err := a.ask(ctx, &s0, "status"); err != nil {
		return nil, err
	}
	time.Sleep(b.span)
	if err := a.ask(ctx, &s1, "status"); err != nil {
		return nil, err
	}
	after, err := times(pids)
	if err != nil {
		return nil, err
	}
	points := float64(s1.Intake.Points - s0.Intake.Points)
	var total time.Duration
	var parts []string
	for i := range pids {
		used := after[i] - before[i]
		total += used
		parts = append(parts, fmt.Sprintf("%s %.2f", names[i], float64(used.Microseconds())/points))
	}
	perPoint := float64(total.Microseconds()) / points
	rate := points / b.span.Seconds()
	figures := []figure{{
		what: "CPU of plugin + agent + Redis per point", measured: fmt.Sprintf("%.2f µs", perPoint), reach: "≤ 2.8 µs (aim 1.1)", ok: perPoint <= 2.8,
		note: fmt.Sprintf("%s; %.0f points/s, %d frames skipped by Redis", strings.Join(parts, ", "), rate, s1.Intake.Skipped),
	}}
	for i, limit := range []int64{50, 25, 30} {
		used, err := resident(pids[i])
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure{
			what: "memory of " + names[i] + " at 5,000 points", measured: fmt.Sprintf("%.1f MB", float64(used)/1e6), reach: fmt.Sprintf("≤ %d MB", limit), ok: used <= limit*1e6,
		})
	}
	took := first.Sub(a.began)
	return append(figures, figure{
		what: "start to first frame, 5,000 points", measured: fmt.Sprintf("%.2f s", took.Seconds()), reach: "≤ 1 s", ok: took <= time.Second,
	}), nil
}

// firstFrame is when the journal took the first frame.
func (a *agent) firstFrame(ctx context.Context) (time.Time, error) {
	var h struct {
		Buckets []struct {
			Time  time.Time `json:"time"`
			Count int       `json:"count"`
		} `json:"buckets"`
	}
	if err := a.ask(ctx, &h, "history", "bulk_0.p0", "--since", a.began.Format(time.RFC3339), "--every", "10ms"); err != nil {
		return time.Time{}, err
	}
	for _, x := range h.Buckets {
		if x.Count > 0 {
			return x.Time.Add(10 * time.Millisecond), nil
		}
	}
	return time.Time{}, fmt.Errorf("the journal has no frame")
}

func times(pids []int) ([]time.Duration, error) {
	out := make([]time.Duration, len(pids))
	for i, pid := range pids {
		var err error
		if out[i], err = cpu(pid); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// plant starts the simulated plant as a process of its own.
func (b *bench) plant(ctx context.Context, args ...string) (stop func(), address string, err error) {
	cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "plant"), append([]string{"--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		for _, word := range strings.Fields(lines.Text()) {
			if strings.HasPrefix(word, "127.0.0.1:") {
				go io.Copy(io.Discard, out)
				return stop, word, nil
			}
		}
	}
	stop()
	return nil, "", fmt.Errorf("the plant does not say its address")
}

func loadSite(address string) string {
	var s strings.Builder
	fmt.Fprintf(&s, `
site "load" {}
channel "lan" {
  plugin = "modbus"
  every  = "100ms"
  config {
    transport = "tcp"
    address   = %q
  }
}
`, address)
	for d := range loadDevices {
		fmt.Fprintf(&s, "device \"bulk_%d\" {\n  channel = channel.lan\n  config { unit = %d }\n", d, 11+d)
		for p := range loadPoints {
			fmt.Fprintf(&s, "  point \"p%d\" {\n    address = \"input:%d\"\n    type = \"float32\"\n  }\n", p, 2*p)
		}
		s.WriteString("}\n")
	}
	return s.String()
}
