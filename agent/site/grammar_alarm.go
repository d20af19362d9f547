package site

import (
	"time"

	"github.com/voltage-edge/voltage/sdk/schema"
)

// alarmKindAttributes are the attributes of an alarm that say what of its value is wrong.
func alarmKindAttributes() []schema.Attribute {
	return []schema.Attribute{
		attribute("value", condition, "In the place of `when`: a number that is watched. With it stands one of `levels`, `deviation`, `rate`, `alarm_states`, `normal_state` and `stale`."),
		attribute("alarm_states", schema.Numbers, "With `value`: the states that are wrong: `[3, 4]`. A condition counts as 0 and 1."),
		attribute("normal_state", schema.Number, "With `value`: the one state that is right."),
		{Name: "stale", Type: schema.Duration, Min: span(time.Second), Max: span(longTime), Doc: "With `value`: how long there may be no good reading of it."},
	}
}

// alarmKindBlocks are the nested blocks of an alarm that do.
func alarmKindBlocks() []schema.Nested {
	limit := func(name, doc string) schema.Attribute { return attribute(name, schema.Number, doc) }
	return []schema.Nested{
		{Name: "levels", Block: schema.Block{
			Doc: "With `value`: several limits in one alarm, each of them optional. The alarm says at which level it is, and demands attention again when it rises to an outer one.",
			Attributes: []schema.Attribute{
				limit("high_high", "Above it the level is `high_high`, in the unit of the value; so the others."),
				limit("high", "Above it the level is `high`."),
				limit("low", "Below it the level is `low`."),
				limit("low_low", "Below it the level is `low_low`."),
			},
		}},
		{Name: "deviation", Block: schema.Block{
			Doc: "With `value`: how far it may be from a set-point, to either side.",
			Attributes: []schema.Attribute{
				required(attribute("setpoint", condition, "Where it should be: a number, or an expression in the same unit.")),
				{Name: "limit", Type: schema.Number, Required: true, Min: number(0), Doc: "The largest distance, in the unit of the value."},
			},
		}},
		{Name: "rate", Block: schema.Block{
			Doc: "With `value`: how fast it may change, from one reading to the next.",
			Attributes: []schema.Attribute{
				{Name: "limit", Type: rate, Required: true, Min: number(0), Doc: "The largest change: `\"10/min\"`, or a number, per second, in the unit of the value."},
				choice("direction", "any", "Which changes count.", "any", "up", "down"),
			},
		}},
	}
}
