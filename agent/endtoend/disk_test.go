package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A full disk: the outputs go to their safe values, the status says why, and all goes on when there is room again.
func TestTheDiskIsFull(t *testing.T) {
	short(t)
	plant := newPlant(t, 110)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	disk := filepath.Join(filepath.Dir(a.data), "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("no small disk can be made here: %v", err)
	}
	t.Cleanup(func() {
		a.stop()
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	a.data = filepath.Join(disk, "data")
	a.start()
	a.eventually("the peak is shaved", func() error { return aboutSetpoint(plant, 30, 1.5) })

	waste := filepath.Join(disk, "waste")
	if err := fill(waste); err != nil {
		t.Fatal(err)
	}
	a.eventually("the battery is at its safe value", func() error { return aboutSetpoint(plant, 0, 0) })
	a.eventually("the status says why", func() error {
		s := a.status()
		if s.State != "degraded" || s.Store.State != "cannot persist" || s.Journal.State != "failed" {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	if v, err := a.get("battery.soc"); err != nil || v.Quality != "good" {
		t.Errorf("a point is %+v, %v", v, err)
	}
	if v, err := a.get("bess.soc"); err != nil || v.Quality != "bad" {
		t.Errorf("a measurement that is not kept up is %+v, %v", v, err)
	}

	if err := os.Remove(waste); err != nil {
		t.Fatal(err)
	}
	a.eventually("the peak is shaved again", func() error { return aboutSetpoint(plant, 30, 1.5) })
	a.eventually("all is well again", func() error {
		if s := a.status(); s.State != "ok" {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}

// fill writes a file until the disk is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2] // the last bit of room too
		}
	}
	return nil
}
