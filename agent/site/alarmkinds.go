package site

import (
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Levels are the limits of an alarm that has several; nil: it has none of that name.
type Levels struct{ HighHigh, High, Low, LowLow *float64 }

// Level is one of them.
type Level struct {
	// Name is high_high, high, low or low_low.
	Name  string
	Limit float64
}

// List has those that there are, the highest first.
func (l *Levels) List() []Level {
	var out []Level
	for _, x := range []struct {
		name  string
		limit *float64
	}{{"high_high", l.HighHigh}, {"high", l.High}, {"low", l.Low}, {"low_low", l.LowLow}} {
		if x.limit != nil {
			out = append(out, Level{x.name, *x.limit})
		}
	}
	return out
}

// Deviation is how far a value may be from a set-point, in the value's unit.
type Deviation struct {
	Setpoint Expr
	Limit    float64
}

// RateLimit is how fast a value may change, in its unit per second.
type RateLimit struct {
	Limit     float64
	Direction string // any, up or down
}

// Discrete says which states of a value are wrong: those of Alarm, or, when that is empty, all but Normal.
type Discrete struct {
	Alarm  []float64
	Normal float64
}

// AlarmKind is what of an alarm's value is wrong; exactly one field is set.
type AlarmKind struct {
	Levels    *Levels
	Deviation *Deviation
	Rate      *RateLimit
	Discrete  *Discrete
	// Stale is how long there may be no good reading; 0: that is not asked for.
	Stale time.Duration
}

// kindNames are the attributes and blocks that say what of an alarm's value is wrong.
var kindNames = []string{"levels", "deviation", "rate", "alarm_states", "normal_state", "stale"}

const kindList = "levels { … }, deviation { … }, rate { … }, alarm_states, normal_state or stale"

// written tells whether an attribute or nested block was written, and where.
func (c *content) written(name string) (hcl.Range, bool) {
	if b := c.block(name); b != nil {
		return b.rng, true
	}
	return c.at(name), c.given(name)
}

// alarmCondition reads what an alarm watches: a condition, or a value and what of it is wrong. It is not sound when
// something is wrong with it or with what it refers to.
func (l *loader) alarmCondition(a *Alarm, c *content, s *Scope) bool {
	var kinds []string
	for _, name := range kindNames {
		if _, ok := c.written(name); ok {
			kinds = append(kinds, name)
		}
	}
	when, value := c.find("when") != nil, c.find("value") != nil
	if !l.oneCondition(c, when, value, kinds) {
		return false
	}
	var sound bool
	if when {
		a.When, sound = l.condition(c, "when", s)
		return sound
	}
	a.Value, sound = l.condition(c, "value", s)
	return l.alarmKind(a, c, kinds[0], s) && sound
}

// oneCondition checks that exactly one thing is watched, in one way.
func (l *loader) oneCondition(c *content, when, value bool, kinds []string) bool {
	switch {
	case when && value:
		l.fail(c.at("value"), "Two conditions", "An alarm has a condition (when) or a value that is watched, not both.")
	case when && len(kinds) > 0:
		at, _ := c.written(kinds[0])
		l.fail(at, "Two conditions", "%q says what of a value is wrong, and this alarm has a condition. Write value = … in the place of when = ….", kinds[0])
	case when:
		return true
	case !value && len(kinds) > 0 && !c.misspelt["value"]:
		at, _ := c.written(kinds[0])
		l.fail(at, "Missing attribute", "%q says what of a value is wrong: say which, as in value = device.battery.temperature.", kinds[0])
	case !value && !c.misspelt["when"] && !c.misspelt["value"]:
		l.fail(c.rng, "Missing attribute", "An alarm block needs \"when\", the condition, or \"value\" with one of %s.", kindList)
	case !value:
	case len(kinds) == 0:
		for _, name := range kindNames {
			if c.misspelt[name] {
				return false
			}
		}
		l.fail(c.at("value"), "Missing condition", "Say what of this value is wrong: %s. A condition of one's own is when = ….", kindList)
	case len(kinds) > 1:
		at, _ := c.written(kinds[1])
		l.fail(at, "Two conditions", "An alarm watches its value in one way, and this has %s. Make several alarms of it.", strings.Join(kinds, " and "))
	default:
		return true
	}
	return false
}

// alarmKind reads what of the value is wrong.
func (l *loader) alarmKind(a *Alarm, c *content, kind string, s *Scope) bool {
	before := l.count
	sound := true
	switch k := &a.Kind; kind {
	case "levels":
		k.Levels = l.levels(a, c.block(kind))
	case "deviation":
		b := c.block(kind)
		k.Deviation = &Deviation{Limit: b.number("limit")}
		k.Deviation.Setpoint, sound = l.condition(b, "setpoint", s)
		l.narrowDeadband(a, c, k.Deviation.Limit, b)
	case "rate":
		b := c.block(kind)
		k.Rate = &RateLimit{Limit: b.number("limit"), Direction: b.text("direction")}
		if k.Rate.Direction == "any" {
			l.narrowDeadband(a, c, k.Rate.Limit, b)
		}
	case "alarm_states":
		states, _ := c.value(kind).([]float64)
		if len(states) == 0 && !c.bad {
			l.fail(c.at(kind), "Wrong value", "\"alarm_states\" lists the states that are wrong, and none is listed.")
		}
		k.Discrete = &Discrete{Alarm: states}
	case "normal_state":
		k.Discrete = &Discrete{Normal: c.number(kind)}
	case "stale":
		k.Stale = c.duration(kind)
		if c.given("unknown") {
			l.fail(c.at("unknown"), "Attribute without a use", "\"unknown\": that its value is not known is what an alarm with \"stale\" is about.")
		}
	}
	if k := a.Kind; (k.Discrete != nil || k.Stale > 0) && c.given("deadband") {
		l.fail(c.at("deadband"), "Deadband without a limit", "A deadband belongs to a limit, and %q has none. Leave it out; off_delay keeps an alarm for a time.", kind)
	}
	return sound && l.count == before
}

// narrowDeadband refuses a deadband behind which the alarm would never return.
func (l *loader) narrowDeadband(a *Alarm, c *content, limit float64, b *content) {
	if a.Deadband > 0 && a.Deadband >= limit && !c.bad && !b.bad {
		l.fail(c.at("deadband"), "Deadband too wide", "The alarm would never return: it returns %s below its limit of %s, which is at or below 0.",
			formatNumber(a.Deadband), formatNumber(limit))
	}
}

func (l *loader) levels(a *Alarm, b *content) *Levels {
	at := func(name string) *float64 {
		if !b.given(name) {
			return nil
		}
		return number(b.number(name))
	}
	out := &Levels{HighHigh: at("high_high"), High: at("high"), Low: at("low"), LowLow: at("low_low")}
	list := out.List()
	if b.bad {
		return out
	}
	if len(list) == 0 {
		l.fail(b.rng, "Missing attribute", "A levels block needs one of high_high, high, low and low_low at least.")
	}
	for i := 1; i < len(list); i++ {
		upper, lower := list[i-1], list[i]
		if upper.Limit <= lower.Limit {
			l.fail(b.at(lower.Name), "Levels out of order", "%s (%s) must be below %s (%s): low_low, low, high and high_high rise.",
				lower.Name, formatNumber(lower.Limit), upper.Name, formatNumber(upper.Limit))
			return out
		}
		if isHigh(upper.Name) && !isHigh(lower.Name) && a.Deadband >= upper.Limit-lower.Limit {
			l.fail(b.at(lower.Name), "Deadband too wide", "Between %s and %s there are %s, and the deadband of %s leaves nothing normal in between.",
				lower.Name, upper.Name, formatNumber(upper.Limit-lower.Limit), formatNumber(a.Deadband))
		}
	}
	return out
}

func isHigh(level string) bool { return strings.HasPrefix(level, "high") }

// kind hashes what of an alarm's value is wrong.
func (d *digest) kind(l *loader, k AlarmKind) {
	d.flag(k.Levels != nil, k.Deviation != nil, k.Rate != nil, k.Discrete != nil)
	d.int(int64(k.Stale))
	if k.Levels != nil {
		for _, x := range k.Levels.List() {
			d.text(x.Name)
			d.number(x.Limit)
		}
	}
	if k.Deviation != nil {
		d.expression(l, k.Deviation.Setpoint)
		d.number(k.Deviation.Limit)
	}
	if k.Rate != nil {
		d.text(k.Rate.Direction)
		d.number(k.Rate.Limit)
	}
	if k.Discrete != nil {
		d.int(int64(len(k.Discrete.Alarm)))
		d.number(k.Discrete.Alarm...)
		d.number(k.Discrete.Normal)
	}
}

// String is the kind in a few words, for a plan.
func (k AlarmKind) String() string {
	switch {
	case k.Levels != nil:
		var parts []string
		for _, x := range k.Levels.List() {
			parts = append(parts, x.Name+" "+formatNumber(x.Limit))
		}
		return "levels " + strings.Join(parts, ", ")
	case k.Deviation != nil:
		return "deviation " + formatNumber(k.Deviation.Limit)
	case k.Rate != nil:
		return "rate " + formatNumber(k.Rate.Limit) + "/s " + k.Rate.Direction
	case k.Discrete != nil && len(k.Discrete.Alarm) > 0:
		states := make([]string, len(k.Discrete.Alarm))
		for i, v := range k.Discrete.Alarm {
			states[i] = formatNumber(v)
		}
		return "alarm states " + strings.Join(states, ", ")
	case k.Discrete != nil:
		return "normal state " + formatNumber(k.Discrete.Normal)
	case k.Stale > 0:
		return "stale " + FormatDuration(k.Stale)
	}
	return "a condition"
}

// alarmDetail says in words what differs in an alarm.
func alarmDetail(a, b *Alarm) string {
	if a == nil || b == nil {
		return ""
	}
	if a.Disabled != b.Disabled {
		return enabledDetail(b.Disabled)
	}
	if before, after := a.Kind.String(), b.Kind.String(); before != after {
		return after + ", was " + before
	}
	return ""
}
