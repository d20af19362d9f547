package site

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// RuleTemplate is a set of rules and alarms with parameters, from which a site makes rules of its own.
type RuleTemplate struct {
	Name       string
	Doc        string
	Parameters []*Parameter
	// Builtin templates come with the agent.
	Builtin bool
	Range   hcl.Range

	rules, alarms []*part
	whole         hcl.Range
	broken        bool
}

// The types of parameters.
const (
	// NumberParameter, BoolParameter, TextParameter and DurationParameter are constants.
	NumberParameter   = "number"
	BoolParameter     = "bool"
	TextParameter     = "string"
	DurationParameter = "duration"
	// ValueParameter is a number that may change: a point, a measurement, or an expression over them.
	ValueParameter = "value"
	// ConditionParameter is the same of true and false.
	ConditionParameter = "condition"
	// ModelParameter is a whole model, OutputParameter a point or an action that can be set.
	ModelParameter  = "model"
	OutputParameter = "output"
)

var parameterTypes = []string{
	NumberParameter, BoolParameter, TextParameter, DurationParameter, ValueParameter, ConditionParameter, ModelParameter, OutputParameter,
}

// Parameter is what a rule template wants to know.
type Parameter struct {
	Name, Doc string
	// Type is one of the types above.
	Type string
	// Unit of a number or value; what a value is read from is converted.
	Unit string
	// Template that a model must be of; empty: any.
	Template string
	// Default is nil for a parameter that must be given, else a float64, bool or string.
	Default any
	// Min and Max bound a number; nil: nothing does.
	Min, Max *float64
	Range    hcl.Range
}

// Made says where a rule or alarm comes from that a template made.
type Made struct {
	// Template is the template's name, Rule that of the rule block that uses it.
	Template, Rule string
	// Use is where that rule block stands.
	Use hcl.Range

	body hcl.Range
}

// Explain adds to diagnostics that point into the template for which rule it was being read.
func (m *Made) Explain(diags hcl.Diagnostics) {
	if m == nil {
		return
	}
	for _, d := range diags {
		if d.Subject != nil && d.Subject.Filename == m.body.Filename && d.Subject.Start.Line >= m.body.Start.Line && d.Subject.Start.Line <= m.body.End.Line {
			d.Detail += fmt.Sprintf(" This is in rule_template %s, which rule %s uses at %s.", m.Template, m.Rule, lineOf(m.Use))
		}
	}
}

// RuleTemplate finds a rule template.
func (s *Site) RuleTemplate(name string) *RuleTemplate {
	for _, t := range s.RuleTemplates {
		if t.Name == name {
			return t
		}
	}
	return nil
}
