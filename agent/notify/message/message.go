// Package message is the form of what a contact is told about alarms: what a webhook is posted as JSON, what a template
// is filled with, and what an e-mail says in words.
package message

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind says why a message is sent.
type Kind string

// The kinds.
const (
	// New is the first message of a group.
	New Kind = "new"
	// Update is about a group that was told before: alarms came to it, or some of them returned.
	Update Kind = "update"
	// Repeat says once more what nobody acknowledged.
	Repeat Kind = "repeat"
	// Escalation goes to further contacts, as nobody acknowledged.
	Escalation Kind = "escalation"
	// Resolved says that all alarms of a group returned.
	Resolved Kind = "resolved"
	// Flood stands for several messages of a notification that has sent as many as it may.
	Flood Kind = "flood"
	// Summary stands for several messages that could not be delivered in time.
	Summary Kind = "summary"
	// Test is what somebody asked for to try a contact.
	Test Kind = "test"
)

// Priorities are those of alarms, the lowest first.
var Priorities = []string{"low", "medium", "high", "critical"}

// Rank orders priorities; an unknown one is below all.
func Rank(priority string) int { return slices.Index(Priorities, priority) }

// MostAlarms is how many alarms one message lists; the others are counted.
const MostAlarms = 100

// Message is one message to one contact. Its ID stays the same in every attempt, so that a receiver can leave out what
// came twice.
type Message struct {
	Version int    `json:"version"` // of this form: 1
	ID      string `json:"id"`
	Kind    Kind   `json:"kind"`
	// Status is active while any of the alarms is, else resolved.
	Status       string `json:"status"`
	Site         string `json:"site"`
	Notification string `json:"notification"`
	Contact      string `json:"contact"`
	Group        Group  `json:"group"`
	// Time is when there was reason for it; it may be sent much later.
	Time time.Time `json:"time"`
	// Priority is the highest of the alarms that are active, or, when none is, of all.
	Priority string `json:"priority,omitempty"`
	// Subject is the message in one line.
	Subject string  `json:"subject"`
	Counts  Counts  `json:"counts"`
	Alarms  []Alarm `json:"alarms"`
	// Merged counts the messages that a flood or summary stands for, and Since is the time of the oldest of them.
	Merged int       `json:"merged,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	// URL is where the alarms are, when the API listens.
	URL string `json:"url,omitempty"`
}

// Group says which alarms are told together.
type Group struct {
	// ID is the same in all messages of a group, from its first alarm until all returned.
	ID string `json:"id"`
	// By is what the alarms of the group have in common.
	By map[string]string `json:"by,omitempty"`
}

// Counts are those of the alarms in a message, listed or not.
type Counts struct {
	Active         int `json:"active"`
	Unacknowledged int `json:"unacknowledged"`
	Returned       int `json:"returned"`
	// Omitted are not listed.
	Omitted int `json:"omitted"`
}

// Alarm is one alarm in a message.
type Alarm struct {
	Name string `json:"name"`
	// State is active, acknowledged (and active), returned, or silenced: active, but shelved, suppressed or out of service.
	State    string `json:"state"`
	Priority string `json:"priority"`
	Message  string `json:"message,omitempty"`
	// Value when the state last changed, in Unit; null when it is unknown or the alarm has none.
	Value   *float64 `json:"value"`
	Unit    string   `json:"unit,omitempty"`
	Quality string   `json:"quality,omitempty"`
	Level   string   `json:"level,omitempty"`
	// Since is when it was raised, Returned when it returned.
	Since      time.Time `json:"since,omitzero"`
	Returned   time.Time `json:"returned,omitzero"`
	Occurrence int       `json:"occurrence"`
	// New alarms were in no message of the group before.
	New bool   `json:"new,omitempty"`
	URL string `json:"url,omitempty"`
}

// The states of an alarm in a message.
const (
	Active       = "active"
	Acknowledged = "acknowledged"
	Returned     = "returned"
	Silenced     = "silenced"
)

// Finish sorts the alarms, the most urgent first, and counts them; it sets Status, Priority and Subject.
func (m *Message) Finish() {
	m.Version = 1
	order := map[string]int{Active: 0, Acknowledged: 1, Silenced: 2, Returned: 3}
	slices.SortStableFunc(m.Alarms, func(a, b Alarm) int {
		return cmp.Or(order[a.State]-order[b.State], Rank(b.Priority)-Rank(a.Priority), a.Since.Compare(b.Since), strings.Compare(a.Name, b.Name))
	})
	m.Counts, m.Status, m.Priority = Counts{}, "resolved", ""
	for _, a := range m.Alarms {
		switch a.State {
		case Returned:
			m.Counts.Returned++
			continue
		case Active:
			m.Counts.Unacknowledged++
		}
		m.Counts.Active++
		m.Status, m.Priority = "active", higher(m.Priority, a.Priority)
	}
	if m.Counts.Active == 0 {
		for _, a := range m.Alarms {
			m.Priority = higher(m.Priority, a.Priority)
		}
	}
	m.Subject = m.subject()
}

// Cut is the message with no more alarms than one may list.
func (m Message) Cut() Message {
	if n := len(m.Alarms) - MostAlarms; n > 0 {
		m.Counts.Omitted = n
		m.Alarms = m.Alarms[:MostAlarms:MostAlarms]
	}
	return m
}

func higher(a, b string) string {
	if Rank(b) > Rank(a) {
		return b
	}
	return a
}

// subject is the message in one line: how much, how bad, where, what.
func (m *Message) subject() string {
	if m.Kind == Test {
		return fmt.Sprintf("[%s] test of contact %s", m.Site, m.Contact)
	}
	var what []string
	if n := m.Counts.Active; n > 0 {
		what = append(what, fmt.Sprintf("%s active, %s", count(n, "alarm"), m.Priority))
		if m.Counts.Unacknowledged == 0 {
			what = append(what, "acknowledged")
		}
	}
	if n := m.Counts.Returned; n > 0 {
		what = append(what, fmt.Sprintf("%s returned", count(n, "alarm")))
	}
	prefix := map[Kind]string{Repeat: "still: ", Escalation: "not acknowledged: ", Flood: "flood of alarms: ", Summary: "late: "}[m.Kind]
	text := fmt.Sprintf("[%s] %s%s", m.Site, prefix, strings.Join(what, ", "))
	if len(m.Alarms) > 0 {
		text += ": " + m.Alarms[0].Name
		if len(m.Alarms) > 1 {
			text += ", …"
		}
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
