package notify

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Status is how notifications do.
type Status struct {
	// Error is why the state could not be kept; empty: it was.
	Error    string
	Contacts []ContactStatus
	Groups   []GroupStatus
}

// ContactStatus is how a contact does.
type ContactStatus struct {
	Name, Place string
	// Pending messages wait, since Oldest.
	Pending int
	Oldest  time.Time
	// Sent messages were taken; Failures counts attempts; Lost messages were given up, or refused for good.
	Sent, Failures, Lost uint64
	LastSent             time.Time
	// Error is why the last attempt failed, and Retry when the next one is.
	Error string
	Retry time.Time
}

// GroupStatus is a group of alarms that somebody knows of, or will.
type GroupStatus struct {
	ID, Notification string
	By               map[string]string
	Alarms           []string
	// Messages counts those that were made.
	Messages int
	Last     time.Time
	// NextMessage tells news, NextRepeat and NextEscalation come while nobody acknowledges; zero: none.
	NextMessage, NextRepeat, NextEscalation time.Time
	// Told are the contacts that know of it.
	Told []string
}

// Status tells how notifications do.
func (n *Notifier) Status() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status
}

func (n *Notifier) setStatus() {
	contacts, groups := n.engine.contacts(), n.engine.groups()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status.Contacts, n.status.Groups = contacts, groups
}

func (e *engine) contacts() []ContactStatus {
	out := make([]ContactStatus, 0, len(e.site.Contacts))
	for _, c := range e.site.Contacts {
		t := e.st.Contacts[c.Name]
		s := ContactStatus{
			Name: c.Name, Sent: t.Sent, Failures: t.Failures, Lost: t.Lost, LastSent: clock(t.LastSent), Error: t.Error, Retry: clock(t.retry),
		}
		if c.Webhook != nil {
			s.Place = c.Webhook.Place()
		} else {
			s.Place = c.Email.Place()
		}
		for _, p := range e.st.Outbox {
			if p.Message.Contact != c.Name {
				continue
			}
			if s.Pending == 0 {
				s.Oldest = p.Message.Time
			}
			s.Pending++
		}
		out = append(out, s)
	}
	return out
}

func (e *engine) groups() []GroupStatus {
	out := make([]GroupStatus, 0, len(e.st.Groups))
	for _, g := range e.st.Groups {
		n := e.notification(g.Notification)
		s := GroupStatus{
			ID: g.ID, Notification: g.Notification, By: g.By, Alarms: slices.Sorted(maps.Keys(g.Members)), Messages: g.Messages, Last: clock(g.Last),
			Told: slices.Clone(g.Told),
		}
		for _, next := range []struct {
			at   int64
			into *time.Time
		}{{g.Due, &s.NextMessage}, {e.repeatAt(n, g), &s.NextRepeat}, {e.escalateAt(n, g), &s.NextEscalation}} {
			if next.at != 0 && next.at != never {
				*next.into = clock(max(next.at, g.Hold))
			}
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b GroupStatus) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
