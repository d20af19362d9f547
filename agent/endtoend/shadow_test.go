package endtoend

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// candidate is what `voltage shadow --json` prints, as far as it matters here.
type candidate struct {
	State, Kind, Name, Reason string
	Frames                    int
	CostMicros                float64 `json:"cost_us"`
	Compared                  struct {
		Totals struct {
			Same, Changed int
			OnlyThen      int `json:"only_then"`
			OnlyNow       int `json:"only_now"`
		}
		Differences []struct{ Kind, Name, Owner string }
	}
}

func (c candidate) differences() int {
	t := c.Compared.Totals
	return t.Changed + t.OnlyThen + t.OnlyNow
}

func (a *agent) shadow() (c candidate) {
	a.t.Helper()
	// One that failed is a failure, and is printed all the same.
	out, _ := a.try("shadow", "--json")
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		a.t.Fatalf("%v: %s", err, out)
	}
	return c
}

// rulesLibrary writes a rules library of another version with more code, and gives its main file.
func (a *agent) rulesLibrary(version, more string) string {
	a.t.Helper()
	text, err := os.ReadFile("../../lua/rules/library.lua")
	if err != nil {
		a.t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(a.data), "rules-"+version+".lua")
	text = regexp.MustCompile(`(?m)^--#version .*$`).ReplaceAll(text, []byte("--#version "+version))
	if err := os.WriteFile(file, append(text, more...), 0o644); err != nil {
		a.t.Fatal(err)
	}
	return file
}

// after makes a library do something from its thirtieth batch on.
func after(what string) string {
	return fmt.Sprintf(`
do
  local calls, whole = 0, Library.functions.rules_batch_execute
  rawset(Library.functions, 'rules_batch_execute', function(keys, args)
    calls = calls + 1
    if calls > 30 then %s end
    return whole(keys, args)
  end)
end
`, what)
}

func TestASiteRunsBesideTheLiveOne(t *testing.T) {
	short(t)
	plant := newPlant(t, 110)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	a.holds("the peak is shaved", plant, 30, 1.5)
	if code, out := a.code("shadow"); code == 0 || !strings.Contains(out, "no candidate") {
		t.Errorf("without a candidate: %d %s", code, out)
	}

	a.writeSite(peakSite(plant.Address(), 90, ""))
	out := a.run("plan", "--shadow", "10m", "--detach")
	for _, want := range []string{"peak_shaving", "bakery: running"} {
		if !strings.Contains(out, want) {
			t.Errorf("the start does not say %q:\n%s", want, out)
		}
	}
	a.eventually("the candidate asks for less", func() error {
		c := a.shadow()
		for _, d := range c.Compared.Differences {
			if c.State == "running" && c.Frames > 20 && c.CostMicros > 0 && d.Kind == "request" && d.Owner == "rule.peak_shaving" {
				return nil
			}
		}
		return fmt.Errorf("%+v", c)
	})
	if err := aboutSetpoint(plant, 30, 1.5); err != nil {
		t.Errorf("the candidate reached the battery: %v", err)
	}
	if out := a.run("status"); !strings.Contains(out, "site bakery: running") {
		t.Errorf("the status does not tell of the candidate:\n%s", out)
	}
	if code, out := a.code("plan", "--shadow", "1m"); code == 0 || !strings.Contains(out, "runs already") {
		t.Errorf("a second one: %d %s", code, out)
	}
	if code, out := a.code("library", "promote", "rules"); code == 0 || !strings.Contains(out, "the candidate is the site") {
		t.Errorf("promoting another one: %d %s", code, out)
	}
	a.run("reload")
	a.eventually("the candidate is the live one", func() error { return aboutSetpoint(plant, 20, 1.5) })
	if c := a.shadow(); c.State != "ended" || !strings.Contains(c.Reason, "reloaded") {
		t.Errorf("after the reload: %+v", c)
	}

	// A time that is over, waited for, with nothing that differs.
	out = a.run("plan", "--shadow", "2s")
	for _, want := range []string{"bakery: ended", "0 not", "voltage reload"} {
		if !strings.Contains(out, want) {
			t.Errorf("the end does not say %q:\n%s", want, out)
		}
	}
	if c := a.shadow(); c.differences() != 0 || c.Frames == 0 {
		t.Errorf("the same site differs: %+v", c)
	}

	// Redis ends, and may have lost what the candidate has.
	a.run("plan", "--shadow", "10m", "--detach")
	if err := syscall.Kill(a.status().Store.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	a.eventually("the candidate ended", func() error {
		if c := a.shadow(); c.State != "ended" || !strings.Contains(c.Reason, "Redis") {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	a.eventually("the live site is well", func() error {
		if s := a.status(); s.State != "ok" {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})

	// The agent is killed with a candidate.
	a.run("plan", "--shadow", "10m", "--detach")
	a.kill()
	eventually(t, "no process is left", func() error { return a.noProcess() })
	a.start()
	if code, _ := a.code("shadow"); code == 0 {
		t.Error("the candidate outlives its agent")
	}
	if _, err := os.Stat(filepath.Join(a.data, "shadow")); !os.IsNotExist(err) {
		t.Errorf("what the candidate left is there: %v", err)
	}
}

func TestALibraryRunsBesideTheLiveOne(t *testing.T) {
	short(t)
	plant := newPlant(t, 110)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	a.holds("the peak is shaved", plant, 30, 1.5)

	// What people do reaches the candidate too.
	a.run("library", "load", a.rulesLibrary("9.0.0", ""), "--shadow", "10m", "--detach")
	a.run("set", "bess.power", "5", "--ttl", "500ms", "--priority", "90")
	a.eventually("it decides as the live one", func() error {
		if c := a.shadow(); c.State != "running" || c.Frames < 30 || c.Compared.Totals.Same < 3 {
			return fmt.Errorf("%+v", c)
		}
		return nil
	})
	if c := a.shadow(); c.differences() != 0 {
		t.Errorf("the same code decides otherwise: %+v", c)
	}
	if out := a.run("library", "promote", "rules"); !strings.Contains(out, "9.0.0") {
		t.Errorf("promote does not show it:\n%s", out)
	}
	if c := a.shadow(); c.State != "promoted" {
		t.Errorf("%+v", c)
	}
	a.eventually("the promoted library runs", func() error { return a.libraryIs("rules", "9.0.0") })

	for name, more := range map[string]string{
		"9.0.1": after("error('thrown on purpose')"),
		"9.0.2": after("while true do end"),
		"9.0.3": after("redis.call('HSET', keys[3], 'x', 'y') while true do end"),
	} {
		frames := a.status().Intake.Frames
		a.run("library", "load", "rules", a.rulesLibrary(name, more), "--shadow", "10m", "--detach")
		a.eventually("the candidate failed", func() error {
			if c := a.shadow(); c.State != "failed" || c.Reason == "" {
				return fmt.Errorf("%+v", c)
			}
			return nil
		})
		if c := a.shadow(); name == "9.0.1" && !strings.Contains(c.Reason, "thrown on purpose") {
			t.Errorf("the reason is %q", c.Reason)
		}
		if code, out := a.code("shadow"); code == 0 || !strings.Contains(out, "the live site was not touched") {
			t.Errorf("a failed candidate gives code %d and\n%s", code, out)
		}
		if code, out := a.code("library", "promote", "rules"); code == 0 || !strings.Contains(out, "failed") {
			t.Errorf("a failed candidate is promoted: %d %s", code, out)
		}
		s := a.status()
		if s.Intake.Frames <= frames || s.State != "ok" {
			t.Errorf("the live site is %s, with %d frames after %d", s.State, s.Intake.Frames, frames)
		}
		a.holds("the live site decides", plant, 30, 1.5)
		a.eventually("its Redis is gone", func() error {
			_, err := os.Stat(filepath.Join(a.data, "shadow"))
			if os.IsNotExist(err) {
				return nil
			}
			return fmt.Errorf("its folder is there: %v", err)
		})
	}
	if err := a.libraryIs("rules", "9.0.0"); err != nil {
		t.Error(err)
	}
	if code, out := a.code("library", "load", "rules", a.rulesLibrary("9.0.4", "\nthis is no Lua\n"), "--shadow", "1m"); code == 0 || !strings.Contains(out, "does not start") {
		t.Errorf("a broken one is started: %d %s", code, out)
	}
	if a.libraryDrop(); a.shadow().State != "dropped" {
		t.Errorf("%+v", a.shadow())
	}
}

func (a *agent) libraryDrop() {
	a.t.Helper()
	a.run("library", "load", "rules", a.rulesLibrary("9.0.5", ""), "--shadow", "1m", "--detach")
	a.run("library", "drop", "rules")
}

func (a *agent) libraryIs(name, version string) error {
	for _, l := range a.status().Libraries {
		if l.Name == name && l.Version == version && l.State == "ok" {
			return nil
		}
	}
	return fmt.Errorf("%+v", a.status().Libraries)
}
