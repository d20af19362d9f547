package site

import (
	"slices"
	"time"

	"github.com/voltage-edge/voltage/sdk/schema"
)

func templateBlock() *construct {
	return &construct{
		Name: "template", Label: "NAME",
		Body: schema.Block{
			Doc: "Says what a thing of a kind has. A template of a site replaces the one of the same name that comes with the agent.",
			Attributes: []schema.Attribute{
				attribute("extends", reference, "A template whose properties, measurements and actions it has too."),
				descriptionAttribute,
			},
			Blocks: []schema.Nested{
				{Name: "property", Many: true, Block: schema.Block{
					Doc: "A constant of each model: rated power, capacity.",
					Attributes: []schema.Attribute{
						choice("type", "number", "Its type.", "number", "string", "bool"),
						text("unit", "Its unit."),
						flag("required", "Every model must give it."),
						attribute("default", anything, "Its value when a model gives none."),
						descriptionAttribute,
					},
				}},
				{Name: "measurement", Many: true, Block: schema.Block{
					Doc: "What can be read of a model.",
					Attributes: []schema.Attribute{
						text("unit", "Its unit; what it is mapped to is converted."),
						flag("required", "Every model must map it."),
						descriptionAttribute,
					},
				}},
				{Name: "action", Many: true, Block: schema.Block{
					Doc: "What can be set of a model.",
					Attributes: []schema.Attribute{
						text("unit", "Its unit; what is set is converted to that of the output."),
						flag("required", "Every model must map it."),
						descriptionAttribute,
					},
				}},
			},
		},
		Example: "template \"heat_pump\" {\n  extends = template.load\n  measurement \"flow_temperature\" { unit = \"°C\" }\n  action \"power_limit\" { unit = \"kW\" }\n}\n",
	}
}

func modelBlock() *construct {
	return &construct{
		Name: "model", Label: "NAME", ForEach: true,
		Body: schema.Block{
			Doc: "One thing: a template mapped to points. Its measurements and properties are used as `model.NAME.MEASUREMENT`, its actions as targets of rules.",
			Attributes: []schema.Attribute{
				required(attribute("template", reference, "The template: `\"battery\"` or `template.battery`.")),
				attribute("properties", properties, "Its constants."),
				attribute("measurements", conditions, "What its measurements are: expressions over devices and other models."),
				attribute("actions", outputs, "The points that its actions set; `-device.battery.setpoint` turns the sign."),
				descriptionAttribute,
			},
		},
		Example: "model \"bess\" {\n  template     = \"battery\"\n  properties   = { capacity = 100 }\n  measurements = { soc = device.battery.soc, power = device.battery.power }\n  actions      = { power = device.battery.setpoint }\n}\n",
	}
}

func alarmBlock() *construct {
	return &construct{
		Name: "alarm", Label: "NAME", ForEach: true,
		Body: schema.Block{
			Doc:    "A condition that people must know of, with a state machine: active, acknowledged, shelved, …. It has a condition (`when`), or a value and what of it is wrong.",
			Blocks: alarmKindBlocks(),
			Attributes: slices.Concat([]schema.Attribute{
				attribute("when", condition, "The condition. `VALUE > NUMBER` and `VALUE < NUMBER` are limits, and take a deadband."),
			}, alarmKindAttributes(), []schema.Attribute{
				duration("for", "0s", 0, "How long the condition must hold before the alarm is raised (on-delay)."),
				duration("off_delay", "0s", 0, "How long it must not hold before the alarm returns."),
				{Name: "deadband", Type: schema.Number, Default: 0.0, Min: number(0), Doc: "How far behind its limit the value must be before the alarm returns."},
				choice("priority", "medium", "How soon somebody must act.", "low", "medium", "high", "critical"),
				text("message", "What is wrong and what to do."),
				flag("latching", "It stays until somebody resets it."),
				flag("confirm_required", "It stays until somebody confirms that the cause is gone."),
				duration("re_alarm", "0s", 0, "How long it may stand unattended before it is announced again; 0: never."),
				duration("max_shelve", "8h", time.Second, "The longest time that it may be shelved."),
				choice("unknown", "hold", "What an unknown condition does: `hold` keeps the state, `false` and `true` count as that.", "hold", "false", "true"),
				attribute("suppressed_by", references, "Alarms that make this one meaningless while they are active: `[alarm.main_breaker]`."),
				text("first_out", "Name of a group; the first alarm of it that is raised is marked."),
				{Name: "enabled", Type: schema.Bool, Default: true, Doc: "Whether it works at all."},
				descriptionAttribute,
			}),
		},
		Example: "alarm \"grid_overload\" {\n  when     = device.grid_meter.power > 100\n  for      = \"10s\"\n  deadband = 5\n  priority = \"high\"\n}\n\nalarm \"charge\" {\n  value    = device.battery.soc\n  deadband = 2\n  levels {\n    high    = 95\n    low     = 15\n    low_low = 5\n  }\n}\n",
	}
}

func ruleBlock() *construct {
	return &construct{
		Name: "rule", Label: "NAME", ForEach: true,
		Body: schema.Block{
			Doc: "A condition with actions: wishes for outputs, alarms, events. It has one of them at least. See [actions](#actions).",
			Attributes: []schema.Attribute{
				required(attribute("when", condition, "The condition; with hysteresis a number.")),
				choice("on", "while", "When it acts: `while` the condition holds (its requests end with it), or on its `rising` or `falling` edge, or on `both`.", "while", "rising", "falling", "both"),
				choice("initial", "arm", "What a condition that holds at the start does: `arm` waits for an edge, `fire` acts.", "arm", "fire"),
				duration("for", "0s", 0, "How long the condition must hold before the rule acts."),
				duration("keep_for", "0s", 0, "How long the rule goes on after the condition no longer holds."),
				duration("cooldown", "0s", 0, "The shortest time between two firings."),
				choice("unknown", "hold", "What an unknown condition does: `hold` keeps the state, `false` and `true` count as that.", "hold", "false", "true"),
				priorityAttribute, enabledAttribute, descriptionAttribute,
			},
			Blocks: slices.Concat([]schema.Nested{
				{Name: "hysteresis", Block: schema.Block{
					Doc: "Makes a condition of a number: it holds beyond `on`, and no longer beyond `off`.",
					Attributes: []schema.Attribute{
						required(attribute("on", schema.Number, "Where it begins to hold.")),
						required(attribute("off", schema.Number, "Where it ends.")),
					},
				}},
				{Name: "throttle", Block: schema.Block{
					Doc: "Lets at most `count` firings through in any `per`.",
					Attributes: []schema.Attribute{
						{Name: "count", Type: schema.Int, Required: true, Min: number(1), Max: number(1e6), Doc: "How many."},
						{Name: "per", Type: schema.Duration, Required: true, Min: span(time.Millisecond), Max: span(longTime), Doc: "In which time."},
					},
				}},
			}, actionBlocks("until the rule withdraws it")),
		},
		Example: "rule \"peak_shaving\" {\n  when     = device.grid_meter.power > 80 && model.bess.soc > 20\n  for      = \"2s\"\n  priority = 50\n  set \"bess.power\" {\n    value = device.grid_meter.power - 80\n    ttl   = \"30s\"\n  }\n}\n",
	}
}
