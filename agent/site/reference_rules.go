package site

import (
	"context"
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// writeMadeRule writes the other form of a rule block.
func writeMadeRule(b *referenceText) {
	form := madeRule()
	fmt.Fprintf(b, "\n## rule with a template\n\n%s\n\n```hcl\n%s```\n", form.Doc, madeRuleExample)
	writeBody(b, form, "")
}

// BuiltinRuleTemplates are the rule templates that come with the agent, by name.
func BuiltinRuleTemplates() ([]*RuleTemplate, hcl.Diagnostics) {
	l := newLoader(context.Background(), Options{Getenv: func(string) (string, bool) { return "", false }})
	l.buildScope()
	l.loadTemplates()
	l.loadRuleTemplates()
	return l.site.RuleTemplates, l.diags
}

func writeRuleTemplates(b *referenceText) {
	b.WriteString("\n## Rule templates that come with the agent\n\nWhat each does, and how they go together, is told in [rules.md](rules.md).\n")
	all, _ := BuiltinRuleTemplates()
	for _, t := range all {
		fmt.Fprintf(b, "\n### rule_template %s\n\n%s\n\n| parameter | takes | default | |\n|---|---|---|---|\n", t.Name, t.Doc)
		for _, p := range t.Parameters {
			doc := p.Doc
			if p.Min != nil || p.Max != nil {
				doc += " It " + p.bounds() + "."
			}
			fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", p.Name, p.Wanted(), p.defaultText(), doc)
		}
	}
}

func (p *Parameter) defaultText() string {
	switch v := p.Default.(type) {
	case float64:
		return "`" + formatNumber(v) + "`"
	case bool:
		return fmt.Sprintf("`%t`", v)
	case string:
		return fmt.Sprintf("`%q`", v)
	}
	return "**required**"
}
