package sink

import (
	"strings"

	"github.com/voltage-edge/voltage/agent/journal"
)

// filter says which points a sink takes.
type filter struct {
	include, exclude []string
	tables           map[*journal.Table]slots
}

// slots are the points of a table that are taken.
type slots struct{ numbers, texts []int }

// rememberedTables bounds what is kept of tables that may have gone.
const rememberedTables = 1024

func (f *filter) slots(t *journal.Table) slots {
	if s, ok := f.tables[t]; ok {
		return s
	}
	s := slots{numbers: f.taken(t.Device, t.Numbers), texts: f.taken(t.Device, t.Texts)}
	if f.tables == nil || len(f.tables) >= rememberedTables {
		f.tables = map[*journal.Table]slots{}
	}
	f.tables[t] = s
	return s
}

func (f *filter) taken(device string, columns []journal.Column) []int {
	var taken []int
	for i, c := range columns {
		name := device + "." + c.Name
		if (len(f.include) == 0 || matchAny(f.include, name)) && !matchAny(f.exclude, name) {
			taken = append(taken, i)
		}
	}
	return taken
}

func matchAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if Match(p, name) {
			return true
		}
	}
	return false
}

// Match tells whether a name fits a pattern, in which * stands for any characters, or none, and ? for any one. All others
// stand for themselves: "battery.*", "*.power", "charger[left].?1".
func Match(pattern, name string) bool {
	p, n := []rune(pattern), []rune(name)
	i, j := 0, 0
	star, from := -1, 0 // the last *, and where in the name what it stands for ends
	for j < len(n) {
		switch {
		case i < len(p) && p[i] == '*':
			star, from = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == n[j]):
			i, j = i+1, j+1
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(string(p[i:]), "*") == ""
}
