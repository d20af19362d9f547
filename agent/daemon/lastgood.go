package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/durable"
	"github.com/voltage-edge/voltage/agent/site"
)

// lastGood is the folder with a copy of the last site that ran well: its files and CSV tables. What the site reads for a
// secret (file, env, variables) is not copied: it is read again.
type lastGood struct {
	dir string
	// rules is the folder of the rules that were made while the site ran, which are copied too.
	rules string
}

func lastGoodOf(data string) lastGood {
	return lastGood{dir: filepath.Join(data, "lastgood"), rules: ruleFilesOf(data).dir}
}

// goodSite is the index of the copy.
type goodSite struct {
	// Site is the absolute path of the original.
	Site     string     `json:"site"`
	Revision string     `json:"revision"`
	Saved    time.Time  `json:"saved"`
	Files    []goodFile `json:"files"`
	// Variables that were given on the command line, by name.
	Variables []string `json:"variables,omitempty"`
	// Switches are those of the rules.
	Switches map[string]bool `json:"switches,omitempty"`

	overlay map[string][]byte
	made    madeRules
}

// source is the copy as a source.
func (g *goodSite) source(path string, variables map[string]string) source {
	return source{path: path, variables: variables, overlay: g.overlay, made: g.made}
}

// goodFile is one copied file.
type goodFile struct {
	// Name is relative to the site's folder, or, of a rule that was made while the site ran, to the folder of those.
	Name string `json:"name"`
	Made bool   `json:"made,omitempty"`
	// Copy is its name in the folder of the copy.
	Copy   string `json:"copy"`
	SHA256 string `json:"sha256"`
}

func (l lastGood) index() string { return filepath.Join(l.dir, "index.json") }

// site is the path of the site that the copy is of.
func (l lastGood) site() (string, error) {
	b, err := os.ReadFile(l.index())
	if err != nil {
		return "", err
	}
	var g goodSite
	if err := json.Unmarshal(b, &g); err != nil {
		return "", fmt.Errorf("%s: %w", l.index(), err)
	}
	return g.Site, nil
}

// read gives the copy of a site.
func (l lastGood) read(path string) (*goodSite, error) {
	b, err := os.ReadFile(l.index())
	if err != nil {
		return nil, err
	}
	g := &goodSite{overlay: map[string][]byte{}}
	if err := json.Unmarshal(b, g); err != nil {
		return nil, fmt.Errorf("%s: %w", l.index(), err)
	}
	g.made = madeRules{files: map[string][]byte{}, switches: g.Switches}
	if full, err := filepath.Abs(path); err != nil || full != g.Site {
		return nil, fmt.Errorf("the last good site in %s is that of %s", l.dir, g.Site)
	}
	for _, f := range g.Files {
		b, err := os.ReadFile(filepath.Join(l.dir, f.Copy))
		if err != nil {
			return nil, err
		}
		if sumOf(b) != f.SHA256 {
			return nil, fmt.Errorf("%s is not what was written", filepath.Join(l.dir, f.Copy))
		}
		if f.Made {
			g.made.files[filepath.Join(l.rules, f.Name)] = b
		} else {
			g.overlay[f.Name] = b
		}
	}
	return g, g.hideOthers(path)
}

// hideOthers makes the files that came into the site's folder since then no part of the site.
func (g *goodSite) hideOthers(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil // The site is a file.
	}
	for _, e := range entries {
		if _, ok := g.overlay[e.Name()]; !ok && (strings.HasSuffix(e.Name(), ".hcl") || strings.HasSuffix(e.Name(), ".hcl.json")) {
			g.overlay[e.Name()] = nil
		}
	}
	return nil
}

// write replaces the copy. The index is written last: until then the copy before counts.
func (l lastGood) write(g *goodSite) error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	g.Files, g.Switches = nil, g.made.switches
	keep := map[string]bool{filepath.Base(l.index()): true}
	add := func(files map[string][]byte, made bool) error {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			sum := sumOf(files[name])
			f := goodFile{Name: name, Made: made, SHA256: sum, Copy: sum[:16] + "-" + filepath.Base(name)}
			if made {
				f.Name = filepath.Base(name)
			}
			keep[f.Copy] = true
			if err := durable.WriteFile(filepath.Join(l.dir, f.Copy), files[name], 0o600); err != nil {
				return err
			}
			g.Files = append(g.Files, f)
		}
		return nil
	}
	if err := errors.Join(add(g.overlay, false), add(g.made.files, true)); err != nil {
		return err
	}
	b, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(l.index(), append(b, '\n'), 0o600); err != nil {
		return err
	}
	return l.prune(keep)
}

// prune removes what only an earlier copy had.
func (l lastGood) prune(keep map[string]bool) error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if !keep[e.Name()] {
			errs = append(errs, os.Remove(filepath.Join(l.dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// keepGood copies a site that runs well, with what it was read from. It is the site that runs and no later one: read from the copy, it has
// the same revision.
func (a *Agent) keepGood(ctx context.Context, s *site.Site, from source) {
	err := a.copyGood(ctx, s, from)
	if err != nil && ctx.Err() == nil {
		a.log.Warn("the site is not kept as the last good one", "error", err)
	}
}

func (a *Agent) copyGood(ctx context.Context, s *site.Site, from source) error {
	full, err := filepath.Abs(a.o.Site)
	if err != nil {
		return err
	}
	if old, err := a.lastGood.read(a.o.Site); err == nil && old.Revision == s.Revision {
		return nil
	}
	g := &goodSite{Site: full, Revision: s.Revision, Saved: time.Now().UTC().Truncate(time.Second), overlay: map[string][]byte{}, made: from.made}
	g.Variables = slices.Sorted(maps.Keys(a.o.Variables))
	for _, name := range s.Files {
		if from.made.files[name] != nil || s.Sources[name] == nil && !strings.EqualFold(filepath.Ext(name), ".csv") {
			continue
		}
		rel := name
		if r, err := filepath.Rel(s.Folder, name); err == nil {
			rel = r
		}
		b, ok := from.overlay[rel]
		if !ok {
			if b, err = os.ReadFile(name); err != nil {
				return err
			}
		}
		g.overlay[rel] = b
	}
	again, diags := load(ctx, a.host, g.source(a.o.Site, a.o.Variables))
	if a.host.Configure(a.current().Plugins); diags.HasErrors() || again.Revision != s.Revision {
		return errors.New("it was changed meanwhile")
	}
	return a.lastGood.write(g)
}
