package schedule

import (
	"fmt"
	"strconv"
	"strings"
)

// field is one field of a cron expression.
type field struct {
	name        string
	least, most int
	names       []string // of the values from least on
}

var (
	monthNames = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	dayNames   = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

var fields = [5]field{
	{name: "minute", most: 59},
	{name: "hour", most: 23},
	{name: "day of the month", least: 1, most: 31},
	{name: "month", least: 1, most: 12, names: monthNames},
	{name: "day of the week", most: sundayAgain, names: dayNames},
}

// sundayAgain is the other number of Sunday.
const sundayAgain = 7

// ParseCron reads an expression of five fields: minute, hour, day of the month, month, day of the week. A field is *, a
// number, a name, a range a-b, one of these with a step /n, or a list of them. Sunday is 0 and 7.
func ParseCron(text string) (*Cron, error) {
	parts := strings.Fields(text)
	if len(parts) != len(fields) {
		return nil, fmt.Errorf("%q has %d fields; a cron expression has five: minute, hour, day of the month, month, day of the week", text, len(parts))
	}
	var set [len(fields)]uint64
	for i, f := range fields {
		var err error
		if set[i], err = f.parse(parts[i]); err != nil {
			return nil, err
		}
	}
	if set[4]&(1<<sundayAgain) != 0 {
		set[4] |= 1
	}
	star := func(i int) bool { return strings.HasPrefix(parts[i], "*") }
	c := &Cron{
		minute: set[0], hour: set[1], dayOfMonth: set[2], month: set[3], dayOfWeek: set[4],
		everyHour: star(1), anyDayOfMonth: star(2), anyDayOfWeek: star(4),
	}
	if _, ok := c.nextWall(0); !ok {
		return nil, fmt.Errorf("%q never comes: no month has such a day", text)
	}
	return c, nil
}

func (f field) parse(text string) (uint64, error) {
	var set uint64
	for part := range strings.SplitSeq(text, ",") {
		first, last, step, err := f.part(part)
		if err != nil {
			return 0, fmt.Errorf("%s %q: %w", f.name, text, err)
		}
		for v := first; v <= last; v += step {
			set |= 1 << v
		}
	}
	return set, nil
}

// part reads one element of a list.
func (f field) part(text string) (first, last, step int, err error) {
	body, stepText, stepped := strings.Cut(text, "/")
	step = 1
	if stepped {
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 || step > f.most {
			return 0, 0, 0, fmt.Errorf("a step is a number from 1 to %d, not %q", f.most, stepText)
		}
	}
	end := f.most
	if end == sundayAgain {
		end--
	}
	if body == "*" {
		return f.least, end, step, nil
	}
	low, high, ranged := strings.Cut(body, "-")
	if first, err = f.value(low); err != nil {
		return 0, 0, 0, err
	}
	switch {
	case ranged:
		if last, err = f.value(high); err != nil {
			return 0, 0, 0, err
		}
		if last < first {
			return 0, 0, 0, fmt.Errorf("the range %q goes backwards", body)
		}
	case stepped:
		last = end
	default:
		last = first
	}
	return first, last, step, nil
}

func (f field) value(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.least + i, nil
		}
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < f.least || v > f.most {
		return 0, fmt.Errorf("expected a number from %d to %d%s, not %q", f.least, f.most, f.orName(), text)
	}
	return v, nil
}

func (f field) orName() string {
	if f.names == nil {
		return ""
	}
	return " or a name such as " + f.names[1]
}
