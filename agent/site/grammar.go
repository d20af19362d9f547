package site

import (
	"time"

	"github.com/voltage-edge/voltage/sdk/schema"
)

// The grammar of site.hcl is a table: the decoder, the checks and docs/site-hcl.md all come from it. It is made of the
// same parts as a plugin's schema, with some types that only the host's own attributes have.

// Types of the host's attributes beside those of package schema.
const (
	// condition is an expression over live values, kept for the compiler.
	condition schema.Type = "expression"
	// reference names another block (channel.lan), or a point or action.
	reference schema.Type = "reference"
	// references is a list of such names.
	references schema.Type = "list(reference)"
	// conditions is a map whose values are expressions over live values.
	conditions schema.Type = "map(expression)"
	// outputs is a map whose values name points that can be written.
	outputs schema.Type = "map(output)"
	// rate is a change per time: "10/s", or a number, per second.
	rate schema.Type = "rate"
	// size is an amount of memory or disk: "512MB", or a number of bytes.
	size schema.Type = "size"
	// level is a number, or true and false for 1 and 0.
	level schema.Type = "number or bool"
	// anything is a value of any type.
	anything schema.Type = "any"
	// properties is a map of text, numbers and booleans.
	properties schema.Type = "map(any)"
	// table is a point table: csv("FILE").
	table schema.Type = "csv(…)"
	// typeName is the type of a variable.
	typeName schema.Type = "type"
)

// construct is a kind of block at the top of a file.
type construct struct {
	// Name is the block's type.
	Name string
	// Label says what the label is; empty: the block has none.
	Label string
	// ForEach blocks take for_each.
	ForEach bool
	// Free blocks take any attributes; see locals.
	Free bool
	// Config tells whose schema the config block follows; empty: there is none.
	Config string
	// Once: the block may stand only once in a site.
	Once bool
	// Body has the attributes and nested blocks, apart from for_each and config.
	Body schema.Block
	// Example is a piece of site.hcl.
	Example string
}

// The longest durations that make sense.
const (
	day      = 24 * time.Hour
	longTime = 3650 * day
)

func number(v float64) *float64 { return &v }

func span(d time.Duration) *float64 { return number(float64(d)) }

func text(name, doc string) schema.Attribute {
	return schema.Attribute{Name: name, Type: schema.String, Doc: doc}
}

func duration(name string, deflt any, least time.Duration, doc string) schema.Attribute {
	return schema.Attribute{Name: name, Type: schema.Duration, Default: deflt, Min: span(least), Max: span(longTime), Doc: doc}
}

func flag(name, doc string) schema.Attribute {
	return schema.Attribute{Name: name, Type: schema.Bool, Default: false, Doc: doc}
}

func choice(name, deflt, doc string, values ...string) schema.Attribute {
	return schema.Attribute{Name: name, Type: schema.String, Default: deflt, OneOf: values, Doc: doc}
}

func required(a schema.Attribute) schema.Attribute {
	a.Required = true
	return a
}

func secret(a schema.Attribute) schema.Attribute {
	a.Sensitive = true
	return a
}

func attribute(name string, t schema.Type, doc string) schema.Attribute {
	return schema.Attribute{Name: name, Type: t, Doc: doc}
}

// constructs is the grammar: every kind of block, in the order of the documentation.
func constructs() []*construct {
	return []*construct{
		siteBlock(), variableBlock(), localsBlock(), storeBlock(), journalBlock(), apiBlock(), pluginBlock(), libraryBlock(),
		channelBlock(), deviceBlock(), profileBlock(), templateBlock(), modelBlock(), alarmBlock(), ruleBlock(), ruleTemplateBlock(),
		chainBlock(), windowBlock(), sequenceBlock(), scheduleBlock(), sinkBlock(), routeBlock(), contactBlock(), notificationBlock(),
	}
}

// descriptionAttribute is what every block that people name has.
var descriptionAttribute = text("description", "What it is, for people.")

// eachAttribute is taken out of a block before its body is decoded.
const eachAttribute = "for_each"

// configBlock is the block that a plugin's schema describes.
const configBlock = "config"
