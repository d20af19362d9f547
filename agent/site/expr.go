package site

import (
	"github.com/hashicorp/hcl/v2"
)

// Expr is an expression over live values, with what its names mean where it stands. The zero Expr is one that was not
// written.
type Expr struct {
	hcl.Expression
	Scope *Scope
}

// Given tells whether the expression was written.
func (e Expr) Given() bool { return e.Expression != nil }

// Scope says what the names of an expression mean.
type Scope struct {
	// Constants holds var, constant locals, each, and the functions.
	Constants *hcl.EvalContext
	// Live holds the locals that refer to live values, by name without "local.".
	Live map[string]Expr
	site *Site
	// bound are the parameters of a rule template that are no constants; nil outside of one.
	bound map[string]*bound
}

// Ref is what a name stands for. Exactly one field is set.
type Ref struct {
	// Point of a device, or of a virtual one: alarm.NAME.active, schedule.NAME.
	Point *Point
	// Measurement of a model, to be read as its mapping's expression.
	Mapping *Mapping
	Model   *Model
	// Property of a model: a constant, string, float64 or bool.
	Property any
	// Live local.
	Live *Expr
}
