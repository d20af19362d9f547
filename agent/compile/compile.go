// Package compile turns a checked site into the programs of the libraries: every expression is checked for types, units
// and names, and written as Lua from the checked tree, never from what somebody typed.
package compile

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/site"
)

// Compile compiles the models, alarms, rules and flows of a site. It reports all that is wrong at once; the programs are nil
// when there is an error.
func Compile(s *site.Site) (*Programs, hcl.Diagnostics) {
	return With(s, nil)
}

// With is Compile with another Resolver for all expressions that have no scope of their own.
func With(s *site.Site, names Resolver) (*Programs, hcl.Diagnostics) {
	c := &compiler{names: names}
	p := &Programs{Models: c.models(s), Alarms: c.alarms(s), Rules: c.ruleProgram(newDevices(), s.Rules, s.Flows()), Routes: c.routes(s)}
	if c.diags.HasErrors() {
		return nil, c.diags
	}
	return p, c.diags
}

// compiler compiles the items of one site.
type compiler struct {
	names Resolver
	diags hcl.Diagnostics
}

// check turns one expression into a node; nil when it is wrong or was not written.
func (c *compiler) check(e site.Expr) *node {
	if !e.Given() {
		return nil
	}
	names := c.names
	if e.Scope != nil {
		names = scopeOf(e.Scope)
	}
	return c.checker(names).check(e.Expression)
}

func (c *compiler) checker(names Resolver) *checker {
	k := &checker{names: names, diags: &c.diags}
	if names != nil {
		k.constants = names.Context()
	}
	return k
}

// condition is check for where true or false is wanted.
func (c *compiler) condition(e site.Expr) *node {
	n := c.check(e)
	if n == nil {
		return nil
	}
	return c.checker(c.names).condition(n)
}

func (c *compiler) fail(rng hcl.Range, summary, format string, args ...any) {
	c.diags = append(c.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: rng.Ptr(),
	})
}

func (c *compiler) tooLarge(rng hcl.Range) {
	c.fail(rng, "Expression too large", "This expression has too many parts for one function. Split it into several rules or alarms.")
}

// live tells whether a node reads anything, and says that it has to.
func (c *compiler) live(n *node, rng hcl.Range, of string) bool {
	if len(points(n)) > 0 {
		return true
	}
	c.fail(rng, "Condition without live values", "The condition of this %s reads no point, so it never changes.", of)
	return false
}

func millis(d time.Duration) float64 { return float64(d.Milliseconds()) }
