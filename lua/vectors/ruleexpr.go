package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// The expressions of the cases have and, or, not, which binds weaker than a comparison, where HCL has && || and !, which
// binds strongest. So they are read, and written as HCL with all their parentheses.

var exprToken = regexp.MustCompile(`^\s*(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|[A-Za-z_][\w.]*(?:\[[^\]]*\])?(?:\.\w+)*|>=|<=|==|!=|[-+*/()<>])`)

var fromEnd = regexp.MustCompile(`\[last(?:-(\d+))?\]`)

type exprReader struct {
	tokens []string
	at     int
}

// readExpr makes an HCL expression of one of the cases'.
func readExpr(text string) (hcl.Expression, error) {
	r := &exprReader{}
	for rest := text; strings.TrimSpace(rest) != ""; {
		m := exprToken.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("expression %q: can't read %q", text, rest)
		}
		r.tokens = append(r.tokens, m[1])
		rest = rest[len(m[0]):]
	}
	out, err := r.or()
	if err != nil || r.at < len(r.tokens) {
		return nil, fmt.Errorf("expression %q: %v at %q", text, err, r.peek())
	}
	e, diags := hclsyntax.ParseExpression([]byte(out), text, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, fmt.Errorf("expression %q as %q: %w", text, out, diags)
	}
	return e, nil
}

func (r *exprReader) peek() string {
	if r.at < len(r.tokens) {
		return r.tokens[r.at]
	}
	return ""
}

func (r *exprReader) take(tokens ...string) (string, bool) {
	for _, t := range tokens {
		if r.peek() == t {
			r.at++
			return t, true
		}
	}
	return "", false
}

// chain reads operands of the next binding strength with operators between them.
func (r *exprReader) chain(next func() (string, error), hcl map[string]string, tokens ...string) (string, error) {
	left, err := next()
	for err == nil {
		t, ok := r.take(tokens...)
		if !ok {
			return left, nil
		}
		var right string
		right, err = next()
		if zero, e := strconv.ParseFloat(right, 64); t == "/" && e == nil && zero == 0 {
			// site.hcl refuses a divisor that is written as zero; here it makes the result unknown, as a value does that is zero.
			right = "(" + left + " * 0)"
		}
		left = "(" + left + " " + hcl[t] + " " + right + ")"
	}
	return "", err
}

func (r *exprReader) or() (string, error) {
	return r.chain(r.and, map[string]string{"or": "||"}, "or")
}

func (r *exprReader) and() (string, error) {
	return r.chain(r.not, map[string]string{"and": "&&"}, "and")
}

func (r *exprReader) not() (string, error) {
	if _, ok := r.take("not"); ok {
		v, err := r.not()
		return "(!" + v + ")", err
	}
	left, err := r.sum()
	if err != nil {
		return "", err
	}
	if t, ok := r.take(">", ">=", "<", "<=", "==", "!="); ok {
		right, err := r.sum()
		return "(" + left + " " + t + " " + right + ")", err
	}
	return left, nil
}

func (r *exprReader) sum() (string, error) {
	return r.chain(r.product, map[string]string{"+": "+", "-": "-"}, "+", "-")
}

func (r *exprReader) product() (string, error) {
	return r.chain(r.unary, map[string]string{"*": "*", "/": "/"}, "*", "/")
}

func (r *exprReader) unary() (string, error) {
	if _, ok := r.take("-"); ok {
		v, err := r.unary()
		return "(-" + v + ")", err
	}
	if _, ok := r.take("("); ok {
		v, err := r.or()
		if _, closed := r.take(")"); err == nil && !closed {
			err = fmt.Errorf("no )")
		}
		return v, err
	}
	t := r.peek()
	if t == "" || strings.ContainsAny(t[:1], "()<>=!*/+") {
		return "", fmt.Errorf("no operand")
	}
	r.at++
	// An index from the end is negative in the compiler's names: last is -1, last-1 is -2.
	return fromEnd.ReplaceAllStringFunc(t, func(index string) string {
		back, _ := strconv.Atoi(fromEnd.FindStringSubmatch(index)[1])
		return fmt.Sprintf("[-%d]", back+1)
	}), nil
}
