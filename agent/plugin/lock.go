package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/durable"
	"github.com/voltage-edge/voltage/sdk/protocol"
)

// LockName is the lock file's name, beside site.hcl.
const LockName = "voltage.lock.hcl"

const lockHeader = `# The plugins that this site may start, by content. Written by "voltage plugin lock"; keep it beside site.hcl and under
# version control. A plugin whose file differs, or that is not in here, is not started.

`

// Platform is this machine's platform as the lock file names it.
func Platform() string { return runtime.GOOS + "_" + runtime.GOARCH }

// Lock is a lock file.
type Lock struct {
	// Path of the file.
	Path    string
	Plugins []LockedPlugin
}

// LockedPlugin holds one plugin's hashes.
type LockedPlugin struct {
	Name      string           `hcl:"name,label"`
	Platforms []LockedPlatform `hcl:"platform,block"`
}

// LockedPlatform is the executable of one platform.
type LockedPlatform struct {
	Name    string `hcl:"name,label"`
	Version string `hcl:"version,optional"`
	SHA256  string `hcl:"sha256"`
}

// ReadLock reads a lock file. One that does not exist is nil, without an error: nothing is locked.
func ReadLock(path string) (*Lock, error) {
	if path == "" {
		return nil, nil
	}
	src, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f, diags := hclparse.NewParser().ParseHCL(src, path)
	if diags.HasErrors() {
		return nil, fmt.Errorf("the lock file can't be read: %w", diags)
	}
	var content struct {
		Plugins []LockedPlugin `hcl:"plugin,block"`
	}
	if diags := gohcl.DecodeBody(f.Body, nil, &content); diags.HasErrors() {
		return nil, fmt.Errorf("the lock file can't be read: %w", diags)
	}
	return &Lock{Path: path, Plugins: content.Plugins}, nil
}

// Get is a plugin's entry for a platform.
func (l *Lock) Get(name, platform string) (LockedPlatform, bool) {
	if l == nil {
		return LockedPlatform{}, false
	}
	for _, p := range l.Plugins {
		if p.Name != name {
			continue
		}
		for _, x := range p.Platforms {
			if x.Name == platform {
				return x, true
			}
		}
	}
	return LockedPlatform{}, false
}

// Set replaces a plugin's entry for a platform; those of other platforms stay.
func (l *Lock) Set(name string, entry LockedPlatform) {
	i := slices.IndexFunc(l.Plugins, func(p LockedPlugin) bool { return p.Name == name })
	if i < 0 {
		l.Plugins = append(l.Plugins, LockedPlugin{Name: name})
		i = len(l.Plugins) - 1
	}
	p := &l.Plugins[i]
	j := slices.IndexFunc(p.Platforms, func(x LockedPlatform) bool { return x.Name == entry.Name })
	if j < 0 {
		p.Platforms = append(p.Platforms, entry)
		return
	}
	p.Platforms[j] = entry
}

// Write writes the file, sorted by name, all or nothing.
func (l *Lock) Write() error {
	slices.SortFunc(l.Plugins, func(a, b LockedPlugin) int { return strings.Compare(a.Name, b.Name) })
	f := hclwrite.NewEmptyFile()
	for i, p := range l.Plugins {
		if i > 0 {
			f.Body().AppendNewline()
		}
		slices.SortFunc(p.Platforms, func(a, b LockedPlatform) int { return strings.Compare(a.Name, b.Name) })
		block := f.Body().AppendNewBlock("plugin", []string{p.Name}).Body()
		for _, x := range p.Platforms {
			platform := block.AppendNewBlock("platform", []string{x.Name}).Body()
			if x.Version != "" {
				platform.SetAttributeValue("version", cty.StringVal(x.Version))
			}
			platform.SetAttributeValue("sha256", cty.StringVal(x.SHA256))
		}
	}
	return durable.WriteFile(l.Path, append([]byte(lockHeader), hclwrite.Format(f.Bytes())...), 0o644)
}

// ChecksumError is the error of an executable that is not the locked one.
type ChecksumError struct {
	Plugin, File, Lock, Platform string
	// Want is empty when the lock file has no entry.
	Want, Got string
}

func (e *ChecksumError) Error() string {
	if e.Want == "" {
		return fmt.Sprintf("plugin %q is not started: %s has no entry for it on %s. If you trust %s (SHA-256 %s), run: voltage plugin lock",
			e.Plugin, e.Lock, e.Platform, e.File, e.Got)
	}
	return fmt.Sprintf("plugin %q is not started: %s was changed. %s expects SHA-256 %s, the file has %s. Put the locked version back, or, if you trust this one, run: voltage plugin lock",
		e.Plugin, e.File, e.Lock, e.Want, e.Got)
}

// Locked is what was written to the lock file for a plugin.
type Locked struct {
	Plugin   string `json:"plugin"`
	Version  string `json:"version"`
	Platform string `json:"platform"`
	SHA256   string `json:"sha256"`
	Path     string `json:"path"`
	// Before is the checksum that stood there, empty when there was none.
	Before string `json:"before,omitempty"`
}

// LockPlugins writes the checksums of plugins, as they are found now, to the lock file, for this platform. A plugin that
// is not known yet is started once, to learn its version. Entries of other platforms and plugins stay.
func (h *Host) LockPlugins(ctx context.Context, names []string) ([]Locked, error) {
	lock, err := ReadLock(h.o.LockPath)
	if err != nil {
		return nil, err
	}
	if lock == nil {
		lock = &Lock{Path: h.o.LockPath}
	}
	var out []Locked
	for _, name := range names {
		path, err := h.Find(name)
		if err != nil {
			return nil, err
		}
		sum, err := checksum(path)
		if err != nil {
			return nil, err
		}
		desc, err := h.introduce(ctx, name, path, sum)
		if err != nil {
			return nil, err
		}
		before, _ := lock.Get(name, Platform())
		lock.Set(name, LockedPlatform{Name: Platform(), Version: desc.Version, SHA256: sum})
		out = append(out, Locked{Plugin: name, Version: desc.Version, Platform: Platform(), SHA256: sum, Path: path, Before: before.SHA256})
	}
	return out, lock.Write()
}

// LockForeign adds the executable of a plugin for another platform, which can't be started here, to a lock file.
func LockForeign(lockPath, name, platform, version, file string) (Locked, error) {
	lock, err := ReadLock(lockPath)
	if err != nil {
		return Locked{}, err
	}
	if lock == nil {
		lock = &Lock{Path: lockPath}
	}
	sum, err := checksum(file)
	if err != nil {
		return Locked{}, err
	}
	before, _ := lock.Get(name, platform)
	lock.Set(name, LockedPlatform{Name: platform, Version: version, SHA256: sum})
	return Locked{Plugin: name, Version: version, Platform: platform, SHA256: sum, Path: file, Before: before.SHA256}, lock.Write()
}

// introduce asks an executable who it is, past the lock file: it is about to be trusted.
func (h *Host) introduce(ctx context.Context, name, path, sum string) (*protocol.Description, error) {
	settings := h.settings(name)
	desc := h.cache.description(sum)
	if desc == nil {
		r, err := start(ctx, launch{path: path, env: settings.Env, runDir: h.runDir, log: h.o.Log.Named(name)})
		if err != nil {
			return nil, err
		}
		defer r.kill()
		call, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		if desc, err = r.rpc.Describe(call); err != nil {
			return nil, fmt.Errorf("plugin %q: %w", name, err)
		}
		h.cache.keep(sum, desc)
	}
	if err := suits(name, path, settings.Version, desc); err != nil {
		return nil, fmt.Errorf("plugin %q: %w", name, err)
	}
	return desc, nil
}

// verify checks an executable against the lock file as it is now, and returns its checksum and whether it is locked.
func (h *Host) verify(name, path string) (sum string, locked bool, err error) {
	sum, err = checksum(path)
	if err != nil || h.o.Trust {
		return sum, false, err
	}
	lock, err := ReadLock(h.o.LockPath)
	if err != nil {
		return sum, false, err
	}
	if lock == nil {
		return sum, false, nil
	}
	entry, ok := lock.Get(name, Platform())
	if !ok || entry.SHA256 != sum {
		return sum, false, &ChecksumError{Plugin: name, File: path, Lock: h.o.LockPath, Platform: Platform(), Want: entry.SHA256, Got: sum}
	}
	return sum, true, nil
}
