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

	"github.com/voltage-edge/voltage/agent/site"
)

// lastGood is the folder with a copy of the last site that ran well: its files and CSV tables. What the site reads for a
// secret (file, env, variables) is not copied: it is read again.
type lastGood struct{ dir string }

// goodSite is the index of the copy.
type goodSite struct {
	// Site is the absolute path of the original.
	Site     string     `json:"site"`
	Revision string     `json:"revision"`
	Saved    time.Time  `json:"saved"`
	Files    []goodFile `json:"files"`
	// Variables that were given on the command line, by name.
	Variables []string `json:"variables,omitempty"`

	overlay map[string][]byte
}

// goodFile is one copied file.
type goodFile struct {
	// Name is relative to the site's folder.
	Name string `json:"name"`
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
		g.overlay[f.Name] = b
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
	g.Files = nil
	keep := map[string]bool{filepath.Base(l.index()): true}
	for _, name := range slices.Sorted(maps.Keys(g.overlay)) {
		sum := sumOf(g.overlay[name])
		f := goodFile{Name: name, SHA256: sum, Copy: sum[:16] + "-" + filepath.Base(name)}
		keep[f.Copy] = true
		if err := writeSynced(filepath.Join(l.dir, f.Copy), g.overlay[name]); err != nil {
			return err
		}
		g.Files = append(g.Files, f)
	}
	b, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return err
	}
	if err := writeSynced(l.index(), append(b, '\n')); err != nil {
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

// writeSynced puts a file in its place as a whole.
func writeSynced(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// keepGood copies a site that runs well. It is the site that runs and no later one: read from the copy, it has the same
// revision.
func (a *Agent) keepGood(ctx context.Context, s *site.Site) {
	err := a.copyGood(ctx, s)
	if err != nil && ctx.Err() == nil {
		a.log.Warn("the site is not kept as the last good one", "error", err)
	}
}

func (a *Agent) copyGood(ctx context.Context, s *site.Site) error {
	full, err := filepath.Abs(a.o.Site)
	if err != nil {
		return err
	}
	if old, err := a.lastGood.read(a.o.Site); err == nil && old.Revision == s.Revision {
		return nil
	}
	g := &goodSite{Site: full, Revision: s.Revision, Saved: time.Now().UTC().Truncate(time.Second), overlay: map[string][]byte{}}
	g.Variables = slices.Sorted(maps.Keys(a.o.Variables))
	for _, name := range s.Files {
		if s.Sources[name] == nil && !strings.EqualFold(filepath.Ext(name), ".csv") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if rel, err := filepath.Rel(s.Folder, name); err == nil {
			name = rel
		}
		g.overlay[name] = b
	}
	again, diags := load(ctx, a.host, a.o.Site, a.o.Variables, g.overlay)
	if a.host.Configure(a.current().Plugins); diags.HasErrors() || again.Revision != s.Revision {
		return errors.New("it was changed meanwhile")
	}
	return a.lastGood.write(g)
}
