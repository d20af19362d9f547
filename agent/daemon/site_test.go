package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/api"
)

// All that is wrong is told at once, the plugin's own complaint at its line among it.
func TestCheckTellsAllThatIsWrong(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	text := strings.Replace(r.battery(80, 25, `
alarm "gone" {
  when = device.battery.sock > 5
}
rule "mixed" {
  when = device.battery.soc > "full"
  set "battery.setpoint" { value = 1 }
}
rule "odd" {
  when  = device.battery.soc > 5
  wrong = 1
  set "battery.soc" { value = 1 }
}
`), `"holding:200"`, `"holding:99999999"`, 1)
	r.write("site.hcl", text)
	c := Check(context.Background(), CheckOptions{Site: r.site, Data: r.data})
	line := func(part string) int { return 1 + strings.Count(text[:strings.Index(text, part)], "\n") }
	got := Diagnostics(c.Diagnostics, c.Sources)
	for _, want := range []struct {
		line int
		says string
	}{
		{line(`"holding:99999999"`), "99999999"}, // the plugin's own
		{line("battery.sock"), "sock"},
		{line(`> "full"`), "Number expected"},
		{line("wrong = 1"), "wrong"},
		{line(`set "battery.soc"`), "battery.soc"},
	} {
		found := false
		for _, d := range got {
			found = found || d.Severity == "error" && d.Line == want.line && strings.Contains(d.Summary+d.Detail, want.says) && strings.HasSuffix(d.File, "site.hcl")
		}
		if !found {
			t.Errorf("no error at line %d that says %q, in:", want.line, want.says)
			for _, d := range got {
				t.Logf("%s %s:%d %s: %s", d.Severity, d.File, d.Line, d.Summary, d.Detail)
			}
		}
	}
}

func TestTheLastGoodSiteRunsInThePlaceOfABrokenOne(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(80, 25, ""))
	r.start()
	r.told(25)
	r.eventually("the site is kept", func() error {
		_, err := os.Stat(filepath.Join(r.data, "lastgood", "index.json"))
		return err
	})
	r.stop()

	// Broken in three ways: a wrong word, a table that is gone, a file that is new.
	r.write("site.hcl", r.battery(80, 11, "nonsense = 1\n"))
	r.write("more.hcl", "rule {")
	if err := os.Remove(filepath.Join(r.site, "battery.csv")); err != nil {
		t.Fatal(err)
	}
	strict := r.options()
	strict.Strict = true
	var invalid *InvalidSite
	if err := Run(r.ctx(), strict); !errors.As(err, &invalid) || len(invalid.Diagnostics) < 3 {
		t.Fatalf("strictly, the broken site gives %v", err)
	}
	r.start()
	r.told(25)
	st := r.status()
	if st.State != "degraded" || !strings.Contains(strings.Join(st.Reasons, "\n"), "the last good one runs") {
		t.Errorf("the status is %s, %q", st.State, st.Reasons)
	}
	plan, err := r.Plan(r.ctx())
	if err != nil || !strings.Contains(fmt.Sprint(plan.Diagnostics), "nonsense") {
		t.Errorf("the plan is %+v, %v: expected the diagnostics", plan, err)
	}
	events, err := r.Events(r.ctx(), api.EventsRequest{Kinds: []string{"agent"}, Limit: 100})
	if err != nil || !strings.Contains(fmt.Sprint(events), "site_refused") {
		t.Errorf("the events are %v, %v: expected site_refused", events, err)
	}

	if err := os.Remove(filepath.Join(r.site, "more.hcl")); err != nil {
		t.Fatal(err)
	}
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(80, 11, ""))
	if p, err := r.Reload(r.ctx()); err != nil || !p.Applied {
		t.Fatalf("%+v, %v", p, err)
	}
	r.told(11)
	r.ok()
}

func TestABrokenSiteWithoutAGoodOneIsAnError(t *testing.T) {
	r := newRig(t)
	r.write("site.hcl", "nonsense = 1\n")
	var invalid *InvalidSite
	if err := Run(r.ctx(), r.options()); !errors.As(err, &invalid) {
		t.Fatalf("%v, expected an InvalidSite", err)
	}
}

func TestTwoAgentsOnOneDataFolder(t *testing.T) {
	r := newRig(t)
	r.write("battery.csv", batteryCSV)
	r.write("site.hcl", r.battery(80, 25, ""))
	r.start()
	err := Run(r.ctx(), r.options())
	if err == nil || !strings.Contains(err.Error(), "another agent runs on the data folder") || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Fatalf("%v, expected that another agent runs there", err)
	}
	r.told(25)
	r.ok()
}
