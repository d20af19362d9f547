package compile

import (
	"fmt"

	"github.com/agext/levenshtein"
)

// didYouMean names the one of the candidates that is nearest to a misspelt word, as a sentence with a space before it.
func didYouMean(word string, candidates []string) string {
	best, distance := "", 3
	for _, c := range candidates {
		if d := levenshtein.Distance(word, c, nil); d < distance {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %s?", best)
}
