package site

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/sdk"
)

// content is a decoded block.
type content struct {
	shape *shape
	kind  string
	label string
	// rng is the block's header, and labelRange the label in it.
	rng, labelRange hcl.Range
	attrs           []attr
	blocks          []*content
	// bad: something within was wrong, and has been told.
	bad bool
	// misspelt are names that were most likely meant by unknown ones.
	misspelt map[string]bool
	// table: it is a line of a register map, or of a profile, which say what a device can do.
	table bool
}

// attr is a decoded attribute.
type attr struct {
	name string
	// value has the form that sdk.Values documents; nil for what is kept as an expression.
	value any
	expr  hcl.Expression
	// rng is where its value stands; zero for a default.
	rng       hcl.Range
	sensitive bool
}

func (c *content) find(name string) *attr {
	for i := range c.attrs {
		if c.attrs[i].name == name {
			return &c.attrs[i]
		}
	}
	return nil
}

// given tells whether an attribute was written.
func (c *content) given(name string) bool {
	a := c.find(name)
	return a != nil && !a.rng.Empty()
}

// at is where an attribute stands; when it was not written, where its block begins.
func (c *content) at(name string) hcl.Range {
	if a := c.find(name); a != nil && !a.rng.Empty() {
		return a.rng
	}
	return c.rng
}

func (c *content) value(name string) any {
	a := c.find(name)
	if a != nil {
		return a.value
	}
	if c.shape != nil {
		for i := range c.shape.defaults {
			if c.shape.defaults[i].name == name {
				return c.shape.defaults[i].value
			}
		}
	}
	return nil
}

func (c *content) text(name string) string { s, _ := c.value(name).(string); return s }

func (c *content) number(name string) float64 { f, _ := c.value(name).(float64); return f }

func (c *content) flag(name string) bool { b, _ := c.value(name).(bool); return b }

func (c *content) duration(name string) time.Duration { return time.Duration(c.number(name)) }

func (c *content) list(name string) []string { s, _ := c.value(name).([]string); return s }

func (c *content) texts(name string) map[string]string {
	m, _ := c.value(name).(map[string]string)
	return m
}

// expression is an attribute that is kept as it was written.
func (c *content) expression(name string) hcl.Expression {
	if a := c.find(name); a != nil {
		return a.expr
	}
	return nil
}

// block is the nested block of a kind, nil when there is none.
func (c *content) block(kind string) *content {
	for _, b := range c.blocks {
		if b.kind == kind {
			return b
		}
	}
	return nil
}

// each calls f for the nested blocks of a kind.
func (c *content) each(kind string, f func(*content)) {
	for _, b := range c.blocks {
		if b.kind == kind {
			f(b)
		}
	}
}

// config is the block as a plugin is given it.
func (c *content) config() Config {
	out := Config{Range: c.rng, Ranges: map[string]hcl.Range{}, Sensitive: map[string]bool{}}
	out.Values = c.values("", &out)
	return out
}

func (c *content) values(prefix string, into *Config) sdk.Values {
	out := sdk.Values{}
	for i := range c.shape.defaults {
		d := &c.shape.defaults[i]
		out[d.name] = d.value
		if d.sensitive {
			into.Sensitive[prefix+d.name] = true
		}
	}
	for i := range c.attrs {
		a := &c.attrs[i]
		out[a.name] = a.value
		into.Ranges[prefix+a.name] = a.rng
		if a.sensitive {
			into.Sensitive[prefix+a.name] = true
		}
	}
	for _, b := range c.blocks {
		path := prefix + b.kind
		nested := c.shape.blocks[b.kind]
		if nested == nil {
			continue
		}
		if _, told := into.Ranges[path]; !told {
			into.Ranges[path] = b.rng
		}
		values := b.values(path+".", into)
		if nested.many {
			list, _ := out[b.kind].([]sdk.Values)
			out[b.kind] = append(list, values)
		} else {
			out[b.kind] = values
		}
	}
	return out
}
