package site_test

import (
	"os"
	"testing"

	"github.com/voltage-edge/voltage/agent/site"
)

func TestFolder(t *testing.T) {
	dir := write(t, map[string]string{
		"b.hcl": head, "a.hcl": "alarm \"x\" { when = device.meter.power > 1 }\n", "voltage.lock.hcl": "plugin \"modbus\" { sha = 1 }\n",
		".hidden.hcl": "nonsense {", "notes.txt": "nonsense {", "sub/c.hcl": "nonsense {",
	})
	s, diags := load(t, dir, site.Options{})
	if len(diags) > 0 {
		t.Fatal(text(t, s, diags))
	}
	if len(s.Files) != 2 {
		t.Errorf("files %v", s.Files)
	}
	first := s.Revision
	overlaid, diags := load(t, dir, site.Options{Overlay: map[string][]byte{"a.hcl": []byte("alarm \"y\" { when = device.meter.power > 1 }\n"), "c.hcl": []byte("alarm \"z\" { when = device.meter.power > 1 }\n")}})
	if diags.HasErrors() || overlaid.Alarm("y") == nil || overlaid.Alarm("z") == nil || overlaid.Alarm("x") != nil || overlaid.Revision == first {
		t.Errorf("overlay: %v %v", overlaid.Alarms, diags)
	}
	gone, diags := load(t, dir, site.Options{Overlay: map[string][]byte{"a.hcl": nil}})
	if diags.HasErrors() || len(gone.Alarms) != 0 {
		t.Errorf("a file that is to be removed: %v %v", gone.Alarms, diags)
	}
	again, _ := load(t, dir, site.Options{})
	if again.Revision != first {
		t.Error("the revision of the same site differs")
	}
	if err := os.Remove(dir + "/b.hcl"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir + "/a.hcl"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, dir + "/missing", dir + "/sub/none.hcl"} {
		if s, diags := load(t, path, site.Options{}); !diags.HasErrors() || s == nil {
			t.Errorf("%s is taken for a site", path)
		}
	}
}
