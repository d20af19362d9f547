package site

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/voltage-edge/voltage/agent/spelling"
)

// variablePrefix begins the names of environment variables that give variables their values.
const variablePrefix = "VOLTAGE_VAR_"

// buildScope makes the scope that all expressions have in common: functions, variables, locals.
func (l *loader) buildScope() {
	l.scope = &Scope{
		Constants: &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: l.functions()},
		Live:      map[string]Expr{},
		site:      l.site,
	}
	variables := map[string]cty.Value{}
	for _, b := range l.blocks["variable"] {
		v, ok := l.variable(b)
		if !ok {
			l.site.index.brokenNames[rootVariable+"."+b.name] = true
			continue
		}
		variables[b.name] = v
	}
	for _, name := range sortedKeys(l.options.Variables) {
		if _, ok := variables[name]; !ok && !l.site.index.brokenNames[rootVariable+"."+name] {
			l.noFile("", "Unknown variable", "A value was given for the variable "+name+", which the site does not have."+spelling.DidYouMean(name, sortedKeys(variables)))
		}
	}
	l.scope.Constants.Variables[rootVariable] = cty.ObjectVal(variables)
	l.loadLocals()
}

// variable is the value of a variable block.
func (l *loader) variable(b *block) (cty.Value, bool) {
	c := l.decode(b.body, l.shapes["variable"], b.rng, l.scope)
	want, ok := cty.DynamicPseudoType, !c.bad
	var defaults *typeexpr.Defaults
	if e := c.expression("type"); e != nil {
		var diags hcl.Diagnostics
		if want, defaults, diags = variableType(e); diags.HasErrors() {
			l.fail(e.Range(), "Wrong type", "A type is string, number, bool, list(…), set(…), map(…) or object({…}).")
			ok = false
		}
	}
	if !ok {
		return cty.NilVal, false
	}
	v, given := c.value("default").(cty.Value)
	rng, origin := c.at("default"), "The default"
	if text, name, outside := l.outside(b.name); outside {
		origin, rng = "The value that was given in "+name, b.label
		given = true
		if v, ok = outsideValue(text, want); !ok {
			l.fail(rng, "Wrong value", "%s is no %s.", origin, typeText(want))
			return cty.NilVal, false
		}
		l.read("var:"+b.name, []byte(text))
	}
	if !given {
		l.fail(b.rng, "Variable without a value", "The variable %s has no default, so it must be given: --var %s=…, or %s%s in the environment.", b.name, b.name, variablePrefix, b.name)
		return cty.NilVal, false
	}
	if defaults != nil && !v.IsNull() {
		v = defaults.Apply(v)
	}
	v, err := convert.Convert(v, want)
	if err != nil {
		l.fail(rng, "Wrong value", "%s of the variable %s is no %s.", origin, b.name, typeText(want))
		return cty.NilVal, false
	}
	if c.flag("sensitive") {
		l.keepSecrets(v)
		if e := l.find(b.body, "default"); e != nil {
			l.hide(e)
		}
		v = v.Mark(secretMark)
	}
	return v, true
}

func (l *loader) find(body hcl.Body, name string) hcl.Expression {
	e, _ := takeAttribute(body, name)
	return e
}

func typeText(t cty.Type) string {
	if t == cty.DynamicPseudoType {
		return "value"
	}
	return typeexpr.TypeString(t)
}

// variableType reads a type: number, or "number".
func variableType(e hcl.Expression) (cty.Type, *typeexpr.Defaults, hcl.Diagnostics) {
	if v, diags := e.Value(nil); !diags.HasErrors() && isText(v) {
		inner, diags := hclsyntax.ParseExpression([]byte(v.AsString()), e.Range().Filename, e.Range().Start)
		if diags.HasErrors() {
			return cty.NilType, nil, diags
		}
		e = inner
	}
	return typeexpr.TypeConstraintWithDefaults(e)
}

// outside is a value from the command line or the environment.
func (l *loader) outside(name string) (text, origin string, ok bool) {
	if text, ok = l.options.Variables[name]; ok {
		return text, "--var", true
	}
	text, ok = l.getenv(variablePrefix + name)
	return text, variablePrefix + name, ok
}

// outsideValue reads a value from outside: text as it is, all else as an expression of constants.
func outsideValue(text string, want cty.Type) (cty.Value, bool) {
	if want == cty.String || want == cty.DynamicPseudoType {
		return cty.StringVal(text), true
	}
	if want.IsPrimitiveType() {
		v, err := convert.Convert(cty.StringVal(strings.TrimSpace(text)), want)
		return v, err == nil
	}
	e, diags := hclsyntax.ParseExpression([]byte(text), "value", hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, false
	}
	v, diags := e.Value(nil)
	return v, !diags.HasErrors()
}

// local is one name of a locals block.
type local struct {
	name string
	rng  hcl.Range // of its name
	expr hcl.Expression
	// refs are the locals that it refers to.
	refs []*local
	live bool
	node *liveNode
	hash string
	// state of the walk: 0 not seen, 1 on the way, 2 done.
	state int
}

// loadLocals tells live locals from constant ones, and evaluates the latter in the order in which they need each other.
func (l *loader) loadLocals() {
	var order []*local
	for _, b := range l.blocks["locals"] {
		attrs, diags := b.body.JustAttributes()
		l.take(diags)
		for name, a := range attrs {
			x := &local{name: name, rng: a.NameRange, expr: a.Expr}
			if other := l.locals[name]; other != nil {
				l.fail(a.NameRange, "Duplicate name", "There is a local %q already, at %s.", name, lineOf(other.rng))
				continue
			}
			l.locals[name] = x
		}
	}
	for _, name := range sortedKeys(l.locals) {
		x := l.locals[name]
		for _, t := range x.expr.Variables() {
			if root := t.RootName(); isLiveRoot(root) {
				x.live = true
			} else if of, _, ok := attributeOf(t); ok && root == rootLocal && l.locals[of] != nil {
				x.refs = append(x.refs, l.locals[of])
			}
		}
		order = append(order, x)
	}
	constants := map[string]cty.Value{}
	l.scope.Constants.Variables[rootLocal] = cty.EmptyObjectVal
	for _, x := range order {
		l.visitLocal(x, nil, constants)
	}
}

func (l *loader) visitLocal(x *local, path []*local, constants map[string]cty.Value) {
	switch x.state {
	case 2:
		return
	case 1:
		l.localCircle(x, path)
		return
	}
	x.state = 1
	path = append(path, x)
	for _, r := range x.refs {
		l.visitLocal(r, path, constants)
		x.live = x.live || r.live
	}
	x.state = 2
	broken := l.site.index.brokenNames
	switch name := rootLocal + "." + x.name; {
	case broken[name]:
	case x.live:
		e, ok := l.native(x.expr)
		if !ok {
			broken[name] = true
			return
		}
		expr := Expr{Expression: e, Scope: l.scope}
		x.node = &liveNode{name: name, expr: expr}
		l.nodes = append(l.nodes, x.node)
		l.scope.Live[x.name] = expr
	default:
		v, ok := l.value(x.expr, l.scope)
		if !ok {
			broken[name] = true
			return
		}
		constants[x.name] = v
		l.scope.Constants.Variables[rootLocal] = cty.ObjectVal(constants)
	}
}

func (l *loader) localCircle(x *local, path []*local) {
	names := []string{}
	for i, p := range path {
		if p == x {
			path = path[i:]
			break
		}
	}
	for _, p := range path {
		names = append(names, rootLocal+"."+p.name)
		l.site.index.brokenNames[rootLocal+"."+p.name] = true
	}
	l.fail(x.rng, "Names that go in a circle", "%s is defined by itself: %s.", names[0], strings.Join(append(names, names[0]), " → "))
}
