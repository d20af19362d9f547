package site

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/spelling"
)

// The first words of names.
const (
	rootVariable = "var"
	rootLocal    = "local"
	rootEach     = "each"
	rootDevice   = "device"
	rootModel    = "model"
	rootAlarm    = "alarm"
	rootSchedule = "schedule"
	rootWindow   = "window"
)

func isLiveRoot(root string) bool {
	switch root {
	case rootDevice, rootModel, rootAlarm, rootSchedule, rootWindow:
		return true
	}
	return false
}

// instance is the scope inside of one instance of a block with for_each.
func (s *Scope) instance(key string, value cty.Value) *Scope {
	inner := s.Constants.NewChild()
	inner.Variables = map[string]cty.Value{
		rootEach: cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(key), "value": value}),
	}
	copied := *s
	copied.Constants = inner
	return &copied
}

// constant is the value of a constant, by its first words.
func (s *Scope) constant(root string) (cty.Value, bool) {
	for c := s.Constants; c != nil; c = c.Parent() {
		if v, ok := c.Variables[root]; ok {
			return v, true
		}
	}
	return cty.NilVal, false
}

// attributeOf is the name behind the first dot.
func attributeOf(t hcl.Traversal) (string, hcl.Range, bool) {
	if len(t) < 2 {
		return "", t.SourceRange(), false
	}
	switch step := t[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, step.SrcRange, true
	case hcl.TraverseIndex:
		if isText(step.Key) {
			return step.Key.AsString(), step.SrcRange, true
		}
	}
	return "", t.SourceRange(), false
}

// value evaluates an expression that must be constant. It tells what is wrong with it.
func (l *loader) value(e hcl.Expression, s *Scope) (cty.Value, bool) {
	switch x := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return x.Val, true
	case *hclsyntax.TemplateExpr:
		if x.IsStringLiteral() {
			v, diags := x.Value(nil)
			return v, !diags.HasErrors()
		}
	}
	ok := true
	for _, t := range e.Variables() {
		ok = l.constantName(t, s) && ok
	}
	if !ok {
		return cty.NilVal, false
	}
	v, diags := e.Value(s.Constants)
	l.take(diags)
	if diags.HasErrors() {
		return cty.NilVal, false
	}
	if !v.IsWhollyKnown() {
		l.fail(e.Range(), "Value not known", "The value of this expression can't be known when the site is read.")
		return cty.NilVal, false
	}
	return v, true
}

// constantName checks a name where only constants may stand.
func (l *loader) constantName(t hcl.Traversal, s *Scope) bool {
	root, rng := t.RootName(), t.SourceRange()
	switch {
	case root == rootVariable || root == rootLocal || root == rootEach || root == rootParameter:
		ok, diags := s.checkConstant(t)
		l.take(diags)
		if ok {
			return true
		}
		if name, at, _ := attributeOf(t); root == rootLocal && s.isLive(name) {
			l.fail(at, "Live value where a constant is needed", "local.%s changes while the site runs, and here a value is needed when the site is read.", name)
		}
		if name, at, _ := attributeOf(t); root == rootParameter && s.bound[name] != nil {
			b := s.bound[name]
			l.fail(at, "Live value where a constant is needed", "param.%s is a %s, which changes while the site runs, and here a value is needed when the site is read.", name, b.kind)
		}
		return false
	case isLiveRoot(root):
		l.fail(rng, "Live value where a constant is needed", "%s changes while the site runs, and here a value is needed when the site is read. It may stand in a condition, a value, a measurement or a local.", traversalText(t))
	case len(t) == 1:
		l.fail(rng, "Unknown name", "%q stands for nothing. Names begin with var, local or each; write text in quotes: \"%s\".", root, root)
	default:
		l.fail(rng, "Unknown name", "%s stands for nothing here. Names begin with var, local or each.%s", traversalText(t), spelling.DidYouMean(root, []string{rootVariable, rootLocal, rootEach}))
	}
	return false
}

// isLive tells whether a local is live, or would be if it were right.
func (s *Scope) isLive(name string) bool {
	_, ok := s.Live[name]
	return ok
}

// checkConstant checks a name that begins with var, local or each. Not ok without diagnostics: it is live, or what it
// stands for is wrong and has been told.
func (s *Scope) checkConstant(t hcl.Traversal) (bool, hcl.Diagnostics) {
	root := t.RootName()
	name, at, named := attributeOf(t)
	scope, there := s.constant(root)
	switch {
	case !there && root == rootEach:
		return false, complaint(t.SourceRange(), "No for_each", "each.key and each.value are there in blocks with for_each only.")
	case !named:
		return false, complaint(t.SourceRange(), "Unknown name", "%s stands for nothing by itself: name one, as in %s.NAME.", root, root)
	case there && scope.Type().IsObjectType() && scope.Type().HasAttribute(name):
		return true, nil
	case !there && root == rootParameter:
		return false, complaint(t.SourceRange(), "Unknown name", "param.NAME is there in a rule_template only.")
	case root == rootLocal && s.isLive(name), s.broken(root, name), root == rootParameter && s.bound[name] != nil:
		return false, nil
	}
	var names []string
	if there {
		names = sortedKeys(scope.Type().AttributeTypes())
	}
	if root == rootLocal {
		names = append(names, sortedKeys(s.Live)...)
	}
	hint := spelling.DidYouMean(name, names)
	if hint == "" && root == rootVariable {
		hint = fmt.Sprintf(" Declare it: variable %q { … }.", name)
	}
	if root == rootEach {
		hint = " There are each.key and each.value."
	}
	return false, complaint(at, "Unknown name", "There is no %s.%s.%s", root, name, hint)
}

func (s *Scope) broken(root, name string) bool {
	return s.site != nil && s.site.index.brokenNames[root+"."+name]
}

func complaint(rng hcl.Range, summary, format string, args ...any) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: rng.Ptr()}}
}

// traversalText writes a name as it stands in site.hcl.
func traversalText(t hcl.Traversal) string {
	text := ""
	for _, step := range t {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			text += step.Name
		case hcl.TraverseAttr:
			text += "." + step.Name
		case hcl.TraverseIndex:
			switch key, _ := step.Key.Unmark(); {
			case isText(key):
				text += fmt.Sprintf("[%q]", key.AsString())
			case key.Type() == cty.Number && key.IsKnown() && !key.IsNull():
				text += "[" + key.AsBigFloat().Text('g', -1) + "]"
			default:
				text += "[…]"
			}
		}
	}
	return text
}
