package site

import (
	"time"

	"github.com/voltage-edge/voltage/sdk/schema"
)

func channelBlock() *construct {
	return &construct{
		Name: "channel", Label: "NAME", ForEach: true, Config: "channel",
		Body: schema.Block{
			Doc: "One connection of one protocol plugin: a TCP peer, a serial line.",
			Attributes: []schema.Attribute{
				required(text("plugin", "The plugin that speaks the protocol.")),
				duration("every", "1s", time.Millisecond, "How often its devices are read."),
				descriptionAttribute,
			},
		},
		Example: "channel \"lan\" {\n  plugin = \"modbus\"\n  every  = \"1s\"\n  config {\n    transport = \"tcp\"\n    address   = \"192.168.1.20:502\"\n  }\n}\n",
	}
}

func deviceBlock() *construct {
	return &construct{
		Name: "device", Label: "NAME", ForEach: true, Config: "device",
		Body: schema.Block{
			Doc: "One unit on a channel. Its points come from its profile, from a CSV table, and from its own point blocks; a point block changes what it gives of a point of the same name and leaves the rest. A value is used as `device.NAME.POINT`. Devices and models share one space of names.",
			Attributes: []schema.Attribute{
				required(attribute("channel", reference, "The channel: `channel.lan`.")),
				text("profile", "Name of a register map: a profile block, else a file `profiles/NAME.csv` beside the site, else one that comes with the plugin."),
				attribute("points", table, "A CSV table of points: `csv(\"FILE\")`."),
				{Name: "every", Type: schema.Duration, Min: span(time.Millisecond), Max: span(longTime), Doc: "How often it is read; left out: as the channel says."},
				{Name: "stale", Type: schema.Duration, Min: span(time.Millisecond), Max: span(longTime), Doc: "Age at which its values become unknown, at least three times `every`; left out: three times `every`, and 3s at least."},
				descriptionAttribute,
			},
			Blocks: []schema.Nested{{Name: "point", Many: true, Block: pointBlock()}},
		},
		Example: "device \"battery\" {\n  channel = channel.lan\n  config { unit = 2 }\n\n  point \"soc\" {\n    address = \"input:100\"\n    type    = \"float32\"\n    unit    = \"%\"\n  }\n}\n",
	}
}

func profileBlock() *construct {
	return &construct{
		Name: "profile", Label: "NAME",
		Body: schema.Block{
			Doc: "A register map with a name, for devices of one kind.",
			Attributes: []schema.Attribute{
				required(text("plugin", "The plugin whose devices it describes.")),
				attribute("points", table, "A CSV table of points: `csv(\"FILE\")`."),
				descriptionAttribute,
			},
			Blocks: []schema.Nested{{Name: "point", Many: true, Block: pointBlock()}},
		},
		Example: "profile \"our-meter\" {\n  plugin = \"modbus\"\n  points = csv(\"meter.csv\")\n}\n",
	}
}

// pointBlock has the attributes that every plugin's points have; the plugin's own stand beside them.
func pointBlock() schema.Block {
	return schema.Block{
		Doc: "One value of a device. The plugin may add attributes of its own.",
		Attributes: []schema.Attribute{
			text("address", "Where the value is, as the plugin writes it."),
			text("type", "How it is encoded there: one of the plugin's types; left out: its first."),
			text("unit", "Unit of the value; see [units](#units)."),
			{Name: "scale", Type: schema.Number, Default: 1.0, Doc: "The value is what is read times `scale` plus `offset`."},
			{Name: "offset", Type: schema.Number, Default: 0.0, Doc: "See `scale`."},
			{Name: "valid_min", Type: schema.Number, Doc: "The least that the value can be, in its unit: a sensor that reads less is broken, and its value is unknown."},
			{Name: "valid_max", Type: schema.Number, Doc: "The most that it can be."},
			{Name: "access", Type: schema.String, OneOf: []string{"r", "w", "rw"}, Doc: "What the device allows: `r` reading, `w` writing, `rw` both. Left out: `r`, with a write block `rw`. A point of a profile that allows writing becomes an output only when the device gives it a write block."},
			descriptionAttribute,
			attribute("tags", schema.Map, "Texts that go with the value to where people look."),
		},
		Blocks: []schema.Nested{{Name: "write", Block: writeBlock()}},
	}
}

func writeBlock() schema.Block {
	return schema.Block{
		Doc: "Makes the point an output, and says how it takes set-points. All values are in the point's unit.",
		Attributes: []schema.Attribute{
			attribute("min", level, "The least that is ever written; required, but 0 for a boolean point."),
			attribute("max", level, "The most that is ever written; required, but 1 for a boolean point."),
			attribute("safe", level, "What is written when nobody holds the output, and when the agent is gone; required."),
			{Name: "ramp", Type: rate, Min: number(0), Doc: "The fastest change: `\"10/s\"`, `\"5/min\"`; left out: at once."},
			duration("min_interval", "0s", 0, "The shortest time between two writes, for devices whose memory wears."),
			duration("refresh", "0s", 0, "How often an unchanged set-point is written again, for devices with a watchdog; 0: never."),
		},
		Blocks: []schema.Nested{{Name: "read_back", Block: schema.Block{
			Doc: "Verifies a write by reading.",
			Attributes: []schema.Attribute{
				text("point", "Name of the point of the same device that is read; left out: the point itself."),
				required(schema.Attribute{Name: "within", Type: schema.Number, Min: number(0), Doc: "The largest difference that still counts as written."}),
				duration("after", "2s", 0, "How long the device may take."),
			},
		}}},
	}
}
