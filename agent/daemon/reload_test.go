package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/api"
)

// faultyChannel is a channel that its plugin refuses at the opening only, when open is "refuse".
func (r *rig) faultyChannel(open string) string {
	return fmt.Sprintf(`
channel "odd" {
  plugin = "faulty"
  config {
    record = %q
    open   = %q
  }
}
device "odd" {
  channel = channel.odd
  point "x" { type = "number" }
}
`, filepath.Join(r.data, "record"), open)
}

func (r *rig) channel(name string) api.ChannelStatus {
	for _, c := range r.status().Channels {
		if c.Name == name {
			return c
		}
	}
	return api.ChannelStatus{}
}

func TestAReloadThatAPluginRefusesIsTakenBack(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(80, 25, r.faultyChannel("")))
	r.start()
	r.told(25)
	r.ok()
	frames := r.channel("lan").Frames

	r.write("site.hcl", r.battery(80, 11, r.faultyChannel("refuse")))
	_, err := r.Reload(r.ctx())
	if err == nil || !strings.Contains(err.Error(), "As you wish") || !strings.Contains(err.Error(), "the site before runs again") {
		t.Fatalf("%v, expected the plugin's refusal", err)
	}
	r.ok()
	if c := r.channel("odd"); c.State != "open" {
		t.Errorf("the channel that was refused is %+v", c)
	}
	if c := r.channel("lan"); c.Frames <= frames || c.Error != "" {
		t.Errorf("the channel that was not touched had %d frames, and is %+v", frames, c)
	}
	r.told(25)
	if p, err := r.Plan(r.ctx()); err != nil || p.Empty || !strings.Contains(p.Text, "peak") {
		t.Errorf("the plan is %+v, %v: expected what is still to come", p, err)
	}

	r.write("site.hcl", r.battery(80, 11, r.faultyChannel("")))
	if p, err := r.Reload(r.ctx()); err != nil || !p.Applied {
		t.Fatalf("%+v, %v", p, err)
	}
	r.told(11)
	r.ok()
}

func TestAReloadSaysWhatWaitsForARestart(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(80, 25, ""))
	r.start()
	r.told(25)
	r.write("site.hcl", r.battery(80, 11, `
api { listen = "127.0.0.1:0" }
journal { max_size = "64MiB" }
`))
	for _, step := range []struct {
		do      func() (api.Plan, error)
		applied bool
	}{
		{func() (api.Plan, error) { return r.Plan(r.ctx()) }, false},
		{func() (api.Plan, error) { return r.Reload(r.ctx()) }, true},
		{func() (api.Plan, error) { return r.Plan(r.ctx()) }, false},
	} {
		p, err := step.do()
		if err != nil || p.Applied != step.applied || strings.Count(p.Text, "Not before a restart") != 2 {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	r.told(11)
	if st := r.status(); st.API != "" {
		t.Errorf("the API listens on %s, expected nothing before a restart", st.API)
	}
}

// A library of the site's own comes, is watched, changes and goes with a reload.
func TestLibrariesAreReloaded(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(80, 25, ""))
	r.start()
	r.told(25)
	rules := func() api.Library {
		list, err := r.Libraries(r.ctx())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range list {
			if l.Name == "rules" {
				return l
			}
		}
		t.Fatalf("no library rules in %v", list)
		return api.Library{}
	}
	bundled := rules()

	r.write("site.hcl", r.battery(80, 25, `library "rules" { version = ">= 99" }`))
	if _, err := r.Reload(r.ctx()); err == nil || !strings.Contains(err.Error(), "the site wants >= 99") {
		t.Fatalf("a version that there is not gives %v", err)
	}

	source, err := os.ReadFile("../../lua/rules/library.lua")
	if err != nil {
		t.Fatal(err)
	}
	r.write("rules.lua", string(source))
	r.write("site.hcl", r.battery(80, 25, `library "rules" { file = "rules.lua" }`))
	if p, err := r.Reload(r.ctx()); err != nil || !p.Applied {
		t.Fatalf("%+v, %v", p, err)
	}
	if l := rules(); !strings.HasSuffix(l.Source, "rules.lua") || l.State != "ok" {
		t.Fatalf("%+v, expected the file", l)
	}
	own := rules().Hash
	r.write("rules.lua", string(source)+"\n-- changed\n")
	r.eventually("the changed file is loaded", func() error {
		if l := rules(); l.Hash == own || l.State != "ok" {
			return fmt.Errorf("%+v", l)
		}
		return nil
	})

	// Broken, it is not what a start runs on.
	changed := rules().Hash
	r.stop()
	r.write("rules.lua", string(source)+"\nthis is no Lua\n")
	r.start()
	r.told(25)
	if l := rules(); l.Hash != changed {
		t.Errorf("%+v, expected the library that ran last", l)
	}
	if st := r.status(); st.State != "degraded" || !strings.Contains(strings.Join(st.Reasons, "\n"), "the one that ran last runs on") {
		t.Errorf("the status is %s, %q", st.State, st.Reasons)
	}

	r.write("site.hcl", r.battery(80, 25, ""))
	if p, err := r.Reload(r.ctx()); err != nil || !p.Applied {
		t.Fatalf("%+v, %v", p, err)
	}
	if l := rules(); l.Source != "bundled" || l.Hash != bundled.Hash {
		t.Errorf("%+v, expected the bundled one", l)
	}
	r.ok()
}
