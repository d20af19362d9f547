// Package lua holds the sources of the Redis Function libraries and bundles each into the one text that Redis loads.
package lua

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
)

//go:embed */*.lua
var sources embed.FS

// Library is one bundled library.
type Library struct {
	// Name is what Redis knows it by: models, alarms, rules or routes, and a suffix for one that runs beside the live one.
	Name string
	// Version is the semantic version that its main file declares.
	Version string
	// Hash is that of all its sources, in hex. It does not depend on the suffix.
	Hash string
	// Source is what FUNCTION LOAD takes.
	Source string
}

var suffixPattern = regexp.MustCompile(`^[A-Za-z0-9_]*$`)

// Bundle returns the library of that name that comes with the program.
func Bundle(name string) (Library, error) { return BundleAs(name, "") }

// BundleAs returns the library under another name: its own and each of its functions' with the suffix behind it, so that
// a candidate can be loaded beside the live library. A suffix is made of letters, digits and underscores.
func BundleAs(name, suffix string) (Library, error) {
	main := path.Join(name, "library.lua")
	if _, err := sources.ReadFile(main); err != nil {
		return Library{}, fmt.Errorf("there is no library %q", name)
	}
	lib, err := bundle(main, suffix, sources.ReadFile)
	if err != nil {
		return Library{}, fmt.Errorf("bundling the library %s: %w", name, err)
	}
	return lib, nil
}

// BundleFile bundles a site's own library from its main file. An include is looked for beside the file, then, when the file
// is NAME/library.lua as in the tree of the sources, in that tree, then among the sources that come with the program.
func BundleFile(file string) (Library, error) { return BundleFileAs(file, "") }

// BundleFileAs is BundleFile under another name, as in BundleAs.
func BundleFileAs(file, suffix string) (Library, error) {
	lib, _, err := bundleFile(file, suffix)
	return lib, err
}

// Parts are the files on disk that a site's own library is made of, the main one first. When it can't be bundled they are
// those up to where that shows.
func Parts(file string) []string {
	_, parts, _ := bundleFile(file, "")
	return parts
}

func bundleFile(file, suffix string) (lib Library, parts []string, err error) {
	base := filepath.Base(file)
	folders := []string{filepath.Dir(file)}
	if base == "library.lua" {
		folders = append(folders, filepath.Dir(folders[0]))
	}
	lib, err = bundle(base, suffix, func(name string) ([]byte, error) {
		for _, dir := range folders {
			path := filepath.Join(dir, filepath.FromSlash(name))
			b, err := os.ReadFile(path)
			if err == nil || name == base {
				parts = append(parts, path)
			}
			if err == nil || !os.IsNotExist(err) || name == base {
				return b, err
			}
		}
		return sources.ReadFile(name)
	})
	if err != nil {
		return Library{}, parts, fmt.Errorf("bundling %s: %w", file, err)
	}
	return lib, parts, nil
}

func hashOf(texts ...string) string {
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%d\n%s", len(t), t)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
