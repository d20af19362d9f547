package site_test

import (
	"slices"
	"testing"

	"github.com/voltage-edge/voltage/agent/site"
)

// A point that can only be written has no slot in the frames: it would be bad in each, and no frame of the device would
// ever be known as a whole.
func TestSlotsAreForReadablePoints(t *testing.T) {
	s := sound(t, map[string]string{"site.hcl": `
site "s" {}
channel "c" {
  plugin = "modbus"
  config { address = "127.0.0.1:502" }
}
device "d" {
  channel = channel.c
  config { unit = 1 }
  point "order" {
    address = "holding:0"
    type    = "float32"
    access  = "w"
    write {
      min  = 0
      max  = 1
      safe = 0
    }
  }
  point "a" {
    address = "input:0"
    type    = "float32"
  }
  point "serial" {
    address = "input:10"
    type    = "string"
    length  = 4
  }
  point "limit" {
    address = "holding:2"
    type    = "float32"
    access  = "rw"
    write {
      min  = 0
      max  = 1
      safe = 0
    }
  }
}
`}, site.Options{})
	d := s.Device("d")
	want := map[string]int{"order": -1, "a": 0, "serial": 0, "limit": 1}
	for name, index := range want {
		if p := d.Point(name); p.Index != index {
			t.Errorf("%s has slot %d, want %d", name, p.Index, index)
		}
	}
	table := d.Table()
	if !slices.Equal(table.Numbers, []string{"a", "limit"}) || !slices.Equal(table.Texts, []string{"serial"}) {
		t.Errorf("table: %+v", table)
	}
	spec := d.Spec()
	if spec.Table().TableID() != table.TableID() {
		t.Errorf("the plugin's table is %+v", spec.Table())
	}
	if p := spec.Points[0]; p.Index != -1 || p.Readable || !p.Writable {
		t.Errorf("what the plugin is given: %+v", p)
	}
}
