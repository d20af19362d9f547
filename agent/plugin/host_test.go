package plugin

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/sdk"
)

var signals = map[string]os.Signal{"KILL": syscall.SIGKILL, "STOP": syscall.SIGSTOP}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil || n <= 1 {
		t.Fatalf("%q is no process id", s)
	}
	return n
}

func TestFind(t *testing.T) {
	agent, data := t.TempDir(), t.TempDir()
	write := func(path string, mode os.FileMode) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(agent, "voltage-plugin-modbus"), 0o755)
	write(filepath.Join(data, "plugins", "voltage-plugin-modbus"), 0o755)
	write(filepath.Join(data, "plugins", "voltage-plugin-mqtt"), 0o755)
	write(filepath.Join(data, "plugins", "voltage-plugin-plain"), 0o644)
	write(filepath.Join(data, "elsewhere"), 0o755)
	h, err := NewHost(Options{AgentDir: agent, DataDir: data, Plugins: []*site.Plugin{
		{Name: "own", Path: filepath.Join(data, "elsewhere")}, {Name: "lost", Path: "/does/not/exist"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(context.Background())
	for _, test := range []struct{ name, path, fault string }{
		{name: "modbus", path: filepath.Join(agent, "voltage-plugin-modbus")},
		{name: "mqtt", path: filepath.Join(data, "plugins", "voltage-plugin-mqtt")},
		{name: "own", path: filepath.Join(data, "elsewhere")},
		{name: "lost", fault: "/does/not/exist"},
		{name: "plain", fault: "chmod +x"},
		{name: "modbos", fault: `Did you mean "modbus"?`},
		{name: "../../bin/sh", fault: "no plugin name"},
		{name: "", fault: "no plugin name"},
	} {
		path, err := h.Find(test.name)
		switch {
		case test.fault == "" && (err != nil || path != test.path):
			t.Errorf("%s: %s, %v", test.name, path, err)
		case test.fault != "" && (!errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), test.fault)):
			t.Errorf("%s: %v, want %q", test.name, err, test.fault)
		}
	}
	if got := strings.Join(h.Available(), " "); got != "lost modbus mqtt own" {
		t.Errorf("available: %s", got)
	}
}

func TestStartFailures(t *testing.T) {
	for _, test := range []struct {
		name, want string
		plugins    []*site.Plugin
	}{
		{"ends before the handshake", "exit status 7; its last words: no licence found in /etc/faulty", faultyEnv("FAULT", "exit")},
		{"panics", "panic: crash at start", faultyEnv("FAULT", "crash")},
		{"another plugin", `says that it is plugin "smarty"`, faultyEnv("CALL_ME", "smarty")},
		{"too old", "is version 1.2.3, the site wants >= 2", []*site.Plugin{{Name: "faulty", Version: ">= 2"}}},
		{"no executable", "exec format error", []*site.Plugin{{Name: "faulty", Path: "testdata/no-executable"}}},
		{"no plugin", "ended before the handshake", []*site.Plugin{{Name: "faulty", Path: "/bin/true"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := newKit(t, func(o *Options) { o.Plugins = test.plugins })
			_, err := k.Describe(limit(t), "faulty")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	k := newKit(t, func(o *Options) { o.Plugins = faultyEnv("FAULT", "mute") })
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if _, err := k.Describe(ctx, "faulty"); err == nil || !strings.Contains(err.Error(), "is not up yet") {
		t.Errorf("%v", err)
	}
	start := time.Now()
	k.Shut()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("closing took %s", took)
	}
}

func TestSchemas(t *testing.T) {
	k := newKit(t, nil)
	d, err := k.Driver(limit(t), "line")
	if err != nil || len(d.Channel.Attributes) != 2 || d.Channel.Attributes[1].Default != "1s" || *d.Channel.Attributes[1].Max != 60e9 || d.PointTypes[0] != "number" {
		t.Fatalf("%+v, %v", d, err)
	}
	if _, err := k.Sink(limit(t), "line"); err == nil || !strings.Contains(err.Error(), "has no sink") {
		t.Errorf("sink: %v", err)
	}
	p, err := k.Profile(limit(t), "line", "boiler")
	if err != nil || !strings.HasPrefix(string(p.CSV), "point,address") {
		t.Errorf("profile: %+v %v", p, err)
	}
	p, err = k.Profile(limit(t), "line", "toaster")
	if err != nil || len(p.CSV) != 0 || len(p.Names) != 1 {
		t.Errorf("unknown profile: %+v %v", p, err)
	}
	diags, err := k.Check(limit(t), "line", sdk.ChannelSpec{Name: "lan", Config: sdk.Values{"address": "nowhere"}})
	if err != nil || !diags.HasErrors() || strings.Join(diags[0].Path, ".") != "config.address" {
		t.Errorf("check: %+v %v", diags, err)
	}
	if _, err := k.Check(limit(t), "faulty", sdk.ChannelSpec{Config: sdk.Values{"open": "panic-in-check"}}); err == nil || !strings.Contains(err.Error(), "check failed me") {
		t.Errorf("check that panics: %v", err)
	}
	if diags, err := k.Check(limit(t), "faulty", sdk.ChannelSpec{}); err != nil || len(diags) != 1 {
		t.Errorf("after the panic: %v %v", diags, err)
	}
}

func TestKnownPluginIsNotStarted(t *testing.T) {
	k := newKit(t, nil)
	if _, err := k.Driver(limit(t), "line"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Profile(limit(t), "line", "boiler"); err != nil {
		t.Fatal(err)
	}
	k.Shut()
	again := newKit(t, func(o *Options) { o.DataDir = k.o.DataDir })
	d, err := again.Driver(limit(t), "line")
	if err != nil || len(d.Channel.Attributes) != 2 {
		t.Fatalf("%+v, %v", d, err)
	}
	if p, err := again.Profile(limit(t), "line", "boiler"); err != nil || len(p.CSV) == 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	if n := len(again.Status().Plugins); n != 0 {
		t.Errorf("%d plugins were started", n)
	}
}

func TestRubbishInTheCacheIsNoDanger(t *testing.T) {
	k := newKit(t, nil)
	sum, err := checksum(filepath.Join(bin, "voltage-plugin-line"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"description", profileFile("boiler")} {
		k.cache.write(sum, name, []byte("\xff\xff rubbish"))
	}
	if _, err := k.Driver(limit(t), "line"); err != nil {
		t.Error(err)
	}
	if p, err := k.Profile(limit(t), "line", "boiler"); err != nil || len(p.CSV) == 0 {
		t.Errorf("%+v %v", p, err)
	}
}

// own copies a plugin to a folder of the test, so that it may be changed there.
func own(t *testing.T, name string) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, Prefix+name)
	copyFile(t, filepath.Join(bin, Prefix+name), path)
	return dir, path
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	// A running executable can't be overwritten, but replaced.
	_ = os.Remove(to)
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, path string) {
	t.Helper()
	copyFile(t, path, path+".new")
	f, err := os.OpenFile(path+".new", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("!"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

func TestLock(t *testing.T) {
	short(t)
	dir, path := own(t, "faulty")
	k := newKit(t, func(o *Options) { o.AgentDir = dir })
	// Without a lock file everything may start.
	c := k.open("faulty", faulty("a", filepath.Join(k.dir, "record")))
	if k.plugin("faulty").Locked {
		t.Error("it counts as locked without a lock file")
	}
	foreign := LockedPlatform{Name: "plan9_mips", Version: "0.9.0", SHA256: strings.Repeat("ab", 32)}
	lock := &Lock{Path: k.o.LockPath}
	lock.Set("faulty", foreign)
	lock.Set("zebra", foreign)
	if err := lock.Write(); err != nil {
		t.Fatal(err)
	}
	// With one that does not know it for this platform, it may not.
	kill(t, k.plugin("faulty").PID)
	eventually(t, "it is refused", func() bool { return k.plugin("faulty").State == Refused })
	if p := k.plugin("faulty"); !strings.Contains(p.Error, "has no entry for it on "+Platform()) || !strings.Contains(p.Error, "voltage plugin lock") {
		t.Errorf("error: %s", p.Error)
	}
	locked, err := k.LockPlugins(limit(t), []string{"faulty"})
	if err != nil || len(locked) != 1 || locked[0].Version != "1.2.3" || locked[0].Before != "" {
		t.Fatalf("%+v %v", locked, err)
	}
	lock, err = ReadLock(k.o.LockPath)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := lock.Get("faulty", "plan9_mips"); got != foreign {
		t.Errorf("the other platform's entry: %+v", got)
	}
	if _, ok := lock.Get("zebra", "plan9_mips"); !ok {
		t.Error("the other plugin's entry is gone")
	}
	eventually(t, "it runs, locked", func() bool { p := k.plugin("faulty"); return p.State == Running && p.Locked })
	// Several starts with the same lock file.
	for range 2 {
		pid := k.plugin("faulty").PID
		kill(t, pid)
		eventually(t, "it runs again", func() bool { p := k.plugin("faulty"); return p.State == Running && p.PID != pid })
	}
	// Replaced on disk: what runs goes on, the next start is refused.
	appendTo(t, path)
	if c.Status().State != Running {
		eventually(t, "open", func() bool { return c.Status().State == Running })
	}
	kill(t, k.plugin("faulty").PID)
	eventually(t, "it is refused", func() bool { return k.plugin("faulty").State == Refused })
	got, err := checksum(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{path, locked[0].SHA256, got, "voltage plugin lock"} {
		if p := k.plugin("faulty"); !strings.Contains(p.Error, want) {
			t.Errorf("the error does not name %s: %s", want, p.Error)
		}
	}
	if _, err := k.Driver(limit(t), "faulty"); !errors.As(err, new(*ChecksumError)) {
		t.Errorf("a schema of a changed plugin: %v", err)
	}
	// Whoever is about to lock it anew may ask it all the same.
	trusting := newKit(t, func(o *Options) { o.AgentDir, o.LockPath, o.Trust = dir, k.o.LockPath, true })
	if d, err := trusting.Driver(limit(t), "faulty"); err != nil || d == nil {
		t.Errorf("a trusting host: %v", err)
	}
	// Put back, it comes up by itself.
	copyFile(t, filepath.Join(bin, Prefix+"faulty"), path)
	eventually(t, "it runs and the channel is open", func() bool {
		return k.plugin("faulty").State == Running && c.Status().State == Running
	})
}

func TestLockFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, LockName)
	if l, err := ReadLock(path); l != nil || err != nil {
		t.Errorf("a file that is not there: %v %v", l, err)
	}
	file := filepath.Join(dir, "exe")
	if err := os.WriteFile(file, []byte("abc"), 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := LockForeign(path, "modbus", "linux_riscv64", "1.0.0", file)
	if err != nil || got.SHA256 != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Fatalf("%+v %v", got, err)
	}
	if _, err := LockForeign(path, "modbus", "linux_arm64", "1.0.0", file); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := lockHeader + `plugin "modbus" {
  platform "linux_arm64" {
    version = "1.0.0"
    sha256  = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
  }
  platform "linux_riscv64" {
    version = "1.0.0"
    sha256  = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
  }
}
`
	if string(b) != want {
		t.Errorf("got:\n%s", b)
	}
	for _, rubbish := range []string{"plugin {", "plugin \"a\" { platform \"b\" {} }", "\x00"} {
		if err := os.WriteFile(path, []byte(rubbish), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadLock(path); err == nil || !strings.Contains(err.Error(), LockName) {
			t.Errorf("%q: %v", rubbish, err)
		}
	}
}

func TestRunFolder(t *testing.T) {
	short(t)
	t.Run("too long", func(t *testing.T) {
		long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
		k := newKit(t, func(o *Options) { o.RunDir = long })
		if _, err := k.Describe(limit(t), "line"); err != nil {
			t.Fatal(err)
		}
		dir := k.runDir
		k.Shut()
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the temporary folder is left: %v", err)
		}
	})
	t.Run("stale sockets", func(t *testing.T) {
		run := shortDir(t)
		dead, live := filepath.Join(run, "plugin-dir1"), filepath.Join(run, "plugin-dir2")
		for _, dir := range []string{dead, live} {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for _, dir := range []string{dead, live} {
			l, err := net.Listen("unix", filepath.Join(dir, "plugin7"))
			if err != nil {
				t.Fatal(err)
			}
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			if dir == dead {
				l.Close()
			} else {
				defer l.Close()
			}
		}
		h, err := NewHost(Options{RunDir: run})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close(context.Background())
		if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
			t.Error("the dead socket is left")
		}
		if _, err := os.Stat(filepath.Join(live, "plugin7")); err != nil {
			t.Errorf("the live socket: %v", err)
		}
	})
}

func TestClosedHost(t *testing.T) {
	h, err := NewHost(Options{AgentDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := h.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.OpenChannel(context.Background(), "line", sdk.ChannelSpec{Name: "x"}); !errors.Is(err, ErrHostClosed) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(h.runDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the run folder is left: %v", err)
	}
}

func TestLines(t *testing.T) {
	var got []string
	l := &lines{take: func(b []byte) { got = append(got, string(b)) }}
	for _, p := range []string{"one\ntwo", "\r\n\nthr", "ee\n", strings.Repeat("x", maxLine+3), "\nend"} {
		if n, err := l.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	l.end()
	l.end()
	want := []string{"one", "two", "", "three", strings.Repeat("x", maxLine), "xxx", "end"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q", got)
	}
}
