package plugin

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/sdk"
)

// bin holds the executables that the tests build: the faulty plugin, the third party's, and a host to kill.
var bin string

func TestMain(m *testing.M) {
	flag.Parse()
	code := func() int {
		if testing.Short() {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "plugins-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		for _, b := range []struct{ from, pkg, to string }{
			{".", "./internal/faulty", "voltage-plugin-faulty"},
			{".", "./internal/hosting", "hosting"},
			{"../../examples/plugin", ".", "voltage-plugin-line"},
		} {
			cmd := exec.Command("go", "build", "-o", filepath.Join(dir, b.to), b.pkg)
			cmd.Dir = b.from
			if out, err := cmd.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "build %s in %s: %v\n%s", b.pkg, b.from, err, out)
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
	}()
	os.Exit(code)
}

// kit is a host with what it has told.
type kit struct {
	*Host
	t   *testing.T
	dir string
	log *syncBuffer

	mu     sync.Mutex
	frames map[string][][]byte
	events []event.Event
	block  chan struct{}
}

func short(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs processes")
	}
}

// newKit makes a host whose plugins lie in bin, unless change says otherwise.
func newKit(t *testing.T, change func(o *Options)) *kit {
	t.Helper()
	short(t)
	k := &kit{t: t, dir: t.TempDir(), frames: make(map[string][][]byte), log: &syncBuffer{}}
	o := Options{
		AgentDir: bin, DataDir: filepath.Join(k.dir, "data"), RunDir: shortDir(t), LockPath: filepath.Join(k.dir, LockName),
		Log:        hclog.New(&hclog.LoggerOptions{Output: k.log, Level: hclog.Debug}),
		MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
		OnFrame: k.onFrame,
		Events: func(e event.Event) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.events = append(k.events, e)
		},
	}
	if change != nil {
		change(&o)
	}
	h, err := NewHost(o)
	if err != nil {
		t.Fatal(err)
	}
	k.Host = h
	t.Cleanup(func() {
		k.Shut()
		if t.Failed() {
			t.Log(k.log.String())
		}
		if !h.temporary {
			left, _ := filepath.Glob(filepath.Join(h.runDir, "*"))
			if len(left) > 0 {
				t.Errorf("left in the run folder: %v", left)
			}
		}
	})
	return k
}

// shortDir is a folder whose path is short enough for sockets.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "run-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (k *kit) Shut() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := k.Close(ctx); err != nil {
		k.t.Logf("close: %v", err)
	}
}

func (k *kit) onFrame(channel, device string, packed []byte) error {
	k.mu.Lock()
	block := k.block
	k.mu.Unlock()
	if block != nil {
		<-block
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.frames[channel+"/"+device] = append(k.frames[channel+"/"+device], packed)
	return nil
}

func (k *kit) framesOf(channel, device string) [][]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([][]byte(nil), k.frames[channel+"/"+device]...)
}

func (k *kit) open(plugin string, spec sdk.ChannelSpec) *Channel {
	k.t.Helper()
	c, err := k.OpenChannel(context.Background(), plugin, spec)
	if err != nil {
		k.t.Fatal(err)
	}
	if err := c.Wait(limit(k.t)); err != nil {
		k.t.Fatal(err)
	}
	return c
}

func (k *kit) plugin(name string) PluginStatus {
	for _, p := range k.Status().Plugins {
		if p.Name == name {
			return p
		}
	}
	return PluginStatus{}
}

// limit is a generous limit for one step.
func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// faulty is a channel of the faulty plugin: one device with the given points, of which setpoint has a safe value.
func faulty(name, record string, points ...string) sdk.ChannelSpec {
	safe := 0.0
	spec := sdk.ChannelSpec{Name: name, Config: sdk.Values{"record": record}, Devices: []sdk.DeviceSpec{{Name: name + "_dev", Every: time.Second}}}
	for i, p := range append([]string{"setpoint"}, points...) {
		point := sdk.PointSpec{Name: p, Index: i, Type: "number", Scale: 1, Readable: true, Writable: true}
		if p == "setpoint" {
			point.Safe = &safe
		}
		spec.Devices[0].Points = append(spec.Devices[0].Points, point)
	}
	return spec
}

func recorded(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

func faultyEnv(pairs ...string) []*site.Plugin {
	env := make(map[string]string)
	for i := 0; i+1 < len(pairs); i += 2 {
		env[pairs[i]] = pairs[i+1]
	}
	return []*site.Plugin{{Name: "faulty", Env: env}}
}

func alive(pid string) bool {
	var n int
	if _, err := fmt.Sscan(pid, &n); err != nil || n <= 0 {
		return false
	}
	if syscall.Kill(n, 0) != nil {
		return false
	}
	// A zombie whose new parent has not looked yet is no process any more.
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	return len(fields) > 0 && fields[0] != "Z"
}

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// lineDevice speaks the protocol of examples/plugin and notes when each SET came.
type lineDevice struct {
	net.Listener
	mu     sync.Mutex
	values map[string]string
	sets   []lineSet
	conns  sync.WaitGroup
}

type lineSet struct {
	name, value string
	at          time.Time
}

func newLineDevice(t *testing.T, values map[string]string) *lineDevice {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &lineDevice{Listener: l, values: values}
	d.conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			d.conns.Go(func() { d.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close() })
	return d
}

func (d *lineDevice) serve(conn net.Conn) {
	defer conn.Close()
	for s := bufio.NewScanner(conn); s.Scan(); {
		words := strings.Fields(s.Text())
		d.mu.Lock()
		switch {
		case words[0] == "SET":
			d.values[words[1]] = words[2]
			d.sets = append(d.sets, lineSet{words[1], words[2], time.Now()})
			fmt.Fprintln(conn, "OK", words[2])
		case d.values[words[1]] == "":
			fmt.Fprintln(conn, "ERR no such name")
		default:
			fmt.Fprintln(conn, "OK", d.values[words[1]])
		}
		d.mu.Unlock()
	}
}

func (d *lineDevice) last(name string) (lineSet, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.sets) - 1; i >= 0; i-- {
		if d.sets[i].name == name {
			return d.sets[i], true
		}
	}
	return lineSet{}, false
}

// boiler is a channel of the line plugin.
func boiler(name, address string) sdk.ChannelSpec {
	safe := 0.0
	return sdk.ChannelSpec{
		Name: name, Config: sdk.Values{"address": address, "timeout": 1e9},
		Devices: []sdk.DeviceSpec{{Name: name + "_boiler", Every: 50 * time.Millisecond, Config: sdk.Values{"prefix": ""}, Points: []sdk.PointSpec{
			{Name: "temperature", Index: 0, Address: "temp", Type: "number", Scale: 1, Readable: true, Unit: "°C"},
			{Name: "setpoint", Index: 1, Address: "set", Type: "number", Scale: 1, Readable: true, Writable: true, Safe: &safe, Unit: "°C"},
		}}},
	}
}

// hosting starts the host to kill and returns its plugin's process id.
func hosting(t *testing.T, order any) (cmd *exec.Cmd, pid string) {
	t.Helper()
	b, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(filepath.Join(bin, "hosting"), string(b))
	stderr := &syncBuffer{}
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = cmd.Process.Kill()
		t.Fatalf("%v: %s", err, stderr)
	}
	return cmd, strings.TrimSpace(strings.TrimPrefix(line, "ready "))
}
