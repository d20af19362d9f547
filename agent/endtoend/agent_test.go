package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait: far above what anything takes, so that a slow machine fails nothing.
const patience = 60 * time.Second

// agent is a running `voltage run` on a site of the test's own.
type agent struct {
	t    *testing.T
	site string // folder
	data string
	env  []string

	logFile string

	cmd  *exec.Cmd
	log  *os.File
	done chan error
}

// newAgent writes site.hcl into a folder of its own; start runs it.
func newAgent(t *testing.T, hcl string) *agent {
	t.Helper()
	dir, err := os.MkdirTemp("", "voltage-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{t: t, site: filepath.Join(dir, "site"), data: filepath.Join(dir, "data"), logFile: filepath.Join(dir, "agent.log")}
	if err := os.Mkdir(a.site, 0o755); err != nil {
		t.Fatal(err)
	}
	a.writeSite(hcl)
	t.Cleanup(func() {
		a.stop()
		if t.Failed() {
			a.showLog()
		}
		os.RemoveAll(dir)
	})
	return a
}

func (a *agent) writeSite(hcl string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.site, "site.hcl"), []byte(hcl), 0o644); err != nil {
		a.t.Fatal(err)
	}
}

// start runs the agent and waits until it answers.
func (a *agent) start() {
	a.t.Helper()
	log, err := os.OpenFile(a.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		a.t.Fatal(err)
	}
	a.log = log
	a.cmd = exec.Command(binary("voltage"), "run", a.site, "--data", a.data)
	a.cmd.Stdout, a.cmd.Stderr = log, log
	a.cmd.Env = append(os.Environ(), a.env...)
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(a.cmd, a.done)
	a.eventually("the agent answers", func() error {
		select {
		case err := <-a.done:
			a.done <- err
			a.t.Fatalf("the agent ended: %v", err)
		default:
		}
		_, err := a.try("status", "--json")
		return err
	})
}

// stop ends the agent as Ctrl-C does, and waits for it.
func (a *agent) stop() {
	if a.cmd == nil {
		return
	}
	a.cmd.Process.Signal(os.Interrupt)
	select {
	case <-a.done:
	case <-time.After(patience):
		a.cmd.Process.Kill()
		<-a.done
		a.t.Errorf("the agent did not end within %v of an interrupt", patience)
	}
	a.cmd = nil
	a.log.Close()
}

// kill ends the agent with SIGKILL.
func (a *agent) kill() {
	a.t.Helper()
	a.cmd.Process.Kill()
	<-a.done
	a.cmd = nil
	a.log.Close()
}

func (a *agent) showLog() {
	b, _ := os.ReadFile(a.logFile)
	lines := strings.Split(string(b), "\n")
	if len(lines) > 80 {
		lines = lines[len(lines)-80:]
	}
	a.t.Logf("end of the agent's log:\n%s", strings.Join(lines, "\n"))
}

// try runs a command against the agent and gives its standard output.
func (a *agent) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary("voltage"), args...)
	cmd.Env = append(append(os.Environ(), "VOLTAGE_DATA="+a.data), a.env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("voltage %s: %w: %s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

// run is try that must succeed.
func (a *agent) run(args ...string) string {
	a.t.Helper()
	out, err := a.try(args...)
	if err != nil {
		a.t.Fatal(err)
	}
	return out
}

// code runs a command and gives its exit code and all that it printed.
func (a *agent) code(args ...string) (int, string) {
	a.t.Helper()
	out, err := a.try(args...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, out
	case errors.As(err, &exit):
		return exit.ExitCode(), err.Error()
	}
	a.t.Fatal(err)
	return 0, ""
}

// value is what `voltage get NAME --json` prints.
type value struct {
	Name    string   `json:"name"`
	Value   *float64 `json:"value"`
	Unit    string   `json:"unit"`
	Quality string   `json:"quality"`
	Reason  string   `json:"reason"`
	AgeMS   int64    `json:"age_ms"`
}

func (a *agent) get(name string) (value, error) {
	var v value
	out, err := a.try("get", name, "--json")
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal([]byte(out), &v)
}

// eventually waits until check gives no error, and fails the test with its last one.
func (a *agent) eventually(what string, check func() error) {
	a.t.Helper()
	eventually(a.t, what, check)
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s: %v", patience, what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
