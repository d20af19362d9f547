package notify

import (
	"maps"
	"slices"
	"time"

	"github.com/voltage-edge/voltage/agent/notify/message"
	"github.com/voltage-edge/voltage/agent/site"
)

// hour is the time that the rate of a notification is counted over.
const hour = int64(time.Hour / time.Millisecond)

// never is behind every time.
const never = int64(1) << 62

// advance moves the clock, and makes the messages that are due by then, each at its time.
func (e *engine) advance(now int64) {
	e.target = now
	for {
		at := e.next()
		if at > now {
			break
		}
		e.st.Clock = max(e.st.Clock, at)
		e.changed = true
		for _, n := range e.site.Notifications {
			e.fire(n, e.st.Clock)
		}
	}
	e.st.Clock = max(e.st.Clock, now)
}

// next is when something is due next.
func (e *engine) next() int64 {
	at := never
	for _, n := range e.site.Notifications {
		for _, g := range e.st.Groups {
			if g.Notification == n.Name {
				at = min(at, e.deadline(n, g))
			}
		}
	}
	return at
}

// deadline is when a group has something to tell.
func (e *engine) deadline(n *site.Notification, g *group) int64 {
	at := never
	if g.Due != 0 {
		at = g.Due
	}
	at = min(at, e.repeatAt(n, g), e.escalateAt(n, g))
	if at == never {
		return never
	}
	return max(at, g.Hold)
}

// attends tells whether somebody was told of a member of a group, and still has to act.
func (e *engine) attends(name string, m *member) bool {
	a := e.st.Alarms[name]
	return a != nil && m.Told > 0 && a.pages()
}

func (e *engine) repeatAt(n *site.Notification, g *group) int64 {
	if n.Repeat == 0 || g.Repeat == 0 {
		return never
	}
	for name, m := range g.Members {
		if e.attends(name, m) {
			return g.Repeat
		}
	}
	return never
}

func (e *engine) escalateAt(n *site.Notification, g *group) int64 {
	at := never
	for name, m := range g.Members {
		if m.Step < len(n.Escalate) && e.attends(name, m) {
			at = min(at, m.Told+n.Escalate[m.Step].After.Milliseconds())
		}
	}
	return at
}

// fire makes the messages of a notification that are due.
func (e *engine) fire(n *site.Notification, now int64) {
	var due []*group
	for _, key := range slices.Sorted(maps.Keys(e.st.Groups)) {
		g := e.st.Groups[key]
		if g.Notification != n.Name || e.deadline(n, g) > now {
			continue
		}
		if until := e.quietUntil(n, g, now); until > now {
			g.Hold = until
			continue
		}
		due = append(due, g)
	}
	for i, g := range due {
		switch e.room(n, now) {
		case 0:
			if next := e.st.Floods[n.Name] + max(n.Interval, time.Minute).Milliseconds(); e.st.Floods[n.Name] > 0 && next > now {
				g.Hold = next
				continue
			}
			fallthrough
		case 1:
			e.flood(n, due[i:], now)
			return
		default:
			e.tellGroup(n, g, now)
		}
	}
}

// quietUntil is when a group may be told; now: at once.
func (e *engine) quietUntil(n *site.Notification, g *group, now int64) int64 {
	q := n.Quiet
	if q == nil || !q.During.Times.Active(time.UnixMilli(now)) {
		return now
	}
	for name, m := range g.Members {
		if a := e.st.Alarms[name]; a != nil && (m.News || e.attends(name, m)) && message.Rank(a.Priority) >= message.Rank(q.MinPriority) {
			return now
		}
	}
	if next := q.During.Times.Next(time.UnixMilli(now)); !next.IsZero() {
		return next.UnixMilli()
	}
	return now + 24*hour
}

// room is how many messages a notification may still make within the hour.
func (e *engine) room(n *site.Notification, now int64) int {
	sent := slices.DeleteFunc(e.st.Sent[n.Name], func(at int64) bool { return at <= now-hour })
	e.st.Sent[n.Name] = sent
	return max(n.MaxPerHour-len(sent), 0)
}

// tellGroup makes a group's message, and the one of an escalation, which goes to others.
func (e *engine) tellGroup(n *site.Notification, g *group, now int64) {
	switch {
	case g.Due != 0 && g.Due <= now:
		e.make(n, g, e.kindOf(g), e.listeners(n, g), now)
		e.told(n, g, now)
	case e.repeatAt(n, g) <= now:
		e.make(n, g, message.Repeat, union(n.Contacts, g.Told), now)
		e.told(n, g, now)
	}
	if e.escalateAt(n, g) <= now {
		to := e.escalate(n, g, now)
		g.Told = union(g.Told, to)
		g.Hold = 0
		g.Messages++
		e.make(n, g, message.Escalation, to, now)
	}
}

// kindOf is the kind of a group's news.
func (e *engine) kindOf(g *group) message.Kind {
	active := false
	for name := range g.Members {
		active = active || e.st.Alarms[name].Active
	}
	switch {
	case !active:
		return message.Resolved
	case g.Messages == 0:
		return message.New
	}
	return message.Update
}

// listeners are who is told a group's news: who was escalated to wants to know that the alarm returned.
func (e *engine) listeners(n *site.Notification, g *group) []string {
	for name, m := range g.Members {
		if m.Step > 0 && !e.st.Alarms[name].Active {
			return union(n.Contacts, g.Told)
		}
	}
	return n.Contacts
}

// escalate notes the steps that are due, and gives the contacts of them.
func (e *engine) escalate(n *site.Notification, g *group, now int64) []string {
	var to []string
	step := 0
	for name, m := range g.Members {
		for m.Step < len(n.Escalate) && e.attends(name, m) && m.Told+n.Escalate[m.Step].After.Milliseconds() <= now {
			m.Step++
		}
		step = max(step, m.Step)
	}
	// Who is told of one alarm is told of all of the group; those need not be escalated by themselves.
	for name, m := range g.Members {
		if e.attends(name, m) {
			m.Step = step
		}
	}
	for _, s := range n.Escalate[:step] {
		to = union(to, s.To)
	}
	return to
}

// told notes that a group was told.
func (e *engine) told(n *site.Notification, g *group, now int64) {
	for name, m := range g.Members {
		a := e.st.Alarms[name]
		m.News = false
		switch {
		case !a.Active:
			delete(g.Members, name)
		case m.Told == 0:
			m.Told = now
		}
	}
	g.Due, g.Hold, g.Last = 0, 0, now
	g.Messages++
	g.Told = union(g.Told, n.Contacts)
	if n.Repeat > 0 {
		// What was missed while nobody looked is not made up for.
		every := n.Repeat.Milliseconds()
		g.Repeat = now + every
		g.Repeat += max(0, (e.target-g.Repeat)/every) * every
	}
	for key, x := range e.st.Groups {
		if x == g {
			e.tidy(key, g)
		}
	}
	e.forget()
}

// flood makes one message of all that a notification has to tell, due or not.
func (e *engine) flood(n *site.Notification, due []*group, now int64) {
	all := slices.Clone(due)
	for _, key := range slices.Sorted(maps.Keys(e.st.Groups)) {
		g := e.st.Groups[key]
		if g.Notification == n.Name && g.Due != 0 && !slices.Contains(all, g) && e.quietUntil(n, g, now) <= now {
			all = append(all, g)
		}
	}
	if len(all) == 1 && e.room(n, now) > 0 {
		e.tellGroup(n, all[0], now)
		return
	}
	to := n.Contacts
	merged := &group{ID: e.number(n.Name, now), Notification: n.Name, Members: map[string]*member{}}
	for _, g := range all {
		if e.escalateAt(n, g) <= now {
			steps := e.escalate(n, g, now)
			g.Told = union(g.Told, steps)
			to = union(to, steps)
		}
		to = union(to, e.listeners(n, g))
		maps.Copy(merged.Members, g.Members)
	}
	e.make(n, merged, message.Flood, to, now)
	for i := range e.st.Outbox {
		if m := &e.st.Outbox[i].Message; m.Group.ID == merged.ID {
			m.Merged = len(all)
		}
	}
	e.st.Floods[n.Name] = now
	for _, g := range all {
		e.told(n, g, now)
	}
}

// make puts a message about a group into the outbox, one for each contact.
func (e *engine) make(n *site.Notification, g *group, kind message.Kind, to []string, now int64) {
	m := message.Message{
		Kind: kind, Site: e.site.Name, Notification: n.Name, Group: message.Group{ID: g.ID, By: g.By}, Time: clock(now), URL: e.link(n),
	}
	for _, name := range slices.Sorted(maps.Keys(g.Members)) {
		m.Alarms = append(m.Alarms, e.describe(e.st.Alarms[name], g.Members[name]))
	}
	m.Finish()
	for _, contact := range to {
		if e.site.Contact(contact) == nil {
			continue
		}
		own := m
		own.ID, own.Contact = e.number(n.Name, now), contact
		e.st.Outbox = append(e.st.Outbox, &pending{Message: own})
	}
	e.st.Sent[n.Name] = append(e.st.Sent[n.Name], now)
}

// describe is an alarm as a message tells it.
func (e *engine) describe(a *alarm, m *member) message.Alarm {
	out := message.Alarm{
		Name: a.Name, State: message.Active, Priority: a.Priority, Message: a.Message, Value: a.Value, Unit: a.Unit, Quality: a.Quality,
		Level: a.Level, Since: clock(a.Since), Returned: clock(a.Returned), Occurrence: a.Occurrence, New: m.Told == 0,
	}
	switch {
	case !a.Active:
		out.State = message.Returned
	case a.Silenced:
		out.State = message.Silenced
	case a.Acked:
		out.State = message.Acknowledged
	}
	return out
}

// link is where people find the alarms.
func (e *engine) link(n *site.Notification) string {
	switch {
	case n.Link != "":
		return n.Link
	case e.url != "":
		return e.url + "/api/v1/alarms"
	}
	return ""
}

func clock(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// union has what is in either list, once, in order.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
