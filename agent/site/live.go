package site

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// liveNode is an expression over live values that others may refer to: a live local, or a measurement of a model.
type liveNode struct {
	name string
	expr Expr
	// bad: the expression, or one that it refers to, is wrong and has been told.
	bad     bool
	checked bool
	refs    []*liveNode
	// unit and model of a measurement.
	unit  string
	model *Model
}

// longestExpression bounds an expression over live values, in bytes.
const longestExpression = 128 << 10

// native is the expression in HCL's own syntax. The JSON syntax has it as text: "${a > b}", or plainly "a > b".
func (l *loader) native(e hcl.Expression) (hclsyntax.Expression, bool) {
	if r := e.Range(); r.End.Byte-r.Start.Byte > longestExpression {
		l.fail(r, "Expression too long", "This expression has %d bytes; at most %d are possible. Give parts of it names, as locals.", r.End.Byte-r.Start.Byte, longestExpression)
		return nil, false
	}
	if x, ok := e.(hclsyntax.Expression); ok {
		return x, true
	}
	// Without a context the JSON syntax gives the text as it is.
	raw, diags := e.Value(nil)
	switch {
	case diags.HasErrors() || raw.IsNull() || !raw.IsKnown():
		l.fail(e.Range(), "Wrong value", "An expression is a text such as \"device.meter.power > 80\", a number, or true or false.")
		return nil, false
	case raw.Type() == cty.Number || raw.Type() == cty.Bool:
		return &hclsyntax.LiteralValueExpr{Val: raw, SrcRange: e.Range()}, true
	case raw.Type() != cty.String:
		l.fail(e.Range(), "Wrong value", "An expression is a text such as \"device.meter.power > 80\", a number, or true or false.")
		return nil, false
	}
	text, start := withoutMarks(raw.AsString(), e.Range().Start)
	// The brackets may have been written as escapes, which the look at the file does not see.
	if _, deep := tooDeep([]byte(text)); deep {
		l.fail(e.Range(), "Nested too deeply", "Brackets are nested more than %d deep here.", deepest)
		return nil, false
	}
	x, diags := hclsyntax.ParseExpression([]byte(text), e.Range().Filename, start)
	l.take(diags)
	return x, !diags.HasErrors()
}

// withoutMarks is what stands between the marks of "${…}", or in a text without them, and where it begins.
func withoutMarks(text string, quote hcl.Pos) (string, hcl.Pos) {
	quote.Column++
	quote.Byte++
	if inner, ok := strings.CutPrefix(text, "${"); ok && strings.HasSuffix(inner, "}") {
		text = strings.TrimSuffix(inner, "}")
		quote.Column += 2
		quote.Byte += 2
	}
	return text, quote
}

// checkLive checks the names of an expression over live values. It is not ok when one of them is wrong, or refers to
// what is wrong.
func (l *loader) checkLive(e Expr) (refs []*liveNode, ok bool) { return l.checkNames(e, nil) }

// ownNames tells whether a name is one that a flow gives a value while it runs, and what is wrong with it.
type ownNames func(t hcl.Traversal) (own bool, diags hcl.Diagnostics)

// checkNames is checkLive for an expression in which a flow's own names stand.
func (l *loader) checkNames(e Expr, names ownNames) (refs []*liveNode, ok bool) {
	ok = true
	for _, t := range e.Scope.liveNames(e.Expression.(hclsyntax.Expression)) {
		if root := t.RootName(); root == rootVariable || root == rootEach {
			good, diags := e.Scope.checkConstant(t)
			l.take(diags)
			ok = ok && good
			continue
		}
		if names != nil {
			if own, diags := names(t); own {
				l.take(diags)
				ok = ok && !diags.HasErrors()
				continue
			}
		}
		ref, quiet, diags := e.Scope.resolve(t)
		l.take(diags)
		ok = ok && !quiet && !diags.HasErrors()
		switch {
		case ref.Mapping != nil && ref.Mapping.node != nil:
			refs = append(refs, ref.Mapping.node)
		case ref.Live != nil:
			name, _, _ := attributeOf(t)
			if n := l.locals[name].node; n != nil {
				refs = append(refs, n)
			}
		}
	}
	return refs, ok
}

// checkNodes checks all live locals and measurements, and finds those that are defined by themselves.
func (l *loader) checkNodes(nodes []*liveNode) {
	for _, n := range nodes {
		var ok bool
		n.refs, ok = l.checkLive(n.expr)
		n.bad = n.bad || !ok
	}
	var path []*liveNode
	var visit func(n *liveNode)
	visit = func(n *liveNode) {
		for i, p := range path {
			if p == n {
				l.circle(path[i:])
				return
			}
		}
		if n.checked {
			return
		}
		path = append(path, n)
		for _, r := range n.refs {
			visit(r)
			n.bad = n.bad || r.bad
		}
		path = path[:len(path)-1]
		n.checked = true
	}
	for _, n := range nodes {
		visit(n)
	}
	for _, n := range nodes {
		switch {
		case n.model != nil:
			l.checkMeasured(n)
			n.model.broken = n.model.broken || n.bad
		case n.bad:
			l.site.index.brokenNames[n.name] = true
		}
	}
}

func (l *loader) circle(path []*liveNode) {
	names := make([]string, 0, len(path)+1)
	told := false
	for _, n := range path {
		names = append(names, n.name)
		told = told || n.bad
		n.bad = true
	}
	if told {
		return
	}
	l.fail(path[0].expr.Range(), "Names that go in a circle", "%s is defined by itself: %s.", names[0], strings.Join(append(names, names[0]), " → "))
}

// liveNames are the names in an expression, with constant keys made part of them: device.meter[each.key].power. Names
// that a for expression brings with it, and keys that depend on them, are left to the compiler, which unrolls it.
func (s *Scope) liveNames(e hclsyntax.Expression) []hcl.Traversal {
	w := &nameWalker{scope: s, bound: map[string]int{}}
	// The walker has no diagnostics of its own.
	_ = hclsyntax.Walk(e, w)
	return w.names
}

type nameWalker struct {
	scope *Scope
	names []hcl.Traversal
	// within is a node that was read as a whole: what is inside of it is part of it.
	within hclsyntax.Node
	bound  map[string]int
}

// Enter reads a node that is a name.
func (w *nameWalker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	if w.within != nil {
		return nil
	}
	switch n := n.(type) {
	case *hclsyntax.ForExpr:
		w.bound[n.KeyVar]++
		w.bound[n.ValVar]++
	case *hclsyntax.ObjectConsKeyExpr:
		if hcl.ExprAsKeyword(n.Wrapped) != "" {
			w.within = n
		}
	case *hclsyntax.ScopeTraversalExpr, *hclsyntax.IndexExpr, *hclsyntax.RelativeTraversalExpr:
		e := n.(hclsyntax.Expression)
		t, ok := w.scope.asTraversal(e)
		switch {
		case ok && w.bound[t.RootName()] > 0:
		case ok:
			w.names = append(w.names, t)
		case w.usesBound(e):
		default:
			return nil
		}
		w.within = n
	}
	return nil
}

// Exit leaves a node.
func (w *nameWalker) Exit(n hclsyntax.Node) hcl.Diagnostics {
	if w.within == n {
		w.within = nil
	}
	if f, ok := n.(*hclsyntax.ForExpr); ok && w.within == nil {
		w.bound[f.KeyVar]--
		w.bound[f.ValVar]--
	}
	return nil
}

func (w *nameWalker) usesBound(e hclsyntax.Expression) bool {
	for _, t := range e.Variables() {
		if w.bound[t.RootName()] > 0 {
			return true
		}
	}
	return false
}

// asTraversal joins constant keys with the name before them.
func (s *Scope) asTraversal(e hcl.Expression) (hcl.Traversal, bool) {
	switch e := e.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return e.Traversal, true
	case *hclsyntax.ParenthesesExpr:
		return s.asTraversal(e.Expression)
	case *hclsyntax.RelativeTraversalExpr:
		t, ok := s.asTraversal(e.Source)
		if !ok {
			return nil, false
		}
		return append(append(hcl.Traversal{}, t...), e.Traversal...), true
	case *hclsyntax.IndexExpr:
		t, ok := s.asTraversal(e.Collection)
		if !ok {
			return nil, false
		}
		for _, v := range e.Key.Variables() {
			if good, _ := s.checkConstant(v); !good {
				return nil, false
			}
		}
		key, diags := e.Key.Value(s.Constants)
		key, _ = key.Unmark()
		if diags.HasErrors() || !key.IsKnown() || key.IsNull() {
			return nil, false
		}
		return append(append(hcl.Traversal{}, t...), hcl.TraverseIndex{Key: key, SrcRange: e.Range()}), true
	}
	if _, ok := e.(hclsyntax.Expression); !ok {
		// The JSON syntax has "${device.meter}", or plainly "device.meter".
		if raw, diags := e.Value(nil); !diags.HasErrors() && isText(raw) {
			text, start := withoutMarks(raw.AsString(), e.Range().Start)
			if _, deep := tooDeep([]byte(text)); deep {
				return nil, false
			}
			x, diags := hclsyntax.ParseExpression([]byte(text), e.Range().Filename, start)
			if diags.HasErrors() {
				return nil, false
			}
			return s.asTraversal(x)
		}
	}
	t, diags := hcl.AbsTraversalForExpr(e)
	return t, !diags.HasErrors()
}
