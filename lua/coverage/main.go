// Command coverage measures which statements of the libraries' Lua run in tests. It runs go test with sources that have a
// counter before each statement (go's -overlay puts them in the place of the embedded ones), on a redis-server whose log
// tells which ran, and prints the part of each file and the lines that did not run:
//
//	go run ./lua/coverage [-at-least PERCENT] [-run PATTERN] [PACKAGE …]
//
// Without packages it takes those whose tests are about the libraries. It must be run in the module's folder.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	least := flag.Float64("at-least", 0, "fail when less than this `percent` of all statements ran")
	run := flag.String("run", "", "run the tests that match this `pattern` only")
	flag.Parse()
	packages := flag.Args()
	if len(packages) == 0 {
		packages = []string{"./lua/...", "./agent/compile"}
	}
	if err := measure(packages, *run, *least); err != nil {
		fmt.Fprintln(os.Stderr, "lua/coverage:", err)
		os.Exit(1)
	}
}

func measure(packages []string, run string, least float64) error {
	dir, err := os.MkdirTemp("", "voltage-coverage-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := filepath.Abs("lua")
	if err != nil {
		return err
	}
	sources, overlay, err := instrumented(root, dir)
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return fmt.Errorf("there is no Lua in %s: run it in the module's folder", root)
	}
	text, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), text, 0o644); err != nil {
		return err
	}
	if err := logging(dir); err != nil {
		return err
	}
	// The test of this program counts by itself, and would find its lines in the wrong place.
	args := []string{"test", "-count=1", "-skip", "^TestCountersRun$"}
	if run != "" {
		args = append(args, "-run", run)
	}
	cmd := exec.Command("go", append(args, packages...)...)
	cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"),
		"GOFLAGS="+os.Getenv("GOFLAGS")+" -overlay="+filepath.Join(dir, "overlay.json"))
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	failed := cmd.Run()
	seen, err := ran(dir)
	if err != nil {
		return err
	}
	part := report(os.Stdout, sources, seen)
	if failed != nil {
		return fmt.Errorf("the tests on the counted sources: %w", failed)
	}
	if part < least {
		return fmt.Errorf("%.1f %% of the statements ran, and %.1f %% at least are wanted", part, least)
	}
	return nil
}

// logging puts a redis-server into dir that is the installed one, with a log in dir.
func logging(dir string) error {
	real, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("%w: install Debian's package redis-server", err)
	}
	script := fmt.Sprintf("#!/bin/sh\ncase \"$1\" in -*v*ersion|-v) exec %[1]q \"$@\";; esac\nexec %[1]q \"$@\" --logfile %[2]q/$$.log\n", real, dir)
	return os.WriteFile(filepath.Join(dir, "redis-server"), []byte(script), 0o755)
}
