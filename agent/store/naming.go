package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"github.com/voltage-edge/voltage/lua"
)

var (
	plainSite = regexp.MustCompile(`^[A-Za-z0-9]+(_[A-Za-z0-9]+)*$`)
	notInName = regexp.MustCompile(`[^A-Za-z0-9]+`)
)

// suffixOf is what stands behind the names of a site's libraries and functions on a server that others may use too: names are
// the server's, not a site's, and each site has its own versions, loads, and roll-backs. On the agent's own server it is empty.
// A name that is no function's, or a database other than the first, has a hash, so that no two sites have the same.
func suffixOf(site string, embedded bool, db int) string {
	switch {
	case embedded:
		return ""
	case plainSite.MatchString(site) && db == 0:
		return "__" + site
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s\x00%d", site, db)))
	return "__" + strings.Trim(notInName.ReplaceAllString(site, "_"), "_") + "__" + hex.EncodeToString(sum[:4])
}

// Function is the name of a library's function on the server.
func (s *Store) Function(name string) string { return name + s.suffix }

// onServer is a library as the server has it.
func (s *Store) onServer(lib lua.Library) (lua.Library, error) {
	if s.suffix == "" {
		return lib, nil
	}
	return lib.As(s.suffix)
}
