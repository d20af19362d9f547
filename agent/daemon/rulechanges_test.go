package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/event"
)

// telling is the change that makes a rule tell the battery a power, whatever the meter reads.
func telling(name string, kW float64) api.RuleChange {
	return api.RuleChange{Name: name, Kind: "rule", By: "cli.anna", Definition: fmt.Appendf(nil, `{
  "when": "device.grid_meter.power > -1000000",
  "priority": 90,
  "set": { "battery.setpoint": { "value": %g } }
}`, kW)}
}

// stored are the names of the files with rules, and of what else lies there.
func (r *rig) stored() string {
	entries, _ := os.ReadDir(filepath.Join(r.data, "rules"))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func (r *rig) definition(name string) api.RuleDefinition {
	r.t.Helper()
	d, err := r.RuleDefinition(r.ctx(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// applied makes sure that a change was made.
func (r *rig) applied(p api.Plan, err error) {
	r.t.Helper()
	if err != nil || !p.Applied {
		r.t.Fatalf("%+v: %v", p, err)
	}
}

func TestRulesAreMadeWhileTheSiteRuns(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(80, 25, ""))
	r.start()
	r.told(25)
	r.ok()

	p, err := r.ValidateRule(r.ctx(), telling("night", 7))
	if err != nil || p.Applied || p.Text != "+ rule night\n" || r.stored() != "" {
		t.Fatalf("a look changed something: %+v, %v, %q", p, err, r.stored())
	}
	r.applied(r.PutRule(r.ctx(), telling("night", 7)))
	r.told(7)
	if d := r.definition("night"); !d.Stored || !json.Valid(d.Definition) || !strings.Contains(string(d.Definition), "90") || !d.Rules[0].Stored {
		t.Errorf("the rule is %+v", d)
	}
	if d := r.definition("peak"); d.Stored || !strings.HasSuffix(d.Place, "site.hcl:34") || d.Rules[0].Stored {
		t.Errorf("the site's rule is %+v", d)
	}

	// The site's file is being edited: a change of a rule does not take what stands there.
	r.write("site.hcl", "rule \"half")
	r.applied(r.PutRule(r.ctx(), telling("night", 8)))
	r.told(8)

	// The agent starts anew, and its site is broken still: what ran last runs, with the rule.
	r.stop()
	r.start()
	r.told(8)
	r.applied(r.PutRule(r.ctx(), telling("night", 9)))
	r.told(9)

	// The data folder has moved: the copy in it has the rule where the folder is now.
	r.stop()
	moved := r.data + "2"
	if err := os.Rename(r.data, moved); err != nil {
		t.Fatal(err)
	}
	r.data = moved
	r.start()
	r.told(9)
	if d := r.definition("night"); !d.Stored || !strings.HasPrefix(d.Place, moved) || !d.Rules[0].Stored {
		t.Errorf("after a move the rule is %+v", d)
	}

	r.write("site.hcl", r.battery(80, 26, ""))
	r.applied(r.Reload(r.ctx()))
	r.ok()
	if err := r.tells(9); err != nil {
		t.Error(err)
	}
	r.stop()
	r.start()
	r.told(9)
	r.applied(r.DeleteRule(r.ctx(), "night", "cli.anna"))
	r.told(26)
	if r.stored() != "" {
		t.Errorf("left behind: %s", r.stored())
	}
	if _, err := r.RuleDefinition(r.ctx(), "night"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a rule that is gone: %v", err)
	}

	events, err := r.Events(r.ctx(), api.EventsRequest{Since: time.Now().Add(-time.Hour), Until: time.Now(), Kinds: []string{event.Rule}, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, e := range events {
		if e.Get("by") != "" {
			said = append(said, e.Get("rule")+" "+e.Get("event")+" by "+e.Get("by"))
		}
	}
	if got := strings.Join(said, ", "); got != "night created by cli.anna, night changed by cli.anna, night changed by cli.anna, night deleted by cli.anna" {
		t.Errorf("the events say %s", got)
	}
}

func TestAWrongRuleChangesNothing(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(80, 25, ""))
	r.start()
	r.told(25)
	r.ok()
	r.applied(r.PutRule(r.ctx(), telling("night", 7)))
	r.told(7)
	before := r.status().Revision

	wrong := telling("night", 8)
	wrong.Definition = json.RawMessage("{\n  \"when\": \"device.grid_meter.pwer > 0\",\n  \"set\": { \"battery.soc\": { \"value\": 1 } }\n}")
	_, err := r.PutRule(r.ctx(), wrong)
	var refusal *api.Error
	if !errors.As(err, &refusal) || refusal.Code != "invalid" || len(refusal.Diagnostics) != 2 {
		t.Fatalf("%v", err)
	}
	for i, want := range []string{"Did you mean", "read"} {
		if d := refusal.Diagnostics[i]; d.Line != i+2 || !strings.HasSuffix(d.File, "night.hcl.json") || !strings.Contains(d.Summary+d.Detail, want) || d.Snippet == "" {
			t.Errorf("it is said: %+v", d)
		}
	}
	for name, c := range map[string]api.RuleChange{
		"conflict": {Name: "peak", Kind: "rule", Definition: json.RawMessage(`{}`)},
		"name":     {Name: "../../x", Kind: "rule", Definition: json.RawMessage(`{}`)},
		"kind":     {Name: "x", Kind: "device", Definition: json.RawMessage(`{}`)},
		"list":     {Name: "x", Kind: "rule", Definition: json.RawMessage(`[]`)},
		"needs":    {Name: "x", Kind: "chain", Definition: json.RawMessage(`{"node": {}}`)},
	} {
		if _, err := r.PutRule(r.ctx(), c); !errors.Is(err, api.ErrInvalid) && !(name == "conflict" && errors.Is(err, api.ErrConflict) && strings.Contains(err.Error(), "site.hcl:34")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.DeleteRule(r.ctx(), "peak", "x"); !errors.Is(err, api.ErrConflict) {
		t.Errorf("the site's rule is deleted: %v", err)
	}
	if _, err := r.DeleteRule(r.ctx(), "nigth", "x"); !errors.Is(err, api.ErrNotFound) || !strings.Contains(err.Error(), "did you mean night") {
		t.Errorf("a rule that is not there is deleted: %v", err)
	}
	if _, err := r.EnableRule(r.ctx(), "peek", "x"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a rule that is not there is enabled: %v", err)
	}
	if err := r.tells(7); err != nil || r.stored() != "night.hcl.json" || r.status().Revision != before {
		t.Errorf("something changed: %v, %s, revision %s, was %s", err, r.stored(), r.status().Revision, before)
	}
}

func TestRulesAreSwitched(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(80, 25, ""))
	r.start()
	r.told(25)
	r.ok()
	r.applied(r.DisableRule(r.ctx(), "peak", "cli.anna"))
	r.told(0)
	r.stop()
	r.start()
	if d := r.definition("peak").Rules[0]; d.Enabled || !d.Switched || d.State != "disabled" {
		t.Errorf("after a restart the rule is %+v", d)
	}
	r.write("site.hcl", r.battery(80, 24, ""))
	r.applied(r.Reload(r.ctx()))
	if d := r.definition("peak").Rules[0]; d.Enabled || !d.Switched {
		t.Errorf("after a reload the rule is %+v", d)
	}
	r.applied(r.EnableRule(r.ctx(), "peak", "cli.anna"))
	r.told(24)
	if d := r.definition("peak").Rules[0]; !d.Enabled || d.Switched || r.stored() != "" {
		t.Errorf("the rule is %+v, and a switch remains that would outlive the site's word: %s", d, r.stored())
	}
}

func TestARuleRunsDry(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(80, 25, ""))
	r.start()
	r.told(25)
	r.ok()
	c := telling("night", 7)
	s, err := r.StartShadow(r.ctx(), api.ShadowRequest{Rule: &c, For: time.Minute})
	if err != nil || s.Kind != "rule" || s.Name != "night" {
		t.Fatalf("%+v %v", s, err)
	}
	r.eventually("the candidate asks for 7 kW", func() error {
		s, err := r.Shadow(r.ctx())
		if err != nil {
			return err
		}
		for _, x := range s.Compared.Subjects {
			if x.Owner == "rule.night" && x.OnlyNow > 0 {
				return nil
			}
		}
		return fmt.Errorf("%+v", s.Compared)
	})
	if err := r.tells(25); err != nil || r.stored() != "" {
		t.Errorf("the live site was touched: %v, %s", err, r.stored())
	}
	if _, err := r.PromoteShadow(r.ctx()); err != nil {
		t.Fatal(err)
	}
	r.told(7)
	if r.stored() != "night.hcl.json" {
		t.Errorf("stored are %s", r.stored())
	}
}
