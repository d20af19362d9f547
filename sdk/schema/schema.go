// Package schema describes what a plugin's blocks in site.hcl take: one description is the check, the documentation
// and the decoder's shape at once.
package schema

// Type is the type of an attribute.
type Type string

// The types. A duration is written as text with a unit ("250ms", "5s", "2h", "1d") and reaches the plugin as
// nanoseconds in a number.
const (
	String   Type = "string"
	Number   Type = "number"
	Int      Type = "int"
	Bool     Type = "bool"
	Duration Type = "duration"
	Strings  Type = "list(string)"
	Numbers  Type = "list(number)"
	Map      Type = "map(string)"
)

// Attribute is one attribute of a block.
type Attribute struct {
	Name string
	Type Type
	// Doc says in a sentence what it is for; Markdown.
	Doc string
	// Unit of a number, for the documentation ("ms", "registers").
	Unit string
	// Required attributes have no default.
	Required bool
	// Default is used when the attribute is left out: string, float64, bool, []string, []float64, map[string]string;
	// a duration as text. Nil: the plugin sees that it was left out.
	Default any
	// OneOf lists the values that a string may have.
	OneOf []string
	// Min and Max bound a number (in its unit) or a duration (in nanoseconds).
	Min, Max *float64
	// Sensitive values are never printed, and may come from env() and file().
	Sensitive bool
}

// Block is a block's content: attributes and nested blocks, by name, each once.
type Block struct {
	Doc        string
	Attributes []Attribute
	Blocks     []Nested
}

// Nested is a block within a block.
type Nested struct {
	Name     string
	Required bool
	// Many allows the block any number of times; the plugin then sees a list.
	Many  bool
	Block Block
}
