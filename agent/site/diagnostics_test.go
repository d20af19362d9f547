package site_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/agent/site"
)

var update = flag.Bool("update", false, "write what is said now as what is expected")

// Each site in testdata/diagnostics has the text beside it that is said about it.
func TestDiagnostics(t *testing.T) {
	all, err := filepath.Glob("testdata/diagnostics/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if strings.HasSuffix(path, ".txt") {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			s, diags := load(t, path, site.Options{})
			if !diags.HasErrors() {
				t.Error("the site has no errors")
			}
			got := text(t, s, diags)
			want := strings.TrimSuffix(path, ".hcl") + ".txt"
			if *update {
				if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			b, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(b) {
				t.Errorf("it says\n%s\nexpected\n%s", got, b)
			}
		})
	}
}
