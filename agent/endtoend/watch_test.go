package endtoend

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"github.com/voltage-edge/voltage/examples/plant/plantsim"
)

// change is a message of the WebSocket, and a line of `voltage watch --json`.
type change struct {
	Sequence uint64
	Snapshot bool
	Value    *value
	Event    map[string]any
}

// watcher is a client on the WebSocket.
type watcher struct {
	t    *testing.T
	conn *websocket.Conn
	ctx  context.Context
	last uint64
}

func (a *agent) watch(after uint64, patterns ...string) *watcher {
	a.t.Helper()
	var s struct{ API string }
	if err := json.Unmarshal([]byte(a.run("status", "--json")), &s); err != nil {
		a.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	a.t.Cleanup(cancel)
	conn, _, err := websocket.Dial(ctx, strings.Replace(s.API, "http", "ws", 1)+"/api/v1/ws", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { conn.CloseNow() })
	if err := wsjson.Write(ctx, conn, map[string]any{"patterns": patterns, "after": after}); err != nil {
		a.t.Fatal(err)
	}
	return &watcher{t: a.t, conn: conn, ctx: ctx}
}

// until reads changes until one fits.
func (w *watcher) until(what string, fits func(change) bool) change {
	w.t.Helper()
	for {
		var c change
		if err := wsjson.Read(w.ctx, w.conn, &c); err != nil {
			w.t.Fatalf("waiting for %s: %v", what, err)
		}
		if c.Sequence < w.last {
			w.t.Errorf("sequence %d comes after %d", c.Sequence, w.last)
		}
		w.last = c.Sequence
		if fits(c) {
			return c
		}
	}
}

func is(name string, fits func(v value) bool) func(change) bool {
	return func(c change) bool { return c.Value != nil && c.Value.Name == name && fits(*c.Value) }
}

// Points, measurements of models and alarms are pushed as they change, and whoever lost the connection misses nothing.
func TestChangesArePushed(t *testing.T) {
	short(t)
	plant := newPlant(t, 60)
	a := newAgent(t, peakSite(plant.Address(), 80, "api { listen = \"127.0.0.1:0\" }\n"))
	a.start()
	patterns := []string{"battery.*", "grid.power", "alarm.*"}
	w := a.watch(0, patterns...)
	if c := w.until("a snapshot", is("battery.soc", func(value) bool { return true })); !c.Snapshot {
		t.Errorf("the first value is no snapshot: %+v", c)
	}
	setLoad(t, plant, 75)
	w.until("a measurement", is("grid.power", func(v value) bool { return v.Value != nil && *v.Value > 74 && v.Unit == "kW" }))
	if err := plant.SetFault(plantsim.Fault{Kind: plantsim.Dead, Unit: meterUnit}); err != nil {
		t.Fatal(err)
	}
	w.until("the alarm", func(c change) bool { return c.Event != nil && c.Event["kind"] == "alarm" })
	w.conn.CloseNow()

	if err := plant.ClearFault(meterUnit); err != nil {
		t.Fatal(err)
	}
	a.eventually("the alarm has returned", func() error { return a.alarmIs("meter_lost", false, false) })
	again := a.watch(w.last, patterns...)
	again.until("what happened meanwhile", func(c change) bool {
		if c.Snapshot {
			t.Errorf("a client that goes on gets a snapshot: %+v", c)
		}
		return c.Event != nil && c.Event["kind"] == "alarm"
	})
}

// `voltage watch` in a pipe prints a line for each change, and ends well with Ctrl-C.
func TestWatchInAPipe(t *testing.T) {
	short(t)
	plant := newPlant(t, 60)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "timeout", "--signal=INT", "3", binary("voltage"), "watch", "--json", "--data", a.data, "grid.power")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for load := 61.0; ctx.Err() == nil; load++ {
			if err := plant.Set("load", load); err != nil {
				t.Error(err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	out, err := cmd.Output()
	cancel()
	<-done
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 124 { // of timeout, which sent the interrupt
		t.Errorf("watch ended with %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < 3 {
		t.Fatalf("it printed\n%s", out)
	}
	for _, l := range lines {
		var c change
		if err := json.Unmarshal([]byte(l), &c); err != nil || c.Value == nil || c.Value.Name != "grid.power" {
			t.Errorf("%v in line %s", err, l)
		}
	}
	if code, text := a.code("history", "grid.power", "--since", "1m", "--every", "1m", "--json"); code != 0 || !strings.Contains(text, `"unit": "kW"`) {
		t.Errorf("history of a measurement: code %d, %s", code, fmt.Sprintf("%.300s", text))
	}
}
