package site

import (
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/sdk/schema"
)

// shape is a schema.Block made ready for decoding.
type shape struct {
	// title is how a message calls the block: "a channel block".
	title  string
	label  string // of the block itself; empty: it has none
	attrs  map[string]*schema.Attribute
	blocks map[string]*nestedShape
	// order has the names of the attributes as they were described.
	order []string
	// defaults in the form that decoding gives.
	defaults []attr
	// taken are names that are read before the body is decoded: for_each, config.
	taken []string
	// loose takes unknown attributes without a word: the plugin could not be asked.
	loose bool
}

type nestedShape struct {
	*shape
	required, many bool
}

// labels of nested blocks; all others have none.
var nestedLabels = map[string]string{
	"point": "NAME", "property": "NAME", "measurement": "NAME", "action": "NAME", "set": "OUTPUT", "raise": "ALARM", "clear": "ALARM", "publish": "NAME", "call": "CHAIN",
	"transform": "NAME", "condition": "NAME", "switch": "NAME", "case": "PORT", "merge": "NAME", "aggregate": "NAME", "step": "NAME", "part": "NAME", "shape": "PATTERN", "compute": "NAME", "parameter": "NAME",
}

// hostShape is the shape of a nested or top block of the host's grammar.
func hostShape(title string, b *schema.Block) *shape { return newShape(title, b, nestedLabels) }

// pluginShape is the shape of a block that a plugin describes.
func pluginShape(title string, b *schema.Block) *shape { return newShape(title, b, nil) }

func newShape(title string, b *schema.Block, labels map[string]string) *shape {
	s := &shape{title: title, attrs: map[string]*schema.Attribute{}, blocks: map[string]*nestedShape{}}
	for i := range b.Attributes {
		s.add(&b.Attributes[i])
	}
	for i := range b.Blocks {
		n := &b.Blocks[i]
		sub := newShape(withArticle(n.Name)+" block", &n.Block, labels)
		sub.label = labels[n.Name]
		s.blocks[n.Name] = &nestedShape{shape: sub, required: n.Required, many: n.Many}
	}
	return s
}

func (s *shape) add(a *schema.Attribute) {
	if _, taken := s.attrs[a.Name]; taken {
		return
	}
	s.attrs[a.Name] = a
	s.order = append(s.order, a.Name)
	if a.Default != nil {
		s.defaults = append(s.defaults, attr{name: a.Name, value: defaultValue(a), sensitive: a.Sensitive})
	}
}

// with is the shape that takes another block's attributes and blocks too; its own go first.
func (s *shape) with(b *schema.Block) *shape {
	out := &shape{title: s.title, label: s.label, attrs: map[string]*schema.Attribute{}, blocks: map[string]*nestedShape{}}
	for _, name := range s.order {
		out.add(s.attrs[name])
	}
	for name, n := range s.blocks {
		out.blocks[name] = n
	}
	more := pluginShape(s.title, b)
	for _, name := range more.order {
		out.add(more.attrs[name])
	}
	for name, n := range more.blocks {
		if out.blocks[name] == nil {
			out.blocks[name] = n
		}
	}
	return out
}

// names are all that may stand in the block.
func (s *shape) names() []string {
	return slices.Concat(s.order, sortedKeys(s.blocks), s.taken)
}

// hclSchema is the shape as the JSON syntax needs it.
func (s *shape) hclSchema() *hcl.BodySchema {
	out := &hcl.BodySchema{}
	for _, name := range s.order {
		out.Attributes = append(out.Attributes, hcl.AttributeSchema{Name: name})
	}
	for _, name := range sortedKeys(s.blocks) {
		h := hcl.BlockHeaderSchema{Type: name}
		if l := s.blocks[name].label; l != "" {
			h.LabelNames = []string{l}
		}
		out.Blocks = append(out.Blocks, h)
	}
	return out
}

// defaultValue is a default in the form that decoding gives: durations, sizes and rates as numbers.
func defaultValue(a *schema.Attribute) any {
	text, isText := a.Default.(string)
	if isText {
		switch a.Type {
		case schema.Duration:
			d, _ := ParseDuration(text)
			return float64(d)
		case size:
			f, _ := parseSize(text)
			return f
		case rate:
			f, _ := parseRate(text)
			return f
		}
	}
	switch v := a.Default.(type) {
	case int:
		return float64(v)
	}
	return a.Default
}

func withArticle(name string) string {
	switch name[0] {
	case 'a', 'e', 'i', 'o', 'u':
		return "an " + name
	}
	return "a " + name
}
