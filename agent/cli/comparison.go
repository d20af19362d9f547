package cli

import (
	"fmt"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/event"
)

// shownDifferences bounds the list for people; JSON has more.
const shownDifferences = 20

// sayComparison prints what was compared; the sides are named as the reader knows them.
func (e *environment) sayComparison(c api.Comparison, then, now string) {
	width, _ := e.size()
	if len(c.Subjects) == 0 {
		e.say("No requests, alarms or rules in that time, %s or %s.", then, now)
		return
	}
	t := newTable("", "name", then, now, "same", "changed", "only "+then, "only "+now, "in force "+then, now, "mean "+then, now).
		alignRight(2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	for _, s := range c.Subjects {
		name := s.Name
		if s.Owner != "" {
			name += " by " + s.Owner
		}
		heldThen, heldNow := "–", "–"
		if s.Kind != event.Rule {
			heldThen, heldNow = heldFor(s.HeldThen), heldFor(s.HeldNow)
		}
		t.row(s.Kind, name, s.Then, s.Now, s.Same, different(s.Changed), different(s.OnlyThen), different(s.OnlyNow),
			heldThen, heldNow, optional(s.MeanThen), optional(s.MeanNow))
	}
	t.write(e.out, e.colors(), width)
	e.say("")
	totals := c.Totals
	switch {
	case totals.Same+totals.Differences() == 0:
		e.say("Neither decided anything new.")
		return
	case totals.Differences() == 0:
		e.say("All %d decisions are the same.", totals.Same)
		return
	}
	e.say("%d of %d decisions are the same, %d changed, %d only %s, %d only %s.",
		totals.Same, totals.Same+totals.Differences(), totals.Changed, totals.OnlyThen, then, totals.OnlyNow, now)
	e.sayDifferences(c.Differences, then, now)
}

func (e *environment) sayDifferences(differences []api.Difference, then, now string) {
	width, _ := e.size()
	t := newTable("time", "", "name", then, now)
	for i, d := range differences {
		if i == shownDifferences {
			break
		}
		name := d.Name
		if d.Owner != "" {
			name += " by " + d.Owner
		}
		t.row(d.Time.Local().Format("2006-01-02 15:04:05.000"), d.Kind, name, decisionText(d.Then), decisionText(d.Now))
	}
	e.say("")
	t.write(e.out, e.colors(), width)
	if len(differences) > shownDifferences {
		e.say("… the first %d; --json has the first of each.", shownDifferences)
	}
}

func different(n int) cell {
	if n == 0 {
		return cell{"0", dim}
	}
	return cell{fmt.Sprint(n), yellow}
}

func heldFor(seconds float64) string { return age(time.Duration(seconds * float64(time.Second))) }

func decisionText(d *api.Decision) string {
	switch {
	case d == nil:
		return "–"
	case d.Value == nil:
		return d.What
	}
	return d.What + " " + number(*d.Value)
}
