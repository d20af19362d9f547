package site

import (
	"github.com/voltage-edge/voltage/sdk/schema"
)

func ruleTemplateBlock() *construct {
	return &construct{
		Name: "rule_template", Label: "NAME",
		Body: schema.Block{
			Doc: "Rules and alarms with parameters, which a [rule with a template](#rule-with-a-template) makes into rules and alarms of its own. " +
				"A template of a site replaces the one of the same name that [comes with the agent](#rule-templates-that-come-with-the-agent).\n\n" +
				"Its `rule \"PART\"` and `alarm \"PART\"` blocks are written as those of a site, without for_each. In them `param.NAME` stands for a parameter: " +
				"`param.limit`, `param.battery.soc`, `set \"param.battery.power\"`, `set \"param.output\"`. Only a constant parameter may stand where a constant is wanted, as in `for = param.delay`.",
			Attributes: []schema.Attribute{descriptionAttribute},
			Blocks: []schema.Nested{
				{Name: "parameter", Many: true, Block: schema.Block{
					Doc: "What the template wants to know.",
					Attributes: []schema.Attribute{
						required(attribute("type", typeName, "`number`, `bool`, `string` or `duration`: a constant; `value`: a number that changes, a point or an expression; "+
							"`condition`: an expression that is true or false; `model`: a whole model; `output`: a point or action that can be set.")),
						text("unit", "Unit of a number or value; what a value is read from is converted."),
						attribute("template", reference, "Template that a model must be of, or extend."),
						attribute("default", anything, "What it is when it is not given; without a default it must be given. Models and outputs have none."),
						attribute("min", schema.Number, "The least that a number may be."),
						attribute("max", schema.Number, "The most that a number may be."),
						descriptionAttribute,
					},
				}},
			},
		},
		Example: `rule_template "night_setback" {
  parameter "heater" {
    type     = model
    template = template.load
  }
  parameter "limit" {
    type    = number
    unit    = "kW"
    default = 2
    min     = 0
  }

  rule "limit" {
    when = param.heater.power > param.limit
    set "param.heater.power_limit" {
      value = param.limit
      ttl   = "30s"
    }
  }
}
`,
	}
}

// madeRule is the other form of a rule block: one that a template makes.
func madeRule() *schema.Block {
	return &schema.Block{
		Doc: "A rule block with a `template` makes the rules and alarms of a [rule template](#rule_template). A template's only rule is called as the block is; " +
			"several are called `NAME.PART`, and so are alarms always. They are rules like any other: `voltage rules`, `voltage why` and priorities work as with those that are written out. " +
			"It takes [for_each](#for_each).",
		Attributes: []schema.Attribute{
			required(attribute("template", reference, "The template: `\"peak_shaving\"` or `rule_template.peak_shaving`.")),
			attribute("parameters", properties, "What it wants to know: constants, names and expressions, as the template says."),
			{Name: "enabled", Type: schema.Bool, Default: true, Doc: "Whether its rules and alarms work at all."},
			descriptionAttribute,
		},
	}
}

const madeRuleExample = `rule "peak" {
  template   = rule_template.peak_shaving
  parameters = { meter = model.grid, battery = model.bess, limit = 80 }
}
`
