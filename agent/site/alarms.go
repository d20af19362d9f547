package site

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// loadAlarms makes all alarms. check then checks what they refer to: they may name each other, and live locals and
// measurements, which may name them.
func (l *loader) loadAlarms() (check func()) {
	var checks []func()
	for _, b := range l.blocks["alarm"] {
		l.instances(b, func(in instance) {
			a, check := l.oneAlarm(in)
			b.entry.items[in.key] = a
			checks = append(checks, check)
		})
	}
	return func() {
		for _, check := range slices.Concat(checks, l.madeAlarms()) {
			check()
		}
		l.suppressionCircles()
	}
}

// oneAlarm makes an alarm, and what checks it when all have been made.
func (l *loader) oneAlarm(in instance) (a *Alarm, check func()) {
	before := l.count
	c := l.decode(in.body, l.shapes["alarm"], in.rng, in.scope)
	a = l.alarm(in, c)
	ok := l.count == before
	return a, func() {
		before := l.count
		sound := l.alarmCondition(a, c, in.scope)
		a.SuppressedBy = l.suppressors(a, c, in.scope)
		if ok && sound && l.count == before {
			l.site.Alarms = append(l.site.Alarms, a)
		}
	}
}

func (l *loader) alarm(in instance, c *content) *Alarm {
	return &Alarm{
		Name: in.full, Description: c.text("description"), For: c.duration("for"), OffDelay: c.duration("off_delay"),
		Deadband: c.number("deadband"), Priority: c.text("priority"), Message: c.text("message"), Latching: c.flag("latching"),
		Confirm: c.flag("confirm_required"), ReAlarm: c.duration("re_alarm"), MaxShelve: c.duration("max_shelve"),
		Unknown: Unknown(c.text("unknown")), FirstOut: c.text("first_out"), Disabled: !c.flag("enabled"), Range: in.rng,
	}
}

// condition takes an expression over live values, and checks its names. It is not sound when something is wrong with it
// or with what it refers to.
func (l *loader) condition(c *content, name string, s *Scope) (Expr, bool) {
	return l.live(c.expression(name), s, nil)
}

// live is condition for an expression, in which a flow's own names may stand. Nil is not sound.
func (l *loader) live(e hcl.Expression, s *Scope, names ownNames) (Expr, bool) {
	if e == nil {
		return Expr{}, false
	}
	x, ok := l.native(e)
	if !ok {
		return Expr{}, false
	}
	expr := Expr{Expression: x, Scope: s}
	refs, ok := l.checkNames(expr, names)
	for _, r := range refs {
		ok = ok && !r.bad
	}
	return expr, ok
}

// suppressors are the alarms that a list names: alarm.NAME, or "NAME".
func (l *loader) suppressors(a *Alarm, c *content, s *Scope) []string {
	e := c.expression("suppressed_by")
	if e == nil {
		return nil
	}
	list, diags := hcl.ExprList(e)
	if diags.HasErrors() {
		list = []hcl.Expression{e}
	}
	var out []string
	for _, x := range list {
		name, ok := l.alarmName(x, s)
		switch {
		case !ok:
		case name == a.Name:
			l.fail(x.Range(), "Alarm that suppresses itself", "Alarm %s can't be suppressed by itself.", a.Name)
		case !slices.Contains(out, name):
			out = append(out, name)
		}
	}
	return out
}

func (l *loader) alarmName(e hcl.Expression, s *Scope) (string, bool) {
	t, ok := s.asTraversal(e)
	if !ok || t.RootName() != rootAlarm {
		name, ok := l.constantText(e, s)
		if !ok {
			return "", false
		}
		base, key := SplitInstance(name)
		entry := l.site.index.find(rootAlarm, base)
		if entry == nil {
			l.take(s.noBlock(rootAlarm, name, e.Range()))
			return "", false
		}
		if entry.items[key] == nil && !entry.broken {
			l.take(noSuch(e.Range(), "instance", key, "alarm "+base, entry.keys))
			return "", false
		}
		return name, true
	}
	item, rest, quiet, diags := s.findItem(rootAlarm, t)
	l.take(diags)
	if quiet || item == nil {
		return "", false
	}
	if len(rest) > 0 {
		l.fail(rest.SourceRange(), "Name too long", "An alarm is wanted: %s.", traversalText(t[:len(t)-len(rest)]))
		return "", false
	}
	return item.(*Alarm).Name, true
}

// suppressionCircles finds alarms that suppress each other in turn: none of them would be seen.
func (l *loader) suppressionCircles() {
	state := map[string]int{}
	var path []string
	var visit func(a *Alarm)
	visit = func(a *Alarm) {
		state[a.Name] = 1
		path = append(path, a.Name)
		for _, name := range a.SuppressedBy {
			switch next := l.site.Alarm(name); {
			case next == nil:
			case state[name] == 0:
				visit(next)
			case state[name] == 1:
				circle := append(slices.Clone(path[slices.Index(path, name):]), name)
				l.fail(a.Range, "Alarms that suppress each other", "These alarms would hide each other: %s.", strings.Join(circle, " → "))
			}
		}
		path = path[:len(path)-1]
		state[a.Name] = 2
	}
	for _, a := range l.site.Alarms {
		if state[a.Name] == 0 {
			visit(a)
		}
	}
}
