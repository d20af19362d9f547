package plugin

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/spelling"
)

// Prefix of a plugin's executable.
const Prefix = "voltage-plugin-"

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// ErrNotFound is wrapped by the error of a plugin whose executable is nowhere.
var ErrNotFound = errors.New("plugin not found")

// Folders are the places where plugins lie, in the order of looking: beside the agent, then in the data folder.
func (h *Host) folders() []string {
	var out []string
	if h.o.AgentDir != "" {
		out = append(out, h.o.AgentDir)
	}
	if h.o.DataDir != "" {
		out = append(out, filepath.Join(h.o.DataDir, "plugins"))
	}
	return out
}

// Find returns the path of a plugin's executable.
func (h *Host) Find(name string) (string, error) { return h.find(h.settings(name)) }

func (h *Host) find(p site.Plugin) (string, error) {
	name := p.Name
	if !validName.MatchString(name) {
		return "", fmt.Errorf("%w: %q is no plugin name: lower-case letters, digits, - and _", ErrNotFound, name)
	}
	if p.Path != "" {
		if err := executable(p.Path); err != nil {
			return "", fmt.Errorf("%w: plugin %q: the path in its plugin block: %w", ErrNotFound, name, err)
		}
		return filepath.Abs(p.Path)
	}
	var looked []string
	for _, dir := range h.folders() {
		path := filepath.Join(dir, Prefix+name)
		err := executable(path)
		if err == nil {
			return filepath.Abs(path)
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("%w: plugin %q: %w", ErrNotFound, name, err)
		}
		looked = append(looked, dir)
	}
	return "", fmt.Errorf("%w: there is no %s%s in %s.%s Put the executable there, or give its path: plugin %q { path = \"…\" }",
		ErrNotFound, Prefix, name, strings.Join(looked, " or "), spelling.DidYouMean(name, h.Available()), name)
}

// Available lists the plugins that would be found, by name.
func (h *Host) Available() []string {
	names := h.settingNames()
	for _, dir := range h.folders() {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			name, ok := strings.CutPrefix(e.Name(), Prefix)
			if ok && validName.MatchString(name) && executable(filepath.Join(dir, e.Name())) == nil {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a folder", path)
	}
	if info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not executable: chmod +x %s", path, path)
	}
	return nil
}

// checksum is the SHA-256 of a file, in hexadecimal.
func checksum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
