package message

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Text is the message in words, with times in a time zone; each line ends with a line feed.
func (m *Message) Text(zone *time.Location) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	clock := func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04:05 MST") }
	if m.Kind == Test {
		line("This is a test of the contact %s of the site %s, sent at %s.", m.Contact, m.Site, clock(m.Time))
		line("Alarms reach you in this way.")
		return b.String()
	}
	switch m.Kind {
	case Repeat:
		line("These alarms are still active, and nobody acknowledged them.")
	case Escalation:
		line("These alarms are active, and nobody acknowledged them in time.")
	case Resolved:
		line("All alarms have returned to normal.")
	case Flood:
		line("So many alarms came that this message stands for %s.", count(m.Merged, "message"))
	case Summary:
		line("You could not be reached: this message stands for %s since %s, and says how the alarms were at the end.", count(m.Merged, "message"), clock(m.Since))
	}
	if b.Len() > 0 {
		line("")
	}
	for _, a := range m.Alarms {
		head := strings.ToUpper(a.Priority) + "  " + a.Name + ": " + a.State
		if a.Level != "" && a.State != Returned {
			head += ", " + strings.ReplaceAll(a.Level, "_", " ")
		}
		if a.New && m.Kind == Update {
			head += " (new)"
		}
		line("%s", head)
		if a.Message != "" {
			line("    %s", strings.ReplaceAll(a.Message, "\n", "\n    "))
		}
		if a.Value != nil {
			line("    value %s", strings.TrimSpace(strconv.FormatFloat(*a.Value, 'g', 6, 64)+" "+a.Unit))
		}
		if a.Quality == "bad" {
			line("    quality bad")
		}
		if !a.Since.IsZero() {
			line("    since %s", clock(a.Since))
		}
		if !a.Returned.IsZero() {
			line("    returned %s", clock(a.Returned))
		}
	}
	if n := m.Counts.Omitted; n > 0 {
		line("… and %s more", count(n, "alarm"))
	}
	line("")
	line("Site %s, notification %s, at %s", m.Site, m.Notification, clock(m.Time))
	if m.URL != "" {
		line("%s", m.URL)
	}
	return b.String()
}
