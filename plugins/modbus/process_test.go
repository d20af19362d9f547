package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/plugin"
	"github.com/voltage-edge/voltage/examples/plant/plantsim"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
	"github.com/voltage-edge/voltage/sdk/schema"
)

const patience = 30 * time.Second

// process is the built plugin under the agent's host, with the newest frame of each device.
type process struct {
	*plugin.Host
	t      testing.TB
	schema *sdk.SchemaResponse

	mu     sync.Mutex
	frames map[string][]byte
	count  int
}

func startProcess(t testing.TB) *process {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs the plugin")
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "voltage-plugin-modbus"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	p := &process{t: t, frames: map[string][]byte{}}
	var err error
	p.Host, err = plugin.NewHost(plugin.Options{AgentDir: dir, OnFrame: p.take})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if p.schema, err = p.Driver(p.limit(), "modbus"); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *process) limit() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p.t.Cleanup(cancel)
	return ctx
}

func (p *process) take(_, device string, packed []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frames[device] = packed
	p.count++
	return nil
}

// until waits for a condition on the newest frame of a device.
func (p *process) until(what string, d sdk.DeviceSpec, condition func(v frame.View) bool) {
	p.t.Helper()
	table := d.Table()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		p.mu.Lock()
		packed := p.frames[d.Name]
		p.mu.Unlock()
		if packed == nil {
			continue
		}
		v, err := frame.Parse(packed, &table)
		if err != nil {
			p.t.Fatal(err)
		}
		if condition(v) {
			return
		}
	}
	p.t.Fatalf("%s: it did not come; %+v", what, p.Status())
}

// filled are given values with the defaults of a block as the plugin described it.
func filled(t testing.TB, b schema.Block, given sdk.Values) sdk.Values {
	t.Helper()
	v := sdk.Values{}
	for _, a := range b.Attributes {
		if a.Default != nil {
			v[a.Name] = a.Default
		}
		if s, ok := a.Default.(string); ok && a.Type == schema.Duration {
			d, err := time.ParseDuration(s)
			if err != nil {
				t.Fatal(err)
			}
			v[a.Name] = float64(d)
		}
	}
	for name, value := range given {
		v[name] = value
	}
	return v
}

func (p *process) channel(address string, devices ...sdk.DeviceSpec) sdk.ChannelSpec {
	return sdk.ChannelSpec{Name: "lan", Config: filled(p.t, p.schema.Channel, sdk.Values{"address": address}), Devices: devices}
}

func (p *process) battery() sdk.DeviceSpec {
	safe := 0.0
	return sdk.DeviceSpec{
		Name: "battery", Every: 50 * time.Millisecond, Config: filled(p.t, p.schema.Device, sdk.Values{"unit": float64(plantsim.UnitBattery)}),
		Points: []sdk.PointSpec{
			{Name: "soc", Index: 0, Address: "input:100", Type: "float32", Unit: "%", Scale: 1, Readable: true},
			{Name: "setpoint", Index: 1, Address: "holding:200", Type: "float32", Unit: "kW", Scale: 1, Readable: true, Writable: true, Safe: &safe},
		},
	}
}

func TestThePluginAsAProcess(t *testing.T) {
	p := startProcess(t)
	c := plantsim.DefaultConfig()
	c.Speed = 0
	plant, err := plantsim.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer plant.Close()

	profile, err := p.Profile(p.limit(), "modbus", "eastron-sdm630")
	if err != nil || !strings.HasPrefix(string(profile.CSV), "point,address,type") {
		t.Errorf("profile: %v", err)
	}
	wrong := p.battery()
	wrong.Points[0].Address = "input:100000"
	diagnostics, err := p.Check(p.limit(), "modbus", p.channel(plant.Address(), wrong))
	if err != nil || len(diagnostics) != 1 || strings.Join(diagnostics[0].Path, ".") != "device.battery.point.soc.address" {
		t.Errorf("check: %+v, %v", diagnostics, err)
	}

	battery := p.battery()
	channel, err := p.OpenChannel(p.limit(), "modbus", p.channel(plant.Address(), battery))
	if err != nil {
		t.Fatal(err)
	}
	p.until("state of charge", battery, func(v frame.View) bool { return v.Quality(0) == frame.Good && v.Value(0) == 70 })
	resp, err := channel.Write(p.limit(), "battery", "setpoint", 12.5)
	if err != nil || resp.Err != nil || resp.Written != 12.5 || resp.ReadBack == nil || *resp.ReadBack != 12.5 {
		t.Errorf("write: %+v, %v", resp, err)
	}
	p.until("the set-point", battery, func(v frame.View) bool { return v.Value(1) == 12.5 })
	if err := plant.SetFault(plantsim.Fault{Kind: plantsim.Refuse}); err != nil {
		t.Fatal(err)
	}
	p.until("bad values", battery, func(v frame.View) bool { return v.Quality(0) == frame.Bad|frame.NoAnswer })
	if err := plant.ClearFault(0); err != nil {
		t.Fatal(err)
	}
	p.until("good values", battery, func(v frame.View) bool { return v.Known() })
	if err := channel.Drain(p.limit()); err != nil {
		t.Errorf("drain: %v", err)
	}
	if s := plant.State(); s.Setpoint != 0 {
		t.Errorf("after the drain the set-point is %g", s.Setpoint)
	}
}

// BenchmarkProcess has the plugin read ten devices of 500 float32 each, every 100 ms, and reports its CPU time for one
// point, and its memory.
func BenchmarkProcess(b *testing.B) {
	const units, points = 10, 500
	p := startProcess(b)
	c := plantsim.DefaultConfig()
	c.Bulk = plantsim.Bulk{Units: units, Points: points, Changing: 0.1, Every: 100 * time.Millisecond}
	plant, err := plantsim.New(c)
	if err != nil {
		b.Fatal(err)
	}
	defer plant.Close()
	var devices []sdk.DeviceSpec
	for u := range units {
		d := sdk.DeviceSpec{Name: fmt.Sprintf("d%d", u), Every: 100 * time.Millisecond, Config: filled(b, p.schema.Device, sdk.Values{"unit": float64(11 + u)})}
		for i := range points {
			d.Points = append(d.Points, sdk.PointSpec{Name: fmt.Sprintf("p%d", i), Index: i, Address: fmt.Sprintf("input:%d", 2*i), Type: "float32", Scale: 1, Readable: true})
		}
		devices = append(devices, d)
	}
	channel, err := p.OpenChannel(p.limit(), "modbus", p.channel(plant.Address(), devices...))
	if err != nil {
		b.Fatal(err)
	}
	p.until("values", devices[units-1], func(v frame.View) bool { return v.Known() })
	pid := p.Status().Plugins[0].PID
	frames := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.count
	}
	b.ResetTimer()
	before, first := cpuOf(b, pid), frames()
	for frames() < first+b.N*units {
		time.Sleep(10 * time.Millisecond)
	}
	b.StopTimer()
	b.ReportMetric(float64(cpuOf(b, pid)-before)/float64((frames()-first)*points), "cpu-ns/point")
	b.ReportMetric(residentOf(b, pid), "MB-resident")
	if err := channel.Drain(p.limit()); err != nil {
		b.Error(err)
	}
}

// cpuOf is the CPU time that a process has used, to 10 ms.
func cpuOf(b *testing.B, pid string) time.Duration {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		b.Skip(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

func residentOf(b *testing.B, pid string) float64 {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		b.Skip(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); f[0] == "VmRSS:" {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb / 1024
		}
	}
	return 0
}
