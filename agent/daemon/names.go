package daemon

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"

	"github.com/voltage-edge/voltage/agent/api"
)

// unknown is the error for a name that is not there, with the nearest one that is.
func unknown(kind, name string, names []string) error {
	best, least := "", len(name)/3+2
	for _, n := range names {
		if d := levenshtein.Distance(strings.ToLower(name), strings.ToLower(n), nil); d < least {
			best, least = n, d
		}
	}
	if best != "" {
		return fmt.Errorf("%w: there is no %s %s; did you mean %s?", api.ErrNotFound, kind, name, best)
	}
	return fmt.Errorf("%w: there is no %s %s", api.ErrNotFound, kind, name)
}
