package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/examples/plant/plantsim"
)

// patience bounds every wait, far above what anything takes.
const patience = 30 * time.Second

// plugins is the folder of the plugins that the tests build.
var plugins string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if testing.Short() {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "voltage-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	plugins = dir
	for name, pkg := range map[string]string{"modbus": "../../plugins/modbus", "faulty": "../plugin/internal/faulty"} {
		out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "voltage-plugin-"+name), pkg).CombinedOutput()
		if err != nil {
			fmt.Fprintf(os.Stderr, "go build %s: %v\n%s", pkg, err, out)
			return 1
		}
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// rig is a plant, a site's folder, and an agent that runs on it in this process.
type rig struct {
	t     *testing.T
	plant *plantsim.Plant
	site  string // folder
	data  string
	log   *lines
	*api.Client

	cancel context.CancelFunc
	done   chan error
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if testing.Short() {
		t.Skip("needs processes")
	}
	dir, err := os.MkdirTemp("", "vd-")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, site: filepath.Join(dir, "site"), data: filepath.Join(dir, "data"), log: &lines{}}
	for _, d := range []string{r.site, r.data} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if r.plant, err = plantsim.New(plantsim.DefaultConfig()); err != nil {
		t.Fatal(err)
	}
	r.load(110)
	t.Cleanup(func() {
		r.stop()
		r.plant.Close()
		if t.Failed() {
			t.Log(r.log.String())
		}
		os.RemoveAll(dir)
	})
	return r
}

func (r *rig) load(kW float64) {
	r.t.Helper()
	for name, v := range map[string]float64{"load": kW, "pv": 0, "ev": 0} {
		if err := r.plant.Set(name, v); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.site, name), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) options() Options {
	return Options{
		Site: r.site, Data: r.data, Version: "test",
		Log: hclog.New(&hclog.LoggerOptions{Output: r.log, Level: hclog.Info}),
	}
}

// start runs the agent and waits until it answers.
func (r *rig) start() {
	r.t.Helper()
	o := r.options()
	ready := make(chan struct{})
	o.Ready = func() { close(ready) }
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	r.done = make(chan error, 1)
	go func() { r.done <- Run(ctx, o) }()
	select {
	case <-ready:
	case err := <-r.done:
		r.done <- err
		r.t.Fatalf("the agent ended: %v", err)
	case <-time.After(patience):
		r.t.Fatal("the agent is not ready")
	}
	var err error
	if r.Client, err = api.Dial(r.data); err != nil {
		r.t.Fatal(err)
	}
}

// stop ends the agent, and leaves the data as they are.
func (r *rig) stop() {
	r.t.Helper()
	if r.cancel == nil {
		return
	}
	if r.Client != nil {
		r.Client.Close()
	}
	r.cancel()
	r.cancel = nil
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Errorf("the agent ended with %v", err)
		}
	case <-time.After(patience):
		r.t.Error("the agent does not end")
	}
}

func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.t.Cleanup(cancel)
	return ctx
}

func (r *rig) status() api.Status {
	r.t.Helper()
	st, err := r.Status(r.ctx())
	if err != nil {
		r.t.Fatal(err)
	}
	return st
}

// ok waits until the agent says that all is well.
func (r *rig) ok() {
	r.t.Helper()
	r.eventually("all is well", func() error {
		if st := r.status(); st.State != "ok" {
			return fmt.Errorf("%s: %s", st.State, strings.Join(st.Reasons, "; "))
		}
		return nil
	})
}

// setpoint is what the battery was told last.
func (r *rig) setpoint() (float64, error) {
	writes := r.plant.Writes()
	for i := len(writes) - 1; i >= 0; i-- {
		if w := writes[i]; w.Unit == 2 && w.Table == "holding" && w.Address == 200 {
			return plantsim.Float32(w.Values), nil
		}
	}
	return 0, errors.New("the set-point was never written")
}

// told waits until the battery was told so many kW.
func (r *rig) told(want float64) {
	r.t.Helper()
	r.eventually(fmt.Sprintf("the battery is told %g kW", want), func() error { return r.tells(want) })
}

func (r *rig) tells(want float64) error {
	got, err := r.setpoint()
	if err == nil && math.Abs(got-want) > 0.01 {
		err = fmt.Errorf("it was told %g", got)
	}
	return err
}

func (r *rig) eventually(what string, check func() error) {
	r.t.Helper()
	end := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("not within %v: %s: %v", patience, what, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// battery is a site with a battery that is told value while the meter reads more than limit kW.
func (r *rig) battery(limit, value float64, more string) string {
	return fmt.Sprintf(`
site "bakery" {}
plugin "modbus" { path = %[1]q }
plugin "faulty" { path = %[2]q }
channel "lan" {
  plugin = "modbus"
  every  = "50ms"
  config {
    transport = "tcp"
    address   = %[3]q
    timeout   = "500ms"
  }
}
device "grid_meter" {
  channel = channel.lan
  profile = "eastron-sdm630"
  config { unit = 1 }
}
device "battery" {
  channel = channel.lan
  config { unit = 2 }
  points = csv("battery.csv")
  point "setpoint" {
    address = "holding:200"
    type    = "float32"
    unit    = "kW"
    write {
      min  = -50
      max  = 50
      safe = 0
    }
  }
}
rule "peak" {
  when     = device.grid_meter.power > %[4]g
  priority = 50
  set "battery.setpoint" { value = %[5]g }
}
%[6]s`, filepath.Join(plugins, "voltage-plugin-modbus"), filepath.Join(plugins, "voltage-plugin-faulty"), r.plant.Address(), limit*1000, value, more)
}

const batteryCSV = "point,address,type,unit\nsoc,input:100,float32,%\n"

// lines is a log that is shown when the test fails.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
