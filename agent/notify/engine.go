package notify

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/notify/message"
	"github.com/voltage-edge/voltage/agent/site"
)

// engine decides what is told to whom, and when. It is a function of its state, what it is given, and the times that come
// with that: it asks no clock, and sends nothing.
type engine struct {
	st   *state
	site *site.Site
	// url is where the API is; empty: nowhere.
	url string
	// events are the engine's own, until the runner takes them.
	events []event.Event
	// target is where the clock is moved to, while things on the way happen.
	target int64
	// changed: the state is not that on disk any more.
	changed bool
}

// configure takes a site. What waits goes on: groups follow the site's grouping, and messages to contacts that are gone
// are dropped.
func (e *engine) configure(s *site.Site, url string, now int64) {
	e.site, e.url = s, url
	e.changed = true
	for name := range e.st.Contacts {
		if s.Contact(name) == nil {
			delete(e.st.Contacts, name)
		}
	}
	for _, c := range s.Contacts {
		if e.st.Contacts[c.Name] == nil {
			e.st.Contacts[c.Name] = &tally{}
		}
	}
	e.st.Outbox = slices.DeleteFunc(e.st.Outbox, func(p *pending) bool {
		gone := s.Contact(p.Message.Contact) == nil
		if gone {
			e.tell(now, "dropped", p, "the contact is gone")
		}
		return gone
	})
	old := e.st.Groups
	e.st.Groups = map[string]*group{}
	for _, key := range slices.Sorted(maps.Keys(old)) {
		g := old[key]
		n := e.notification(g.Notification)
		if n == nil {
			continue
		}
		for name, m := range g.Members {
			a := e.st.Alarms[name]
			if a == nil || !wants(n, a) {
				continue
			}
			to := groupKey(n, a)
			if e.st.Groups[to] == nil {
				kept := *g
				kept.Members, kept.By, kept.Hold = map[string]*member{}, groupBy(n, a), 0
				if to != key {
					kept.ID = e.number(n.Name, now)
				}
				e.st.Groups[to] = &kept
			}
			into := e.st.Groups[to]
			into.Members[name] = m
			if m.News && into.Due == 0 {
				into.Due = g.Due
			}
		}
	}
	for _, n := range s.Notifications {
		for _, g := range e.st.Groups {
			if g.Notification == n.Name && n.Repeat > 0 && g.Last > 0 {
				g.Repeat = g.Last + n.Repeat.Milliseconds()
			}
		}
		for _, name := range slices.Sorted(maps.Keys(e.st.Alarms)) {
			if a := e.st.Alarms[name]; a.pages() && wants(n, a) && e.member(n, a) == nil {
				e.demand(n, a, now, true)
			}
		}
	}
	e.forget()
}

func (e *engine) notification(name string) *site.Notification {
	i := slices.IndexFunc(e.site.Notifications, func(n *site.Notification) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return e.site.Notifications[i]
}

// pages tells whether somebody has to act.
func (a *alarm) pages() bool { return a.Active && !a.Acked && !a.Silenced }

// wants tells whether a notification is about an alarm.
func wants(n *site.Notification, a *alarm) bool {
	return message.Rank(a.Priority) >= message.Rank(n.MinPriority) && n.Covers(a.Name)
}

// groupBy is what the alarms of the group of an alarm have in common.
func groupBy(n *site.Notification, a *alarm) map[string]string {
	by := map[string]string{}
	block, key := site.SplitInstance(a.Name)
	for _, what := range n.By {
		by[what] = map[string]string{"alarm": a.Name, "block": block, "key": key, "priority": a.Priority}[what]
	}
	return by
}

func groupKey(n *site.Notification, a *alarm) string {
	key := n.Name
	by := groupBy(n, a)
	for _, what := range n.By {
		key += "\x00" + by[what]
	}
	return key
}

func (e *engine) member(n *site.Notification, a *alarm) *member {
	if g := e.st.Groups[groupKey(n, a)]; g != nil {
		return g.Members[a.Name]
	}
	return nil
}

// number makes a name that no group or message had before.
func (e *engine) number(of string, now int64) string {
	e.st.Number++
	return of + "-" + strconv.FormatInt(now, 36) + "-" + strconv.FormatUint(e.st.Number, 36)
}

// take takes an event. What was due before it happens first.
func (e *engine) take(ev event.Event) {
	if ev.Kind != event.Alarm || ev.Get("alarm") == "" {
		return
	}
	now := max(ev.Millis, e.st.Clock)
	e.advance(now)
	e.changed = true
	name := ev.Get("alarm")
	a := e.st.Alarms[name]
	if a == nil {
		a = &alarm{Name: name, Acked: true}
	}
	was := *a
	demands := ev.Get("annunciate") == "1"
	if ev.Get("event") == "removed" {
		a.Active, a.Acked = false, true
	} else {
		a.read(ev)
	}
	if was.Active && !a.Active {
		a.Returned = now
	}
	a.Seen = now
	// The list of alarms may have told of it before its event came.
	if ev.Get("event") == "activate" && was.Active && was.Occurrence == a.Occurrence {
		demands = false
	}
	e.turn(a, was, demands, now)
}

// read takes the state that an event carries.
func (a *alarm) read(ev event.Event) {
	yes := func(name string) bool { return ev.Get(name) == "1" }
	whole := func(name string) int64 { f, _ := ev.Number(name); return int64(f) }
	a.Priority, a.Message, a.Level, a.Quality, a.Unit = ev.Get("priority"), ev.Get("text"), ev.Get("level"), ev.Get("quality"), ev.Get("unit")
	a.Active, a.Acked = yes("active"), yes("acked")
	a.Silenced = !yes("enabled") || yes("suppressed") || yes("out_of_service") || ev.Get("shelving") != "unshelved"
	a.Occurrence = int(whole("occurrence"))
	a.Value = nil
	if v, ok := ev.Number("value"); ok {
		a.Value = &v
	}
	if a.Active {
		a.Since, a.Returned = whole("since"), 0
	}
}

// turn brings the groups in line with an alarm that was different a moment ago.
func (e *engine) turn(a *alarm, was alarm, demands bool, now int64) {
	if a.Active {
		e.st.Alarms[a.Name] = a
	}
	for _, n := range e.site.Notifications {
		if was.Priority != "" && was.Priority != a.Priority {
			e.leave(n, &was)
		}
		switch {
		case !wants(n, a):
		case demands && a.pages():
			e.demand(n, a, now, was.Acked || !was.Active || was.Occurrence != a.Occurrence)
		default:
			e.settle(n, a, now)
		}
	}
	if !a.Active && !e.grouped(a) {
		delete(e.st.Alarms, a.Name)
	}
}

// leave takes an alarm out of its group: its priority is another one now.
func (e *engine) leave(n *site.Notification, was *alarm) {
	key := groupKey(n, was)
	if g := e.st.Groups[key]; g != nil && g.Members[was.Name] != nil {
		delete(g.Members, was.Name)
		e.tidy(key, g)
	}
}

// demand notes that an alarm wants attention; anew: nobody was told since it last had none.
func (e *engine) demand(n *site.Notification, a *alarm, now int64, anew bool) {
	key := groupKey(n, a)
	g := e.st.Groups[key]
	if g == nil {
		g = &group{ID: e.number(n.Name, now), Notification: n.Name, By: groupBy(n, a), Members: map[string]*member{}}
		e.st.Groups[key] = g
	}
	m := g.Members[a.Name]
	if m == nil || anew {
		m = &member{}
		g.Members[a.Name] = m
	}
	m.News = true
	g.Hold = 0
	g.schedule(n, now)
}

// schedule says when the news of a group are told.
func (g *group) schedule(n *site.Notification, now int64) {
	if g.Due != 0 {
		return
	}
	g.Due = now + n.Wait.Milliseconds()
	if g.Last > 0 {
		g.Due = max(g.Due, g.Last+n.Interval.Milliseconds())
	}
}

// settle notes that an alarm does not want attention any more, or only as much as before.
func (e *engine) settle(n *site.Notification, a *alarm, now int64) {
	key := groupKey(n, a)
	g := e.st.Groups[key]
	if g == nil || g.Members[a.Name] == nil {
		return
	}
	m := g.Members[a.Name]
	switch {
	case a.pages():
	case m.Told == 0, !a.Active && !n.Resolved:
		delete(g.Members, a.Name)
	case !a.Active:
		m.News = true
		g.schedule(n, now)
	default:
		m.News = false
	}
	e.tidy(key, g)
}

// tidy forgets a group without alarms, and a due time without news.
func (e *engine) tidy(key string, g *group) {
	if len(g.Members) == 0 {
		delete(e.st.Groups, key)
		return
	}
	for _, m := range g.Members {
		if m.News {
			return
		}
	}
	g.Due = 0
}

// grouped tells whether an alarm is in any group.
func (e *engine) grouped(a *alarm) bool {
	return slices.ContainsFunc(e.site.Notifications, func(n *site.Notification) bool { return e.member(n, a) != nil })
}

// forget drops alarms that nobody has to know any more.
func (e *engine) forget() {
	for name, a := range e.st.Alarms {
		if !a.Active && !e.grouped(a) {
			delete(e.st.Alarms, name)
		}
	}
}

// reconciled is how old what an event said must be for the list of alarms to know better: the list may have been made
// before the event.
const reconciled = int64(time.Minute / time.Millisecond)

// reconcile compares with the alarms as the library has them now, for events that never came: of alarms from before there
// were notifications, and when Redis or the journal lost something.
func (e *engine) reconcile(list []Alarm, now int64) {
	now = max(now, e.st.Clock)
	e.advance(now)
	standing := map[string]bool{}
	for _, x := range list {
		if !x.Active {
			continue
		}
		standing[x.Name] = true
		a := e.st.Alarms[x.Name]
		if a != nil && (a.Seen > now-reconciled || a.Active && a.Occurrence == x.Occurrence && a.Acked == x.Acked && a.Silenced == x.Silenced) {
			continue
		}
		was := alarm{Acked: true}
		if a != nil {
			was = *a
		}
		next := was
		next.Name, next.Priority, next.Message, next.Level, next.Quality, next.Value, next.Unit = x.Name, x.Priority, x.Message, x.Level, x.Quality, x.Value, x.Unit
		next.Since, next.Returned, next.Occurrence = x.Since, 0, x.Occurrence
		next.Active, next.Acked, next.Silenced, next.Seen = true, x.Acked, x.Silenced, now
		e.changed = true
		e.turn(&next, was, !was.pages() || was.Occurrence != next.Occurrence, now)
	}
	for _, name := range slices.Sorted(maps.Keys(e.st.Alarms)) {
		a := e.st.Alarms[name]
		if !a.Active || standing[name] || a.Seen > now-reconciled {
			continue
		}
		was := *a
		a.Active, a.Acked, a.Returned, a.Seen = false, true, now, now
		e.changed = true
		e.turn(a, was, false, now)
	}
}

// Alarm is an alarm as the library has it now. Since is in ms.
type Alarm struct {
	Name, Priority, Message, Level, Quality, Unit string
	Value                                         *float64
	Since                                         int64
	Occurrence                                    int
	Active, Acked, Silenced                       bool
}
