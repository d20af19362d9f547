package compile

import (
	"fmt"
	"strconv"

	"github.com/voltage-edge/voltage/agent/site"
)

// howToConvert says how a value in one unit becomes one in another.
func howToConvert(to, from string) string {
	f, offset, ok := site.LinearUnit(from, to)
	switch {
	case offset != 0:
		return fmt.Sprintf("Multiply the one in %s by %s and add %s.", from, strconv.FormatFloat(f, 'g', 6, 64), strconv.FormatFloat(offset, 'g', 6, 64))
	case !ok:
		return "They measure different things, or a unit is not known."
	case f >= 1:
		return fmt.Sprintf("Multiply the one in %s by %s.", from, strconv.FormatFloat(f, 'g', -1, 64))
	}
	return fmt.Sprintf("Divide the one in %s by %s.", from, strconv.FormatFloat(1/f, 'g', -1, 64))
}
