package api

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestClientGetsWhatTheAgentSays(t *testing.T) {
	a := newLiteral()
	_, data := start(t, a, nil)
	c, ctx := dial(t, data), context.Background()
	if got, err := c.Status(ctx); err != nil || got.Site != "bakery" || got.Sinks[0].LagRecords != 12 || !got.Started.Equal(noon) {
		t.Errorf("status: %+v %v", got, err)
	}
	if got, err := c.Values(ctx, nil); err != nil || !reflect.DeepEqual(got, a.values) {
		t.Errorf("values: %+v %v", got, err)
	}
	if got, err := c.Values(ctx, []string{"grid.*", "x?"}); err != nil || len(got) != 1 || got[0].Value != nil || got[0].Quality != "bad" {
		t.Errorf("values: %+v %v", got, err)
	}
	if got, err := c.Value(ctx, "battery.soc"); err != nil || got.Value != 55.5 {
		t.Errorf("value: %+v %v", got, err)
	}
	v := 12.5
	req := SetRequest{Name: "bess[a/b].power", Value: &v, TTL: 90 * time.Second, Priority: 0, Owner: "cli.anna", Reason: "trial", Wait: time.Second}
	out, err := c.Set(ctx, req)
	if err != nil || out.Result != "written" || !reflect.DeepEqual(a.set, req) {
		t.Errorf("set: %+v %v; the agent got %+v", out, err, a.set)
	}
	if got, err := c.Outputs(ctx); err != nil || len(got) != 1 || got[0].Priority != 50 {
		t.Errorf("outputs: %+v %v", got, err)
	}
	if got, err := c.Why(ctx, "battery.setpoint"); err != nil || got.Winner.Owner != "rule.a" {
		t.Errorf("why: %+v %v", got, err)
	}
	past := HistoryRequest{Name: "battery.soc", Since: noon, Until: noon.Add(time.Hour), Every: 10 * time.Second}
	if got, err := c.History(ctx, past); err != nil || len(got.Buckets) != 2 || got.Buckets[1].Mean != nil || !reflect.DeepEqual(a.past, past) {
		t.Errorf("history: %+v %v; the agent got %+v", got, err, a.past)
	}
	which := EventsRequest{Since: noon, Until: noon.Add(time.Hour), Kinds: []string{"write", "alarm"}, Renewals: true, Limit: 7}
	if got, err := c.Events(ctx, which); err != nil || got[0].Get("outcome") != "written" || !reflect.DeepEqual(a.events, which) {
		t.Errorf("events: %+v %v; the agent got %+v", got, err, a.events)
	}
	if got, err := c.Alarms(ctx, true); err != nil || got[0].Name != "grid_overload" {
		t.Errorf("alarms: %+v %v", got, err)
	}
	cmd := AlarmCommand{Name: "grid_overload", Command: "shelve", By: "anna", Comment: "work on it", Mode: "timed", Duration: time.Hour, Occurrence: 3}
	if got, err := c.AlarmCommand(ctx, cmd); err != nil || !got.Acked || a.alarm != cmd {
		t.Errorf("alarm command: %+v %v; the agent got %+v", got, err, a.alarm)
	}
	if got, err := c.Routes(ctx); err != nil || got[0].Streams[0].Name != "bess.soc" || got[0].Sinks[0].Early != 6 || got[0].Sinks[0].Passed != 4 {
		t.Errorf("routes: %+v, %v", got, err)
	}
	if got, err := c.Rules(ctx); err != nil || got[0].State != "active" {
		t.Errorf("rules: %+v %v", got, err)
	}
	if got, err := c.Libraries(ctx); err != nil || got == nil || len(got) != 0 {
		t.Errorf("libraries: %#v %v", got, err)
	}
	if got, err := c.LoadLibrary(ctx, "rules", "/tmp/rules.lua"); err != nil || got.Name != "rules" || a.loaded != "/tmp/rules.lua" {
		t.Errorf("load: %+v %v", got, err)
	}
	if got, err := c.RollbackLibrary(ctx, "rules"); err != nil || got.Name != "rules" {
		t.Errorf("rollback: %+v %v", got, err)
	}
	if err := c.RestartPlugin(ctx, "modbus"); err != nil {
		t.Error(err)
	}
	if got, err := c.Plan(ctx); err != nil || !got.Empty {
		t.Errorf("plan: %+v %v", got, err)
	}
	if got, err := c.Reload(ctx); err != nil || !got.Applied || got.Changes[0].Name != "x" {
		t.Errorf("reload: %+v %v", got, err)
	}
}

func TestErrorsKeepTheirKindAndWords(t *testing.T) {
	a := newLiteral()
	_, data := start(t, a, nil)
	c, ctx := dial(t, data), context.Background()
	_, err := c.Value(ctx, "battery.sco")
	if !errors.Is(err, ErrNotFound) || err.Error() != `there is no value "battery.sco"; did you mean battery.soc?` {
		t.Errorf("%v", err)
	}
	if err := c.RestartPlugin(ctx, "nope"); !errors.Is(err, ErrNotFound) || err.Error() != `plugin "nope"` {
		t.Errorf("%v", err)
	}
	for _, kind := range []error{ErrInvalid, ErrConflict, ErrUnavailable} {
		a.mu.Lock()
		a.err = fmt.Errorf("%w: because", kind)
		a.mu.Unlock()
		if _, err := c.Status(ctx); !errors.Is(err, kind) || !strings.HasPrefix(err.Error(), "because") {
			t.Errorf("%v: %v", kind, err)
		}
		if _, err := c.Subscribe(ctx, nil, 0); err != nil {
			t.Errorf("the handshake goes well, then the socket is closed: %v", err)
		}
	}
	a.mu.Lock()
	a.err = errBroken
	a.mu.Unlock()
	if _, err := c.Status(ctx); err == nil || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "on fire") {
		t.Errorf("%v", err)
	}
}

func TestDialSaysWhatToDo(t *testing.T) {
	dir := shortFolder(t)
	_, err := Dial(dir)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "voltage run SITE --data "+dir) {
		t.Errorf("%v", err)
	}
	if _, err := Dial(filepath.Join(dir, strings.Repeat("x", 150))); !errors.Is(err, ErrUnavailable) {
		t.Errorf("long path: %v", err)
	}
}

func TestSocketIsPrivateAndReplacedWhenStale(t *testing.T) {
	a := newLiteral()
	data := shortFolder(t)
	// An agent that was killed leaves its socket behind.
	dead, err := New(Options{Agent: a, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	if f, err := dead.unix.Listener.(interface{ File() (*os.File, error) }).File(); err == nil {
		f.Close()
	}
	dead.unix.Listener.(interface{ SetUnlinkOnClose(bool) }).SetUnlinkOnClose(false)
	dead.unix.Listener.Close()
	if _, err := os.Lstat(dead.Socket()); err != nil {
		t.Fatalf("the stale socket is not there: %v", err)
	}
	s, _ := start(t, a, func(o *Options) { o.Data = data })
	info, err := os.Lstat(s.Socket())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if _, err := dial(t, data).Status(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := New(Options{Agent: a, Data: data}); err == nil || !strings.Contains(err.Error(), "already runs") {
		t.Errorf("a second agent on the same folder: %v", err)
	}
}

func TestLongDataFolderGetsAShortSocket(t *testing.T) {
	a := newLiteral()
	data := filepath.Join(shortFolder(t), strings.Repeat("long", 30))
	s, _ := start(t, a, func(o *Options) { o.Data = data })
	if len(s.Socket()) > maxSocketPath {
		t.Fatalf("%d bytes: %s", len(s.Socket()), s.Socket())
	}
	if info, err := os.Stat(filepath.Dir(s.Socket())); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info, err)
	}
	if _, err := dial(t, data).Status(context.Background()); err != nil {
		t.Error(err)
	}
	t.Cleanup(func() { // runs before the server's stop
		if _, err := New(Options{Agent: a, Data: data}); err == nil {
			t.Error("a second agent on the same folder")
		}
	})
}

func TestHealth(t *testing.T) {
	a := newLiteral()
	s, _ := start(t, a, nil)
	if code, body := fetch(t, "GET", s.URL()+"/healthz", ""); code != 200 || body != "{\"state\":\"ok\"}\n" {
		t.Errorf("%d %s", code, body)
	}
	a.status.State, a.status.Reasons = "degraded", []string{"sink history: retrying"}
	if code, body := fetch(t, "GET", s.URL()+"/healthz", ""); code != 200 || !strings.Contains(body, `"degraded"`) || !strings.Contains(body, "sink history") {
		t.Errorf("%d %s", code, body)
	}
	a.status.Channels[0].State, a.status.Channels[0].Error = "failed", "connection refused"
	a.status.Store.State = "down"
	code, body := fetch(t, "GET", s.URL()+"/healthz", "")
	if code != 503 || !strings.Contains(body, "store is down") || !strings.Contains(body, "channel lan is failed: connection refused") {
		t.Errorf("%d %s", code, body)
	}
}

func TestMetrics(t *testing.T) {
	a := newLiteral()
	s, _ := start(t, a, nil)
	code, body := fetch(t, "GET", s.URL()+"/metrics", "")
	if code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	for _, want := range []string{
		"voltage_up 1", "voltage_store_up 1", "voltage_intake_frames_total 7", `voltage_plugin_restarts_total{plugin="modbus"} 2`,
		`voltage_device_up{channel="lan",device="battery"} 1`, `voltage_sink_lag_records{sink="history"} 12`, `voltage_sink_up{sink="history"} 0`,
		`voltage_output_value{output="battery.setpoint",unit="kW"} 5`, `voltage_alarms_active{priority="high"} 1`,
		`voltage_alarms_active{priority="low"} 0`, "voltage_store_apply_p99_seconds 0.002", "go_goroutines",
		"voltage_alarms_flood 1", "voltage_alarms_announced_10min 12", `voltage_alarms_silenced{how="shelved"} 3`,
	} {
		if !strings.Contains(body, want+"\n") && !strings.Contains(body, want+" ") {
			t.Errorf("no %s", want)
		}
	}
	a.mu.Lock()
	a.err = errBroken
	a.mu.Unlock()
	if code, body := fetch(t, "GET", s.URL()+"/metrics", ""); code != 200 || !strings.Contains(body, "voltage_up 0") {
		t.Errorf("%d", code)
	}
}
