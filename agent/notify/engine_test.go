package notify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/notify/message"
	"github.com/voltage-edge/voltage/agent/site"
)

// noon is when the tests of the engine begin, in ms.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC).UnixMilli()

const contacts = `site "bakery" {}
contact "duty" {
  webhook { url = "https://hooks.example.org/duty" }
}
contact "boss" {
  webhook { url = "https://hooks.example.org/boss" }
}
schedule "night" {
  from = "22:00"
  to   = "06:00"
}
`

// clockwork is an engine with its clock, which messages are taken from.
type clockwork struct {
	*engine
	t   *testing.T
	now int64
}

func newClockwork(t *testing.T, text string) *clockwork {
	t.Helper()
	c := &clockwork{engine: &engine{st: newState()}, t: t, now: noon}
	c.configure(parse(t, contacts+text), "http://127.0.0.1:8480", c.now)
	return c
}

func parse(t *testing.T, text string) *site.Site {
	t.Helper()
	file := filepath.Join(t.TempDir(), "site.hcl")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, diags := site.Load(context.Background(), file, site.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return s
}

// alarm gives the engine an event; fields come in pairs.
func (c *clockwork) alarm(name, what string, active bool, fields ...string) {
	e := alarmEvent(name, what, active, "0")
	e.Millis = c.now
	e.Fields["since"] = fmt.Sprint(c.now)
	if what == "activate" {
		e.Fields["annunciate"] = "1"
	}
	for i := 0; i+1 < len(fields); i += 2 {
		e.Fields[fields[i]] = fields[i+1]
	}
	c.take(e)
}

// after moves the clock, takes what is in the outbox as delivered, and gives it as "KIND to CONTACT: ALARMS".
func (c *clockwork) after(d time.Duration) []string {
	c.t.Helper()
	c.now += d.Milliseconds()
	c.advance(c.now)
	var out []string
	for _, p := range slices.Clone(c.st.Outbox) {
		var names []string
		for _, a := range p.Message.Alarms {
			names = append(names, a.Name)
		}
		out = append(out, fmt.Sprintf("%s to %s: %s", p.Message.Kind, p.Message.Contact, strings.Join(names, " ")))
		c.outcome(p, nil, c.now, 0)
	}
	return out
}

func (c *clockwork) expect(what string, got []string, want ...string) {
	c.t.Helper()
	if !slices.Equal(got, want) {
		c.t.Errorf("%s: %q, expected %q", what, got, want)
	}
}

// An alarm is told, repeated and escalated until somebody acknowledges it, and told as resolved to all who knew of it.
func TestRepeatAndEscalation(t *testing.T) {
	c := newClockwork(t, `
notification "all" {
  contacts = [contact.duty]
  repeat   = "10m"
  group { wait = "10s" }
  escalate {
    after = "15m"
    to    = [contact.boss]
  }
}
`)
	c.alarm("grid", "activate", true)
	c.expect("before it waited", c.after(9*time.Second))
	c.expect("at first", c.after(time.Second), "new to duty: grid")
	c.expect("soon after", c.after(9*time.Minute))
	c.expect("unattended", c.after(time.Minute), "repeat to duty: grid")
	c.expect("long unattended", c.after(5*time.Minute), "escalation to boss: grid")
	c.expect("still", c.after(5*time.Minute), "repeat to duty: grid", "repeat to boss: grid")
	c.alarm("grid", "ack", true, "acked", "1")
	c.expect("acknowledged", c.after(3*time.Hour))
	c.alarm("grid", "return", false, "acked", "1")
	c.expect("over", c.after(10*time.Minute), "resolved to duty: grid", "resolved to boss: grid")
	c.expect("forgotten", c.after(24*time.Hour))
	if len(c.st.Alarms)+len(c.st.Groups) != 0 {
		t.Errorf("%d alarms and %d groups are kept", len(c.st.Alarms), len(c.st.Groups))
	}
	c.alarm("grid", "activate", true, "occurrence", "2")
	c.expect("again", c.after(time.Hour)[:1], "new to duty: grid")
}

// What comes together is told together; what comes later waits for the interval; what returns before it was told is not told.
func TestGroups(t *testing.T) {
	c := newClockwork(t, `
notification "all" {
  contacts = [contact.duty]
  group {
    by       = ["block"]
    wait     = "30s"
    interval = "5m"
  }
}
`)
	for _, name := range []string{"hot[north]", "hot[south]", "lost[north]"} {
		c.alarm(name, "activate", true)
	}
	c.alarm("brief", "activate", true)
	c.now += 1000
	c.alarm("brief", "return", false, "acked", "0")
	c.expect("two groups", c.after(30*time.Second), "new to duty: hot[north] hot[south]", "new to duty: lost[north]")
	c.alarm("hot[east]", "activate", true)
	c.expect("within the interval", c.after(4*time.Minute))
	c.expect("behind it", c.after(time.Minute), "update to duty: hot[north] hot[south] hot[east]")
}

// Alarms that somebody silenced are not told, nor those that are excluded or of too low a priority.
func TestWhatIsNotTold(t *testing.T) {
	c := newClockwork(t, `
notification "all" {
  contacts     = [contact.duty]
  min_priority = "medium"
  except       = ["test_*"]
  group { wait = "1s" }
}
`)
	c.alarm("shelved", "activate", true, "shelving", "timed")
	c.alarm("suppressed", "activate", true, "suppressed", "1")
	c.alarm("serviced", "activate", true, "out_of_service", "1")
	c.alarm("disabled", "activate", true, "enabled", "0")
	c.alarm("test_lamp", "activate", true)
	c.alarm("note", "activate", true, "priority", "low")
	c.expect("none of them", c.after(time.Hour))
	c.alarm("shelved", "unshelve", true, "annunciate", "1")
	c.expect("no longer shelved", c.after(time.Minute), "new to duty: shelved")
}

// At night only what is critical is told; the rest in the morning, if it still stands.
func TestQuiet(t *testing.T) {
	c := newClockwork(t, `
notification "all" {
  contacts = [contact.duty]
  group {
    wait     = "1s"
    interval = "0s"
  }
  quiet { during = schedule.night }
}
`)
	c.expect("noon to night", c.after(11*time.Hour))
	c.alarm("warm", "activate", true)
	c.alarm("draught", "activate", true)
	c.expect("at night", c.after(time.Hour))
	c.alarm("draught", "return", false)
	c.expect("still", c.after(time.Hour))
	c.expect("in the morning", c.after(5*time.Hour), "new to duty: warm")
	c.after(17 * time.Hour)
	c.alarm("fire", "activate", true, "priority", "critical")
	c.expect("critical at night", c.after(time.Minute), "update to duty: fire warm")
}

// More than max_per_hour becomes one message that stands for all.
func TestAFloodIsOneMessage(t *testing.T) {
	c := newClockwork(t, `
notification "all" {
  contacts     = [contact.duty]
  max_per_hour = 3
  resolved     = false
  group {
    by       = ["alarm"]
    wait     = "1s"
    interval = "0s"
  }
}
`)
	for i := range 50 {
		c.alarm(fmt.Sprintf("a%02d", i), "activate", true)
	}
	var told []string
	seen := map[string]bool{}
	for range 10 {
		told = append(told, c.after(time.Minute)...)
	}
	for _, m := range told {
		_, names, _ := strings.Cut(m, ": ")
		for _, name := range strings.Fields(names) {
			seen[name] = true
		}
	}
	if len(told) > 3+10 || len(seen) != 50 || !slices.ContainsFunc(told, func(m string) bool { return strings.HasPrefix(m, "flood to duty") }) {
		t.Errorf("%d alarms in %d messages: %q", len(seen), len(told), told)
	}
}

// What can't be delivered is tried again in pauses that grow, told in one message when it got late, and given up at last.
func TestWhatCannotBeDelivered(t *testing.T) {
	c := newClockwork(t, `
notification "all" {
  contacts = [contact.duty]
  group {
    by   = ["alarm"]
    wait = "1s"
  }
}
`)
	c.alarm("one", "activate", true)
	c.alarm("two", "activate", true)
	c.now += 1000
	c.advance(c.now)
	tries := 0
	for end := c.now + (20 * time.Minute).Milliseconds(); c.now < end; c.now += 1000 {
		for _, p := range c.deliveries(c.now) {
			tries++
			c.outcome(p, fmt.Errorf("no route to host"), c.now, 0.5)
		}
	}
	if len(c.st.Outbox) != 1 || c.st.Outbox[0].Message.Kind != message.Summary || len(c.st.Outbox[0].Message.Alarms) != 2 {
		t.Errorf("late messages are not one: %+v", c.st.Outbox)
	}
	if tries < 5 || tries > 15 {
		t.Errorf("%d tries in 20 minutes", tries)
	}
	c.now += (25 * time.Hour).Milliseconds()
	if c.deliveries(c.now); len(c.st.Outbox) != 0 || c.st.Contacts["duty"].Lost != 1 {
		t.Errorf("after a day: %d in the outbox, %+v", len(c.st.Outbox), c.st.Contacts["duty"])
	}
	if last := c.events[len(c.events)-1]; last.Get("event") != "given_up" || !strings.Contains(last.Get("error"), "no route to host") {
		t.Errorf("%+v", last)
	}
}

// A contact that takes nothing does not fill the memory: the oldest messages to it become one.
func TestTheOutboxIsBounded(t *testing.T) {
	c := newClockwork(t, `
notification "all" {
  contacts     = [contact.duty]
  max_per_hour = 3600
  group {
    by   = ["alarm"]
    wait = "1s"
  }
}
`)
	for i := range 5 * mostWaiting {
		c.alarm(fmt.Sprintf("a%d", i), "activate", true)
		c.now += 100
	}
	c.now += 1000
	c.advance(c.now)
	c.deliveries(c.now)
	told := map[string]bool{}
	for _, p := range c.st.Outbox {
		for _, a := range p.Message.Alarms {
			told[a.Name] = true
		}
	}
	if len(c.st.Outbox) > mostWaiting || len(told) != 5*mostWaiting {
		t.Errorf("%d alarms in %d messages", len(told), len(c.st.Outbox))
	}
}

// An alarm whose event never came is told from the list of alarms, and one that is not on it any more is resolved.
func TestTheListOfAlarmsCompletesTheEvents(t *testing.T) {
	c := newClockwork(t, `
notification "all" {
  contacts = [contact.duty]
  group {
    wait     = "1s"
    interval = "0s"
  }
}
`)
	c.reconcile([]Alarm{{Name: "grid", Priority: "high", Active: true, Occurrence: 3}, {Name: "hid", Priority: "high", Active: true, Silenced: true}}, c.now)
	c.expect("on the list", c.after(time.Second), "new to duty: grid")
	c.now += 2 * reconciled
	c.reconcile(nil, c.now)
	c.expect("no longer on it", c.after(time.Second), "resolved to duty: grid")
}

// A contact and a notification that are taken out of site.hcl take their messages with them; an alarm that stands is told to a new one.
func TestAnotherSite(t *testing.T) {
	const one, other = `
notification "all" {
  contacts = [contact.duty]
  group { wait = "1s" }
}
`, `
notification "other" {
  contacts = [contact.boss]
  group { wait = "1s" }
}
`
	c := newClockwork(t, one)
	c.alarm("grid", "activate", true)
	c.configure(parse(t, contacts+other), "", c.now)
	c.expect("the other one", c.after(time.Second), "new to boss: grid")
	if slices.ContainsFunc(c.events, func(e event.Event) bool { return e.Get("contact") == "duty" }) {
		t.Errorf("%v", c.events)
	}
}
