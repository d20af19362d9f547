package endtoend

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// An excerpt lacks what it refers to; anything else that is wrong with it is a mistake of the page.
var excerptLacks = []string{
	"Missing block", "Plugin not usable", "File not readable", "Table not readable", "Invalid function argument", "Unknown device", "Unknown model",
	"Unknown channel", "Unknown target", "Unknown sink", "Unknown contact", "Unknown schedule",
}

var (
	hclBlock = regexp.MustCompile("(?s)```hcl\n(.*?)```")
	summary  = regexp.MustCompile(`(?m)^Error: (.*)$`)
)

// What the pages show of site.hcl is laid out as everybody does, and is taken but for what the excerpts leave out.
func TestSitesOfThePages(t *testing.T) {
	short(t)
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	dir := t.TempDir()
	blocks := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range hclBlock.FindAllSubmatchIndex(text, -1) {
			blocks++
			block := text[at[2]:at[3]]
			place := fmt.Sprintf("%s:%d", filepath.Base(page), strings.Count(string(text[:at[2]]), "\n")+1)
			file := filepath.Join(dir, fmt.Sprintf("block%d.hcl", blocks))
			if err := os.WriteFile(file, block, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(binary("voltage"), "fmt", "--check", file).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", place, err, out)
			}
			if ofAnotherFile(string(block)) {
				continue
			}
			// The exit code says nothing: an excerpt is no site.
			out, _ := exec.Command(binary("voltage"), "validate", "--data", filepath.Join(dir, "data"), file).CombinedOutput()
			for _, m := range summary.FindAllStringSubmatch(string(out), -1) {
				if !slices.Contains(excerptLacks, m[1]) && !strings.HasPrefix(m[1], "the site has") {
					t.Errorf("%s:\n%s", place, out)
					break
				}
			}
		}
	}
	if blocks < 30 {
		t.Errorf("%d blocks, expected 30 or more", blocks)
	}
}

// ofAnotherFile tells whether a block is of a scenario or of the lock file.
func ofAnotherFile(block string) bool {
	return strings.HasPrefix(block, "scenario ") || strings.Contains(block, "  platform ")
}
