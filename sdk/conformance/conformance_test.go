package conformance_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/conformance"
)

const (
	exeEnv   = "CONFORMANCE_EXE"
	faultEnv = "CONFORMANCE_FAULT"
)

// TestVictim is the suite on the plugin of testdata, in a process of its own: TestSuite looks at how it ends.
func TestVictim(t *testing.T) {
	exe := os.Getenv(exeEnv)
	if exe == "" {
		t.Skip("is run by TestSuite")
	}
	folder := t.TempDir()
	for name, value := range map[string]string{"level": "3", "setpoint": "5"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	safe := 5.0
	spec := sdk.ChannelSpec{
		Name: "files", Config: sdk.Values{"folder": folder},
		Devices: []sdk.DeviceSpec{{Name: "tank", Every: 10 * time.Millisecond, Points: []sdk.PointSpec{
			{Name: "level", Index: 0, Address: "level", Type: "number", Scale: 1, Readable: true},
			{Name: "setpoint", Index: 1, Address: "setpoint", Type: "number", Scale: 1, Readable: true, Writable: true, Safe: &safe},
		}}},
	}
	bad := spec
	bad.Config = sdk.Values{}
	o := conformance.Options{
		Env: map[string]string{"FAULT": os.Getenv(faultEnv)}, Channel: &spec,
		Bad:  []conformance.BadChannel{{Name: "no folder", Channel: bad, Path: sdk.ChannelPath("folder")}},
		Sink: &sdk.SinkOpenRequest{Name: "s", Site: "test"}, Samples: []sdk.Sample{{Device: "tank", Point: "level", Time: time.Now(), Value: 3}},
		Read: func(_, point string) (float64, error) {
			text, err := os.ReadFile(filepath.Join(folder, point))
			if err != nil {
				return 0, err
			}
			return strconv.ParseFloat(string(text), 64)
		},
	}
	if o.Env["FAULT"] != "" {
		o.Patience = time.Second // what never comes is not waited for as long as what may
	}
	conformance.Run(t, exe, o)
}

// The suite passes a good plugin, and fails one that breaks a rule, at the part that the rule belongs to.
func TestSuite(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts plugins")
	}
	exe := filepath.Join(t.TempDir(), "voltage-plugin-sample")
	if out, err := exec.Command("go", "build", "-o", exe, "./testdata/sample").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := victim(t, exe, ""); err != nil {
		t.Fatalf("a good plugin fails: %v\n%s", err, out)
	}
	for fault, part := range map[string]string{
		"another name":                    "describe",
		"a version that is none":          "describe",
		"no words about itself":           "describe",
		"something printed":               "",
		"an attribute of the agent's":     "schema",
		"no types":                        "schema",
		"an attribute without words":      "schema",
		"a panic in Check":                "bad configurations",
		"a mistake not seen":              "bad configurations",
		"a mistake without its place":     "bad configurations",
		"a good channel refused":          "check",
		"frames of another table":         "frames",
		"one frame only":                  "frames",
		"a clock that is ahead":           "frames",
		"a device that nobody knows":      "frames",
		"no state":                        "frames",
		"one channel only":                "two channels",
		"writes refused":                  "writes",
		"writes that do not arrive":       "writes",
		"writes to anything":              "writes",
		"writes to what can only be read": "writes",
		"safe values that do not arrive":  "drain",
		"a batch that may not come twice": "sink",
		"an empty batch":                  "sink",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			out, err := victim(t, exe, fault)
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				t.Fatalf("the suite passes it: %v\n%s", err, out)
			}
			want := "--- FAIL: TestVictim"
			if part != "" {
				want += "/" + strings.ReplaceAll(part, " ", "_")
			}
			if !strings.Contains(out, want+" (") {
				t.Errorf("no %q in\n%s", want, out)
			}
		})
	}
}

func victim(t *testing.T, exe, fault string) (string, error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestVictim$", "-test.v", "-test.timeout", "5m")
	cmd.Env = append(os.Environ(), exeEnv+"="+exe, faultEnv+"="+fault)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
