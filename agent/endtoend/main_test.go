// Package endtoend uses the built binaries and the simulated plant as a user does: commands, faults, kills.
package endtoend

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var binaries string

// binary is the path of a built program.
func binary(name string) string { return filepath.Join(binaries, name) }

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

// run builds the programs once, side by side, as `make build` leaves them.
func run(m *testing.M) int {
	if testing.Short() {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "voltage-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binaries = dir
	for name, pkg := range map[string]string{
		"voltage":                 "./agent",
		"voltage-plugin-modbus":   "./plugins/modbus",
		"voltage-plugin-influxdb": "./plugins/influxdb",
		"plant":                   "./examples/plant",
	} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg)
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build %s: %v\n%s", pkg, err, out)
			return 1
		}
	}
	return m.Run()
}
