// Package spelling says what a misspelt name was probably meant to be.
package spelling

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest is the candidate that a misspelt name most likely means, or "".
func Nearest(name string, candidates []string) string {
	best, distance := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if strings.EqualFold(c, name) {
			return c
		}
		if d := levenshtein.Distance(name, c, nil); d < distance && d < max(len(c), len(name)) {
			best, distance = c, d
		}
	}
	return best
}

// DidYouMean is a sentence, with a blank before it, when there is a near name; else it is empty.
func DidYouMean(name string, candidates []string) string {
	if n := Nearest(name, candidates); n != "" {
		return fmt.Sprintf(" Did you mean %q?", n)
	}
	return ""
}
