package site

import (
	"time"

	"github.com/voltage-edge/voltage/agent/notify/message"
	"github.com/voltage-edge/voltage/sdk/schema"
)

func contactBlock() *construct {
	timeout := func(deflt string) schema.Attribute {
		return schema.Attribute{Name: "timeout", Type: schema.Duration, Default: deflt, Min: span(time.Second), Max: span(5 * time.Minute), Doc: "How long one attempt may take."}
	}
	ca := text("ca", "File with the certificates that sign the server's; left out: the system's.")
	return &construct{
		Name: "contact", Label: "NAME", ForEach: true,
		Body: schema.Block{
			Doc: "Somebody who is told about alarms: a webhook, or addresses of e-mail. A message that can't be delivered is tried again, in pauses that grow up to 5 minutes, until `give_up_after`.",
			Attributes: []schema.Attribute{
				duration("give_up_after", "1d", time.Minute, "How old a message may become before it is given up, which is an event and counted."),
				descriptionAttribute,
			},
			Blocks: []schema.Nested{
				{Name: "webhook", Block: schema.Block{
					Doc: "Each message is posted there; see [the form](api.md#webhooks). 2xx means taken; 408, 429, 5xx and no answer are tried again; anything else is refused for good. It follows no redirect.",
					Attributes: []schema.Attribute{
						required(secret(text("url", "`https://…`; of it only the host is ever printed."))),
						secret(attribute("headers", schema.Map, "Further headers: `{ Authorization = env(\"HOOK\") }`.")),
						secret(text("secret", "Key of the signature: the header `Voltage-Signature` is then `t=SECONDS,v1=` and the HMAC-SHA256 of `SECONDS.BODY`, in hex.")),
						text("body", "A Go template of the body; left out: the message as JSON."),
						{Name: "content_type", Type: schema.String, Default: "application/json", Doc: "Of the body. When it is JSON, the template must make JSON."},
						ca, timeout("10s"),
					},
				}},
				{Name: "email", Block: schema.Block{
					Doc: "Each message is a mail in plain text; those of one group are one thread.",
					Attributes: []schema.Attribute{
						required(attribute("to", schema.Strings, "Addresses: `\"duty@example.org\"`, `\"Duty <duty@example.org>\"`.")),
						required(text("from", "The sender's address.")),
						timeout("30s"),
					},
					Blocks: []schema.Nested{{Name: "server", Required: true, Block: schema.Block{
						Doc: "The mail server that takes the mails.",
						Attributes: []schema.Attribute{
							required(text("host", "Its name, which its certificate must have.")),
							{Name: "port", Type: schema.Int, Min: number(1), Max: number(65535), Doc: "Left out: 587 with `starttls`, 465 with `tls`, 25 with `none`."},
							choice("tls", "starttls", "How it is protected: `starttls` insists on STARTTLS, `tls` speaks TLS from the first byte, `none` is for a server that can be trusted with clear text.", "starttls", "tls", "none"),
							text("username", "Left out: nobody logs in."),
							secret(text("password", "Its password; not possible with `tls = \"none\"`, other than on loopback.")),
							ca,
						},
					}}},
				}},
			},
		},
		Example: "contact \"duty\" {\n  webhook {\n    url     = \"https://hooks.example.org/alarms\"\n    headers = { Authorization = \"Bearer ${env(\"DUTY_TOKEN\")}\" }\n    secret  = file(\"tls/token\")\n  }\n}\n\n" +
			"contact \"boss\" {\n  email {\n    to   = [\"Boss <boss@example.org>\"]\n    from = \"bakery@example.org\"\n    server {\n      host     = \"mail.example.org\"\n      username = \"bakery\"\n      password = env(\"MAIL_PASSWORD\")\n    }\n  }\n}\n\n" +
			"contact \"chat\" {\n  webhook {\n    url  = \"https://chat.example.org/hooks/bakery\"\n    body = \"{\\\"text\\\": {{ json (text .) }}}\"\n  }\n}\n",
	}
}

// groupKeys are what alarms can be grouped by.
var groupKeys = []string{"alarm", "block", "key", "priority"}

func notificationBlock() *construct {
	return &construct{
		Name: "notification", Label: "NAME",
		Body: schema.Block{
			Doc: "Which alarms are told to whom. An alarm that is shelved, suppressed, disabled or out of service is not told; an acknowledged one is not repeated and not escalated; one that returned within `wait` is not told at all. See [operations](operations.md#notifications).",
			Attributes: []schema.Attribute{
				required(attribute("contacts", references, "Who is told: `[contact.duty]`.")),
				choice("min_priority", "low", "The lowest priority that is told.", message.Priorities...),
				attribute("alarms", schema.Strings, "Patterns of names of alarms (`\"grid_*\"`); left out: all."),
				attribute("except", schema.Strings, "Patterns of names that are left out."),
				duration("repeat", "0s", 0, "How long after a message it is repeated while an alarm of the group is active and nobody acknowledged it; at least a minute; 0: never."),
				{Name: "resolved", Type: schema.Bool, Default: true, Doc: "Tell too that alarms returned."},
				{Name: "max_per_hour", Type: schema.Int, Default: 30.0, Min: number(2), Max: number(3600), Doc: "The most messages in an hour. From then on one message stands for all that there is to tell, at most every `interval` and every minute."},
				text("link", "Address under which people reach the site, which messages carry; left out: that of the API."),
				descriptionAttribute,
			},
			Blocks: []schema.Nested{
				{Name: "group", Block: schema.Block{
					Doc: "Which alarms are told in one message.",
					Attributes: []schema.Attribute{
						{Name: "by", Type: schema.Strings, Doc: "What the alarms of a group have in common: `alarm` (each alarm for itself), `block` (its name without the key of for_each), `key` (that key), `priority`; left out: all are one group."},
						duration("wait", "30s", 0, "How long the first alarm of a group waits for others."),
						duration("interval", "5m", 0, "The shortest time between two messages of a group; an escalation does not wait for it."),
					},
				}},
				{Name: "escalate", Many: true, Block: schema.Block{
					Doc: "Who is told when an alarm that was told is active and nobody acknowledged it.",
					Attributes: []schema.Attribute{
						required(duration("after", nil, time.Second, "How long after it was first told.")),
						required(attribute("to", references, "Who is told then: `contact.boss`.")),
					},
				}},
				{Name: "quiet", Block: schema.Block{
					Doc: "When only the most urgent is told; the rest is told when the schedule ends, if it is still so.",
					Attributes: []schema.Attribute{
						required(attribute("during", reference, "The schedule: `schedule.night`.")),
						choice("min_priority", "critical", "The lowest priority that is told even then.", message.Priorities...),
					},
				}},
			},
		},
		Example: "notification \"urgent\" {\n  contacts     = [contact.duty]\n  min_priority = \"high\"\n  repeat       = \"1h\"\n  group {\n    by   = [\"block\"]\n    wait = \"10s\"\n  }\n  escalate {\n    after = \"15m\"\n    to    = [contact.boss]\n  }\n}\n\n" +
			"notification \"rest\" {\n  contacts = [contact.chat]\n  except   = [\"test_*\"]\n  quiet { during = schedule.night }\n}\n",
	}
}
