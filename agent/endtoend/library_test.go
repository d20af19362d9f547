package endtoend

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/lua"
)

// A library that the site has as a file is loaded anew when the file changes; one that is broken is not.
func TestALibraryFileIsEdited(t *testing.T) {
	short(t)
	plant := newPlant(t, 110)
	a := newAgent(t, "")
	lib := copyLibraries(t, a)
	a.writeSite(peakSite(plant.Address(), 80, fmt.Sprintf("library \"rules\" { file = %q }\n", lib.file)))
	a.start()
	a.eventually("the peak is shaved", func() error { return aboutSetpoint(plant, 30, 1.5) })
	version := func(want string) func() error {
		return func() error {
			for _, l := range a.status().Libraries {
				if l.Name == "rules" && l.Version != want {
					return fmt.Errorf("%+v", l)
				}
			}
			return nil
		}
	}
	lib.write(t, lib.newer)
	a.eventually("the edited library runs", version("9.9.9"))
	hash := a.libraryHash("rules")
	part := filepath.Join(filepath.Dir(lib.file), "condition.lua")
	text, err := os.ReadFile(part)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(part, append(text, "\n-- a remark\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	a.eventually("an edited part of it runs", func() error {
		if now := a.libraryHash("rules"); now == hash {
			return fmt.Errorf("the hash is %s still", now)
		}
		return nil
	})
	lib.write(t, lib.newer+"\nthis is no Lua\n")
	a.eventually("the broken one is told of", func() error {
		if out := a.run("events", "--kind", "library"); !strings.Contains(out, "refused") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	a.eventually("the status shows it", func() error {
		if s := a.status(); s.State != "degraded" {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	setLoad(t, plant, 100)
	a.eventually("the one before goes on", func() error { return aboutSetpoint(plant, 20, 1.5) })
	lib.write(t, strings.Replace(lib.newer, "9.9.9", "9.9.10", 1))
	a.eventually("the mended one runs", version("9.9.10"))
	a.eventually("all is well again", func() error {
		if s := a.status(); s.State != "ok" {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
}

func (a *agent) libraryHash(name string) string {
	a.t.Helper()
	for _, l := range a.status().Libraries {
		if l.Name == name {
			return l.Hash
		}
	}
	a.t.Fatalf("no library %s", name)
	return ""
}

// libraryFile is the rules library in a folder of the test's own.
type libraryFile struct {
	file string
	// newer is the library as version 9.9.9.
	newer string
}

func copyLibraries(t *testing.T, a *agent) libraryFile {
	t.Helper()
	folder := filepath.Join(filepath.Dir(a.data), "lua")
	if out, err := exec.Command("cp", "-r", "../../lua", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l := libraryFile{file: filepath.Join(folder, "rules", "library.lua")}
	text, err := os.ReadFile(l.file)
	if err != nil {
		t.Fatal(err)
	}
	l.newer = regexp.MustCompile(`(?m)^--#version .*$`).ReplaceAllString(string(text), "--#version 9.9.9")
	if l.newer == string(text) {
		t.Fatalf("no version stands in %s", l.file)
	}
	return l
}

func (l libraryFile) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(l.file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A library is replaced while the site runs, a broken one is refused, and a roll-back puts the one before back.
func TestALibraryIsReplacedAndRolledBack(t *testing.T) {
	short(t)
	plant := newPlant(t, 110)
	a := newAgent(t, peakSite(plant.Address(), 80, ""))
	a.start()
	a.eventually("the peak is shaved", func() error { return aboutSetpoint(plant, 30, 1.5) })

	lib := copyLibraries(t, a)
	bundled, err := lua.Bundle("rules")
	if err != nil {
		t.Fatal(err)
	}
	lib.write(t, lib.newer)
	if out := a.run("library", "load", "rules", lib.file); !strings.Contains(out, "9.9.9") {
		t.Errorf("load does not show the new version:\n%s", out)
	}
	setLoad(t, plant, 100)
	a.eventually("the new library decides", func() error { return aboutSetpoint(plant, 20, 1.5) })

	lib.write(t, lib.newer+"\nthis is no Lua\n")
	if code, out := a.code("library", "load", "rules", lib.file); code == 0 {
		t.Errorf("a broken library is loaded:\n%s", out)
	}
	setLoad(t, plant, 110)
	a.eventually("the one before goes on", func() error { return aboutSetpoint(plant, 30, 1.5) })

	a.stop()
	a.start()
	a.eventually("it still runs after a restart", func() error {
		for _, l := range a.status().Libraries {
			if l.Name == "rules" && l.Version != "9.9.9" {
				return fmt.Errorf("%+v", l)
			}
		}
		return aboutSetpoint(plant, 30, 1.5)
	})

	a.run("library", "rollback", "rules")
	for _, l := range a.status().Libraries {
		if l.Name == "rules" && l.Version != bundled.Version {
			t.Errorf("after the roll-back the version is %s, expected %s", l.Version, bundled.Version)
		}
	}
	setLoad(t, plant, 100)
	a.eventually("the library before decides", func() error { return aboutSetpoint(plant, 20, 1.5) })
}
