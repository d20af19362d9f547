package site

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/spelling"
)

// longestName bounds the names of blocks, points and keys.
const longestName = 100

// block is a block at the top of a file, not yet decoded.
type block struct {
	kind *construct
	name string
	body hcl.Body
	// rng is its header, whole all of it.
	rng, label, whole hcl.Range

	entry *entry
}

// collect finds all blocks of all files.
func (l *loader) collect() {
	for _, src := range l.files {
		switch b := src.body.(type) {
		case nil:
		case *hclsyntax.Body:
			for _, a := range b.Attributes {
				l.strayAttribute(a.Name, a.NameRange)
			}
			for _, n := range b.Blocks {
				l.collectBlock(&block{body: n.Body, rng: n.DefRange(), whole: n.Range()}, n.Type, n.Labels, n.LabelRanges, n.TypeRange)
			}
		default:
			l.collectJSON(b)
		}
		src.body = nil
	}
	if len(l.blocks["site"]) == 0 && l.count == 0 && len(l.files) > 0 {
		first := hcl.Range{Filename: l.files[0].name, Start: hcl.InitialPos, End: hcl.InitialPos}
		l.fail(first, "Missing block", "The site has no name. Add: site \"NAME\" { timezone = \"Europe/Berlin\" }.")
	}
}

func (l *loader) collectJSON(body hcl.Body) {
	schema := &hcl.BodySchema{}
	for _, c := range constructs() {
		h := hcl.BlockHeaderSchema{Type: c.Name}
		if c.Label != "" {
			h.LabelNames = []string{c.Label}
		}
		schema.Blocks = append(schema.Blocks, h)
	}
	found, rest, diags := body.PartialContent(schema)
	l.take(diags)
	for _, n := range found.Blocks {
		l.collectBlock(&block{body: n.Body, rng: n.DefRange, whole: n.DefRange}, n.Type, n.Labels, n.LabelRanges, n.TypeRange)
	}
	unknown, _ := rest.JustAttributes()
	for name, a := range unknown {
		if name != "//" {
			l.unknownBlock(name, a.NameRange)
		}
	}
}

func (l *loader) strayAttribute(name string, rng hcl.Range) {
	if c := l.grammar[name]; c != nil {
		l.fail(rng, "Attribute outside of a block", "%s is a block: write %s { … }.", name, c.header())
		return
	}
	l.fail(rng, "Attribute outside of a block", "%q stands in no block. At the top of a file there are blocks only.", name)
}

func (l *loader) unknownBlock(name string, rng hcl.Range) {
	hint := spelling.DidYouMean(name, sortedKeys(l.grammar))
	if hint == "" {
		hint = " There are " + constructNames(constructs()) + "."
	}
	l.fail(rng, "Unknown block", "There is no block %q.%s", name, hint)
}

func constructNames(all []*construct) string {
	text := ""
	for i, c := range all {
		if i > 0 {
			text += " "
		}
		text += c.Name
	}
	return text
}

// header is the beginning of the block as it is written.
func (c *construct) header() string {
	if c.Label == "" {
		return c.Name
	}
	return fmt.Sprintf("%s %q", c.Name, c.Label)
}

func (l *loader) collectBlock(b *block, kind string, labels []string, labelRanges []hcl.Range, kindRange hcl.Range) {
	b.kind = l.grammar[kind]
	if b.kind == nil {
		l.unknownBlock(kind, kindRange)
		return
	}
	want := 0
	if b.kind.Label != "" {
		want = 1
	}
	switch {
	case len(labels) > want:
		l.fail(labelRanges[want], "Wrong labels", "%s has %s: write %s { … }.", capital(withArticle(kind)+" block"), []string{"no name", "one name"}[want], b.kind.header())
		return
	case len(labels) < want:
		l.fail(b.rng, "Wrong labels", "%s has a name: write %s { … }.", capital(withArticle(kind)+" block"), b.kind.header())
		return
	}
	if want == 1 {
		b.name, b.label = labels[0], labelRanges[0]
		if !l.goodName(b.name, b.label) {
			return
		}
	}
	for _, other := range l.blocks[kind] {
		if b.kind.Free || other.name != b.name && !b.kind.Once {
			continue
		}
		if b.kind.Once {
			l.fail(b.rng, "Duplicate block", "A site has one %s block; there is one already at %s.", kind, lineOf(other.rng))
		} else {
			l.fail(b.label, "Duplicate name", "There is a %s %q already, at %s.", kind, b.name, lineOf(other.rng))
		}
		return
	}
	l.blocks[kind] = append(l.blocks[kind], b)
}

// lineOf is a place in words.
func lineOf(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

// goodName checks the name of a block or point.
func (l *loader) goodName(name string, rng hcl.Range) bool {
	switch {
	case !hclsyntax.ValidIdentifier(name):
		l.fail(rng, "Wrong name", "%q can't be a name: it has letters, digits, _ and -, and begins with a letter.", name)
		return false
	case len(name) > longestName:
		l.fail(rng, "Wrong name", "This name has %d bytes; at most %d are possible.", len(name), longestName)
		return false
	}
	return true
}

// takeAttribute takes an attribute out of a body before it is decoded.
func takeAttribute(body hcl.Body, name string) (hcl.Expression, hcl.Body) {
	if b, ok := body.(*hclsyntax.Body); ok {
		a := b.Attributes[name]
		if a == nil {
			return nil, body
		}
		copied := *b
		copied.Attributes = make(hclsyntax.Attributes, len(b.Attributes))
		for n, x := range b.Attributes {
			if n != name {
				copied.Attributes[n] = x
			}
		}
		return a.Expr, &copied
	}
	found, rest, _ := body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: name}}})
	if a := found.Attributes[name]; a != nil {
		return a.Expr, rest
	}
	return nil, body
}

// configOf takes the config block out of a body before it is decoded; nil: there is none.
func (l *loader) configOf(body hcl.Body, of string) (config *hcl.Block, rest hcl.Body) {
	var all []*hcl.Block
	if b, ok := body.(*hclsyntax.Body); ok {
		copied := *b
		copied.Blocks = make(hclsyntax.Blocks, 0, len(b.Blocks))
		for _, n := range b.Blocks {
			if n.Type != configBlock {
				copied.Blocks = append(copied.Blocks, n)
				continue
			}
			if len(n.Labels) > 0 {
				l.fail(n.LabelRanges[0], "Label not possible", "A config block has no label: write config { … }.")
			}
			all = append(all, &hcl.Block{Type: n.Type, Body: n.Body, DefRange: n.DefRange()})
		}
		rest = &copied
	} else {
		found, other, diags := body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: configBlock}}})
		l.take(diags)
		all, rest = found.Blocks, other
	}
	if len(all) > 1 {
		l.fail(all[1].DefRange, "Duplicate block", "%s has one config block only.", capital(of))
	}
	if len(all) > 0 {
		config = all[0]
	}
	return config, rest
}

// instance is one instance of a block: the block itself, or one of those that its for_each makes.
type instance struct {
	*block
	key   string
	full  string
	scope *Scope
}

// mostInstances bounds for_each.
const mostInstances = 10000

// expand makes the instances of a block. It tells what is wrong with its for_each, and then gives none.
func (l *loader) expand(b *block) (instances []instance, each, ok bool) {
	if !b.kind.ForEach {
		return []instance{{block: b, full: b.name, scope: l.scope}}, false, true
	}
	e, body := takeAttribute(b.body, eachAttribute)
	if e == nil {
		return []instance{{block: b, full: b.name, scope: l.scope}}, false, true
	}
	inner := *b
	inner.body = body
	v, good := l.value(e, l.scope)
	if !good {
		return nil, true, false
	}
	if v.ContainsMarked() {
		l.fail(e.Range(), "Secret in for_each", "The keys of for_each become names, which are printed, and this has a secret in it.")
		return nil, true, false
	}
	t := v.Type()
	if v.IsNull() || !v.CanIterateElements() {
		l.fail(e.Range(), "Wrong value", "for_each goes over a map, a set or a list of text, and this is %s.", found(v))
		return nil, true, false
	}
	if n := v.LengthInt(); n > mostInstances {
		l.fail(e.Range(), "Too many instances", "for_each would make %d of it; at most %d are possible.", n, mostInstances)
		return nil, true, false
	}
	isMap := t.IsMapType() || t.IsObjectType()
	seen := map[string]bool{}
	for it := v.ElementIterator(); it.Next(); {
		k, value := it.Element()
		if !isMap {
			k = value
		}
		key, isKey := keyText(k)
		switch {
		case !isKey:
			l.fail(e.Range(), "Wrong value", "for_each goes over a map, a set or a list of text, and an element of this is %s.", found(k))
			return nil, true, false
		case !goodKey(key):
			l.fail(e.Range(), "Wrong key", "%q can't be a key of for_each, as it becomes part of a name: it has letters, digits, _ and -.", key)
			return nil, true, false
		case seen[key]:
			l.fail(e.Range(), "Duplicate key", "%q stands in for_each twice.", key)
			return nil, true, false
		}
		seen[key] = true
		if !isMap && value.Type() != cty.String {
			value = cty.StringVal(key)
		}
		instances = append(instances, instance{block: &inner, key: key, full: InstanceName(b.name, key), scope: l.scope.instance(key, value)})
	}
	return instances, true, true
}

func goodKey(key string) bool {
	return key != "" && len(key) <= longestName && hclsyntax.ValidIdentifier("k"+key)
}
