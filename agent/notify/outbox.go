package notify

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/notify/message"
)

const (
	// Messages that are older than this when there is a way to deliver them are told in one.
	late = 15 * time.Minute
	// The pauses between two attempts grow from the one to the other.
	minPause, maxPause = 5 * time.Second, 5 * time.Minute
	// mostWaiting messages may wait for a contact; beyond that the oldest are told in one.
	mostWaiting = 100
	// What a far end may ask for by Retry-After.
	longestPause = time.Hour
)

// Refused is an answer that another attempt would not change.
type Refused struct{ Reason string }

func (r *Refused) Error() string { return r.Reason }

// Busy is an answer that asks for another attempt, not before After.
type Busy struct {
	Reason string
	After  time.Duration
}

func (b *Busy) Error() string { return b.Reason }

// Partly is the answer of a far end that took a message for some of its addresses, so that another attempt would give it to those twice.
type Partly struct{ Reason string }

func (p *Partly) Error() string { return p.Reason }

// deliveries are the messages to hand over now, one for each contact that has none under way.
func (e *engine) deliveries(now int64) []*pending {
	e.giveUp(now)
	var out []*pending
	busy := map[string]bool{}
	for _, p := range e.st.Outbox {
		if p.flying {
			busy[p.Message.Contact] = true
		}
	}
	for _, c := range e.site.Contacts {
		if busy[c.Name] || e.st.Contacts[c.Name].retry > now {
			continue
		}
		e.mergeLate(c.Name, now)
		i := slices.IndexFunc(e.st.Outbox, func(p *pending) bool { return p.Message.Contact == c.Name })
		if i >= 0 {
			e.st.Outbox[i].flying = true
			out = append(out, e.st.Outbox[i])
		}
	}
	return out
}

// nextTry is when a message that waits may be tried.
func (e *engine) nextTry() int64 {
	at := never
	busy := map[string]bool{}
	for _, p := range e.st.Outbox {
		if t := e.st.Contacts[p.Message.Contact]; t != nil && !p.flying && !busy[p.Message.Contact] {
			at = min(at, t.retry)
		}
		busy[p.Message.Contact] = true
	}
	return at
}

// giveUp drops the messages that are too old.
func (e *engine) giveUp(now int64) {
	e.st.Outbox = slices.DeleteFunc(e.st.Outbox, func(p *pending) bool {
		c := e.site.Contact(p.Message.Contact)
		if p.flying || c == nil || now-p.Message.Time.UnixMilli() <= c.GiveUpAfter.Milliseconds() {
			return false
		}
		e.lose(now, "given_up", p, fmt.Sprintf("not delivered within %v: %s", c.GiveUpAfter, p.Error))
		return true
	})
}

func (e *engine) lose(now int64, what string, p *pending, why string) {
	e.changed = true
	if t := e.st.Contacts[p.Message.Contact]; t != nil {
		t.Lost++
	}
	e.tell(now, what, p, why)
}

// mergeLate makes one message of those to a contact that could not be delivered in time, or that are too many.
func (e *engine) mergeLate(contact string, now int64) {
	waits := 0
	for _, p := range e.st.Outbox {
		if p.Message.Contact == contact && !p.flying {
			waits++
		}
	}
	var old []*pending
	for _, p := range e.st.Outbox {
		if p.Message.Contact == contact && !p.flying && (now-p.Message.Time.UnixMilli() > late.Milliseconds() || len(old) <= waits-mostWaiting) {
			old = append(old, p)
		}
	}
	if len(old) < 2 {
		return
	}
	merged := e.merge(old, now)
	kept := e.st.Outbox[:0]
	for _, p := range e.st.Outbox {
		switch {
		case p == old[0]:
			kept = append(kept, merged)
		case !slices.Contains(old, p):
			kept = append(kept, p)
		}
	}
	clear(e.st.Outbox[len(kept):])
	e.st.Outbox = kept
	e.changed = true
}

// merge makes one message of several to a contact, the oldest first: each alarm as the newest of them has it.
func (e *engine) merge(all []*pending, now int64) *pending {
	last := all[len(all)-1]
	out := &pending{Message: last.Message, Error: last.Error}
	m := &out.Message
	m.ID, m.Kind, m.Merged, m.Since = e.number("summary", now), message.Summary, 0, all[0].Message.Time
	alarms := map[string]message.Alarm{}
	names := map[string]bool{}
	for _, p := range all {
		out.Attempts += p.Attempts
		m.Merged += max(p.Message.Merged, 1)
		names[p.Message.Notification] = true
		if s := p.Message.Since; !s.IsZero() && s.Before(m.Since) {
			m.Since = s
		}
		if p.Message.Group.ID != m.Group.ID {
			m.Group = message.Group{ID: m.ID}
		}
		for _, a := range p.Message.Alarms {
			a.New = false
			alarms[a.Name] = a
		}
	}
	m.Notification = strings.Join(slices.Sorted(maps.Keys(names)), ", ")
	m.Alarms = nil
	for _, name := range slices.Sorted(maps.Keys(alarms)) {
		m.Alarms = append(m.Alarms, alarms[name])
	}
	m.Finish()
	return out
}

// outcome takes what became of a delivery; jitter is between 0 and 1.
func (e *engine) outcome(p *pending, err error, now int64, jitter float64) {
	e.changed = true
	p.flying = false
	p.Attempts++
	t := e.st.Contacts[p.Message.Contact]
	if t == nil { // it is gone since
		t = &tally{}
	}
	drop := func() {
		e.st.Outbox = slices.DeleteFunc(e.st.Outbox, func(x *pending) bool { return x == p })
	}
	var refused *Refused
	var partly *Partly
	switch {
	case errors.As(err, &partly):
		t.Sent++
		t.Failures++
		t.LastSent, t.Error, t.row, t.retry = now, err.Error(), 0, 0
		e.tell(now, "sent_partly", p, err.Error())
		drop()
	case err == nil:
		t.Sent++
		t.LastSent, t.Error, t.row, t.retry = now, "", 0, 0
		e.tell(now, "sent", p, "")
		drop()
	case errors.As(err, &refused):
		t.Failures++
		t.Error, t.row, t.retry = err.Error(), 0, 0
		e.lose(now, "refused", p, err.Error())
		drop()
	default:
		t.Failures++
		t.row++
		t.Error, p.Error = err.Error(), err.Error()
		t.retry = now + pause(t.row, err, jitter).Milliseconds()
		if t.row == 1 {
			e.tell(now, "failed", p, err.Error())
		}
	}
}

// pause is how long to wait after so many failures in a row: longer with each, and never exactly as long as others.
func pause(row int, err error, jitter float64) time.Duration {
	d := min(minPause<<min(row-1, 16), maxPause)
	d = d/2 + time.Duration(jitter*float64(d/2))
	var busy *Busy
	if errors.As(err, &busy) {
		d = max(d, min(busy.After, longestPause))
	}
	return d
}

// tell makes an event about a message.
func (e *engine) tell(now int64, what string, p *pending, why string) {
	m := &p.Message
	detail := "to " + m.Contact + ": " + m.Subject
	if why != "" {
		detail += ": " + why
	}
	e.events = append(e.events, event.New(time.UnixMilli(now), event.Notification, "notification", m.Notification, "event", what, "contact", m.Contact,
		"id", m.ID, "group", m.Group.ID, "reason", string(m.Kind), "attempts", strconv.Itoa(p.Attempts), "error", why, "detail", detail))
}
