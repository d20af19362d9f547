package site

import (
	"time"

	"github.com/voltage-edge/voltage/sdk/schema"
)

// eventKinds are the kinds of events that a route may name.
var eventKinds = []string{"action", "agent", "alarm", "arbitration", "device", "library", "plugin", "publish", "request", "rule", "write"}

// qualityClasses are the classes of quality.
var qualityClasses = []string{"good", "uncertain", "bad"}

func routeBlock() *construct {
	return &construct{
		Name: "route", Label: "NAME", ForEach: true,
		Body: schema.Block{
			Doc: "Says what goes to a sink, and how it is shaped. A sink without routes takes everything, or what its own `include` and `exclude` say; " +
				"a sink with routes takes what they give. Within a sink each name comes from one route only. " +
				"A route takes the points that `include`, `exclude` and `tags` choose, the events of the kinds in `events`, and computes the values of its `compute` blocks; " +
				"one that says only events and computed values takes no points, and one that says nothing takes all points. " +
				"What is unchanged or too early is left out for that sink alone: the journal has it.",
			Attributes: []schema.Attribute{
				required(attribute("sink", references, "Where to: `sink.history`, or a list of sinks.")),
				attribute("include", schema.Strings, "Patterns of points' names (`battery.*`); left out: all."),
				attribute("exclude", schema.Strings, "Patterns of points that it does not take."),
				attribute("tags", schema.Map, "Only points that have these tags: `{ phase = \"1\" }`; `\"*\"` is any value."),
				attribute("quality", schema.Strings, "Only samples of these classes: `[\"good\", \"uncertain\"]`; left out: all, `bad` too."),
				everyAttribute(),
				flag("align", "With `every`: the first sample of each interval of the clock (:00, :10, :20 …) goes, in place of the first that is so much younger than the one before."),
				attribute("events", schema.Strings, "Kinds of events that go: `[\"alarm\", \"rule\"]`, `[\"*\"]` for all. There are `agent alarm arbitration device library plugin request rule write`. The sink may have a switch of its own for them (`events = true` of influxdb)."),
				attribute("add_tags", schema.Map, "Tags that are given to all samples."),
				descriptionAttribute,
			},
			Blocks: []schema.Nested{
				{Name: "on_change", Block: onChangeBlock()},
				{Name: "shape", Many: true, Block: schema.Block{
					Doc: "How points whose names fit PATTERN go out. A point has the shape of the first block that it fits; what a shape leaves out is as the route says.",
					Attributes: []schema.Attribute{
						text("name", "The name that it goes by, `DEVICE.POINT`; `$1` is what the first `*` or `?` of the pattern stands for: `shape \"battery[*].*\" { name = \"bess$1.$2\" }`."),
						text("unit", "The unit that it is converted to."),
						everyAttribute(),
						flag("align", "As in the route."),
						attribute("add_tags", schema.Map, "Further tags of its samples."),
					},
					Blocks: []schema.Nested{{Name: "on_change", Block: onChangeBlock()}},
				}},
				{Name: "compute", Many: true, Block: schema.Block{
					Doc: "A value that is computed for the sink, at each frame of a device that it reads, and goes out by the name of its label, `DEVICE.POINT`. Its time is that of the frame; its quality is the worst of what it reads.",
					Attributes: []schema.Attribute{
						required(attribute("value", condition, "The value: `device.pv.power + device.grid.power`.")),
						text("unit", "Its unit; the value is converted to it."),
						attribute("add_tags", schema.Map, "Further tags of its samples."),
					},
				}},
			},
		},
		Example: "route \"cloud\" {\n  sink    = sink.history\n  include = [\"battery.*\", \"grid_meter.power\"]\n  quality = [\"good\", \"uncertain\"]\n  every   = \"10s\"\n  events  = [\"alarm\"]\n  on_change {\n    percent      = 1\n    max_interval = \"5m\"\n  }\n  shape \"battery.*\" {\n    name     = \"bess.$1\"\n    add_tags = { room = \"cellar\" }\n  }\n  compute \"site.load\" {\n    value = device.grid_meter.power + device.battery.power\n    unit  = \"kW\"\n  }\n}\n",
	}
}

func everyAttribute() schema.Attribute {
	a := duration("every", nil, time.Millisecond, "At most one sample of a point in so much time, by the samples' own times; left out: all.")
	a.Max = span(365 * day)
	return a
}

func onChangeBlock() schema.Block {
	return schema.Block{
		Doc: "Only samples that differ from the one that went before: in value by more than the deadband, or in quality. A value returns out of the deadband of what was sent, so a slow drift is not lost.",
		Attributes: []schema.Attribute{
			{Name: "deadband", Type: schema.Number, Default: 0.0, Min: number(0), Doc: "How much it must differ, in the unit that goes out."},
			{Name: "percent", Type: schema.Number, Default: 0.0, Min: number(0), Max: number(1e6), Doc: "How much it must differ, in percent of the value that went before; with a deadband too, the larger of the two counts."},
			duration("max_interval", nil, time.Millisecond, "A sample goes after so much time though nothing changed; left out: never."),
		},
	}
}
