package site

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/voltage-edge/voltage/agent/spelling"
	"github.com/voltage-edge/voltage/sdk/schema"
)

// decode reads a body by its shape, and tells all that is wrong with it.
func (l *loader) decode(body hcl.Body, sh *shape, rng hcl.Range, s *Scope) *content {
	c := &content{shape: sh, rng: rng}
	before := l.count
	switch b := body.(type) {
	case nil:
	case *hclsyntax.Body:
		c.attrs = make([]attr, 0, len(b.Attributes))
		for name, a := range b.Attributes {
			l.decodeAttribute(c, name, a.NameRange, a.Expr, s)
		}
		for _, n := range b.Blocks {
			l.decodeBlock(c, n.Type, n.Labels, n.LabelRanges, n.DefRange(), n.Body, s)
		}
	default:
		l.decodeJSON(c, body, s)
	}
	l.complete(c)
	c.bad = c.bad || l.count > before
	return c
}

// decodeJSON reads a body of the JSON syntax, which has to be told beforehand what is a block.
func (l *loader) decodeJSON(c *content, body hcl.Body, s *Scope) {
	found, rest, diags := body.PartialContent(c.shape.hclSchema())
	l.take(diags)
	for name, a := range found.Attributes {
		l.decodeAttribute(c, name, a.NameRange, a.Expr, s)
	}
	for _, n := range found.Blocks {
		l.decodeBlock(c, n.Type, n.Labels, n.LabelRanges, n.DefRange, n.Body, s)
	}
	unknown, _ := rest.JustAttributes()
	for name, a := range unknown {
		if name != "//" {
			l.unknown(c, name, a.NameRange, false)
		}
	}
}

func (l *loader) unknown(c *content, name string, rng hcl.Range, isBlock bool) {
	if c.shape.loose {
		return
	}
	kind := "attribute"
	if isBlock {
		kind = "block"
	}
	takes := c.shape.names()
	hint := spelling.DidYouMean(name, takes)
	if n := spelling.Nearest(name, takes); n != "" {
		if c.misspelt == nil {
			c.misspelt = map[string]bool{}
		}
		c.misspelt[n] = true
	}
	switch {
	case isBlock && c.shape.attrs[name] != nil:
		hint = fmt.Sprintf(" It is an attribute: write %s = ….", name)
	case !isBlock && c.shape.blocks[name] != nil:
		hint = fmt.Sprintf(" It is a block: write %s { … }.", name)
	case hint == "" && len(takes) == 0:
		hint = " It takes none."
	case hint == "":
		hint = " It takes " + thereAre(takes) + "."
	}
	l.fail(rng, "Unknown "+kind, "%s has no %s %q.%s", capital(c.shape.title), kind, name, hint)
}

func (l *loader) decodeAttribute(c *content, name string, nameRange hcl.Range, e hcl.Expression, s *Scope) {
	a := c.shape.attrs[name]
	if a == nil {
		if n := c.shape.blocks[name]; n != nil && !n.many && n.label == "" {
			l.decodeObject(c, name, nameRange, e, n, s)
			return
		}
		l.unknown(c, name, nameRange, false)
		return
	}
	out := attr{name: name, rng: e.Range(), sensitive: a.Sensitive}
	if keptAsWritten(a.Type) {
		out.expr = e
		c.attrs = append(c.attrs, out)
		return
	}
	v, ok := l.value(e, s)
	if ok && v.IsNull() {
		return
	}
	secret := false
	if ok {
		out.value, secret, ok = l.convert(v, a, e.Range())
	}
	c.bad = c.bad || !ok
	out.sensitive = out.sensitive || secret
	if out.sensitive {
		l.hide(e)
		l.keepSecret(out.value)
	}
	c.attrs = append(c.attrs, out)
}

// keptAsWritten tells whether an attribute is not a value yet: its owner reads the expression.
func keptAsWritten(t schema.Type) bool {
	switch t {
	case condition, reference, references, conditions, outputs, edges, table, typeName, properties:
		return true
	}
	return false
}

// decodeObject reads a nested block that is written as an attribute: read_back = { within = 1 }.
func (l *loader) decodeObject(c *content, name string, nameRange hcl.Range, e hcl.Expression, n *nestedShape, s *Scope) {
	pairs, diags := hcl.ExprMap(e)
	if diags.HasErrors() {
		l.fail(e.Range(), "Wrong type", "%s is a block: write %s { … }, or %s = { … }.", name, name, name)
		return
	}
	if c.block(name) != nil {
		l.fail(nameRange, "Duplicate block", "%s has one %s block only.", capital(c.shape.title), name)
		return
	}
	sub := &content{shape: n.shape, kind: name, rng: nameRange}
	before := l.count
	seen := map[string]bool{}
	for _, p := range pairs {
		key, diags := p.Key.Value(nil)
		if diags.HasErrors() || !isText(key) {
			l.fail(p.Key.Range(), "Wrong name", "A name is wanted here, not an expression.")
			continue
		}
		if seen[key.AsString()] {
			l.fail(p.Key.Range(), "Duplicate attribute", "%q stands here twice.", key.AsString())
			continue
		}
		seen[key.AsString()] = true
		l.decodeAttribute(sub, key.AsString(), p.Key.Range(), p.Value, s)
	}
	l.complete(sub)
	sub.bad = sub.bad || l.count > before
	c.bad = c.bad || sub.bad
	c.blocks = append(c.blocks, sub)
}

func (l *loader) decodeBlock(c *content, kind string, labels []string, labelRanges []hcl.Range, rng hcl.Range, body hcl.Body, s *Scope) {
	n := c.shape.blocks[kind]
	if n == nil {
		l.unknown(c, kind, rng, true)
		return
	}
	if !n.many && c.block(kind) != nil {
		l.fail(rng, "Duplicate block", "%s has one %s block only.", capital(c.shape.title), kind)
		return
	}
	switch {
	case n.label == "" && len(labels) > 0:
		l.fail(labelRanges[0], "Label not possible", "%s has no label: write %s { … }.", capital(n.title), kind)
		return
	case n.label != "" && len(labels) != 1:
		l.fail(rng, "Wrong labels", "%s has one label: write %s %q { … }.", capital(n.title), kind, n.label)
		return
	}
	sub := l.decode(body, n.shape, rng, s)
	sub.kind = kind
	if n.label != "" {
		sub.label, sub.labelRange = labels[0], labelRanges[0]
	}
	c.bad = c.bad || sub.bad
	c.blocks = append(c.blocks, sub)
}

// complete tells what is missing.
func (l *loader) complete(c *content) {
	for _, name := range c.shape.order {
		if a := c.shape.attrs[name]; a.Required && c.find(name) == nil && !c.misspelt[name] {
			l.fail(c.rng, "Missing attribute", "%s needs %q.%s", capital(c.shape.title), name, docOf(a.Doc))
		}
	}
	for _, name := range sortedKeys(c.shape.blocks) {
		if c.shape.blocks[name].required && c.block(name) == nil && !c.misspelt[name] {
			l.fail(c.rng, "Missing block", "%s needs %s block.", capital(c.shape.title), withArticle(name))
		}
	}
}

func capital(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}
