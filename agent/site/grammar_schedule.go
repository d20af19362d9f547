package site

import (
	"slices"
	"time"

	"github.com/voltage-edge/voltage/sdk/schema"
)

// windowAttributes are a window's, in a schedule itself and in its window blocks.
func windowAttributes() []schema.Attribute {
	return []schema.Attribute{
		text("from", "When a daily window begins: `\"22:00\"`."),
		text("to", "When it ends, which is not in it any more: `\"06:00\"`, up to `\"24:00\"`. One at or before `from` is of the next day."),
		attribute("days", schema.Strings, "The days of the week on which it begins: `[\"mon\", \"tue\"]`; left out: all."),
	}
}

func scheduleBlock() *construct {
	return &construct{
		Name: "schedule", Label: "NAME", ForEach: true,
		Body: schema.Block{
			Doc: "Times that come again: daily windows, or the times of cron expressions. It is a condition, `schedule.NAME`, for rules, alarms, measurements and live locals. See [time and the change of clocks](#time-and-the-change-of-clocks).",
			Attributes: slices.Concat(windowAttributes(), []schema.Attribute{
				attribute("cron", schema.Strings, "In the place of windows: when it begins, as minute, hour, day of the month, month and day of the week: `\"0 6 * * 1-5\"`; several in a list."),
				{Name: "for", Type: schema.Duration, Min: span(time.Second), Max: span(31 * day), Doc: "How long it then holds; with `cron`, required."},
				text("timezone", "Time zone whose clock counts; left out: the site's."),
				descriptionAttribute,
			}),
			Blocks: []schema.Nested{{Name: "window", Many: true, Block: schema.Block{
				Doc:        "One of several daily windows.",
				Attributes: windowAttributes(),
			}}},
		},
		Example: "schedule \"night\" {\n  from = \"22:00\"\n  to   = \"06:00\"\n}\n\nschedule \"peak_tariff\" {\n  window {\n    from = \"07:00\"\n    to   = \"09:30\"\n    days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"]\n  }\n  window {\n    from = \"17:00\"\n    to   = \"20:00\"\n  }\n}\n\nschedule \"report\" {\n  cron = \"0 6 * * 1-5\"\n  for  = \"15m\"\n}\n",
	}
}

const referenceTime = `
## Time and the change of clocks

A schedule goes by the clock on the wall of its time zone, and is never unknown.

- A window holds whenever that clock shows a time within it. Where clocks are set forward, the part that is left out does not come: a window from
  02:30 on begins at 03:00, and one from 02:15 to 02:45 stays out that night. Where they are set back, a window in the hour that comes twice holds
  twice.
- A cron expression whose hour begins with ` + "`*`" + ` goes by the hours that pass: ` + "`*/15 * * * *`" + ` comes every 15 minutes in any night. One of fixed hours comes once a
  day: ` + "`30 2 * * *`" + ` comes at 03:00 where 02:30 is left out, and the first time only where 02:30 comes twice.
- The fields of a cron expression are numbers, names (` + "`mon`, `jan`" + `), ` + "`*`" + `, ranges ` + "`1-5`" + `, steps ` + "`*/15`" + ` and lists ` + "`1,15`" + `; Sunday is 0 and 7. When both day of the month
  and day of the week are given, a day needs to fit one of them. Times that run into each other are one.
`
