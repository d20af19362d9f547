package main

import (
	"fmt"
	"slices"
	"sort"
)

// oracle is a naive machine of alarms, written from the rulings and not from the library: it looks at every alarm at every
// instant, and keeps nothing that it can work out.
type oracle struct {
	alarms []*oracleAlarm // parents first
	byID   map[string]*oracleAlarm
	points map[string]*oraclePoint
	spoke  []int64
	flood  bool
	now    int64
	log    []string
}

type oraclePoint struct {
	value    float64
	bad      bool
	ts       int64
	hasGood  bool
	goodV    float64
	goodTS   int64
	rate     float64
	hasRate  bool
	lastGood int64
}

type oracleAlarm struct {
	def                                                  alarmDef
	points                                               []string
	parents                                              []*oracleAlarm
	enabled, active, acked, confirmed, latched, sup, oos bool
	operator, first, waiting                             bool
	shelf                                                string
	shelfEnd, pendingEnd, again, since                   int64
	pending, level                                       string
	flags                                                map[string]bool
	bad                                                  map[string]bool
	occurrence, repeat                                   int
	returns                                              []int64
}

func newOracle(defs []alarmDef) *oracle {
	o := &oracle{byID: map[string]*oracleAlarm{}, points: map[string]*oraclePoint{}}
	for _, d := range defs {
		if d.Point == "" {
			d.Point = "pv"
		}
		a := &oracleAlarm{def: d, enabled: true, acked: true, confirmed: true, flags: map[string]bool{}, bad: map[string]bool{}}
		if d.Kind == "expression" {
			exprPoints(d.Expr, &a.points)
		} else {
			a.points = []string{d.Point}
		}
		if d.SetpointPoint != "" && d.SetpointPoint != d.Point {
			a.points = append(a.points, d.SetpointPoint)
		}
		o.byID[d.ID] = a
	}
	var visit func(id string)
	done := map[string]bool{}
	visit = func(id string) {
		a := o.byID[id]
		if a == nil || done[id] {
			return
		}
		done[id] = true
		for _, p := range a.def.SuppressedBy {
			visit(p)
			if parent := o.byID[p]; parent != nil {
				a.parents = append(a.parents, parent)
			}
		}
		o.alarms = append(o.alarms, a)
	}
	for _, d := range defs {
		visit(d.ID)
	}
	return o
}

func exprPoints(e any, out *[]string) {
	switch e := e.(type) {
	case map[string]any:
		if p := e["point"].(string); !slices.Contains(*out, p) {
			*out = append(*out, p)
		}
	case []any:
		for _, x := range e[1:] {
			exprPoints(x, out)
		}
	}
}

func (o *oracle) note(a *oracleAlarm, event string, t int64) int {
	o.log = append(o.log, fmt.Sprintf("%s %s@%d", a.def.ID, event, t))
	return len(o.log) - 1
}

func (a *oracleAlarm) silent() bool { return !a.enabled || a.shelf != "" || a.sup || a.oos }

// speak annunciates by log entry i, or by an entry of its own when i < 0.
func (o *oracle) speak(a *oracleAlarm, t int64, i int) {
	if a.silent() {
		return
	}
	if i < 0 {
		i = o.note(a, "annunciate", t)
	}
	o.log[i] += "!"
	if o.spokenWithin(t) < 5 {
		o.flood = false
	}
	o.spoke = append(o.spoke, t)
	if o.spokenWithin(t) > 10 {
		o.flood = true
	}
}

func (o *oracle) spokenWithin(t int64) (n int) {
	for _, at := range o.spoke {
		if at > t-600_000 && at <= t {
			n++
		}
	}
	return n
}

func (o *oracle) speakIfStanding(a *oracleAlarm, t int64, i int) {
	if a.active && !a.acked {
		o.speak(a, t, i)
	}
}

func (o *oracle) reason(a *oracleAlarm) bool {
	if a.operator {
		return true
	}
	for _, p := range a.parents {
		if p.active && p.enabled {
			return true
		}
	}
	return false
}

// silence suppresses those that have a reason now; it is called whenever something rose.
func (o *oracle) silence(t int64) {
	for _, a := range o.alarms {
		if !a.sup && o.reason(a) {
			a.sup = true
			o.note(a, "suppress", t)
		}
	}
}

// end finishes an instant.
func (o *oracle) end(t int64) {
	for _, a := range o.alarms {
		if a.sup && !o.reason(a) {
			a.sup = false
			o.speakIfStanding(a, t, o.note(a, "unsuppress", t))
		}
	}
	o.marks()
}

// marks takes the first-out mark from groups that are all clear and acknowledged.
func (o *oracle) marks() {
	for _, a := range o.alarms {
		if a.first && !o.busy(a.def.FirstOut) {
			a.first = false
		}
	}
}

func (o *oracle) busy(group string) bool {
	for _, a := range o.alarms {
		if a.def.FirstOut == group && (a.active || !a.acked) {
			return true
		}
	}
	return false
}

func (o *oracle) rise(a *oracleAlarm, t int64, level string) {
	o.marks()
	if a.def.FirstOut != "" && !o.busy(a.def.FirstOut) {
		a.first = true
	}
	a.pending, a.active, a.acked, a.since, a.level, a.repeat = "", true, false, t, level, 0
	a.latched = a.latched || a.def.Latching
	a.occurrence++
	a.again = 0
	if a.def.ReAlarm > 0 {
		a.again = t + a.def.ReAlarm
	}
	o.speak(a, t, o.note(a, "activate", t))
	o.silence(t)
}

func (o *oracle) fall(a *oracleAlarm, t int64) {
	a.pending, a.active, a.level, a.repeat, a.again, a.since = "", false, "", 0, 0, 0
	a.returns = append(a.returns, t)
	o.note(a, "return", t)
	if a.shelf == "oneshot" {
		a.shelf = ""
		o.note(a, "unshelve", t)
	}
}

var oracleRank = map[string]int{"high": 1, "high_high": 2, "low": -1, "low_low": -2}

func (o *oracle) setLevel(a *oracleAlarm, t int64, level string) {
	if level == a.level {
		return
	}
	was, is := oracleRank[a.level], oracleRank[level]
	up := was*is <= 0 || is*is > was*was
	a.level = level
	i := -1
	if up {
		a.acked = false
	}
	i = o.note(a, "level", t)
	if up {
		o.speak(a, t, i)
	}
}

// obey follows a verdict at t.
func (o *oracle) obey(a *oracleAlarm, t int64, verdict bool, level string) {
	switch {
	case verdict && a.active:
		a.pending = ""
		if a.def.Kind == "level" {
			o.setLevel(a, t, level)
		}
	case verdict && a.pending == "on":
		a.level = level
	case verdict:
		if a.def.OnDelay > 0 {
			a.pending, a.pendingEnd, a.level = "on", t+a.def.OnDelay, level
		} else {
			o.rise(a, t, level)
		}
	case a.active && a.pending == "":
		if a.def.OffDelay > 0 {
			a.pending, a.pendingEnd = "off", t+a.def.OffDelay
		} else {
			o.fall(a, t)
		}
	case !a.active:
		a.pending, a.level = "", ""
	}
}

// enabledNow is ruling 17: the newest good value is evaluated at this moment.
func (o *oracle) enabledNow(a *oracleAlarm, t int64, entry int) {
	if a.def.Kind == "stale" {
		return
	}
	verdict, level := o.says(a)
	known := verdict != nil || a.def.Kind != "expression" && o.known(a)
	a.waiting = !known
	if !known {
		return
	}
	if !a.active {
		if verdict != nil {
			o.obey(a, t, *verdict, level)
		}
		return
	}
	a.again = 0
	if a.def.ReAlarm > 0 {
		a.again = t + a.def.ReAlarm
	}
	before := len(o.spoke)
	unacked := !a.acked
	if verdict != nil {
		o.obey(a, t, *verdict, level)
	}
	if a.active && a.pending == "" && unacked && len(o.spoke) == before {
		o.speak(a, t, entry)
	}
}

// known tells whether the alarm has something to compare.
func (o *oracle) known(a *oracleAlarm) bool {
	for _, name := range a.points {
		if p := o.points[name]; p == nil || p.bad {
			return false
		}
	}
	return a.def.Kind != "rate" || o.points[a.def.Point].hasRate
}

// due is when the alarm's next timer ends; 0 when it has none.
func (o *oracle) due(a *oracleAlarm) int64 {
	var at int64
	take := func(x int64) {
		if x > 0 && (at == 0 || x < at) {
			at = x
		}
	}
	if a.pending != "" {
		take(a.pendingEnd)
	}
	take(a.again)
	if a.shelf != "" {
		take(a.shelfEnd)
	}
	if a.def.Kind == "stale" && a.enabled && (!a.active && a.pending == "" || a.pending == "off") {
		take(o.staleAt(a))
	}
	return at
}

func (o *oracle) staleAt(a *oracleAlarm) int64 {
	last := int64(alarmBase)
	if p := o.points[a.def.Point]; p != nil && p.lastGood > 0 {
		last = p.lastGood
	}
	return last + a.def.Timeout
}

// advance fires all timers up to t.
func (o *oracle) advance(t int64) {
	for {
		var at int64
		for _, a := range o.alarms {
			if d := o.due(a); d > 0 && d <= t && (at == 0 || d < at) {
				at = d
			}
		}
		if at == 0 {
			break
		}
		var batch []*oracleAlarm
		for _, a := range o.alarms {
			if o.due(a) == at {
				batch = append(batch, a)
			}
		}
		for _, a := range batch {
			o.fire(a, at)
		}
		o.end(at)
	}
	o.now = t
}

func (o *oracle) fire(a *oracleAlarm, t int64) {
	if a.pending != "" && a.pendingEnd == t {
		if a.pending == "on" {
			o.rise(a, t, a.level)
		} else {
			o.fall(a, t)
		}
	}
	if a.again == t {
		a.acked, a.again = false, t+a.def.ReAlarm
		a.repeat++
		o.speak(a, t, o.note(a, "re_alarm", t))
	}
	if a.shelf != "" && a.shelfEnd == t {
		a.shelf = ""
		o.speakIfStanding(a, t, o.note(a, "unshelve", t))
	}
	if a.def.Kind == "stale" && a.enabled && (!a.active && a.pending == "" || a.pending == "off") && o.staleAt(a) == t {
		o.obey(a, t, true, "")
	}
}

func (o *oracle) sample(t int64, s alarmSample) {
	name := s.Point
	if name == "" {
		name = "pv"
	}
	ts := t
	if s.TS != nil {
		ts = alarmBase + *s.TS
	}
	p := o.points[name]
	if p != nil && ts <= p.ts {
		for _, a := range o.alarms {
			if slices.Contains(a.points, name) && a.enabled {
				o.note(a, "late", t)
			}
		}
		return
	}
	if p == nil {
		p = &oraclePoint{}
		o.points[name] = p
	}
	p.ts, p.bad = ts, s.Quality == "bad" || s.Value == nil
	if !p.bad {
		p.value = *s.Value
		if p.hasGood {
			p.rate, p.hasRate = (p.value-p.goodV)/float64(ts-p.goodTS)*1000, true
		}
		p.hasGood, p.goodV, p.goodTS, p.lastGood = true, p.value, ts, t
	}
	for _, a := range o.alarms {
		if slices.Contains(a.points, name) {
			o.see(a, t, name, p.bad)
		}
	}
	o.end(t)
}

func (o *oracle) see(a *oracleAlarm, t int64, point string, bad bool) {
	if bad && !a.bad[point] && a.enabled {
		o.note(a, "bad_quality", t)
	}
	a.bad[point] = bad
	if !a.enabled {
		return
	}
	if a.def.Kind == "stale" {
		if !bad {
			o.obey(a, t, false, "")
		}
		return
	}
	if a.waiting {
		o.enabledNow(a, t, -1)
		return
	}
	verdict, level := o.says(a)
	if verdict != nil {
		o.obey(a, t, *verdict, level)
	} else if bad && a.pending == "off" {
		a.pending = ""
	}
}

// state is the alarm as alarm_list shows it.
func (o *oracle) state(a *oracleAlarm) map[string]any {
	onoff := 0
	for _, at := range a.returns {
		if at > o.now-60_000 && at <= o.now {
			onoff++
		}
	}
	shelf := a.shelf
	if shelf == "" {
		shelf = "unshelved"
	}
	s := map[string]any{
		"enabled": a.enabled, "active": a.active, "acked": a.acked, "confirmed": a.confirmed, "latched": a.latched,
		"suppressed": a.sup, "out_of_service": a.oos, "shelving": shelf, "occurrence": float64(a.occurrence),
		"repeat": float64(a.repeat), "first_out": a.first, "onoff_60s": float64(onoff), "chattering": onoff >= 3,
		"retain": a.enabled && (a.active || !a.acked || !a.confirmed || a.latched),
	}
	if a.active {
		s["since"] = float64(a.since)
		if a.level != "" {
			s["level"] = a.level
		}
	}
	return s
}

// taken gives what was logged since the last time, by alarm and in order.
func (o *oracle) taken() []string {
	out := o.log
	o.log = nil
	sort.SliceStable(out, func(i, j int) bool {
		return alarmOf(out[i]) < alarmOf(out[j])
	})
	return out
}

func alarmOf(line string) string {
	id, _, _ := cutSpace(line)
	return id
}

func cutSpace(s string) (before, after string, found bool) {
	for i := range s {
		if s[i] == ' ' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}
