package site

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/schedule"
	"github.com/voltage-edge/voltage/agent/spelling"
)

// Schedule is a condition of the time.
type Schedule struct {
	Name string
	// Times says when it holds.
	Times schedule.Times
	// Location is the time zone whose clock counts.
	Location    *time.Location
	Description string
	// Device is the virtual device with its state.
	Device *Device
	Range  hcl.Range

	// written is what it was made from, for its hash.
	written []string
}

// Schedule finds a schedule by its name; nil: there is none.
func (s *Site) Schedule(name string) *Schedule {
	return lookup(s, rootSchedule, name, s.Schedules, func(x *Schedule) string { return x.Name })
}

func (l *loader) loadSchedules() {
	for _, b := range l.blocks[rootSchedule] {
		l.instances(b, func(in instance) {
			before := l.count
			x := l.schedule(in)
			b.entry.items[in.key] = x
			if l.count == before {
				l.site.Schedules = append(l.site.Schedules, x)
			}
		})
	}
}

func (l *loader) schedule(in instance) *Schedule {
	c := l.decode(in.body, l.shapes[rootSchedule], in.rng, in.scope)
	x := &Schedule{
		Name: in.full, Location: l.zone(c, l.site.Location), Description: c.text("description"), Range: in.rng,
		Device: virtualDevice(SourceSchedule, in.full, schedulePoints, in.rng),
	}
	x.written = []string{x.Location.String(), x.Description}
	windows := &schedule.Windows{Zone: x.Location}
	crons := &schedule.Crons{Zone: x.Location, For: c.duration("for")}
	own := c.given("from") || c.given("to") || c.given("days")
	if own {
		windows.List = append(windows.List, l.window(x, c))
	}
	c.each("window", func(b *content) { windows.List = append(windows.List, l.window(x, b)) })
	for _, text := range c.list("cron") {
		x.written = append(x.written, text)
		cron, err := schedule.ParseCron(text)
		if err != nil {
			l.fail(c.at("cron"), "Wrong value", "\"cron\": %s.", err)
			continue
		}
		crons.List = append(crons.List, cron)
	}
	x.written = append(x.written, FormatDuration(crons.For))
	x.Times = windows
	switch {
	case c.bad || c.misspelt["from"] || c.misspelt["to"] || c.misspelt["cron"] || c.misspelt["window"]:
	case c.given("cron") && len(windows.List) > 0:
		l.fail(c.at("cron"), "Two kinds of schedule", "A schedule has windows or cron expressions, not both. Make two of it, and join them: schedule.a || schedule.b.")
	case c.given("cron") && len(c.list("cron")) == 0:
		l.fail(c.at("cron"), "Wrong value", "\"cron\": an expression is wanted, such as \"0 6 * * 1-5\".")
	case c.given("cron") && !c.given("for") && !c.misspelt["for"]:
		l.fail(c.at("cron"), "Missing attribute", "A schedule with \"cron\" needs \"for\": how long it holds from then on.")
	case c.given("cron"):
		x.Times = crons
	case c.given("for"):
		l.fail(c.at("for"), "Attribute without a use", "\"for\" is for cron expressions; a window ends with \"to\".")
	case len(windows.List) == 0:
		l.fail(c.rng, "Missing attribute", "A schedule block needs \"from\" and \"to\", window blocks, or \"cron\" and \"for\".")
	}
	return x
}

// zone is the time zone of a block, deflt when it says none.
func (l *loader) zone(c *content, deflt *time.Location) *time.Location {
	name := c.text("timezone")
	if name == "" {
		return deflt
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		l.fail(c.at("timezone"), "Unknown time zone", "There is no time zone %q.%s", name, cmp.Or(spelling.DidYouMean(name, commonZones), " Names are like \"Europe/Berlin\"."))
		return deflt
	}
	return loc
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// window reads a daily window, of a schedule itself or of a window block.
func (l *loader) window(x *Schedule, c *content) schedule.Window {
	var w schedule.Window
	x.written = append(x.written, c.text("from"), c.text("to"), strings.Join(c.list("days"), " "))
	good, told := !c.bad, c.bad
	for _, edge := range []struct {
		name string
		into *int64
	}{{"from", &w.From}, {"to", &w.To}} {
		if !c.given(edge.name) {
			if !told && !c.misspelt[edge.name] {
				l.fail(c.rng, "Missing attribute", "A window needs \"from\" and \"to\", and has no %q.", edge.name)
			}
			good = false
			continue
		}
		var err error
		if *edge.into, err = schedule.Clock(c.text(edge.name)); err != nil {
			l.fail(c.at(edge.name), "Wrong value", "%q: %s.", edge.name, err)
			good = false
		}
	}
	switch {
	case !good:
	case c.text("from") == "24:00":
		l.fail(c.at("from"), "Wrong value", "\"from\": the day begins at \"00:00\".")
	case w.From == w.To:
		l.fail(c.at("to"), "Wrong value", "\"to\": this window begins when it ends. A whole day is from \"00:00\" to \"24:00\".")
	}
	for _, name := range c.list("days") {
		i := slices.Index(weekdays, strings.ToLower(name))
		if i < 0 {
			l.fail(c.at("days"), "Wrong value", "\"days\": there is no day %q, but %s.%s", name, thereAre(weekdays), spelling.DidYouMean(name, weekdays))
			continue
		}
		w.Days[i] = true
	}
	if !c.given("days") {
		for i := range w.Days {
			w.Days[i] = true
		}
	} else if len(c.list("days")) == 0 && good {
		l.fail(c.at("days"), "Wrong value", "\"days\": without a day this window never comes.")
	}
	return w
}
