package endtoend

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestShippedScenarios(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the built programs")
	}
	cmd := exec.Command(binary("voltage"), "--data", t.TempDir(), "rules", "test",
		"examples/scenarios/peak_shaving.hcl", "examples/scenarios/cold_store.hcl", "examples/scenarios/flows.hcl")
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "9 passed, 0 failed\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Each ready-made rule has its scenarios, on the example sites.
func TestScenariosOfTheReadyMadeRules(t *testing.T) {
	short(t)
	files, err := filepath.Glob("../../examples/scenarios/rules/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	out, err := exec.Command(binary("voltage"), append([]string{"--data", t.TempDir(), "rules", "test"}, files...)...).CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "19 passed, 0 failed\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// CI servers read the results as XML.
func TestScenariosForCIServers(t *testing.T) {
	short(t)
	dir := t.TempDir()
	file, report := filepath.Join(dir, "s.hcl"), filepath.Join(dir, "report.xml")
	site, err := filepath.Abs("../../site.hcl")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`
scenario "nothing <&> happens" {
  site = %[1]q
  at "1s" {
    expect { idle = ["peak_shaving"] }
  }
}
scenario "not met" {
  site = %[1]q
  at "1s" {
    expect { output = { "battery.setpoint" = 3 } }
  }
}
scenario "not possible" {
  site = %[1]q
  at "1s" {
    bad = ["battery.sock"]
  }
}
`, site)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		out, err := exec.Command(binary("voltage"), append([]string{"--data", dir, "rules", "test", file}, args...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := run("--junit", report); err == nil || !strings.HasSuffix(out, "1 passed, 2 failed\n") {
		t.Errorf("%v\n%s", err, out)
	}
	var got struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Suites   []struct {
			Name  string `xml:"name,attr"`
			Cases []struct {
				Name    string `xml:"name,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
					Text    string `xml:",chardata"`
				} `xml:"failure"`
				Error *struct {
					Message string `xml:"message,attr"`
				} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	b, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Tests != 3 || got.Failures != 1 || got.Errors != 1 || len(got.Suites) != 1 || got.Suites[0].Name != file || len(got.Suites[0].Cases) != 3 {
		t.Fatalf("%s", b)
	}
	cases := got.Suites[0].Cases
	if cases[0].Name != "nothing <&> happens" || cases[0].Failure != nil || cases[0].Error != nil {
		t.Errorf("%+v", cases[0])
	}
	if f := cases[1].Failure; f == nil || f.Message != "output battery.setpoint: expected 3, got 0" || !strings.Contains(f.Text, "s.hcl:11: at 1s: ") {
		t.Errorf("%+v", f)
	}
	if e := cases[2].Error; e == nil || !strings.Contains(e.Message, `Did you mean "battery.soc"?`) {
		t.Errorf("%+v", e)
	}
	if out, err := run("--only", "happens"); err != nil || !strings.HasSuffix(out, "1 passed, 0 failed\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := run("--only", "nobody"); err == nil || !strings.Contains(out, `there is no scenario to run whose name has "nobody"`) {
		t.Errorf("%v\n%s", err, out)
	}
}
