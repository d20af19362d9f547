package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/examples/plant/plantsim"
)

// plant runs the command with free ports until the test ends, and returns where it takes commands.
func plant(t *testing.T) (control string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	read, write := io.Pipe()
	cmd := root()
	cmd.SetArgs([]string{"--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--speed", "1"})
	cmd.SetOut(write)
	done := make(chan error, 1)
	go func() {
		err := cmd.ExecuteContext(ctx)
		write.CloseWithError(err)
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewScanner(read)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "control "); ok {
			return address
		}
	}
	t.Fatalf("the plant says no address: %v", lines.Err())
	return ""
}

// tell runs a command against the plant.
func tell(t *testing.T, control string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := root()
	cmd.SetOut(&out)
	cmd.SetArgs(append(args, "--control", control))
	err := cmd.ExecuteContext(context.Background())
	return out.String(), err
}

func TestCommands(t *testing.T) {
	control := plant(t)
	good := [][]string{
		{"set", "load", "95"}, {"set", "ev", "0"}, {"set", "pv", "0"},
		{"fault", "exception", "--unit", "1", "--code", "6"}, {"fault", "dead", "--unit", "2"}, {"fault", "clear", "--unit", "2"},
	}
	for _, args := range good {
		if _, err := tell(t, control, args...); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	out, err := tell(t, control, "get")
	if err != nil {
		t.Fatal(err)
	}
	var state struct {
		plantsim.State
		Faults []plantsim.Fault `json:"faults"`
	}
	if err := json.Unmarshal([]byte(out), &state); err != nil {
		t.Fatal(err)
	}
	if state.Load != 95 || state.Grid != 95 || len(state.Faults) != 1 || state.Faults[0].Unit != 1 || state.Faults[0].Code != 6 {
		t.Errorf("the state is %s", out)
	}
	if out, err := tell(t, control, "get", "writes"); err != nil || strings.TrimSpace(out) != "[]" && strings.TrimSpace(out) != "null" {
		t.Errorf("writes are %q, %v", out, err)
	}
	if _, err := tell(t, control, "set", "load", "auto"); err != nil {
		t.Error(err)
	}
	bad := map[string][]string{
		"there is no fault":       {"fault", "tired"},
		"there is no unit 77":     {"fault", "dead", "--unit", "77"},
		"can't set":               {"set", "weather", "1"},
		"neither a number":        {"set", "load", "much"},
		"invalid argument":        {"get", "rich"},
		"accepts 2 arg(s)":        {"set", "load"},
		"no plant takes commands": {"get", "--control", "127.0.0.1:1"},
	}
	for want, args := range bad {
		where := control
		if len(args) > 2 && args[1] == "--control" {
			where, args = args[2], args[:1]
		}
		if _, err := tell(t, where, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, expected %q", args, err, want)
		}
	}
}
