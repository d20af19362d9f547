package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// RuleKeeper is what an Agent does with rules.
type RuleKeeper interface {
	// Rules lists the rules and flows, in the order of the site.
	Rules(ctx context.Context) ([]Rule, error)
	// UnparkRule lets a rule that failed too often try again.
	UnparkRule(ctx context.Context, name, by string) (Rule, error)
	// TraceRule says why a rule acts or does not, and changes nothing.
	TraceRule(ctx context.Context, name string) (RuleTrace, error)
	RuleChanger
}

// Rule is a rule's state, or a flow's.
type Rule struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"` // rule, chain, window, sequence
	Enabled bool   `json:"enabled"`
	// Stored rules were made while the site ran; others stand in the site's files. Switched ones are enabled or disabled by hand,
	// where their definition says otherwise.
	Stored   bool   `json:"stored,omitempty"`
	Switched bool   `json:"switched,omitempty"`
	Verdict  string `json:"verdict"` // true, false, unknown
	// State is active, waiting (for its condition to hold long enough), idle, parked (after too many errors) or disabled.
	State       string    `json:"state"`
	Evaluations uint64    `json:"evaluations"`
	Fires       uint64    `json:"fires"`
	Unknowns    uint64    `json:"unknowns"`
	Errors      uint64    `json:"errors"`
	LastFire    time.Time `json:"last_fire,omitzero"`
	// Why are the inputs that the rule saw when it fired last.
	Why string `json:"why,omitempty"`
	// Error is the last one.
	Error string `json:"error,omitempty"`
	// Time is what its evaluations cost; nil while they were not timed yet.
	Time *RuleTime `json:"time,omitempty"`
}

// RuleTime is what evaluations of a rule cost Redis: of its condition, and while it acts of its values. It is sampled; each sample
// is the mean of many evaluations on the values of that moment.
type RuleTime struct {
	MeanUS  float64 `json:"mean_us"`
	P99US   float64 `json:"p99_us"`
	MaxUS   float64 `json:"max_us"`
	Samples int     `json:"samples"` // at most 200, the last ones
	// SpentMS is the mean times the evaluations.
	SpentMS float64 `json:"spent_ms"`
}

// byQuery says who does it.
var byQuery = parameter{name: "by", doc: "who does it, for the events: a name; the default is api", kind: "string"}

func ruleRoutes() []route {
	return append([]route{
		{
			method: "GET", path: "/api/v1/rules", id: "rules", tag: "rules", reply: []Rule{},
			summary: "The rules, what they did, and what they cost",
			do:      func(c *call) (any, error) { return c.agent.Rules(c.Context()) },
		},
		traceRoute(),
		ruleCommand("unpark", "Let a rule that failed too often try again", Agent.UnparkRule),
	}, changeRoutes()...)
}

// ruleCommand is the route of what a person does to a rule.
func ruleCommand(name, summary string, do func(a Agent, ctx context.Context, rule, by string) (Rule, error)) route {
	return route{
		method: "POST", path: "/api/v1/rules/{name}/" + name, id: name + "Rule", tag: "rules", reply: Rule{}, summary: summary,
		query: []parameter{byQuery},
		do: func(c *call) (any, error) {
			by, err := c.owner(c.query.Get("by"))
			if err != nil {
				return nil, err
			}
			return do(c.agent, c.Context(), c.PathValue("name"), by)
		},
	}
}

// Rules are the agent's.
func (c *Client) Rules(ctx context.Context) ([]Rule, error) {
	return get[[]Rule](ctx, c, "/rules", nil)
}

// rulePath is a rule's, and what is behind it.
func rulePath(name string, more ...string) string {
	return strings.Join(append([]string{"/rules/" + url.PathEscape(name)}, more...), "/")
}

// UnparkRule lets a rule try again.
func (c *Client) UnparkRule(ctx context.Context, name, by string) (Rule, error) {
	return c.commandRule(ctx, name, "unpark", by)
}

func (c *Client) commandRule(ctx context.Context, name, command, by string) (Rule, error) {
	var r Rule
	err := c.ask(ctx, http.MethodPost, rulePath(name, command), url.Values{"by": {by}}, nil, &r)
	return r, err
}
