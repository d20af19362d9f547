package endtoend

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// lineSite reads a boiler through the plugin of examples/plugin, which is built apart as a vendor would.
func lineSite(plugin, address, more string) string {
	return fmt.Sprintf(`
site "boiler_house" {}

plugin "line" {
  path = %q
  %s
}

channel "lan" {
  plugin = "line"
  every  = "100ms"
  config { address = %q }
}

device "boiler" {
  channel = channel.lan
  profile = "boiler"
  config { prefix = "b1/" }
  point "mode" { type = "text" }
  point "setpoint" {
    write {
      min  = 20
      max  = 80
      safe = 40
    }
  }
}

rule "heat" {
  when = device.boiler.temperature < 50
  set "boiler.setpoint" { value = 70 }
}
`, plugin, more, address)
}

// lineDevice is a device of examples/plugin in a process of its own.
type lineDevice struct {
	address string
	sets    chan string
}

func newLineDevice(t *testing.T, program string, values ...string) *lineDevice {
	t.Helper()
	cmd := exec.Command(program, append([]string{"--listen", "127.0.0.1:0"}, values...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the device did not tell its address")
	}
	d := &lineDevice{address: lines.Text(), sets: make(chan string, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines.Scan() {
			d.sets <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		<-done
		cmd.Wait()
	})
	return d
}

// buildVendor builds what a vendor ships: a module of its own, in a folder of its own.
func buildVendor(t *testing.T) (plugin, device string) {
	t.Helper()
	dir := t.TempDir()
	plugin, device = filepath.Join(dir, "voltage-plugin-line"), filepath.Join(dir, "linedevice")
	for out, pkg := range map[string]string{plugin: ".", device: "./cmd/linedevice"} {
		cmd := exec.Command("go", "build", "-o", out, pkg)
		cmd.Dir = "../../examples/plugin"
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v\n%s", pkg, err, text)
		}
	}
	return plugin, device
}

// A plugin that a third party built is found, described, checked, run, written to, and started anew when its block changes.
func TestAPluginOfAThirdParty(t *testing.T) {
	short(t)
	plugin, device := buildVendor(t)
	boiler := newLineDevice(t, device, "b1/temp=61.5", "b1/press=1.5", "b1/set=55", "b1/mode=eco")
	a := newAgent(t, lineSite(plugin, boiler.address, ""))

	if out := a.run("plugin", "describe", plugin); !strings.Contains(out, "Host and port") {
		t.Errorf("describe does not say what the plugin takes:\n%s", out)
	}
	a.writeSite(lineSite(plugin, "nowhere", ""))
	if code, out := a.code("validate", a.site); code == 0 || !strings.Contains(out, "Not an address") || !strings.Contains(out, "line 12") {
		t.Errorf("what the plugin itself complains of gives code %d and\n%s", code, out)
	}
	a.writeSite(lineSite(plugin, boiler.address, ""))

	a.start()
	a.eventually("the boiler is read", func() error {
		v, err := a.get("boiler.temperature")
		if err == nil && (v.Value == nil || *v.Value != 61.5 || v.Unit != "°C") {
			err = fmt.Errorf("%+v", v)
		}
		return err
	})
	if out := a.run("get", "boiler.mode"); !strings.Contains(out, "eco") {
		t.Errorf("a text is not shown:\n%s", out)
	}
	if code, out := a.code("set", "boiler.setpoint", "65", "--ttl", "60s"); code != 0 {
		t.Errorf("a set gives code %d: %s", code, out)
	}
	boiler.wants(t, a, "SET b1/set 65")

	before := a.pluginPID("line")
	a.writeSite(lineSite(plugin, boiler.address, `env = { LANG = "C" }`))
	if out := a.run("plan"); !strings.Contains(out, "plugin line") {
		t.Errorf("the plan does not name the plugin:\n%s", out)
	}
	a.run("reload")
	a.eventually("the plugin is another process", func() error {
		for _, p := range a.status().Plugins {
			if p.Name == "line" && p.State == "running" && p.PID != before {
				return nil
			}
		}
		return fmt.Errorf("%+v", a.status().Plugins)
	})
	boiler.wants(t, a, "SET b1/set 65") // what was asked for still stands

	// A program that is no plugin is refused, and the one before goes on.
	before = a.pluginPID("line")
	a.writeSite(lineSite(device, boiler.address, ""))
	if code, out := a.code("reload"); code == 0 {
		t.Errorf("a program that is no plugin is taken:\n%s", out)
	}
	a.eventually("the boiler is still read", func() error {
		v, err := a.get("boiler.temperature")
		if err == nil && v.Quality != "good" {
			err = fmt.Errorf("%+v", v)
		}
		return err
	})

	a.stop()
	boiler.wants(t, a, "SET b1/set 40") // the safe value
}

// wants waits for a SET line.
func (d *lineDevice) wants(t *testing.T, a *agent, line string) {
	t.Helper()
	var got []string
	a.eventually("the device gets "+line, func() error {
		for {
			select {
			case s := <-d.sets:
				if got = append(got, s); s == line {
					return nil
				}
			default:
				return fmt.Errorf("it got %q", got)
			}
		}
	})
}
