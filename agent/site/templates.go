package site

import (
	"embed"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/spelling"
)

//go:embed templates/*.hcl
var builtinTemplates embed.FS

// templateSource is a template before its base is known.
type templateSource struct {
	*block
	builtin bool
	done    *Template
	// onTheWay is set while its base is looked for.
	onTheWay bool
}

// loadTemplates reads the templates that come with the agent, and the site's own, which replace those of the same name.
func (l *loader) loadTemplates() {
	sources := l.builtins()
	for _, b := range l.blocks["template"] {
		sources[b.name] = &templateSource{block: b}
	}
	order := sortedKeys(sources)
	// The site's own first, in their order, so that a circle is told at the first of them.
	slices.SortStableFunc(order, func(a, b string) int {
		switch x, y := sources[a].builtin, sources[b].builtin; {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	})
	for _, name := range order {
		if t := l.template(sources, name); t != nil {
			l.site.Templates = append(l.site.Templates, t)
		}
	}
	slices.SortStableFunc(l.site.Templates, func(a, b *Template) int { return strings.Compare(a.Name, b.Name) })
}

func (l *loader) builtins() map[string]*templateSource {
	sources := map[string]*templateSource{}
	entries, _ := builtinTemplates.ReadDir("templates")
	for _, e := range entries {
		name := "templates/" + e.Name()
		src, _ := builtinTemplates.ReadFile(name)
		f, diags := hclsyntax.ParseConfig(src, "builtin/"+e.Name(), hcl.InitialPos)
		l.take(diags)
		for _, n := range f.Body.(*hclsyntax.Body).Blocks {
			b := &block{kind: l.grammar["template"], name: n.Labels[0], body: n.Body, rng: n.DefRange(), label: n.LabelRanges[0]}
			sources[b.name] = &templateSource{block: b, builtin: true}
		}
		l.site.Sources["builtin/"+e.Name()] = &hcl.File{Bytes: src, Nav: outlineOf(f.Body)}
	}
	return sources
}

// template makes a template, after the one that it extends; nil: it is not there, or is on the way already.
func (l *loader) template(sources map[string]*templateSource, name string) *Template {
	src := sources[name]
	if src == nil || src.done != nil || src.onTheWay {
		if src != nil {
			return src.done
		}
		return nil
	}
	src.onTheWay = true
	defer func() { src.onTheWay = false }()
	c := l.decode(src.body, l.shapes["template"], src.rng, l.scope)
	t := &Template{Name: name, Doc: c.text("description"), Builtin: src.builtin, Range: src.rng, broken: c.bad}
	if e := c.expression("extends"); e != nil {
		l.inherit(sources, t, e)
	}
	c.each("property", func(p *content) { l.property(t, p) })
	c.each("measurement", func(m *content) {
		x := &Measurement{Name: m.label, Unit: l.unit(m), Required: m.flag("required"), Doc: m.text("description")}
		t.Measurements = replaceNamed(l, t, "measurement", t.Measurements, x, m, func(x *Measurement) string { return x.Name })
	})
	c.each("action", func(a *content) {
		x := &Action{Name: a.label, Unit: l.unit(a), Required: a.flag("required"), Doc: a.text("description")}
		t.Actions = replaceNamed(l, t, "action", t.Actions, x, a, func(x *Action) string { return x.Name })
	})
	for _, p := range t.Properties {
		if slices.ContainsFunc(t.Measurements, func(m *Measurement) bool { return m.Name == p.Name }) {
			l.fail(src.rng, "Duplicate name", "Template %s has a property and a measurement %q; model.NAME.%s could mean both.", name, p.Name, p.Name)
		}
	}
	src.done = t
	return t
}

func (l *loader) inherit(sources map[string]*templateSource, t *Template, e hcl.Expression) {
	name, ok := l.blockName(e, "template")
	if !ok {
		t.broken = true
		return
	}
	base := sources[name]
	switch {
	case base == nil:
		l.fail(e.Range(), "Unknown template", "There is no template %q.%s", name, spelling.DidYouMean(name, sortedKeys(sources)))
		t.broken = true
		return
	case base.onTheWay:
		l.fail(e.Range(), "Templates in a circle", "Template %s extends %s, which extends it in turn.", t.Name, name)
		t.broken = true
		return
	}
	b := l.template(sources, name)
	t.broken = t.broken || b.broken
	t.base = b
	t.Properties, t.Measurements, t.Actions = slices.Clone(b.Properties), slices.Clone(b.Measurements), slices.Clone(b.Actions)
}

// blockName is the name in template.battery, or in "battery".
func (l *loader) blockName(e hcl.Expression, kind string) (string, bool) {
	if t, ok := l.scope.asTraversal(e); ok && t.RootName() == kind {
		if name, _, ok := attributeOf(t); ok && len(t) == 2 {
			return name, true
		}
	}
	v, ok := l.value(e, l.scope)
	if !ok {
		return "", false
	}
	if v, _ = v.Unmark(); isText(v) {
		return v.AsString(), true
	}
	l.fail(e.Range(), "Wrong value", "The name of a %s is wanted: %s.NAME or \"NAME\".", kind, kind)
	return "", false
}

// replaceNamed puts what a template says in the place of what it inherited, and refuses what stands twice.
func replaceNamed[T any](l *loader, t *Template, what string, all []*T, x *T, c *content, nameOf func(*T) string) []*T {
	if !l.goodName(c.label, c.labelRange) {
		return all
	}
	for i, old := range all {
		if nameOf(old) != c.label {
			continue
		}
		if l.ownParts[old] == t {
			l.fail(c.labelRange, "Duplicate name", "There is a %s %q in this template already.", what, c.label)
			return all
		}
		all[i] = x
		l.ownParts[x] = t
		return all
	}
	l.ownParts[x] = t
	return append(all, x)
}

func (l *loader) property(t *Template, c *content) {
	p := &Property{Name: c.label, Unit: l.unit(c), Doc: c.text("description"), Required: c.flag("required"), Type: c.text("type")}
	if v, ok := c.value("default").(cty.Value); ok {
		p.Default, _ = l.propertyValue(p, v, c.at("default"))
	}
	t.Properties = replaceNamed(l, t, "property", t.Properties, p, c, func(x *Property) string { return x.Name })
}

// propertyValue is a property's value: string, float64 or bool, as its type says.
func (l *loader) propertyValue(p *Property, v cty.Value, rng hcl.Range) (any, bool) {
	v, _ = v.UnmarkDeep()
	var (
		out any
		err error
	)
	switch p.Type {
	case "string":
		out, err = toText(v, l.intern)
	case "bool":
		out, err = toBool(v)
	default:
		out, err = toNumber(v)
	}
	if err != nil {
		l.fail(rng, "Wrong value", "%q: %s.", p.Name, err)
		return nil, false
	}
	return out, true
}

// unit is the unit attribute of a block, checked.
func (l *loader) unit(c *content) string {
	u := c.text("unit")
	l.checkUnit(u, c.at("unit"))
	return u
}

func (l *loader) checkUnit(u string, rng hcl.Range) {
	if u == "" {
		return
	}
	if _, ok := LookupUnit(u); ok {
		return
	}
	if detail, severe := unknownUnit(u); severe {
		l.fail(rng, "Unknown unit", "%s", detail)
	} else {
		l.warn(rng, "Unknown unit", "%s", detail)
	}
}
