package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/voltage-edge/voltage/agent/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// literal is an agent that says what it was given, and remembers what it was asked.
type literal struct {
	mu     sync.Mutex
	status Status
	values []Value
	set    SetRequest
	alarm  AlarmCommand
	past   HistoryRequest
	events EventsRequest
	loaded string
	rule   string
	shadow ShadowRequest
	err    error
	hub    *Hub
}

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func newLiteral() *literal {
	return &literal{
		status: Status{
			State: "ok", Site: "bakery", Version: "1.2.3", Revision: "abc", Started: noon,
			Store:         StoreStatus{State: "ok", Mode: "embedded", Version: "7.0.15", ApplyP50: 0.4, ApplyP99: 2},
			Plugins:       []PluginStatus{{Name: "modbus", State: "running", Restarts: 2}},
			Channels:      []ChannelStatus{{Name: "lan", Plugin: "modbus", State: "open"}},
			Devices:       []DeviceStatus{{Name: "battery", Channel: "lan", State: "ok", Frames: 7}},
			Sinks:         []SinkStatus{{Name: "history", Plugin: "influxdb", State: "retrying", LagRecords: 12, Routes: []RouteCounts{}}},
			Rules:         RulesStatus{State: "ok", Defined: 3, Stored: 1, Disabled: 1, Switched: 1},
			Alarms:        AlarmsStatus{State: "flood", Defined: 20, Active: 1, Shelved: 3, Announced10min: 12},
			Intake:        IntakeStatus{State: "ok", Frames: 7, Rejected: map[string]uint64{"table": 1}},
			Notifications: Notifications{Contacts: []ContactStatus{{Name: "duty", Place: "webhook at example.org", State: "ok", Sent: 3}}},
		},
		values: []Value{
			{Name: "battery.soc", Value: 55.5, Unit: "%", Quality: "good", Time: noon, AgeMS: 12},
			{Name: "grid.power", Unit: "kW", Quality: "bad", Reason: "no answer"},
		},
		hub: NewHub(1000, time.Now),
	}
}

func (a *literal) fails() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

func (a *literal) Status(context.Context) (Status, error) { return a.status, a.fails() }

func (a *literal) Values(_ context.Context, patterns []string) ([]Value, error) {
	var out []Value
	for _, v := range a.values {
		if Match(patterns, v.Name) {
			out = append(out, v)
		}
	}
	return out, a.fails()
}

func (a *literal) Value(_ context.Context, name string) (Value, error) {
	for _, v := range a.values {
		if v.Name == name {
			return v, a.fails()
		}
	}
	return Value{}, fmt.Errorf("%w: there is no value %q; did you mean battery.soc?", ErrNotFound, name)
}

func (a *literal) Set(_ context.Context, req SetRequest) (Outcome, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.set = req
	return Outcome{ID: "1", Output: req.Name, Result: "written", Value: req.Value, Unit: "kW"}, a.err
}

func (a *literal) Outputs(context.Context) ([]Output, error) {
	v := 5.0
	return []Output{{Name: "battery.setpoint", State: "held", Value: &v, Aim: &v, Min: -50, Max: 50, Unit: "kW", Owner: "rule.a", Priority: 50, Writes: 3}}, a.fails()
}

func (a *literal) Why(_ context.Context, output string) (Why, error) {
	o := Output{Name: output, State: "held"}
	c := Contender{Owner: "rule.a", Priority: 50, Value: 5, At: noon}
	return Why{Output: o, Sentence: "rule.a holds it.", Winner: &c, Contenders: []Contender{c}, Writes: []WriteTrace{{Time: noon, Value: 5, Outcome: "written"}}}, a.fails()
}

func (a *literal) History(_ context.Context, req HistoryRequest) (History, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.past = req
	v := 1.5
	return History{Name: req.Name, EveryMS: req.Every.Milliseconds(), Buckets: []Bucket{{Time: noon, Mean: &v, Count: 2}, {Time: noon}}}, a.err
}

func (a *literal) Events(_ context.Context, req EventsRequest) ([]event.Event, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = req
	return []event.Event{event.New(noon, event.Write, "output", "battery.setpoint", "outcome", "written")}, a.err
}

func (a *literal) Alarms(context.Context, bool) ([]Alarm, error) {
	return []Alarm{{Name: "grid_overload", Active: true, Priority: "high", Enabled: true}}, a.fails()
}

func (a *literal) AlarmCommand(_ context.Context, req AlarmCommand) (Alarm, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.alarm = req
	return Alarm{Name: req.Name, Acked: true, Priority: "high"}, a.err
}

func (a *literal) Routes(context.Context) ([]Route, error) {
	counts := RouteCounts{Route: "cloud", Sink: "history", Taken: 10, Passed: 4, Early: 6}
	return []Route{{Name: "cloud", Shaped: true, Events: []string{}, Sinks: []RouteCounts{counts}, Streams: []RouteStream{{From: "battery.soc", Name: "bess.soc", Unit: "%"}}}}, nil
}

func (a *literal) Notifications(context.Context) (Notifications, error) {
	return a.status.Notifications, a.fails()
}

func (a *literal) TestContact(_ context.Context, name string) (ContactTest, error) {
	return ContactTest{Contact: name, OK: name == "duty"}, a.fails()
}

func (a *literal) Libraries(context.Context) ([]Library, error) {
	return nil, a.fails() // a nil list must still be an array
}

func (a *literal) LoadLibrary(_ context.Context, name, file string) (Library, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.loaded = file
	return Library{Name: name, State: "ok"}, a.err
}

func (a *literal) RollbackLibrary(_ context.Context, name string) (Library, error) {
	return Library{Name: name, State: "ok"}, a.fails()
}

func (a *literal) Shadow(context.Context) (Shadow, error) {
	return Shadow{State: "running", Kind: "library", Name: "rules"}, a.fails()
}

func (a *literal) StartShadow(_ context.Context, req ShadowRequest) (Shadow, error) {
	a.mu.Lock()
	a.shadow = req
	a.mu.Unlock()
	return Shadow{State: "running", Kind: "library", Name: req.Library, LeftSeconds: req.For.Seconds()}, a.fails()
}

func (a *literal) PromoteShadow(context.Context) (Shadow, error) {
	return Shadow{State: "promoted"}, a.fails()
}

func (a *literal) DropShadow(context.Context) (Shadow, error) {
	return Shadow{State: "dropped"}, a.fails()
}

func (a *literal) RestartPlugin(_ context.Context, name string) error {
	if name != "modbus" {
		return fmt.Errorf("plugin %q: %w", name, ErrNotFound)
	}
	return a.fails()
}

func (a *literal) Plan(context.Context) (Plan, error) {
	return Plan{Empty: true, Revision: "abc", Text: "No changes."}, a.fails()
}

func (a *literal) Reload(context.Context) (Plan, error) {
	return Plan{Applied: true, Revision: "abd", Changes: []PlanChange{{Action: "add", Kind: "rule", Name: "x"}}}, a.fails()
}

func (a *literal) Subscribe(ctx context.Context, patterns []string, after uint64) (<-chan Change, error) {
	if err := a.fails(); err != nil {
		return nil, err
	}
	return a.hub.Subscribe(ctx, patterns, after, func() []Value { return a.values })
}

// shortFolder is a folder whose path is short enough for a socket.
func shortFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "vapi")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start runs a server until the test ends.
func start(t testing.TB, a *literal, change func(*Options)) (*Server, string) {
	t.Helper()
	data := shortFolder(t)
	o := Options{Agent: a, Data: data, Listen: "127.0.0.1:0", Version: "1.2.3"}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
		a.hub.Close()
		left, _ := filepath.Glob(filepath.Join(data, "run", "*"))
		if len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return s, o.Data
}

func dial(t testing.TB, data string) *Client {
	t.Helper()
	c, err := Dial(data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// fetch makes a request by TCP; header lines are "Name: value".
func fetch(t testing.TB, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, url, in)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

const asJSON = "Content-Type: application/json"

var errBroken = errors.New("the disk is on fire")
