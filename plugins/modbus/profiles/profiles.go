// Package profiles holds the register maps of devices that are known, as point tables. The README beside it says what
// the columns mean and where each family has its peculiarities.
package profiles

import (
	"embed"
	"slices"
	"strings"
)

//go:embed *.csv
var files embed.FS

const extension = ".csv"

// CSV is the point table of a profile; nil when there is none of that name.
func CSV(name string) []byte {
	b, err := files.ReadFile(name + extension)
	if err != nil {
		return nil
	}
	return b
}

// Names are the names of all profiles, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), extension)
	}
	slices.Sort(names)
	return names
}
