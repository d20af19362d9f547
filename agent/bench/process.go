package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cpu is the processor time that a process used, all its threads, by its processor clock: in ns, where /proc has ticks of
// 10 ms.
func cpu(pid int) (time.Duration, error) {
	const scheduler = 2 // CPUCLOCK_SCHED: time on a processor; see clock_getcpuclockid(3)
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &t); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// resident is the memory of a process that is in RAM, in bytes.
func resident(pid int) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if kB, ok := strings.CutPrefix(s.Text(), "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.Fields(kB)[0], 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("process %d: no VmRSS", pid)
}

// agent is a `voltage run` that the bench started.
type agent struct {
	b     *bench
	data  string
	cmd   *exec.Cmd
	log   bytes.Buffer
	began time.Time
}

func (b *bench) start(name, hcl string) (*agent, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "site.hcl")
	if err := os.WriteFile(file, []byte(hcl), 0o644); err != nil {
		return nil, err
	}
	a := &agent{b: b, data: filepath.Join(dir, "data")}
	a.cmd = exec.Command(filepath.Join(b.bin, "voltage"), "run", file, "--data", a.data)
	a.cmd.Stdout, a.cmd.Stderr = &a.log, &a.log
	a.began = time.Now()
	return a, a.cmd.Start()
}

func (a *agent) stop() {
	a.cmd.Process.Signal(os.Interrupt)
	done := make(chan struct{})
	go func() { a.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		a.cmd.Process.Signal(syscall.SIGKILL)
		<-done
	}
}

// ask runs a command against the agent and decodes its JSON.
func (a *agent) ask(ctx context.Context, into any, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(a.b.bin, "voltage"), append(args, "--json", "--data", a.data)...)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("voltage %s: %w", strings.Join(args, " "), err)
	}
	return json.Unmarshal(out, into)
}

// status is the part of the agent's status that is measured.
type status struct {
	Started time.Time `json:"started"`
	Store   struct {
		PID int `json:"pid"`
	} `json:"store"`
	Plugins []struct {
		PID int `json:"pid"`
	} `json:"plugins"`
	Devices []struct {
		State  string `json:"state"`
		Frames uint64 `json:"frames"`
	} `json:"devices"`
	Intake struct {
		Frames  uint64 `json:"frames"`
		Points  uint64 `json:"points"`
		Skipped uint64 `json:"skipped"`
	} `json:"intake"`
	Journal struct {
		Oldest time.Time `json:"oldest"`
	} `json:"journal"`
}

// running waits until every device has given frames.
func (a *agent) running(ctx context.Context) (status, error) {
	for {
		var s status
		err := a.ask(ctx, &s, "status")
		if err == nil && len(s.Devices) > 0 {
			fed := 0
			for _, d := range s.Devices {
				if d.Frames > 0 {
					fed++
				}
			}
			if fed == len(s.Devices) {
				return s, nil
			}
		}
		select {
		case <-ctx.Done():
			return s, fmt.Errorf("the agent gives no frames: %w; its log:\n%s", errors.Join(ctx.Err(), err), a.log.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
