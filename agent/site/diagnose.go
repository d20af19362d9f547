package site

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// complaints collects what is wrong with a site.
type complaints struct {
	diags hcl.Diagnostics
	// count is the number of errors among them, to learn whether something added one.
	count int
}

func (c *complaints) fail(rng hcl.Range, summary, format string, args ...any) {
	c.count++
	c.diags = append(c.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: rng.Ptr(),
	})
}

func (c *complaints) warn(rng hcl.Range, summary, format string, args ...any) {
	c.diags = append(c.diags, &hcl.Diagnostic{
		Severity: hcl.DiagWarning, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: rng.Ptr(),
	})
}

// take adds what others complain about, without the values that a terminal would be shown with it.
func (c *complaints) take(diags hcl.Diagnostics) {
	for _, d := range diags {
		d.Expression, d.EvalContext = nil, nil
		if d.Severity == hcl.DiagError {
			c.count++
		}
		c.diags = append(c.diags, d)
	}
}
