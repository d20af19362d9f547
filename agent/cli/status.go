package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/api"
)

func (e *environment) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "How the agent, its plugins, devices, libraries and sinks do",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			s, err := agent.Status(c.Context())
			if err != nil {
				return err
			}
			if e.json {
				return e.printJSON(s)
			}
			e.printStatus(s)
			return nil
		},
	}
}

func (e *environment) printStatus(s api.Status) {
	colors := e.colors()
	width, _ := e.size()
	e.say("%s: %s, up %s, voltage %s, site revision %s", s.Site, paint(s.State, stateColor(s.State), colors), since(s.Started), s.Version, short(s.Revision))
	for _, r := range s.Reasons {
		e.say("  %s", paint(r, yellow, colors))
	}
	if s.API != "" {
		e.say("API at %s", s.API)
	}

	rooms := newTable("", "", "")
	st := s.Store
	rooms.row("store", stateCell(st.State), joinNotEmpty(", ", st.Mode+" "+st.Version, binarySize(st.Memory), fmt.Sprintf("round trip %.2f ms, p99 %.2f ms", st.ApplyP50, st.ApplyP99), times(st.Reconnects, "reconnect"), st.Detail))
	rooms.row("intake", stateCell(s.Intake.State), fmt.Sprintf("%d frames, %.1f a second, %d waiting, %d skipped%s", s.Intake.Frames, s.Intake.Rate, s.Intake.Queue, s.Intake.Skipped, rejected(s.Intake.Rejected)))
	rooms.row("journal", stateCell(s.Journal.State), joinNotEmpty(", ", binarySize(s.Journal.Bytes)+" in "+times(s.Journal.Segments, "segment"), fmt.Sprintf("%d records, %d dropped", s.Journal.Records, s.Journal.Dropped), "oldest "+since(s.Journal.Oldest)+" ago", s.Journal.Error))
	rooms.row("alarms", stateCell(s.Alarms.State), alarmFigures(s.Alarms))
	rooms.row("rules", stateCell(s.Rules.State), ruleFigures(s.Rules))
	if sh := s.Shadow; sh != nil {
		line := shadowLine(api.Shadow{
			State: sh.State, Kind: sh.Kind, Name: sh.Name, LeftSeconds: sh.LeftSeconds, Frames: sh.Frames, CostMicros: sh.CostMicros,
			Compared: api.Comparison{Totals: api.ComparisonTotals{Same: sh.Same, Changed: sh.Differences}},
		})
		rooms.row("shadow", stateCell(sh.State), joinNotEmpty(", ", line, sh.Reason))
	}
	e.section(rooms, width)

	plugins := newTable("plugin", "state", "version", "pid", "restarts", "up", "error").alignRight(3, 4, 5)
	for _, p := range s.Plugins {
		plugins.row(p.Name, stateCell(p.State), p.Version, p.PID, p.Restarts, since(p.Started), firstLine(p.Error, p.Panic))
	}
	e.section(plugins, width)

	channels := newTable("channel", "state", "plugin", "devices", "frames", "writes", "error").alignRight(3, 4, 5)
	for _, c := range s.Channels {
		channels.row(c.Name, stateCell(c.State), c.Plugin, c.Devices, c.Frames, c.Writes, firstLine(c.Error))
	}
	e.section(channels, width)

	devices := newTable("device", "state", "channel", "points", "bad", "failures", "latency", "last", "error").alignRight(3, 4, 5, 6, 7)
	for _, d := range s.Devices {
		devices.row(d.Name, stateCell(d.State), d.Channel, d.Points, d.Bad, d.Failures, fmt.Sprintf("%.1f ms", d.LatencyMS), since(d.LastFrame), firstLine(d.Error))
	}
	e.section(devices, width)

	libraries := newTable("library", "state", "version", "hash", "items", "source", "before it").alignRight(4)
	for _, l := range s.Libraries {
		libraries.row(l.Name, stateCell(l.State), l.Version, short(l.Hash), l.Items, l.Source, l.Previous)
	}
	e.section(libraries, width)

	schedules := newTable("schedule", "state", "until", "time zone")
	for _, x := range s.Schedules {
		until := "always"
		if !x.Next.IsZero() {
			until = x.Next.Format("Mon 2006-01-02 15:04 -0700")
		}
		schedules.row(x.Name, stateCell(x.State), until, x.TimeZone)
	}
	e.section(schedules, width)

	sinks := newTable("sink", "state", "plugin", "written", "rejected", "dropped", "lag", "error").alignRight(3, 4, 5, 6)
	for _, k := range s.Sinks {
		sinks.row(k.Name, stateCell(k.State), k.Plugin, k.Written, k.Rejected, k.Dropped, fmt.Sprintf("%d (%.1f s)", k.LagRecords, k.LagSeconds), firstLine(k.Error))
	}
	e.section(sinks, width)

	routes := newTable("route", "sink", "taken", "passed", "early", "unchanged", "refused", "failed", "events").alignRight(2, 3, 4, 5, 6, 7, 8)
	for _, k := range s.Sinks {
		for _, r := range k.Routes {
			routes.row(r.Route, r.Sink, r.Taken, r.Passed, r.Early, r.Unchanged, r.Refused, r.Failed, r.Events)
		}
	}
	e.section(routes, width)
	e.section(contactTable(s.Notifications.Contacts), width)
}

// section writes a table with an empty line before it, and nothing when it has no rows.
func (e *environment) section(t *table, width int) {
	if len(t.rows) == 0 {
		return
	}
	e.say("")
	t.write(e.out, e.colors(), width)
}

func joinNotEmpty(sep string, parts ...string) string {
	kept := parts[:0]
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, sep)
}

func times(n int, what string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func rejected(by map[string]uint64) string {
	text := ""
	for reason, n := range by {
		text += fmt.Sprintf(", %d rejected (%s)", n, reason)
	}
	return text
}

// firstLine is the first line of the first text that is not empty.
func firstLine(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			line, _, _ := strings.Cut(t, "\n")
			return line
		}
	}
	return ""
}
