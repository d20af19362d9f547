package plugin

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

func TestChannelOfThirdParty(t *testing.T) {
	k := newKit(t, nil)
	d := newLineDevice(t, map[string]string{"temp": "61.5", "set": "55"})
	spec := boiler("lan", d.Addr().String())
	c := k.open("line", spec)
	table := spec.Devices[0].Table()
	eventually(t, "a good frame", func() bool {
		for _, f := range k.framesOf("lan", "lan_boiler") {
			v, err := frame.Parse(f, &table)
			if err != nil {
				t.Fatal(err)
			}
			if v.Value(0) == 61.5 && v.Value(1) == 55 && v.Quality(0) == frame.Good {
				return true
			}
		}
		return false
	})
	resp, err := c.Write(limit(t), "lan_boiler", "setpoint", 48.25)
	if err != nil || resp.Err != nil || resp.Written != 48.25 || resp.Answer != "OK 48.25" {
		t.Fatalf("write: %+v, %v", resp, err)
	}
	if resp, err = c.Write(limit(t), "lan_boiler", "temperature", 1); err != nil || resp.Err == nil {
		t.Errorf("a write to a read-only point: %+v, %v", resp, err)
	}
	if _, err = c.Write(limit(t), "nobody", "setpoint", 1); err == nil {
		t.Error("a write to a device that is not there succeeded")
	}
	if err := c.Drain(limit(t)); err != nil {
		t.Fatal(err)
	}
	if set, _ := d.last("set"); set.value != "0" {
		t.Errorf("after the drain the set-point is %q, not the safe value", set.value)
	}
	if _, err := c.Write(limit(t), "lan_boiler", "setpoint", 1); err == nil {
		t.Error("a write after the drain succeeded")
	}
}

func TestPluginKilledIsRestarted(t *testing.T) {
	k := newKit(t, nil)
	record := filepath.Join(k.dir, "record")
	c := k.open("faulty", faulty("a", record))
	first := k.plugin("faulty").PID
	frames := len(k.framesOf("a", "a_dev"))
	kill(t, first)
	eventually(t, "the channel is open again on another process", func() bool {
		p := k.plugin("faulty")
		return p.State == Running && p.PID != first && c.Status().State == Running && c.Status().Reopens == 1
	})
	eventually(t, "frames again", func() bool { return len(k.framesOf("a", "a_dev")) >= frames+2 })
	var qualities []frame.Quality // the one that was killed may have sent another frame before
	for _, f := range k.framesOf("a", "a_dev")[frames:] {
		v, err := frame.Parse(f, nil)
		if err != nil {
			t.Fatal(err)
		}
		qualities = append(qualities, v.Quality(0))
	}
	if !slices.Contains(qualities, frame.Bad|frame.Stopped) {
		t.Errorf("frames since the kill have qualities %v, none of them bad, stopped", qualities)
	}
	if resp, err := c.Write(limit(t), "a_dev", "setpoint", 3); err != nil || resp.Err != nil {
		t.Errorf("the old handle does not write: %v %v", err, resp.Err)
	}
	if p := k.plugin("faulty"); p.Restarts != 1 {
		t.Errorf("restarts: %d", p.Restarts)
	}
}

func TestDriverPanicsFailOneChannelOnly(t *testing.T) {
	for _, test := range []struct{ point, want string }{
		{"runpanic", "panic: run failed me"},
		{"end", "the bus is on fire"},
	} {
		t.Run(test.point, func(t *testing.T) {
			k := newKit(t, nil)
			record := filepath.Join(k.dir, "record")
			a, b := k.open("faulty", faulty("a", record, test.point)), k.open("faulty", faulty("b", record))
			pid := k.plugin("faulty").PID
			if _, err := a.Write(limit(t), "a_dev", test.point, 1); err != nil {
				t.Fatal(err)
			}
			eventually(t, "channel a is open again", func() bool { return a.Status().Reopens == 1 && a.Status().State == Running })
			if s := b.Status(); s.Reopens != 0 || s.State != Running {
				t.Errorf("channel b: %+v", s)
			}
			if p := k.plugin("faulty"); p.PID != pid || p.Restarts != 0 {
				t.Errorf("the process changed: %+v", p)
			}
			if !strings.Contains(k.log.String(), test.want) {
				t.Errorf("the log does not say %q", test.want)
			}
			if !strings.Contains(recorded(record), "a a_dev.setpoint=0 safe=true") {
				t.Errorf("no safe value of the failed channel: %q", recorded(record))
			}
			if strings.Contains(recorded(record), "b b_dev.setpoint=0 safe=true") {
				t.Errorf("the other channel was made safe: %q", recorded(record))
			}
		})
	}
}

func TestWritesThatGoWrong(t *testing.T) {
	k := newKit(t, nil)
	record := filepath.Join(k.dir, "record")
	c := k.open("faulty", faulty("a", record, "panic", "hang", "refuse", "slow"))
	if r, err := c.Write(limit(t), "a_dev", "panic", 1); err != nil || r.Err == nil || !strings.Contains(r.Err.Error(), "panic: write failed me") {
		t.Errorf("panic: %+v, %v", r, err)
	}
	if r, err := c.Write(limit(t), "a_dev", "refuse", 1); err != nil || r.Err == nil || r.Err.Error() != "the device refuses" || r.Answer != "exception 2" {
		t.Errorf("refuse: %+v, %v", r, err)
	}
	brief, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if r, err := c.Write(brief, "a_dev", "slow", 1); err == nil && r.Err == nil {
		t.Errorf("slow: %+v, %v", r, err)
	}
	if r, err := c.Write(limit(t), "a_dev", "setpoint", 5); err != nil || r.Err != nil || r.Written != 5 {
		t.Errorf("after a slow one: %+v, %v", r, err)
	}
	brief2, cancel2 := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel2()
	// Either side may notice first that the time is up.
	if r, err := c.Write(brief2, "a_dev", "hang", 1); err == nil && r.Err == nil {
		t.Errorf("hang: %+v, %v", r, err)
	}
	// The safe value is written past the write that hangs.
	if err := c.Drain(limit(t)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(recorded(record), "a a_dev.setpoint=0 safe=true") {
		t.Errorf("no safe value: %q", recorded(record))
	}
}

func TestProcessPanicShowsItsText(t *testing.T) {
	k := newKit(t, nil)
	record := filepath.Join(k.dir, "record")
	c := k.open("faulty", faulty("a", record, "crash"))
	if _, err := c.Write(limit(t), "a_dev", "crash", 1); err == nil {
		t.Error("the write that crashed the plugin succeeded")
	}
	eventually(t, "the channel is open again", func() bool { return c.Status().Reopens == 1 && c.Status().State == Running })
	p := k.plugin("faulty")
	if !strings.Contains(p.Panic, "panic: a goroutine failed me") || !strings.Contains(p.Panic, "main.go") {
		t.Errorf("panic: %q", p.Panic)
	}
	for i := range 3 {
		n := c.Status().Reopens
		_, _ = c.Write(limit(t), "a_dev", "crash", 1)
		eventually(t, "open again", func() bool { return c.Status().Reopens > n && c.Status().State == Running })
		_ = i
	}
	found := false
	k.mu.Lock()
	for _, e := range k.events {
		found = found || e.Get("event") == "crashed" && strings.Contains(e.Get("detail"), "panic: a goroutine failed me")
	}
	k.mu.Unlock()
	if !found {
		t.Error("no event tells of the crash")
	}
}

func TestCrashLoop(t *testing.T) {
	k := newKit(t, func(o *Options) { o.Plugins = faultyEnv("FAULT", "crash") })
	c, err := k.OpenChannel(limit(t), "faulty", faulty("a", filepath.Join(k.dir, "record")))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(limit(t)); err == nil || !strings.Contains(err.Error(), "panic: crash at start") {
		t.Errorf("wait: %v", err)
	}
	eventually(t, "a crash-loop", func() bool { return k.plugin("faulty").State == CrashLoop })
	if p := k.plugin("faulty"); !strings.Contains(p.Error, "panic: crash at start") || p.RetryAt.IsZero() && p.State == CrashLoop {
		t.Errorf("status: %+v", p)
	}
	if _, err := c.Write(limit(t), "a_dev", "setpoint", 1); err == nil || !strings.Contains(err.Error(), "crash at start") {
		t.Errorf("write: %v", err)
	}
	// Cured, it comes up.
	if changed := k.Configure(nil); !slices.Equal(changed, []string{"faulty"}) {
		t.Errorf("the change matters to %v", changed)
	}
	if err := k.Renew(limit(t), "faulty"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "running", func() bool { return k.plugin("faulty").State == Running && c.Status().State == Running })
}

func TestOpenGoesWrong(t *testing.T) {
	for _, test := range []struct{ how, want string }{
		{"refuse", "config.open: Refused: As you wish."},
		{"panic", "panic: open failed me"},
		{"nothing", "neither a channel nor an error"},
	} {
		t.Run(test.how, func(t *testing.T) {
			k := newKit(t, nil)
			good := k.open("faulty", faulty("good", filepath.Join(k.dir, "good")))
			spec := faulty("bad", filepath.Join(k.dir, "bad"))
			spec.Config["open"] = test.how
			c, err := k.OpenChannel(limit(t), "faulty", spec)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Wait(limit(t)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("wait: %v, want %q", err, test.want)
			}
			if s := c.Status(); s.State != Refused {
				t.Errorf("state: %s", s.State)
			}
			if s := good.Status(); s.State != Running || s.Reopens != 0 {
				t.Errorf("the other channel: %+v", s)
			}
		})
	}
}

func TestBackPressure(t *testing.T) {
	k := newKit(t, nil)
	record := filepath.Join(k.dir, "record")
	c := k.open("faulty", faulty("a", record, "flood"))
	eventually(t, "the first frame", func() bool { return len(k.framesOf("a", "a_dev")) == 1 })
	release := make(chan struct{})
	k.mu.Lock()
	k.block = release
	k.mu.Unlock()
	const count = 5000
	if r, err := c.Write(limit(t), "a_dev", "flood", count); err != nil || r.Err != nil {
		t.Fatalf("%v %v", err, r.Err)
	}
	// While the host takes no frames, writes go through.
	for i := range 20 {
		if r, err := c.Write(limit(t), "a_dev", "setpoint", float64(i)); err != nil || r.Err != nil {
			t.Fatalf("write %d while frames are held back: %v %v", i, err, r.Err)
		}
	}
	if n := len(k.framesOf("a", "a_dev")); n > 2 {
		t.Errorf("%d frames were taken while blocked", n)
	}
	k.mu.Lock()
	k.block = nil
	k.mu.Unlock()
	close(release)
	eventually(t, "all frames", func() bool { return len(k.framesOf("a", "a_dev")) == count+1 })
	for i, f := range k.framesOf("a", "a_dev") {
		if v, err := frame.Parse(f, nil); err != nil || v.Value(0) != float64(i+1) {
			t.Fatalf("frame %d: %v %v", i, v.Value(0), err)
		}
	}
}

func TestStdoutIsNoDanger(t *testing.T) {
	k := newKit(t, func(o *Options) { o.Plugins = faultyEnv("FAULT", "noise") })
	c := k.open("faulty", faulty("a", filepath.Join(k.dir, "record"), "stdout"))
	if r, err := c.Write(limit(t), "a_dev", "stdout", 1); err != nil || r.Err != nil {
		t.Fatalf("%v %v", err, r.Err)
	}
	for _, want := range []string{"Welcome to faulty!", "printed by a driver", "complained by a driver", "[WARN]  faulty.a: logged by a driver: answer=42"} {
		eventually(t, "in the log: "+want, func() bool { return strings.Contains(k.log.String(), want) })
	}
}

func TestLogLinesAreNoDanger(t *testing.T) {
	k := newKit(t, func(o *Options) { o.Plugins = faultyEnv("FAULT", "badlog") })
	k.open("faulty", faulty("a", filepath.Join(k.dir, "record")))
	if !strings.Contains(k.log.String(), `{"@message":5`) {
		t.Error("the odd line is not in the log")
	}
}

func TestEnvironmentIsExplicit(t *testing.T) {
	t.Setenv("VOLTAGE_SECRET_OF_THE_HOST", "hush")
	t.Setenv("FAULT", "crash")
	k := newKit(t, func(o *Options) { o.Plugins = faultyEnv("FAULT", "env", "LICENCE", "42") })
	k.open("faulty", faulty("a", filepath.Join(k.dir, "record")))
	var line string
	for _, l := range strings.Split(k.log.String(), "\n") {
		if strings.Contains(l, "environment: ") {
			line = l
		}
	}
	if !strings.Contains(line, "LICENCE=42") {
		t.Errorf("the site's variable is missing: %q", line)
	}
	for _, foreign := range []string{"hush", "PATH=", "HOME="} {
		if strings.Contains(line, foreign) {
			t.Errorf("%s leaked: %q", foreign, line)
		}
	}
}

func TestDrainOfHangingPluginEnds(t *testing.T) {
	k := newKit(t, nil)
	record := filepath.Join(k.dir, "record")
	spec := faulty("a", record)
	spec.Config["close"] = "hang"
	k.open("faulty", spec)
	k.open("faulty", faulty("b", record))
	pid := k.plugin("faulty").PID
	start := time.Now()
	k.Shut()
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if alive(pid) {
		t.Error("the process is still there")
	}
	for _, want := range []string{"a a_dev.setpoint=0 safe=true", "b b_dev.setpoint=0 safe=true"} {
		if !strings.Contains(recorded(record), want) {
			t.Errorf("%q is not in %q", want, recorded(record))
		}
	}
}

func TestStoppedProcessIsKilled(t *testing.T) {
	k := newKit(t, nil)
	k.open("faulty", faulty("a", filepath.Join(k.dir, "record")))
	pid := k.plugin("faulty").PID
	signal(t, pid, "STOP")
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = k.Close(ctx)
	if alive(pid) {
		t.Error("the stopped process is still there")
	}
}

func TestChildrenOfPluginGoWithIt(t *testing.T) {
	k := newKit(t, nil)
	c := k.open("faulty", faulty("a", filepath.Join(k.dir, "record"), "child"))
	r, err := c.Write(limit(t), "a_dev", "child", 1)
	if err != nil || r.Err != nil || !alive(r.Answer) {
		t.Fatalf("%+v %v", r, err)
	}
	kill(t, k.plugin("faulty").PID)
	eventually(t, "the channel is open again", func() bool { return c.Status().Reopens == 1 && c.Status().State == Running })
	eventually(t, "the child is gone", func() bool { return !alive(r.Answer) })
}

func TestSameChannelTwice(t *testing.T) {
	k := newKit(t, nil)
	spec := faulty("a", filepath.Join(k.dir, "record"))
	c := k.open("faulty", spec)
	if _, err := k.OpenChannel(limit(t), "faulty", spec); err == nil {
		t.Error("it was opened twice")
	}
	if err := c.Drain(limit(t)); err != nil {
		t.Fatal(err)
	}
	k.open("faulty", spec)
}

func TestSink(t *testing.T) {
	k := newKit(t, nil)
	record := filepath.Join(k.dir, "record")
	s, err := k.OpenSink(limit(t), "faulty", sdk.SinkOpenRequest{Name: "history", Site: "bakery", Config: sdk.Values{"record": record}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(limit(t)); err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1700000000123)
	batch := sdk.SinkWriteRequest{Samples: []sdk.Sample{
		{Device: "m", Point: "p", Unit: "kW", Time: at, Value: 1.5},
		{Device: "m", Point: "mode", Time: at, IsText: true, Text: "eco"},
		{Device: "m", Point: "p", Unit: "kW", Time: at.Add(time.Second), Value: 2, Quality: frame.Bad | frame.NoAnswer},
	}}
	for range 2 {
		if _, err := s.Write(limit(t), batch); err != nil {
			t.Fatal(err)
		}
	}
	want := "m.p 1.5 \"\" kW good 1700000000123\nm.mode 0 \"eco\"  good 1700000000123\nm.p 2 \"\" kW bad (no answer) 1700000001123\n"
	if got := recorded(record); got != want+want {
		t.Errorf("got %q", got)
	}
	order := func(kind string) (sdk.SinkWriteResponse, error) {
		return s.Write(limit(t), sdk.SinkWriteRequest{Events: []sdk.Event{{ID: "1-0", Time: at, Kind: kind, Fields: map[string]string{"why": "too old"}}}})
	}
	if _, err := order("fail"); err == nil || err.Error() != "the far end is away" {
		t.Errorf("fail: %v", err)
	}
	if _, err := order("panic"); err == nil || !strings.Contains(err.Error(), "the writer failed me") {
		t.Errorf("panic: %v", err)
	}
	if r, err := order("reject"); err != nil || r.Rejected != 1 || r.Reason != "too old" {
		t.Errorf("reject: %+v %v", r, err)
	}
	brief, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Write(brief, sdk.SinkWriteRequest{Events: []sdk.Event{{Kind: "hang"}}}); err == nil {
		t.Error("a batch that hangs was written")
	}
	kill(t, k.plugin("faulty").PID)
	eventually(t, "the sink is open again", func() bool { return s.Status().Reopens == 1 && s.Status().State == Running })
	if _, err := s.Write(limit(t), batch); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	if err := s.Drain(limit(t)); err != nil {
		t.Error(err)
	}
	if _, err := s.Write(limit(t), batch); err == nil {
		t.Error("a write after the drain succeeded")
	}
}

func kill(t *testing.T, pid string) { signal(t, pid, "KILL") }

func signal(t *testing.T, pid, name string) {
	t.Helper()
	p, err := os.FindProcess(number(t, pid))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(signals[name]); err != nil {
		t.Fatal(err)
	}
}
