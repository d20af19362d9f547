package plugin

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/protocol"
)

func TestHostKilled(t *testing.T) {
	short(t)
	run := shortDir(t)
	a := newLineDevice(t, map[string]string{"temp": "20", "set": "1"})
	b := newLineDevice(t, map[string]string{"temp": "20", "set": "1"})
	cmd, pid := hosting(t, map[string]any{
		"AgentDir": bin, "RunDir": run, "Plugin": "line", "Channels": []sdk.ChannelSpec{boiler("one", a.Addr().String())},
		"Device": "one_boiler", "Point": "setpoint", "Value": 42,
	})
	_, pid2 := hosting(t, map[string]any{
		"AgentDir": bin, "RunDir": run, "Plugin": "line", "Channels": []sdk.ChannelSpec{boiler("two", b.Addr().String())},
		"Device": "two_boiler", "Point": "setpoint", "Value": 43,
	})
	if set, _ := a.last("set"); set.value != "42" {
		t.Fatalf("the set-point did not arrive: %+v", set)
	}
	killed := time.Now()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the safe value at the device", func() bool { set, _ := a.last("set"); return set.value == "0" })
	if set, _ := a.last("set"); set.at.Sub(killed) > protocol.FailSafe {
		t.Errorf("the safe value came after %s", set.at.Sub(killed))
	}
	eventually(t, "the plugin's end", func() bool { return !alive(pid) })
	if took := time.Since(killed); took > protocol.FailSafe+time.Second {
		t.Errorf("the plugin lived for %s", took)
	}
	if !alive(pid2) {
		t.Error("the other host's plugin ended, too")
	}
	if set, _ := b.last("set"); set.value != "43" {
		t.Errorf("the other host's output changed: %+v", set)
	}
	left, _ := filepath.Glob(filepath.Join(run, "*", "*"))
	if len(left) != 1 {
		t.Errorf("sockets: %v, want the other host's only", left)
	}
}

func TestHostKilledWhileAPluginLogsAndHangs(t *testing.T) {
	short(t)
	record := filepath.Join(t.TempDir(), "record")
	spec, other := faulty("a", record, "hang"), faulty("b", record)
	value := 7.0
	// The first device's first point hangs for ever; the values that follow must come all the same.
	spec.Devices[0].Points[0], spec.Devices[0].Points[1] = spec.Devices[0].Points[1], spec.Devices[0].Points[0]
	spec.Devices[0].Points[0].Safe = &value
	cmd, pid := hosting(t, map[string]any{
		"AgentDir": bin, "RunDir": shortDir(t), "Plugin": "faulty", "Channels": []sdk.ChannelSpec{spec, other},
	})
	killed := time.Now()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the plugin's end", func() bool { return !alive(pid) })
	if took := time.Since(killed); took > protocol.FailSafe+time.Second {
		t.Errorf("the plugin lived for %s", took)
	}
	if got := recorded(record); !strings.Contains(got, "b b_dev.setpoint=0 safe=true") {
		t.Errorf("the other channel's safe value is missing: %q", got)
	}
}
