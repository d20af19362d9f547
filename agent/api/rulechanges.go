package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// RuleChanger is how an Agent takes rules while the site runs. All answer with the plan of what changed; a definition that is wrong is
// ErrInvalid, as an *Error with diagnostics, and nothing has changed. What stands in the site's own files is ErrConflict.
type RuleChanger interface {
	// RuleDefinition is a rule with where it comes from.
	RuleDefinition(ctx context.Context, name string) (RuleDefinition, error)
	// PutRule makes a rule, or gives it another definition. It runs when this returns, and after a restart.
	PutRule(ctx context.Context, c RuleChange) (Plan, error)
	// ValidateRule is PutRule without the change; what is wrong is in the plan.
	ValidateRule(ctx context.Context, c RuleChange) (Plan, error)
	// DeleteRule removes a rule that PutRule made.
	DeleteRule(ctx context.Context, name, by string) (Plan, error)
	// EnableRule and DisableRule switch a rule, whatever its definition says, wherever it stands: one, or all that a block of this name
	// makes.
	EnableRule(ctx context.Context, name, by string) (Plan, error)
	DisableRule(ctx context.Context, name, by string) (Plan, error)
}

// RuleChange is a rule's definition.
type RuleChange struct {
	Name string
	Kind string // rule, chain, window, sequence
	// Definition is what stands between the braces of its block, in the JSON syntax of HCL.
	Definition json.RawMessage
	By         string
}

// RuleDefinition is a rule and where it comes from.
type RuleDefinition struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	// Stored rules were made while the site ran; others stand in the site's files, at Place.
	Stored bool   `json:"stored"`
	Place  string `json:"place"`
	// Definition of a stored rule is what stands between the braces of its block, in the JSON syntax of HCL.
	Definition json.RawMessage `json:"definition,omitempty"`
	// Rules are those that the block makes: itself, or those of its for_each or template.
	Rules []Rule `json:"rules"`
}

var kindQuery = parameter{name: "kind", doc: "rule, chain, window or sequence; the default is rule", kind: "string"}

// ruleChange reads a definition.
func ruleChange(c *call) (RuleChange, error) {
	r := RuleChange{Name: c.PathValue("name"), Kind: "rule"}
	if kind := c.query.Get("kind"); kind != "" {
		r.Kind = kind
	}
	var err error
	if r.By, err = c.owner(c.query.Get("by")); err != nil {
		return r, err
	}
	return r, c.decode(&r.Definition, false)
}

func definitionRoute() route {
	return route{
		method: http.MethodGet, path: "/api/v1/rules/{name}", id: "ruleDefinition", tag: "rules", reply: RuleDefinition{},
		summary: "A rule with where it comes from; one that was made over the API with its definition",
		do:      func(c *call) (any, error) { return c.agent.RuleDefinition(c.Context(), c.PathValue("name")) },
	}
}

func putRuleRoute() route {
	return route{
		method: http.MethodPut, path: "/api/v1/rules/{name}", id: "putRule", tag: "rules", body: json.RawMessage{}, reply: Plan{}, privileged: true,
		summary: "Make a rule, or give it another definition: what stands between the braces of its block, in the JSON syntax of HCL",
		query:   []parameter{kindQuery, byQuery},
		do: func(c *call) (any, error) {
			r, err := ruleChange(c)
			if err != nil {
				return nil, err
			}
			return c.agent.PutRule(c.Context(), r)
		},
	}
}

func validateRuleRoute() route {
	return route{
		method: http.MethodPost, path: "/api/v1/rules/{name}/validate", id: "validateRule", tag: "rules", body: json.RawMessage{}, reply: Plan{}, privileged: true,
		summary: "Say what is wrong with a definition, and what it would change; nothing is changed",
		query:   []parameter{kindQuery, byQuery},
		do: func(c *call) (any, error) {
			r, err := ruleChange(c)
			if err != nil {
				return nil, err
			}
			return c.agent.ValidateRule(c.Context(), r)
		},
	}
}

func dryRunRoute() route {
	return route{
		method: http.MethodPost, path: "/api/v1/rules/{name}/dry-run", id: "dryRunRule", tag: "rules", body: json.RawMessage{}, reply: Shadow{}, privileged: true,
		summary: "Run the site with a definition beside the live one on the same frames, without touching an output; GET /api/v1/shadow shows what differs",
		query:   []parameter{kindQuery, byQuery, {name: "for", doc: "how long it runs; the default is 10m", kind: "string"}},
		do: func(c *call) (any, error) {
			r, err := ruleChange(c)
			if err != nil {
				return nil, err
			}
			req := ShadowRequest{Rule: &r}
			if text := c.query.Get("for"); text != "" {
				if req.For, err = parseSpan(text); err != nil {
					return nil, invalid("for: %v", err)
				}
			}
			return c.startShadow(req)
		},
	}
}

// changeRoute is the route of a change that needs no more than a name.
func changeRoute(r route, do func(a Agent, ctx context.Context, name, by string) (Plan, error)) route {
	r.tag, r.reply, r.privileged, r.query = "rules", Plan{}, true, []parameter{byQuery}
	r.do = func(c *call) (any, error) {
		by, err := c.owner(c.query.Get("by"))
		if err != nil {
			return nil, err
		}
		return do(c.agent, c.Context(), c.PathValue("name"), by)
	}
	return r
}

func changeRoutes() []route {
	return []route{
		definitionRoute(), putRuleRoute(), validateRuleRoute(), dryRunRoute(),
		changeRoute(route{
			method: http.MethodDelete, path: "/api/v1/rules/{name}", id: "deleteRule", summary: "Remove a rule that was made over the API",
		}, Agent.DeleteRule),
		changeRoute(route{
			method: http.MethodPost, path: "/api/v1/rules/{name}/enable", id: "enableRule", summary: "Enable a rule, whatever its definition says",
		}, Agent.EnableRule),
		changeRoute(route{
			method: http.MethodPost, path: "/api/v1/rules/{name}/disable", id: "disableRule", summary: "Disable a rule, whatever its definition says",
		}, Agent.DisableRule),
	}
}

// RuleDefinition is a rule with where it comes from.
func (c *Client) RuleDefinition(ctx context.Context, name string) (RuleDefinition, error) {
	return get[RuleDefinition](ctx, c, rulePath(name), nil)
}

func (r RuleChange) query() url.Values { return url.Values{"kind": {r.Kind}, "by": {r.By}} }

// PutRule makes or changes a rule.
func (c *Client) PutRule(ctx context.Context, r RuleChange) (Plan, error) {
	var p Plan
	err := c.ask(ctx, http.MethodPut, rulePath(r.Name), r.query(), r.Definition, &p)
	return p, err
}

// ValidateRule says what PutRule would do.
func (c *Client) ValidateRule(ctx context.Context, r RuleChange) (Plan, error) {
	var p Plan
	err := c.ask(ctx, http.MethodPost, rulePath(r.Name, "validate"), r.query(), r.Definition, &p)
	return p, err
}

// DeleteRule removes a rule.
func (c *Client) DeleteRule(ctx context.Context, name, by string) (Plan, error) {
	var p Plan
	err := c.ask(ctx, http.MethodDelete, rulePath(name), url.Values{"by": {by}}, nil, &p)
	return p, err
}

// EnableRule enables a rule.
func (c *Client) EnableRule(ctx context.Context, name, by string) (Plan, error) {
	return c.switchRule(ctx, name, "enable", by)
}

// DisableRule disables a rule.
func (c *Client) DisableRule(ctx context.Context, name, by string) (Plan, error) {
	return c.switchRule(ctx, name, "disable", by)
}

func (c *Client) switchRule(ctx context.Context, name, command, by string) (Plan, error) {
	var p Plan
	err := c.ask(ctx, http.MethodPost, rulePath(name, command), url.Values{"by": {by}}, nil, &p)
	return p, err
}

// dryRun starts the candidate of a request that has a rule.
func (c *Client) dryRun(ctx context.Context, req ShadowRequest) (Shadow, error) {
	q := req.Rule.query()
	if req.For > 0 {
		q.Set("for", req.For.Round(time.Millisecond).String())
	}
	var s Shadow
	err := c.ask(ctx, http.MethodPost, rulePath(req.Rule.Name, "dry-run"), q, req.Rule.Definition, &s)
	return s, err
}
