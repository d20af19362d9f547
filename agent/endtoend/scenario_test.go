package endtoend

import (
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
