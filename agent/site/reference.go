package site

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/sdk/schema"
)

// WriteReference writes the reference of site.hcl, in Markdown, from the grammar.
func WriteReference(w io.Writer) error {
	b := &referenceText{}
	b.WriteString(referenceHead)
	for _, c := range constructs() {
		fmt.Fprintf(b, "- [`%s`](#%s)\n", c.Name, c.Name)
	}
	for _, c := range constructs() {
		writeConstruct(b, c)
		if c.Name == "rule" {
			writeMadeRule(b)
		}
	}
	b.WriteString(referenceExpressions)
	b.WriteString(referenceFlows)
	b.WriteString(referenceTime)
	b.WriteString(referenceTables)
	writeFunctions(b)
	writeUnits(b)
	writeTemplates(b)
	writeRuleTemplates(b)
	_, err := io.WriteString(w, b.String())
	return err
}

// referenceText is the reference while it is written.
type referenceText struct {
	strings.Builder
	// told: what a point is has been told.
	told bool
}

const referenceHead = `# site.hcl

<!-- Made from the grammar in agent/site by go generate; change it there. -->

A site is one file, or a folder: all its files ` + "`*.hcl` and `*.hcl.json`" + ` together, in any order. Blocks refer to each other by
name (` + "`channel.lan`, `device.battery.soc`" + `), wherever they stand. ` + "`voltage validate SITE`" + ` tells all that is wrong at once,
` + "`voltage fmt`" + ` lays the files out.

A nested block that may stand once can also be written as a value: ` + "`read_back = { within = 0.5 }`" + ` is ` + "`read_back { within = 0.5 }`" + `.
An attribute whose value is ` + "`null`" + ` counts as left out.

| type | is written as |
|---|---|
| string | ` + "`\"text\"`" + `; a number counts as its text |
| number, int | ` + "`80`, `0.5`, `-3e3`" + `; 64 bits of floating point |
| bool | ` + "`true`, `false`" + ` |
| duration | ` + "`\"250ms\"`, `\"5s\"`, `\"1h30m\"`, `\"1d\"`" + `; units are us, ms, s, m or min, h, d, w and y |
| size | ` + "`\"512MB\"`, `\"2GiB\"`" + `, or a number of bytes |
| rate | ` + "`\"10/s\"`, `\"5/min\"`" + `, or a number, per second |
| list(…), map(…) | ` + "`[\"a\", \"b\"]`, `{ a = \"1\" }`" + `; a single value counts as a list of one |
| expression | ` + "`device.meter.power > 80`" + `: see [expressions](#expressions) |
| map(expression) | ` + "`{ power = device.meter.power }`" + ` |
| reference | ` + "`channel.lan`, `alarm.main_breaker`, `device.meter[\"a\"]`" + `; an output is a reference to a point that can be written |
| csv(…) | ` + "`csv(\"meter.csv\")`" + `: see [point tables](#point-tables) |
| any | a value of any type |

The blocks:

`

const referenceExpressions = `
## for_each

Blocks that say so may stand for many: ` + "`for_each`" + ` goes over a map, a set or a list of text, and makes one instance for each
element. Inside, ` + "`each.key` and `each.value`" + ` are the element's. An instance is called ` + "`NAME[KEY]`" + ` and referred to as
` + "`device.NAME[\"KEY\"].POINT`, or `device.NAME[each.key].POINT`" + `.

` + "```hcl" + `
device "meter" {
  for_each = { hall = 11, office = 12 }
  channel  = channel.lan
  profile  = "eastron-sdm630"
  config { unit = each.value }
}

alarm "overload" {
  for_each = ["hall", "office"]
  when     = device.meter[each.key].power > 50
}
` + "```" + `

## Expressions

Constants are computed when the site is read: ` + "`var.NAME`, `local.NAME`, `each.key`" + `, operators, templates (` + "`\"${var.host}:502\"`" + `) and all
[functions](#functions).

Live expressions (conditions, values, measurements, live locals) are compiled and computed anew whenever something that they read
changes. They have numbers, names, ` + "`+ - * / %`" + `, comparisons, ` + "`&& || !`, `a ? b : c`" + `, and the functions ` + "`min max sum avg abs round floor ceil clamp coalesce known age is_good`" + `.

| name | is |
|---|---|
| ` + "`device.NAME.POINT`" + ` | value of a point |
| ` + "`model.NAME.MEASUREMENT`" + ` | value of a measurement |
| ` + "`model.NAME.PROPERTY`" + ` | a constant |
| ` + "`alarm.NAME.active`" + ` | whether an alarm is active; also ` + "`acked confirmed enabled latched out_of_service shelved suppressed`" + `. Not in alarms: those have ` + "`suppressed_by`" + ` |
| ` + "`schedule.NAME`" + ` | whether it is time |
| ` + "`window.NAME.AGGREGATE`" + ` | what a window put out last; see [windows](#windows) |
| ` + "`local.NAME`" + ` | a constant, or a live expression with a name |

A measurement of a model may also be, or have in it, a total that is kept from frame to frame, over restarts too. Conditions can't read it.

| function | |
|---|---|
| ` + "`energy(power)`, `energy(power, \"10m\")`" + ` | the integral over time: kW becomes kWh, A becomes Ah, m³/h becomes m³. Between two known values it takes their mean, unless they lie further apart than the second argument (5 min when it is left out, or three polls if that is longer); what was not counted is told with the value |
| ` + "`counter(reading)`, `counter(reading, 1000000)`" + ` | a meter's reading that goes on when the meter is reset (it falls by more than a tenth, and the next reading is below too), is replaced (the expression is another one), or begins at 0 again behind its highest reading, the second argument. It begins with the meter's reading |

` + "```hcl" + `
model "grid" {
  template = "grid_meter"
  measurements = {
    power         = device.grid_meter.power
    energy_import = energy(max(device.grid_meter.power, 0))
    energy_export = counter(device.grid_meter.export)
  }
}
` + "```" + `

A value that is bad, stale or was never read is *unknown*; never 0. ` + "`false && unknown`" + ` is false, ` + "`true || unknown`" + ` is true, otherwise what is
computed with an unknown value is unknown. ` + "`known(x)` and `coalesce(x, y)`" + ` deal with it, ` + "`is_good(x)`" + ` tells
whether all points that x reads are of good quality and not only of an uncertain one, ` + "`age(device.NAME.POINT)`" + ` how many seconds old a reading is, and ` + "`unknown = \"hold\"`" + ` of a rule or alarm says what it does.

## Secrets

What ` + "`env()` and `file()`" + ` give, variables with ` + "`sensitive = true`" + `, and the values of sensitive attributes are secrets: they are not printed, not in
diagnostics either. They can't be keys of for_each or properties of models.
`

const referenceTables = `
## Point tables

` + "`points = csv(\"FILE\")`" + ` reads a table whose first line names the columns: ` + "`point`" + `, and attributes of points, those of the host
(` + "`address type unit scale offset valid_min valid_max access description tags`" + `) and those of the plugin. An empty cell is an attribute that is left out; lines that begin with
` + "`#`" + ` are comments; lists and maps are written with semicolons (` + "`phase=1;hall=a`" + `). A table that has more semicolons than commas in its first line is
one with semicolons. Columns ` + "`write.min write.max write.safe`" + ` make outputs.

` + "```csv" + `
point,address,type,unit,scale
power,input:52,float32,kW,0.001
energy,input:72,float32,kWh,
` + "```" + `

A profile is such a table with a name. It is looked for as a profile block, as ` + "`profiles/NAME.csv`" + ` beside the site, and in the plugin. A point of a
profile whose access is ` + "`w` or `rw`" + ` can be written, but is an output only when the device gives it a write block:

` + "```hcl" + `
device "charger" {
  channel = channel.lan
  profile = "keba-kecontact-p30"
  config { unit = 255 }

  point "current_limit" {
    write {
      min  = 0
      max  = 32
      safe = 6
    }
  }
}
` + "```" + `
`

func writeConstruct(b *referenceText, c *construct) {
	fmt.Fprintf(b, "\n## %s\n\n%s", c.Name, c.Body.Doc)
	var notes []string
	if c.Once {
		notes = append(notes, "It stands once in a site.")
	}
	if c.ForEach {
		notes = append(notes, "It takes [for_each](#for_each).")
	}
	if c.Config != "" {
		notes = append(notes, "What stands in its `config` block says the plugin: `voltage plugin describe NAME`.")
	}
	if len(notes) > 0 {
		b.WriteString(" " + strings.Join(notes, " "))
	}
	fmt.Fprintf(b, "\n\n```hcl\n%s```\n", c.Example)
	writeBody(b, &c.Body, "")
}

func writeBody(b *referenceText, block *schema.Block, path string) {
	if len(block.Attributes) > 0 {
		b.WriteString("\n| attribute | type | |\n|---|---|---|\n")
	}
	for i := range block.Attributes {
		writeAttribute(b, &block.Attributes[i])
	}
	for _, n := range block.Blocks {
		name := path + n.Name
		if name == "point" && b.told {
			b.WriteString("\nIts `point` blocks are [those of a device](#point).\n")
			continue
		}
		b.told = b.told || name == "point"
		header := n.Name
		if l := nestedLabels[n.Name]; l != "" {
			header += fmt.Sprintf(" %q", l)
		}
		how := ""
		switch {
		case n.Required && n.Many:
			how = " There must be one at least."
		case n.Many:
			how = " There may be many."
		}
		fmt.Fprintf(b, "\n### %s\n\n`%s { … }`: %s%s\n", name, header, n.Block.Doc, how)
		writeBody(b, &n.Block, name+".")
	}
}

func writeAttribute(b *referenceText, a *schema.Attribute) {
	var notes []string
	if a.Required {
		notes = append(notes, "**Required.**")
	}
	notes = append(notes, a.Doc)
	if len(a.OneOf) > 0 {
		values := make([]string, len(a.OneOf))
		for i, v := range a.OneOf {
			values[i] = "`\"" + v + "\"`"
		}
		notes = append(notes, "One of "+strings.Join(values, ", ")+".")
	}
	if d := defaultText(a); d != "" {
		notes = append(notes, "Default: `"+d+"`.")
	}
	if a.Sensitive {
		notes = append(notes, "It is a secret.")
	}
	fmt.Fprintf(b, "| `%s` | %s | %s |\n", a.Name, a.Type, strings.Join(notes, " "))
}

// defaultText is a default that says something: not an empty one, and not that a flag is off.
func defaultText(a *schema.Attribute) string {
	switch v := a.Default.(type) {
	case string:
		if v == "0" || v == "0s" {
			return ""
		}
		return fmt.Sprintf("%q", v)
	case float64:
		return formatNumber(v)
	case bool:
		if v {
			return "true"
		}
	}
	return ""
}

func writeFunctions(b *referenceText) {
	b.WriteString("\n## Functions\n\nOver constants; `env` and `file` are for secrets and what differs from machine to machine.\n\n| function | |\n|---|---|\n")
	all := (&loader{}).functions()
	for _, name := range sortedKeys(all) {
		f := all[name]
		var params []string
		for _, p := range f.Params() {
			params = append(params, p.Name)
		}
		if v := f.VarParam(); v != nil {
			params = append(params, v.Name+"…")
		}
		doc := f.Description()
		if doc == "" {
			doc = undescribed[name]
		}
		doc = strings.ReplaceAll(strings.ReplaceAll(doc, "\n", " "), "|", "\\|")
		fmt.Fprintf(b, "| `%s(%s)` | %s |\n", name, strings.Join(params, ", "), doc)
	}
}

// undescribed are functions that come without a description.
var undescribed = map[string]string{
	"try": "The first of its arguments that can be computed.",
	"can": "Whether its argument can be computed.",
}

func writeUnits(b *referenceText) {
	b.WriteString("\n## Units\n\nUnits of one line can be converted into each other, and are where a model maps a point or a rule sets an output. Another unit is shown as it is written, with a warning.\n\n| measures | units |\n|---|---|\n")
	for _, d := range dimensions {
		names := make([]string, len(d.units))
		for i, u := range d.units {
			names[i] = "`" + u.Symbol + "`"
		}
		fmt.Fprintf(b, "| %s | %s |\n", d.name, strings.Join(names, " "))
	}
}

// BuiltinTemplates are the templates that come with the agent, by name.
func BuiltinTemplates() ([]*Template, hcl.Diagnostics) {
	l := newLoader(context.Background(), Options{Getenv: func(string) (string, bool) { return "", false }})
	l.buildScope()
	l.loadTemplates()
	return l.site.Templates, l.diags
}

func writeTemplates(b *referenceText) {
	b.WriteString("\n## Templates that come with the agent\n\nWhat brings power to the site is positive: import, discharge, production. Consumption is positive too.\n")
	all, _ := BuiltinTemplates()
	for _, t := range all {
		fmt.Fprintf(b, "\n### template %s\n\n%s\n\n| part | name | unit | |\n|---|---|---|---|\n", t.Name, t.Doc)
		line := func(part, name, unit, doc string) {
			fmt.Fprintf(b, "| %s | `%s` | %s | %s |\n", part, name, unit, doc)
		}
		for _, p := range t.Properties {
			line("property", p.Name, p.Unit, p.Doc)
		}
		for _, m := range t.Measurements {
			line("measurement", m.Name, m.Unit, m.Doc)
		}
		for _, a := range t.Actions {
			line("action", a.Name, a.Unit, a.Doc)
		}
	}
}
