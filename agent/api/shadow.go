package api

import (
	"context"
	"net/http"
	"time"
)

// Shadower is the part of an Agent that runs a candidate beside what is live.
type Shadower interface {
	// Shadow is the candidate that runs, or that ran last; ErrNotFound when there was none.
	Shadow(ctx context.Context) (Shadow, error)
	// StartShadow runs a candidate beside the live site on the same frames. One that can't run at all is ErrInvalid.
	StartShadow(ctx context.Context, req ShadowRequest) (Shadow, error)
	// PromoteShadow makes the candidate the live one.
	PromoteShadow(ctx context.Context) (Shadow, error)
	// DropShadow ends the candidate.
	DropShadow(ctx context.Context) (Shadow, error)
}

// ShadowRequest says what candidate to run: a library, a rule, or the site as it is written now.
type ShadowRequest struct {
	// Library's name, empty for the others; File is its main file on the agent's machine.
	Library, File string
	// Rule is a definition with which the site runs; nil: as it is written.
	Rule *RuleChange
	// For is how long it runs.
	For time.Duration
}

// Shadow is a candidate that runs, or ran, beside the live site.
type Shadow struct {
	State string `json:"state"` // running, ended, failed, promoted, dropped
	Kind  string `json:"kind"`  // library, site or rule
	// Name of the library, of the site or of the rule; Version and Hash of the library; Revision of the site.
	Name     string    `json:"name"`
	Version  string    `json:"version,omitempty"`
	Hash     string    `json:"hash,omitempty"`
	Revision string    `json:"revision,omitempty"`
	Started  time.Time `json:"started"`
	Ends     time.Time `json:"ends"`
	// LeftSeconds until it ends.
	LeftSeconds float64 `json:"left_s"`
	// Reason why it ended before its time, or failed.
	Reason string `json:"reason,omitempty"`
	Frames int    `json:"frames"`
	// CostMicros is the time that it takes for a frame, on a Redis of its own, in µs; Waiting are the batches that it has to do.
	CostMicros float64    `json:"cost_us"`
	Waiting    int        `json:"waiting"`
	Compared   Comparison `json:"compared"`
}

// ShadowStatus is a shadow in the status: its counts, without what differs.
type ShadowStatus struct {
	State       string  `json:"state"`
	Kind        string  `json:"kind"`
	Name        string  `json:"name"`
	LeftSeconds float64 `json:"left_s"`
	Reason      string  `json:"reason,omitempty"`
	Frames      int     `json:"frames"`
	CostMicros  float64 `json:"cost_us"`
	Same        int     `json:"same"`
	Differences int     `json:"differences"`
}

// Comparison is what two runs of a site decided.
type Comparison struct {
	Totals   ComparisonTotals    `json:"totals"`
	Subjects []ComparisonSubject `json:"subjects"`
	// Differences are the first ones of each subject.
	Differences []Difference `json:"differences"`
	// Notes say what could not be the same for both.
	Notes []string `json:"notes"`
}

// ComparisonTotals count decisions: of the live site or of then, and of the candidate or of now.
type ComparisonTotals struct {
	Then     int `json:"then"`
	Now      int `json:"now"`
	Same     int `json:"same"`
	Changed  int `json:"changed"`
	OnlyThen int `json:"only_then"`
	OnlyNow  int `json:"only_now"`
}

// Differences are how many decisions are not the same.
func (t ComparisonTotals) Differences() int { return t.Changed + t.OnlyThen + t.OnlyNow }

// ComparisonSubject is one output's owner, alarm or rule.
type ComparisonSubject struct {
	Kind  string `json:"kind"` // request, alarm, rule
	Name  string `json:"name"`
	Owner string `json:"owner,omitempty"` // of a request
	ComparisonTotals
	// HeldThen and HeldNow are how long the request was in force or the alarm active, in seconds; the means are the request's
	// values over that time.
	HeldThen float64  `json:"held_then_s"`
	HeldNow  float64  `json:"held_now_s"`
	MeanThen *float64 `json:"mean_then,omitempty"`
	MeanNow  *float64 `json:"mean_now,omitempty"`
}

// Difference is a decision that is not the same on both sides. A side that decided nothing is missing.
type Difference struct {
	Time  time.Time `json:"time"`
	Kind  string    `json:"kind"`
	Name  string    `json:"name"`
	Owner string    `json:"owner,omitempty"`
	Then  *Decision `json:"then,omitempty"`
	Now   *Decision `json:"now,omitempty"`
}

// Decision is one side of a difference.
type Decision struct {
	Time  time.Time `json:"time"`
	What  string    `json:"what"` // set, withdrawn, expired; activate, return …; fired, ended, error, parked
	Value *float64  `json:"value,omitempty"`
}

// shadowBody is a ShadowRequest as it travels.
type shadowBody struct {
	// Library's name; left out for the site as it is written now.
	Library string `json:"library,omitempty"`
	File    string `json:"file,omitempty"`
	For     span   `json:"for,omitempty"`
}

const (
	// defaultShadow is how long a shadow runs that is not told, longestShadow the longest time.
	defaultShadow, longestShadow = 10 * time.Minute, 7 * 24 * time.Hour
)

func shadowRoutes() []route {
	return []route{
		{
			method: http.MethodGet, path: "/api/v1/shadow", id: "shadow", tag: "libraries", reply: Shadow{},
			summary: "The candidate that runs beside the live site, or the last one: its cost, and what it decides otherwise",
			do:      func(c *call) (any, error) { return c.agent.Shadow(c.Context()) },
		},
		{
			method: http.MethodPost, path: "/api/v1/shadow", id: "startShadow", tag: "libraries", body: shadowBody{}, bodyOptional: true, reply: Shadow{},
			summary: "Run a library, or the site as it is written now, beside the live one on the same frames", privileged: true,
			do: startShadow,
		},
		{
			method: http.MethodPost, path: "/api/v1/shadow/promote", id: "promoteShadow", tag: "libraries", reply: Shadow{},
			summary: "Make the candidate the live one", privileged: true,
			do: func(c *call) (any, error) { return c.agent.PromoteShadow(c.Context()) },
		},
		{
			method: http.MethodPost, path: "/api/v1/shadow/drop", id: "dropShadow", tag: "libraries", reply: Shadow{},
			summary: "End the candidate", privileged: true,
			do: func(c *call) (any, error) { return c.agent.DropShadow(c.Context()) },
		},
	}
}

func startShadow(c *call) (any, error) {
	var b shadowBody
	if err := c.decode(&b, true); err != nil {
		return nil, err
	}
	req := ShadowRequest{Library: b.Library, File: b.File, For: time.Duration(b.For)}
	if req.Library == "" && req.File != "" {
		return nil, invalid("a file is given, and no library that it is of")
	}
	return c.startShadow(req)
}

func (c *call) startShadow(req ShadowRequest) (any, error) {
	if req.For == 0 {
		req.For = defaultShadow
	}
	if req.For > longestShadow {
		return nil, invalid("for is %v; it must be at most %v", req.For, longestShadow)
	}
	return c.agent.StartShadow(c.Context(), req)
}

// Shadow is the candidate.
func (c *Client) Shadow(ctx context.Context) (Shadow, error) {
	return get[Shadow](ctx, c, "/shadow", nil)
}

// StartShadow runs a candidate.
func (c *Client) StartShadow(ctx context.Context, req ShadowRequest) (Shadow, error) {
	if req.Rule != nil {
		return c.dryRun(ctx, req)
	}
	return post[Shadow](ctx, c, "/shadow", shadowBody{Library: req.Library, File: req.File, For: span(req.For)})
}

// PromoteShadow makes the candidate the live one.
func (c *Client) PromoteShadow(ctx context.Context) (Shadow, error) {
	return post[Shadow](ctx, c, "/shadow/promote", nil)
}

// DropShadow ends the candidate.
func (c *Client) DropShadow(ctx context.Context) (Shadow, error) {
	return post[Shadow](ctx, c, "/shadow/drop", nil)
}
