package site

import (
	"embed"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/spelling"
)

//go:embed ruletemplates/*.hcl
var builtinRuleTemplates embed.FS

// part is a rule or alarm of a rule template, not yet decoded.
type part struct {
	*block
}

// loadRuleTemplates reads the rule templates that come with the agent, and the site's own, which replace those of the same
// name.
func (l *loader) loadRuleTemplates() {
	all := map[string]*RuleTemplate{}
	entries, _ := builtinRuleTemplates.ReadDir("ruletemplates")
	for _, e := range entries {
		name := "builtin/rules/" + e.Name()
		src, _ := builtinRuleTemplates.ReadFile("ruletemplates/" + e.Name())
		f, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
		l.take(diags)
		l.site.Sources[name] = &hcl.File{Bytes: src, Nav: outlineOf(f.Body)}
		for _, n := range f.Body.(*hclsyntax.Body).Blocks {
			b := &block{kind: l.grammar["rule_template"], name: n.Labels[0], body: n.Body, rng: n.DefRange(), label: n.LabelRanges[0], whole: n.Range()}
			all[b.name] = l.ruleTemplate(b)
			all[b.name].Builtin = true
		}
	}
	for _, b := range l.blocks["rule_template"] {
		all[b.name] = l.ruleTemplate(b)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		l.site.RuleTemplates = append(l.site.RuleTemplates, all[name])
	}
}

func (l *loader) ruleTemplate(b *block) *RuleTemplate {
	before := l.count
	t := &RuleTemplate{Name: b.name, Range: b.rng, whole: b.whole}
	rules, body := l.takeParts(b.body, "rule")
	alarms, body := l.takeParts(body, "alarm")
	t.rules, t.alarms = rules, alarms
	c := l.decode(body, l.shapes["rule_template"], b.rng, l.scope)
	t.Doc = c.text("description")
	c.each("parameter", func(p *content) { l.parameter(t, p) })
	if len(rules)+len(alarms) == 0 {
		l.fail(b.rng, "Missing block", "A rule_template block needs a rule block, or an alarm block.")
	}
	if len(t.Parameters) > 0 || l.count == before {
		for _, p := range slices.Concat(rules, alarms) {
			l.checkPart(t, p)
		}
	}
	t.broken = l.count > before
	return t
}

// takeParts takes the rule or alarm blocks out of a template's body before it is decoded.
func (l *loader) takeParts(body hcl.Body, kind string) ([]*part, hcl.Body) {
	var parts []*part
	take := func(n *hcl.Block, whole hcl.Range) {
		if len(n.Labels) != 1 {
			l.fail(n.DefRange, "Wrong labels", "%s of a template has one label, the name of the part: write %s \"PART\" { … }.", capital(withArticle(kind)), kind)
			return
		}
		if !l.goodName(n.Labels[0], n.LabelRanges[0]) {
			return
		}
		for _, p := range parts {
			if p.name == n.Labels[0] {
				l.fail(n.LabelRanges[0], "Duplicate name", "There is a %s %q in this template already, at %s.", kind, p.name, lineOf(p.rng))
				return
			}
		}
		parts = append(parts, &part{&block{kind: l.grammar[kind], name: n.Labels[0], body: n.Body, rng: n.DefRange, label: n.LabelRanges[0], whole: whole}})
	}
	if b, ok := body.(*hclsyntax.Body); ok {
		copied := *b
		copied.Blocks = nil
		for _, n := range b.Blocks {
			if n.Type != kind {
				copied.Blocks = append(copied.Blocks, n)
				continue
			}
			take(n.AsHCLBlock(), n.Range())
		}
		return parts, &copied
	}
	found, rest, diags := body.PartialContent(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: kind, LabelNames: []string{"PART"}}}})
	l.take(diags)
	for _, n := range found.Blocks {
		take(n, n.DefRange)
	}
	return parts, rest
}

func (l *loader) parameter(t *RuleTemplate, c *content) {
	if !l.goodName(c.label, c.labelRange) {
		return
	}
	p := &Parameter{Name: c.label, Doc: c.text("description"), Unit: l.unit(c), Range: c.rng}
	for _, other := range t.Parameters {
		if other.Name == p.Name {
			l.fail(c.labelRange, "Duplicate name", "There is a parameter %q in this template already, at %s.", p.Name, lineOf(other.Range))
			return
		}
	}
	t.Parameters = append(t.Parameters, p)
	e := c.expression("type")
	if e == nil {
		return
	}
	p.Type = hcl.ExprAsKeyword(e)
	if v, diags := e.Value(nil); p.Type == "" && !diags.HasErrors() && isText(v) {
		p.Type = v.AsString()
	}
	if !slices.Contains(parameterTypes, p.Type) {
		l.fail(e.Range(), "Wrong type", "A parameter is of one of the types %s.%s", thereAre(parameterTypes), spelling.DidYouMean(p.Type, parameterTypes))
		return
	}
	l.parameterBounds(p, c)
	l.parameterDefault(p, c)
}

// parameterBounds reads what only parameters of some types have.
func (l *loader) parameterBounds(p *Parameter, c *content) {
	for name, to := range map[string]**float64{"min": &p.Min, "max": &p.Max} {
		if v, ok := c.value(name).(float64); ok {
			*to = &v
			if p.Type != NumberParameter {
				l.fail(c.at(name), "Attribute not possible", "%q bounds parameters of type number; this is of type %s.", name, p.Type)
			}
		}
	}
	if p.Unit != "" && p.Type != NumberParameter && p.Type != ValueParameter {
		l.fail(c.at("unit"), "Attribute not possible", "Parameters of type number and value have a unit; this is of type %s.", p.Type)
	}
	e := c.expression("template")
	switch {
	case e == nil:
	case p.Type != ModelParameter:
		l.fail(e.Range(), "Attribute not possible", "Parameters of type model have a template; this is of type %s.", p.Type)
	default:
		if t := l.templateOf(e); t != nil {
			p.Template = t.Name
		}
	}
}

func (l *loader) parameterDefault(p *Parameter, c *content) {
	v, given := c.value("default").(cty.Value)
	if !given || c.bad {
		return
	}
	switch p.Type {
	case ModelParameter, OutputParameter:
		l.fail(c.at("default"), "Attribute not possible", "A parameter of type %s has no default: every rule that uses the template names one.", p.Type)
		return
	}
	p.Default, _ = l.constantParameter(p, v, c.at("default"))
}

// constantParameter is a constant as the type of its parameter wants it: float64, bool or string. A duration stays text.
func (l *loader) constantParameter(p *Parameter, v cty.Value, rng hcl.Range) (any, bool) {
	var (
		out any
		err error
	)
	switch p.Type {
	case TextParameter:
		out, err = toText(v, l.intern)
	case BoolParameter, ConditionParameter:
		out, err = toBool(v)
	case DurationParameter:
		var s string
		if s, err = toText(v, l.intern); err == nil {
			_, err = ParseDuration(s)
		}
		out = s
	default:
		var f float64
		f, err = toNumber(v)
		out = f
		if err == nil && (p.Min != nil && f < *p.Min || p.Max != nil && f > *p.Max) {
			l.fail(rng, "Value out of range", "The parameter %s is %s, and %s.", p.Name, formatNumber(f), p.bounds())
			return nil, false
		}
	}
	if err != nil {
		l.fail(rng, "Wrong value", "The parameter %s: %s.", p.Name, err)
		return nil, false
	}
	return out, true
}

// bounds says in words what a number may be.
func (p *Parameter) bounds() string {
	unit := ""
	if p.Unit != "" {
		unit = " " + p.Unit
	}
	switch {
	case p.Min != nil && p.Max != nil:
		return "may be " + formatNumber(*p.Min) + " to " + formatNumber(*p.Max) + unit
	case p.Min != nil:
		return "may be " + formatNumber(*p.Min) + unit + " at least"
	}
	return "may be " + formatNumber(*p.Max) + unit + " at most"
}

// checkPart checks, before anybody uses a template, what can be told of a part without its parameters' values: names of
// attributes and blocks, and of parameters. A body in the JSON syntax is checked when it is used.
func (l *loader) checkPart(t *RuleTemplate, p *part) {
	if body, ok := p.body.(*hclsyntax.Body); ok {
		l.checkPartBody(t, body, l.shapes[p.kind.Name].shapeOnly())
	}
}

// shapeOnly is the shape without what a template's part does not take.
func (s *shape) shapeOnly() *shape {
	copied := *s
	copied.taken = nil
	return &copied
}

func (l *loader) checkPartBody(t *RuleTemplate, body *hclsyntax.Body, sh *shape) {
	c := &content{shape: sh}
	for name, a := range body.Attributes {
		if n := sh.blocks[name]; sh.attrs[name] == nil && (n == nil || n.many || n.label != "") {
			l.unknown(c, name, a.NameRange, false)
			continue
		}
		for _, v := range a.Expr.Variables() {
			l.checkParameterName(t, v)
		}
	}
	for _, n := range body.Blocks {
		sub := sh.blocks[n.Type]
		if sub == nil {
			l.unknown(c, n.Type, n.TypeRange, true)
			continue
		}
		l.checkPartBody(t, n.Body, sub.shape)
	}
}

func (l *loader) checkParameterName(t *RuleTemplate, v hcl.Traversal) {
	if v.RootName() != rootParameter {
		return
	}
	name, at, ok := attributeOf(v)
	if !ok {
		l.fail(v.SourceRange(), "Unknown name", "param stands for nothing by itself: name one, as in param.NAME.")
		return
	}
	var names []string
	for _, p := range t.Parameters {
		if p.Name == name {
			return
		}
		names = append(names, p.Name)
	}
	l.take(noSuch(at, "parameter", name, "rule_template "+t.Name, names))
}
