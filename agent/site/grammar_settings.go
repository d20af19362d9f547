package site

import (
	"time"

	"github.com/voltage-edge/voltage/sdk/schema"
)

func siteBlock() *construct {
	return &construct{
		Name: "site", Label: "NAME", Once: true,
		Body: schema.Block{
			Doc: "Names the site; it must be there.",
			Attributes: []schema.Attribute{
				{Name: "timezone", Type: schema.String, Default: "UTC", Doc: "Time zone of the place, as in the IANA data base: `Europe/Berlin`. Schedules and what people read follow it; everything else is UTC."},
				descriptionAttribute,
			},
		},
		Example: "site \"bakery\" { timezone = \"Europe/Berlin\" }\n",
	}
}

func variableBlock() *construct {
	return &construct{
		Name: "variable", Label: "NAME",
		Body: schema.Block{
			Doc: "A value that is given from outside: `--var NAME=VALUE`, or the environment variable `VOLTAGE_VAR_NAME`. It is used as `var.NAME`.",
			Attributes: []schema.Attribute{
				attribute("type", typeName, "Its type: `string`, `number`, `bool`, `list(string)`, `map(number)`, `object({…})`, …. Left out: that of the default."),
				attribute("default", anything, "The value when none is given. A variable without one must be given."),
				flag("sensitive", "The value is a secret: it is never printed."),
				descriptionAttribute,
			},
		},
		Example: "variable \"peak\" {\n  type    = number\n  default = 80\n}\n",
	}
}

func localsBlock() *construct {
	return &construct{
		Name: "locals", Free: true,
		Body: schema.Block{
			Doc: "Names for expressions, used as `local.NAME`. One that refers to devices, models or alarms is *live*: it may stand wherever a condition or value may, and is computed anew each time.",
		},
		Example: "locals {\n  reserve = 20\n  demand  = device.grid_meter.power + device.battery.power\n}\n",
	}
}

func storeBlock() *construct {
	return &construct{
		Name: "store", Once: true,
		Body: schema.Block{
			Doc: "Where Redis is. Without this block the agent starts one of its own, in the data folder.",
			Attributes: []schema.Attribute{
				attribute("address", schema.Strings, "`host:port`, `unix:/path`, or a list of them for a Cluster or the Sentinels. Left out: embedded."),
				choice("mode", "single", "How the servers at the addresses are organised.", "single", "sentinel", "cluster"),
				text("master", "Name of the master that the Sentinels watch."),
				text("username", "User for the server."),
				secret(text("password", "Password for the server.")),
				{Name: "db", Type: schema.Int, Default: 0.0, Min: number(0), Max: number(1000), Doc: "Number of the data base; a Cluster has only 0."},
				flag("tls", "Speak TLS."),
				text("ca", "File with the certificates that sign the server's; left out: the system's."),
				text("executable", "Program of the embedded server; left out: `redis-server`, then `valkey-server`, from PATH."),
				{Name: "max_memory", Type: size, Default: "0", Doc: "Limit of the embedded server's memory; 0: none."},
			},
		},
		Example: "store {\n  address  = \"10.0.0.5:6379\"\n  password = env(\"REDIS_PASSWORD\")\n}\n",
	}
}

func journalBlock() *construct {
	return &construct{
		Name: "journal", Once: true,
		Body: schema.Block{
			Doc: "How much of the past is kept on disk. Sinks read from the journal, so this is also how long a sink may be away.",
			Attributes: []schema.Attribute{
				{Name: "max_size", Type: size, Default: "2GB", Min: number(1 << 20), Doc: "What it may take on disk; the oldest is dropped, and counted."},
				duration("max_age", "90d", time.Minute, "How long it is kept."),
				duration("sync", "1s", time.Millisecond, "The longest time that an accepted frame is not yet safe from a power failure."),
			},
		},
		Example: "journal {\n  max_size = \"8GB\"\n  max_age  = \"1y\"\n}\n",
	}
}

func apiBlock() *construct {
	return &construct{
		Name: "api", Once: true,
		Body: schema.Block{
			Doc: "Where the API listens beside the socket in the data folder. Beyond loopback it needs TLS and a token.",
			Attributes: []schema.Attribute{
				text("listen", "`host:port`; left out: no TCP at all."),
				text("tls_cert", "File with the certificate and its chain."),
				text("tls_key", "File with the certificate's key."),
				secret(text("token", "What callers give as `Authorization: Bearer …`.")),
			},
		},
		Example: "api {\n  listen   = \"0.0.0.0:8480\"\n  tls_cert = \"/etc/voltage/tls.crt\"\n  tls_key  = \"/etc/voltage/tls.key\"\n  token    = file(\"/etc/voltage/token\")\n}\n",
	}
}

func pluginBlock() *construct {
	return &construct{
		Name: "plugin", Label: "NAME",
		Body: schema.Block{
			Doc: "Where a plugin's program is. A plugin without this block is looked for as `voltage-plugin-NAME`, beside the agent and then in the data folder.",
			Attributes: []schema.Attribute{
				text("path", "The program; relative to the site's folder."),
				text("version", "Version that it must have: `>= 1.2, < 2`."),
				secret(attribute("env", schema.Map, "Its environment; it gets nothing of the agent's own.")),
			},
		},
		Example: "plugin \"acme\" {\n  path    = \"/opt/acme/voltage-plugin-acme\"\n  version = \">= 1.2, < 2\"\n}\n",
	}
}

func libraryBlock() *construct {
	return &construct{
		Name: "library", Label: "NAME",
		Body: schema.Block{
			Doc: "Replaces one of the libraries `models`, `alarms`, `rules`, `routes` that come with the agent, or pins its version.",
			Attributes: []schema.Attribute{
				text("file", "Main file of the library; relative to the site's folder."),
				text("version", "Version that it must have: `~> 1.4`."),
			},
		},
		Example: "library \"rules\" { file = \"lua/rules.lua\" }\n",
	}
}

func sinkBlock() *construct {
	return &construct{
		Name: "sink", Label: "NAME", ForEach: true, Config: "sink",
		Body: schema.Block{
			Doc: "A place where samples and events go, each at least once and in order. A sink that is away costs disk, not data.",
			Attributes: []schema.Attribute{
				required(text("plugin", "The plugin that writes there.")),
				attribute("include", schema.Strings, "Patterns of names that go there (`battery.*`); left out: all. A sink of which more is to be said has [routes](#route)."),
				attribute("exclude", schema.Strings, "Patterns of names that don't."),
				{Name: "batch_size", Type: schema.Int, Default: 5000.0, Min: number(1), Max: number(1e6), Doc: "The most samples in one write."},
				duration("flush_interval", "1s", time.Millisecond, "The longest time that a sample waits for its batch to fill."),
				descriptionAttribute,
			},
		},
		Example: "sink \"history\" {\n  plugin = \"influxdb\"\n  config {\n    url    = \"http://127.0.0.1:8086\"\n    bucket = \"site/autogen\"\n    token  = env(\"INFLUX_TOKEN\")\n  }\n}\n",
	}
}
