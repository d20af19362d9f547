package api

import (
	"context"
	"time"
)

// RuleTrace is why a rule acts or does not, on the values of the moment.
type RuleTrace struct {
	Rule
	// Now is the agent's clock when the rule was looked at.
	Now time.Time `json:"now"`
	// Conclusion says in a sentence whether the rule acts, and why.
	Conclusion string `json:"conclusion"`
	// Expressions are the condition (when), the values (set OUTPUT) and the names in them that stand for expressions. None for a flow.
	Expressions []TracedExpression `json:"expressions"`
	Inputs      []TracedInput      `json:"inputs"`
	// Timing are the settings that hold a rule back or keep it going, and how far they are.
	Timing []TracedTiming `json:"timing"`
	// Steps of a flow: the nodes of a chain on the values of the moment, in the order of running, what a window holds, or the oldest ten open
	// attempts of a sequence.
	Steps []TracedStep `json:"steps"`
	// Requests are those that the rule holds. Another owner may have the output all the same.
	Requests []RuleRequest `json:"requests"`
}

// TracedExpression is an expression and the values of its parts.
type TracedExpression struct {
	Name string `json:"name"`
	File string `json:"file"`
	Line int    `json:"line"`
	// Parts have the whole expression first, and each part before those that it is made of.
	Parts []TracedPart `json:"parts"`
}

// TracedPart is a part of an expression.
type TracedPart struct {
	Text  string `json:"text"`
	Level int    `json:"level"` // how deep it is in the expression, from 0
	// Value is a number, true or false; null: unknown.
	Value any    `json:"value"`
	Unit  string `json:"unit,omitempty"`
}

// TracedInput is a point that the rule reads, as the rule sees it.
type TracedInput struct {
	Name string `json:"name"`
	// Value is null when it is bad.
	Value *float64 `json:"value"`
	Unit  string   `json:"unit,omitempty"`
	// AgeMS is since the reading; null: there was none.
	AgeMS   *float64 `json:"age_ms"`
	Quality string   `json:"quality"` // good, uncertain or bad, with the reason behind it
}

// TracedTiming is one setting of a rule, as `for`, and how it stands.
type TracedTiming struct {
	Setting string `json:"setting"`
	State   string `json:"state"`
	// Until is its end while it runs.
	Until time.Time `json:"until,omitzero"`
}

// TracedStep is one step of a flow.
type TracedStep struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // condition, switch, transform, merge, action; the window's kind; attempt
	// State is the way that a node goes, or acts, or not reached; what a window has; where an attempt is.
	State string `json:"state"`
	// Values are what a transform names, an action sets, a window has as aggregates; null: unknown.
	Values map[string]*float64 `json:"values,omitempty"`
	// Until is when it ends or goes on by time.
	Until time.Time `json:"until,omitzero"`
}

// RuleRequest is what a rule wants of an output.
type RuleRequest struct {
	Output   string    `json:"output"`
	Value    float64   `json:"value"`
	Unit     string    `json:"unit,omitempty"`
	Priority int       `json:"priority"`
	Since    time.Time `json:"since"`
	Expires  time.Time `json:"expires,omitzero"`
}

func traceRoute() route {
	return route{
		method: "GET", path: "/api/v1/rules/{name}/trace", id: "traceRule", tag: "rules", reply: RuleTrace{},
		summary: "Why a rule acts or does not: each part of its expressions with its value, what it reads, and what it waits for",
		do:      func(c *call) (any, error) { return c.agent.TraceRule(c.Context(), c.PathValue("name")) },
	}
}

// TraceRule says why a rule acts or does not.
func (c *Client) TraceRule(ctx context.Context, name string) (RuleTrace, error) {
	return get[RuleTrace](ctx, c, rulePath(name, "trace"), nil)
}
