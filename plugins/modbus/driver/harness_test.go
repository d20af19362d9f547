package driver

import (
	"bytes"
	"context"
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
	"github.com/voltage-edge/voltage/sdk/schema"
)

func TestMain(m *testing.M) {
	if os.Getenv(peerVariable) != "" {
		servePeer()
		return
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a condition may take; a test that waits for it fails by it only.
const patience = 20 * time.Second

// values are attributes of a block, with its defaults.
func values(t testing.TB, b schema.Block, given sdk.Values) sdk.Values {
	t.Helper()
	v := sdk.Values{}
	for _, a := range b.Attributes {
		switch d := a.Default.(type) {
		case nil:
		case string:
			v[a.Name] = any(d)
			if a.Type == schema.Duration {
				parsed, err := time.ParseDuration(d)
				if err != nil {
					t.Fatal(err)
				}
				v[a.Name] = float64(parsed)
			}
		default:
			v[a.Name] = d
		}
	}
	for name, value := range given {
		switch x := value.(type) {
		case int:
			value = float64(x)
		case time.Duration:
			value = float64(x)
		}
		v[name] = value
	}
	return v
}

// numeric is a readable point.
func numeric(name, address, kind string) sdk.PointSpec {
	return sdk.PointSpec{Name: name, Address: address, Type: kind, Scale: 1, Readable: true, Text: kind == "string", Config: sdk.Values{}}
}

func writable(p sdk.PointSpec) sdk.PointSpec {
	safe := 0.0
	p.Writable, p.Safe = true, &safe
	return p
}

func with(p sdk.PointSpec, attribute string, value any) sdk.PointSpec {
	if n, ok := value.(int); ok {
		value = float64(n)
	}
	p.Config = sdk.Values{attribute: value}
	return p
}

// deviceSpec is a device with its points in order.
func deviceSpec(t testing.TB, name string, unit int, given sdk.Values, points ...sdk.PointSpec) sdk.DeviceSpec {
	t.Helper()
	config := values(t, deviceBlock, given)
	config["unit"] = float64(unit)
	d := sdk.DeviceSpec{Name: name, Every: 20 * time.Millisecond, Config: config, Points: points}
	numbers, texts := 0, 0
	for i := range d.Points {
		switch p := &d.Points[i]; {
		case !p.Readable:
			p.Index = -1
		case p.Text:
			p.Index, texts = texts, texts+1
		default:
			p.Index, numbers = numbers, numbers+1
		}
	}
	return d
}

// profilePoints are the readable points of a profile.
func profilePoints(t testing.TB, name string) []sdk.PointSpec {
	t.Helper()
	var resp sdk.ProfileResponse
	Driver{}.Profile(context.Background(), sdk.ProfileRequest{Name: name}, &resp)
	rows, err := csv.NewReader(bytes.NewReader(resp.CSV)).ReadAll()
	if err != nil || len(rows) == 0 {
		t.Fatalf("profile %s: %v", name, err)
	}
	var points []sdk.PointSpec
	for _, row := range rows[1:] {
		p := sdk.PointSpec{Scale: 1, Config: sdk.Values{}}
		for i, column := range rows[0] {
			cell := row[i]
			if cell == "" {
				continue
			}
			switch column {
			case "point":
				p.Name = cell
			case "address":
				p.Address = cell
			case "type":
				p.Type, p.Text = cell, cell == "string"
			case "unit":
				p.Unit = cell
			case "scale":
				p.Scale, _ = strconv.ParseFloat(cell, 64)
			case "access":
				p.Readable = strings.Contains(cell, "r")
			case "bit", "length":
				p.Config[column], _ = strconv.ParseFloat(cell, 64)
			case "order", "invalid":
				p.Config[column] = cell
			}
		}
		points = append(points, p)
	}
	return points
}

// received is what a channel put out.
type received struct {
	mu       sync.Mutex
	tables   map[string]frame.Table
	frames   map[string]frame.View
	count    map[string]int
	statuses map[string]sdk.DeviceStatus
	wrong    []string
	inspect  func(device string, v frame.View) string
	changed  chan struct{}
}

func (r *received) Frame(device string, packed []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	table := r.tables[device]
	v, err := frame.Parse(bytes.Clone(packed), &table)
	if err != nil {
		r.wrong = append(r.wrong, err.Error())
		return nil
	}
	r.frames[device] = v
	r.count[device]++
	if r.inspect != nil {
		if w := r.inspect(device, v); w != "" {
			r.wrong = append(r.wrong, w)
		}
	}
	r.poke()
	return nil
}

func (r *received) Status(s sdk.DeviceStatus) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statuses[s.Device] = s
	r.poke()
	return nil
}

func (r *received) poke() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// running is a channel under test.
type running struct {
	*received
	t       testing.TB
	channel sdk.Channel
	points  map[string]map[string]sdk.PointSpec
}

// start opens and runs a channel until the test ends.
func start(t testing.TB, config sdk.Values, devices ...sdk.DeviceSpec) *running {
	return startInspected(t, nil, config, devices...)
}

func startInspected(t testing.TB, inspect func(string, frame.View) string, config sdk.Values, devices ...sdk.DeviceSpec) *running {
	t.Helper()
	spec := sdk.ChannelSpec{Name: "under_test", Config: values(t, channelBlock, config), Devices: devices}
	var resp sdk.OpenResponse
	Driver{}.Open(context.Background(), sdk.OpenRequest{Channel: spec}, &resp)
	if len(resp.Diagnostics) > 0 {
		t.Fatalf("open: %+v", resp.Diagnostics)
	}
	r := &running{t: t, channel: resp.Channel, points: map[string]map[string]sdk.PointSpec{}, received: &received{
		tables: map[string]frame.Table{}, frames: map[string]frame.View{}, count: map[string]int{},
		statuses: map[string]sdk.DeviceStatus{}, inspect: inspect, changed: make(chan struct{}, 1),
	}}
	for _, d := range devices {
		r.tables[d.Name] = d.Table()
		r.points[d.Name] = map[string]sdk.PointSpec{}
		for _, p := range d.Points {
			r.points[d.Name][p.Name] = p
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.channel.Run(ctx, r) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := r.channel.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		for _, w := range r.wrong {
			t.Error(w)
		}
	})
	return r
}

// until waits for a condition on what was received.
func (r *running) until(what string, condition func() bool) {
	r.t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		ok := condition()
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-r.changed:
		case <-deadline:
			r.mu.Lock()
			defer r.mu.Unlock()
			r.t.Fatalf("%s: it did not come; states are %+v", what, r.statuses)
		}
	}
}

// value is a point of the newest frame; call it from a condition.
func (r *running) value(device, point string) (float64, frame.Quality) {
	v, ok := r.frames[device]
	if !ok {
		return math.NaN(), frame.Bad | frame.NeverRead
	}
	i := r.points[device][point].Index
	return v.Value(i), v.Quality(i)
}

// reads tells whether a point is good and near a value.
func (r *running) reads(device, point string, want, within float64) bool {
	v, q := r.value(device, point)
	return q == frame.Good && math.Abs(v-want) <= within
}

// is tells whether a point has a quality.
func (r *running) is(device, point string, want frame.Quality) bool {
	_, q := r.value(device, point)
	return q == want
}

// set writes a point.
func (r *running) set(device, point string, value float64) sdk.WriteResponse {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var resp sdk.WriteResponse
	r.channel.Write(ctx, sdk.WriteRequest{Device: device, Point: point, Value: value}, &resp)
	return resp
}

func tcpConfig(address string) sdk.Values {
	return sdk.Values{"address": address, "timeout": 200 * time.Millisecond}
}

// known tells whether all numbers of the newest frame are.
func (r *running) known(device string) bool {
	v, ok := r.frames[device]
	return ok && v.Known()
}
