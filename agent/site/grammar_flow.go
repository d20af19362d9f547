package site

import (
	"slices"
	"time"

	"github.com/voltage-edge/voltage/sdk/schema"
)

// edges is a map from a port to the names of the nodes behind it.
const edges schema.Type = "map(list(string))"

var priorityAttribute = schema.Attribute{Name: "priority", Type: schema.Int, Default: 50.0, Min: number(0), Max: number(100), Doc: "Of several requests for one output the highest wins."}

var enabledAttribute = schema.Attribute{Name: "enabled", Type: schema.Bool, Default: true, Doc: "Whether it works at all."}

// actionBlocks are what a rule, a node of a chain, a window or a sequence does when it fires. until says what ends a wish.
func actionBlocks(until string) []schema.Nested {
	return []schema.Nested{
		{Name: "set", Many: true, Block: schema.Block{
			Doc: "A wish for an output. The label is an action (`bess.power`) or a point (`battery.setpoint`); in a block with for_each also `charger[each.key].power`.",
			Attributes: []schema.Attribute{
				required(attribute("value", condition, "What it is set to.")),
				{Name: "ttl", Type: schema.Duration, Min: span(time.Millisecond), Max: span(longTime), Doc: "How long the wish stands unless it is renewed; left out: " + until + "."},
			},
		}},
		{Name: "raise", Many: true, Block: schema.Block{
			Doc: "Raises an alarm that has no block of its own, or finds it raised. See [actions](#actions).",
			Attributes: []schema.Attribute{
				choice("priority", "medium", "How soon somebody must act.", "low", "medium", "high", "critical"),
				text("message", "What is wrong and what to do."),
			},
		}},
		{Name: "clear", Many: true, Block: schema.Block{Doc: "Clears an alarm that was raised so."}},
		{Name: "publish", Many: true, Block: schema.Block{
			Doc: "Publishes an event of kind `publish` under this name: to the journal, the API's stream of events, and what listens there.",
			Attributes: []schema.Attribute{
				attribute("fields", conditions, "What it says, by name: `{ power = device.grid_meter.power }`."),
			},
		}},
		{Name: "call", Many: true, Block: schema.Block{
			Doc: "Runs a chain, right behind what calls it. The label is its name; of one with for_each `NAME[KEY]`, or `NAME[each.key]`. See [chains](#chains).",
		}},
	}
}

// oneOfThese is a choice without a default.
func oneOfThese(name, doc string, values ...string) schema.Attribute {
	return schema.Attribute{Name: name, Type: schema.String, OneOf: values, Doc: doc}
}

func chainBlock() *construct {
	nodePriority := schema.Attribute{Name: "priority", Type: schema.Int, Default: 0.0, Min: number(-1e6), Max: number(1e6), Doc: "Of nodes that may run, the highest runs first; then it goes by name."}
	next := attribute("next", schema.Strings, "The nodes behind it.")
	ports := func(doc string) schema.Attribute { return attribute("next", edges, doc) }
	return &construct{
		Name: "chain", Label: "NAME", ForEach: true,
		Body: schema.Block{
			Doc: "A graph of nodes that runs at each frame of a device that it reads. It begins with the nodes that no other leads to, and ends with actions: " +
				"it asks for what the actions that it came to ask for, and withdraws the rest. See [chains](#chains).",
			Attributes: []schema.Attribute{
				choice("on", "frame", "When it runs: at each `frame` of a device that it reads, or at a `call` by rules, windows, sequences and other chains.", "frame", "call"),
				priorityAttribute,
				{Name: "max_depth", Type: schema.Int, Default: 32.0, Min: number(1), Max: number(200), Doc: "How many nodes the longest way may have."},
				enabledAttribute, descriptionAttribute,
			},
			Blocks: []schema.Nested{
				{Name: "transform", Many: true, Block: schema.Block{
					Doc: "Gives names to values. Nodes that run later read them by these names.",
					Attributes: []schema.Attribute{
						required(attribute("set", conditions, "Names and their values: `{ excess = device.grid_meter.power - 80 }`.")), next, nodePriority,
					},
				}},
				{Name: "condition", Many: true, Block: schema.Block{
					Doc: "Goes one of three ways.",
					Attributes: []schema.Attribute{
						required(attribute("when", condition, "What is asked.")),
						ports("The nodes behind each answer: `{ true = [\"charge\"], false = [], unknown = [] }`."), nodePriority,
					},
				}},
				{Name: "switch", Many: true, Block: schema.Block{
					Doc: "Goes the way of its first case that is true.",
					Attributes: []schema.Attribute{
						ports("The nodes behind each case, and behind `default`."), nodePriority,
					},
					Blocks: []schema.Nested{{Name: "case", Required: true, Many: true, Block: schema.Block{
						Doc:        "A case; the label is its name in `next`.",
						Attributes: []schema.Attribute{required(attribute("when", condition, "What is asked."))},
					}}},
				}},
				{Name: "merge", Many: true, Block: schema.Block{
					Doc: "Brings ways together.",
					Attributes: []schema.Attribute{
						choice("mode", "any", "Whether one of the ways to it must be gone, or all.", "any", "all"), next, nodePriority,
					},
				}},
				{Name: "action", Required: true, Many: true, Block: schema.Block{
					Doc:        "Acts. It raises, clears and publishes when the chain comes to it and did not the time before.",
					Attributes: []schema.Attribute{nodePriority},
					Blocks:     actionBlocks("as long as the chain comes to it"),
				}},
			},
		},
		Example: "chain \"mode\" {\n  transform \"balance\" {\n    set  = { excess = -device.grid_meter.power }\n    next = [\"enough\"]\n  }\n  condition \"enough\" {\n    when = excess > 2\n    next = { true = [\"charge\"], false = [\"rest\"] }\n  }\n" +
			"  action \"charge\" {\n    set \"bess.power\" {\n      value = -excess\n      ttl   = \"30s\"\n    }\n  }\n  action \"rest\" {\n    set \"bess.power\" {\n      value = 0\n      ttl   = \"30s\"\n    }\n  }\n}\n",
	}
}

func windowBlock() *construct {
	return &construct{
		Name: "window", Label: "NAME", ForEach: true,
		Body: schema.Block{
			Doc: "Collects the frames of a device over a stretch of time or a number of frames, and gives aggregates of them. It acts when it puts them out. See [windows](#windows).",
			Attributes: []schema.Attribute{
				required(oneOfThese("kind", "What it collects: `tumbling` stretches one after the other, `hopping` ones that overlap, `sliding` the last stretch at each frame, a `session` until nothing comes, a `count` of frames, or from one `state` to another.",
					"tumbling", "hopping", "sliding", "session", "count", "state")),
				required(attribute("source", reference, "The device: `device.grid_meter`. Its points stand in the expressions by their own names.")),
				duration("size", nil, time.Millisecond, "How long it is: tumbling, hopping and sliding."),
				duration("every", nil, time.Millisecond, "How often one ends: hopping."),
				duration("gap", nil, time.Millisecond, "The silence that ends a session."),
				{Name: "count", Type: schema.Int, Min: number(1), Max: number(mostHeld), Doc: "How many frames it has: count."},
				{Name: "count_every", Type: schema.Int, Min: number(1), Max: number(mostHeld), Doc: "After how many frames one ends: count. Left out: after `count`, so that they don't overlap."},
				attribute("begin", condition, "The frame that begins it: state."),
				attribute("emit", condition, "The frame that ends it, and is in it: state. Left out: the next that begins one."),
				attribute("where", condition, "Which frames enter; left out: all."),
				attribute("having", condition, "Whether it is put out, by the names of the aggregates: `mean > 80`; left out: always."),
				priorityAttribute, enabledAttribute, descriptionAttribute,
			},
			Blocks: slices.Concat([]schema.Nested{{Name: "aggregate", Required: true, Many: true, Block: schema.Block{
				Doc: "One result; the label is its name.",
				Attributes: []schema.Attribute{
					required(oneOfThese("fn", "What is computed. `stddev` is that of all values, `median` of an even number the mean of the middle two.", aggregateFunctions...)),
					attribute("value", condition, "Of what, by the points' own names: `power`, `power_a - power_b`. Unknown values are left out. A `count` without a value counts frames."),
				},
			}}}, actionBlocks("until the window asks for something else")),
		},
		Example: "window \"quarter_hour\" {\n  kind   = \"tumbling\"\n  size   = \"15m\"\n  source = device.grid_meter\n  having = mean > 80\n  aggregate \"mean\" {\n    fn    = \"avg\"\n    value = power\n  }\n" +
			"  set \"bess.power\" {\n    value = mean - 80\n    ttl   = \"15m\"\n  }\n}\n",
	}
}

// partAttributes are those of a step and of a part of one.
func partAttributes() []schema.Attribute {
	return []schema.Attribute{
		attribute("device", reference, "The device whose frames are looked at: `device.breaker`."),
		attribute("where", condition, "Which frame is meant: by the device's points by their own names (`power > 5`), and captured ones (`start.power`, `ramp[0].power`, `ramp[-1].power`). Left out: any."),
		flag("absent", "No such frame may come."),
		{Name: "for", Type: schema.Duration, Min: span(time.Millisecond), Max: span(longTime), Doc: "For how long none may come: absent."},
	}
}

func sequenceBlock() *construct {
	parts := func(doc string) schema.Block {
		return schema.Block{Doc: doc, Blocks: []schema.Nested{{Name: "part", Required: true, Many: true, Block: schema.Block{
			Doc: "One part; the label is the name of the frame that is captured.", Attributes: partAttributes(),
		}}}}
	}
	return &construct{
		Name: "sequence", Label: "NAME", ForEach: true,
		Body: schema.Block{
			Doc: "Waits for frames that come one after the other, or stay away. It acts when the last step is done. See [sequences](#sequences).",
			Attributes: []schema.Attribute{
				flag("every", "Look for it again and again; else it comes once in the life of the sequence."),
				{Name: "group", Type: schema.Int, Default: 1.0, Min: number(1), Max: number(1000), Doc: "After how many steps the next attempt begins: every. As many as there are steps: they don't overlap."},
				duration("within", nil, time.Millisecond, "The longest time from the first captured frame to the last; left out: any."),
				flag("strict", "A frame of one of its devices that a step has no use for ends the attempt."),
				priorityAttribute, enabledAttribute, descriptionAttribute,
			},
			Blocks: slices.Concat([]schema.Nested{{Name: "step", Required: true, Many: true, Block: schema.Block{
				Doc:        "One step; the label is the name of the frame that is captured. It has a device, or all or any of several parts.",
				Attributes: partAttributes(),
				Blocks: []schema.Nested{
					{Name: "repeat", Block: schema.Block{
						Doc: "The step takes several frames.",
						Attributes: []schema.Attribute{
							{Name: "min", Type: schema.Int, Default: 1.0, Min: number(0), Max: number(1000), Doc: "How many at least."},
							{Name: "max", Type: schema.Int, Min: number(1), Max: number(1000), Doc: "How many at most; left out: any number."},
						},
					}},
					{Name: "all", Block: parts("All of these, in any order.")},
					{Name: "any", Block: parts("The first of these.")},
				},
			}}}, actionBlocks("until the sequence asks for something else")),
		},
		Example: "sequence \"dropped\" {\n  every  = true\n  within = \"10s\"\n  step \"before\" {\n    device = device.grid_meter\n    where  = power > 50\n  }\n  step \"after\" {\n    device = device.grid_meter\n    where  = power < before.power / 2\n  }\n" +
			"  raise \"load_lost\" {\n    priority = \"high\"\n    message  = \"More than half of the load went at once.\"\n  }\n}\n",
	}
}

const referenceFlows = `
## Actions

Rules, the actions of a chain, windows and sequences act by the same blocks:

- ` + "`set`" + ` asks for an output. Control decides among all who ask, by priority; ` + "`voltage why OUTPUT`" + ` tells.
- ` + "`raise` and `clear`" + ` are for alarms that have no block of their own. What is raised is an alarm like any other: it is acknowledged, shelved, journaled. To raise
  what stands already changes nothing; an alarm that is clear and acknowledged is forgotten. What a rule that acts while its condition holds, or an action of a chain,
  raised is cleared when that ends; windows and sequences act in an instant, and clear by a block of their own. With for_each each instance has an alarm of its own, ` + "`NAME[KEY]`" + `.
- ` + "`publish`" + ` writes an event. A [route](#route) takes it to a sink.

An unknown value is published as null; an output is not asked for with one. What can't be carried out is an event of kind ` + "`action`" + ` with its error, and counts in the status.

## Chains

A chain begins with the nodes that no other leads to, and runs each node that a way leads to, once, those of higher priority first. A
condition has the ports ` + "`true`, `false` and `unknown`" + `: a way that is not there ends. A ` + "`merge`" + ` of mode ` + "`all`" + ` waits for every node that leads to it. Nodes
that lead back to themselves are refused with the way that they take, and so is a way that is longer than ` + "`max_depth`" + `. A chain that should go on in another one
calls it by a ` + "`call`" + ` block.

A chain with ` + "`on = \"call\"`" + ` does not run at frames, but when a rule fires, a window or sequence acts, or another chain comes to the action that calls it: at once, with
the values of that moment, behind the caller. So several rules can share what they do, and a long chain can be taken apart. Each call is a run of its own: what it raises
and publishes it says each time, and what it sets stands until the next call or the end of its ttl. Chains that call each other in a circle are refused with the way
that they take, and so are more than 8 in a row. A call of a chain that is disabled or parked is an error of the caller.

## Windows

A window's frames are those of one device. A reading of bad quality is left out of the aggregates, which are unknown when nothing is left; a ` + "`count`" + ` without a value
counts frames. Stretches of time begin at multiples of their size since 1970 in UTC. A window that holds frames (hopping, sliding, count, and any with a median) holds at
most 100,000, the newest; the others hold sums only. All of it survives a restart of the agent, of Redis, and of the library.

A window acts each time that it puts out a result that ` + "`having`" + ` lets through, and each time is an event. A sliding one has a result at each frame: what it
publishes and calls it does at each, what it sets is said again when it changes or when a third of its ttl is over, and alarms are raised and cleared, and the event
written, when it begins to act. It begins anew when ` + "`having`" + ` held a result back, or all frames had left. A window without actions is no event; it gives values.

What it put out last is a value: ` + "`window.NAME.AGGREGATE`" + ` stands in the conditions and values of rules, alarms, models and other flows, with the unit of the
point that it is made of, and is kept in the journal as those of devices are. So the mean of a quarter of an hour is an alarm's value, or a model's measurement. It is
unknown before the first result, when nothing in the window was known, and when the next result is overdue: of a tumbling or hopping window by a time as long as its
step, 5 s at most, of a sliding one when its last frame left it. Sessions, counts and state windows have no such time. Only what something reads is kept as a value.

## Sequences

Each frame that fits the first step begins an attempt; with ` + "`every`" + ` the next frame that fits begins another. So a sequence that waits for long may come several
times at once: ` + "`strict`" + ` ends an attempt at the first frame that its step has no use for, ` + "`within`" + ` after a time, ` + "`group`" + ` spaces attempts. At most 1,000 are open; beyond that the
oldest go. With ` + "`group`" + ` = the number of steps it waits anew when all were there: what ends with a wait otherwise acts at each
frame that fits its first step. A step with ` + "`absent`" + ` is done when nothing of it came for the time ` + "`for`" + `.
`
