package endtoend

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every command answers with JSON for programs, and what becomes of a set is in its exit code.
func TestTheCommands(t *testing.T) {
	short(t)
	plant := newPlant(t, 60)
	a := newAgent(t, peakSite(plant.Address(), 80, "api { listen = \"127.0.0.1:0\" }\n"))
	a.start()
	a.eventually("the battery is read", func() error {
		v, err := a.get("battery.soc")
		if err == nil && v.Quality != "good" {
			err = fmt.Errorf("%+v", v)
		}
		return err
	})
	for _, args := range [][]string{
		{"status"}, {"get"}, {"get", "battery.*"}, {"outputs"}, {"why", "bess.power"}, {"history", "battery.soc", "--since", "1m", "--every", "1s"},
		{"events"}, {"alarms", "--all"}, {"rules"}, {"library", "list"}, {"plugin", "list"}, {"plan"}, {"version"},
	} {
		if out := a.run(append(args, "--json")...); !json.Valid([]byte(out)) {
			t.Errorf("voltage %s --json prints no JSON:\n%s", strings.Join(args, " "), out)
		}
	}

	if code, out := a.code("set", "bess.power", "12", "--ttl", "60s"); code != 0 || !strings.Contains(out, "written 12 kW") {
		t.Errorf("a set that is written gives code %d: %s", code, out)
	}
	if err := aboutSetpoint(plant, 12, 0); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"set", "bess.power", "99"}, 1, "-50 to 50 kW"},
		{[]string{"set", "bess.pwoer", "1"}, 1, "did you mean bess.power"},
		{[]string{"set", "battery.soc", "1"}, 1, "read only"},
		{[]string{"get", "battery.scoo"}, 1, "did you mean battery.soc"},
		{[]string{"ack", "meter_lots"}, 1, "did you mean meter_lost"},
		{[]string{"why", "nothing.at.all"}, 1, "there is no output"},
	} {
		if code, out := a.code(c.args...); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("voltage %s gives code %d, expected %d with %q: %s", strings.Join(c.args, " "), code, c.code, c.says, out)
		}
	}
	setLoad(t, plant, 120)
	a.run("set", "bess.power", "none")
	a.eventually("the rule holds the output", func() error { return aboutSetpoint(plant, 40, 2) })
	if code, out := a.code("set", "bess.power", "1", "--priority", "10"); code != 3 || !strings.Contains(out, "rule.peak_shaving") {
		t.Errorf("a set below the rule's priority gives code %d: %s", code, out)
	}
	a.http(t)
}

// http asks the API that the agent serves on loopback.
func (a *agent) http(t *testing.T) {
	t.Helper()
	var s struct{ API string }
	if err := json.Unmarshal([]byte(a.run("status", "--json")), &s); err != nil || s.API == "" {
		t.Fatalf("no API address: %v", err)
	}
	for path, want := range map[string]string{
		"/api/v1/values/battery.soc": `"quality":"good"`,
		"/api/v1/openapi.json":       `"openapi"`,
		"/metrics":                   "voltage_",
		"/healthz":                   `"state"`,
	} {
		resp, err := http.Get(s.API + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s gives %s, %v: %.200s", path, resp.Status, err, body)
		}
	}
}

// A plugin whose executable is not the locked one is not started.
func TestALockedPluginIsNotReplaced(t *testing.T) {
	short(t)
	plant := newPlant(t, 60)
	a := newAgent(t, "")
	own := filepath.Join(filepath.Dir(a.data), "voltage-plugin-modbus")
	program, err := os.ReadFile(binary("voltage-plugin-modbus"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, program, 0o755); err != nil {
		t.Fatal(err)
	}
	a.writeSite(peakSite(plant.Address(), 80, fmt.Sprintf("plugin \"modbus\" { path = %q }\n", own)))
	if out := a.run("plugin", "lock", a.site); !strings.Contains(out, "modbus") {
		t.Errorf("lock prints\n%s", out)
	}
	if code, out := a.code("validate", a.site); code != 0 {
		t.Fatalf("the locked site is not valid: %s", out)
	}
	if err := os.WriteFile(own, append(program, 0), 0o755); err != nil {
		t.Fatal(err)
	}
	code, out := a.code("validate", a.site)
	if code == 0 || !strings.Contains(out, own) || !strings.Contains(out, "voltage plugin lock") {
		t.Errorf("a replaced plugin gives code %d and\n%s", code, out)
	}
}
