package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/durable"
	"github.com/voltage-edge/voltage/agent/site"
)

// ruleFiles is the folder with the rules that were made while the site ran, a file each, and with the switches of rules.
type ruleFiles struct{ dir string }

func ruleFilesOf(data string) ruleFiles { return ruleFiles{filepath.Join(data, "rules")} }

// ruleSuffix is that of a rule's file, and switchesFile the file of the switches.
const (
	ruleSuffix   = ".hcl.json"
	switchesFile = "switches.json"
)

// madeRules are what the folder holds.
type madeRules struct {
	// files are the rules' files by their paths, and switches those of rules by name.
	files    map[string][]byte
	switches map[string]bool
	// problem is why they can't be read.
	problem error
}

// hold tells whether what is written at a place is in the folder.
func (f ruleFiles) hold(place hcl.Range) bool { return filepath.Dir(place.Filename) == f.dir }

func (f ruleFiles) path(name string) string { return filepath.Join(f.dir, name+ruleSuffix) }

func (f ruleFiles) read() madeRules {
	m := madeRules{files: map[string][]byte{}}
	entries, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.problem = fmt.Errorf("the folder of the rules that were made while the site ran: %w", err)
		return m
	}
	for _, e := range entries {
		path := filepath.Join(f.dir, e.Name())
		rule := strings.HasSuffix(path, ruleSuffix)
		if !rule && e.Name() != switchesFile {
			continue
		}
		b, err := os.ReadFile(path)
		if err == nil && !rule {
			if err = json.Unmarshal(b, &m.switches); err != nil {
				err = fmt.Errorf("%s, which says what rules were switched off by hand: %w; remove it, and switch them anew", path, err)
			}
		}
		if err != nil {
			m.problem = err
			return m
		}
		if rule {
			m.files[path] = b
		}
	}
	return m
}

// additions are the rules, in the order of their files.
func (m madeRules) additions() []site.Addition {
	out := make([]site.Addition, 0, len(m.files))
	for _, path := range slices.Sorted(maps.Keys(m.files)) {
		out = append(out, site.Addition{Path: path, Content: m.files[path]})
	}
	return out
}

func (m madeRules) same(as madeRules) bool {
	return maps.EqualFunc(m.files, as.files, bytes.Equal) && maps.Equal(m.switches, as.switches)
}

func (m madeRules) clone() madeRules {
	m.files, m.switches = maps.Clone(m.files), maps.Clone(m.switches)
	if m.switches == nil {
		m.switches = map[string]bool{}
	}
	return m
}

// prepared is a change of the folder that can't fail any more but by a fault of the disk: it is written, but not in its place.
type prepared struct {
	files ruleFiles
	put   []durable.Replacement
	gone  []string
}

// prepare writes what differs between two states of the folder beside it.
func (f ruleFiles) prepare(before, after madeRules) (*prepared, error) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of rules: %w", err)
	}
	p := &prepared{files: f}
	put := func(path string, content []byte) error {
		r, err := durable.Prepare(path, content, 0o600)
		if err != nil {
			return fmt.Errorf("store the rule: %w", err)
		}
		p.put = append(p.put, r)
		return nil
	}
	for path, content := range after.files {
		if !bytes.Equal(before.files[path], content) {
			if err := put(path, content); err != nil {
				return nil, errors.Join(err, p.drop())
			}
		}
	}
	for path := range before.files {
		if after.files[path] == nil {
			p.gone = append(p.gone, path)
		}
	}
	if maps.Equal(before.switches, after.switches) {
		return p, nil
	}
	path := filepath.Join(f.dir, switchesFile)
	if len(after.switches) == 0 {
		p.gone = append(p.gone, path)
		return p, nil
	}
	b, err := json.MarshalIndent(after.switches, "", "  ")
	if err == nil {
		err = put(path, append(b, '\n'))
	}
	if err != nil {
		return nil, errors.Join(err, p.drop())
	}
	return p, nil
}

// drop forgets the change.
func (p *prepared) drop() error {
	var errs []error
	for _, r := range p.put {
		errs = append(errs, r.Drop())
	}
	return errors.Join(errs...)
}

// finish puts the change in its place.
func (p *prepared) finish() error {
	var errs []error
	for _, r := range p.put {
		errs = append(errs, r.Finish())
	}
	for _, path := range p.gone {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, durable.SyncFolder(p.files.dir))...)
}
