package endtoend

import (
	"os/exec"
	"strings"
	"testing"
)

func TestShippedScenarios(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the built programs")
	}
	cmd := exec.Command(binary("voltage"), "--data", t.TempDir(), "rules", "test", "examples/scenarios/peak_shaving.hcl", "examples/scenarios/cold_store.hcl")
	cmd.Dir = "../.."
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "6 passed, 0 failed\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
