package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/lua"
)

// ruleCase is one case of the rules.
type ruleCase struct {
	Name     string           `json:"name"`
	Rule     ruleDef          `json:"rule"`
	Events   []ruleEvent      `json:"events"`
	Expect   json.RawMessage  `json:"expect"`
	Counters map[string]int64 `json:"counters"`
}

// ruleDef is a rule of any kind; which, says what is there.
type ruleDef struct {
	When       string `json:"when"`
	Edge       string `json:"edge"`
	Initial    string `json:"initial"`
	For        string `json:"for"`
	KeepFor    string `json:"keep_for"`
	Hysteresis *struct {
		On  float64 `json:"on"`
		Off float64 `json:"off"`
	} `json:"hysteresis"`
	Unknown  string `json:"unknown"`
	Cooldown string `json:"cooldown"`
	Throttle *struct {
		Count int    `json:"count"`
		Per   string `json:"per"`
	} `json:"throttle"`
	Arbitrate *arbitration `json:"arbitrate"`
	Chain     *chainDef    `json:"chain"`
	Window    *windowDef   `json:"window"`
	Sequence  *sequenceDef `json:"sequence"`

	// Of a window.
	Source    string         `json:"source"`
	Where     string         `json:"where"`
	Aggregate []aggregateDef `json:"aggregate"`
	Having    string         `json:"having"`
}

type ruleEvent struct {
	T       int64             `json:"t"`
	Advance bool              `json:"advance"`
	Source  string            `json:"source"`
	Values  map[string]any    `json:"values"`
	Quality map[string]string `json:"quality"`
}

// duration reads a whole number with ms, s, m, h or d; empty is 0.
func duration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	if days, ok := bytes.CutSuffix([]byte(text), []byte("d")); ok {
		n, err := strconv.Atoi(string(days))
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

// ruleRunner runs rule cases. between, if given, is called after each event of a case: what it does, such as dropping what
// the library holds in memory, must change nothing.
type ruleRunner struct {
	client  func() *redis.Client
	between func(ctx context.Context, keys []string) error
	count   int
}

// runRuleCases runs the cases of one file.
func runRuleCases(ctx context.Context, client *redis.Client, text []byte) (int, []string, error) {
	r := &ruleRunner{client: func() *redis.Client { return client }}
	return r.run(ctx, text)
}

func (r *ruleRunner) load(ctx context.Context) error {
	lib, err := lua.Bundle("rules")
	if err != nil {
		return err
	}
	return r.client().FunctionLoadReplace(ctx, lib.Source).Err()
}

func (r *ruleRunner) run(ctx context.Context, text []byte) (passed int, failures []string, err error) {
	var group struct {
		Group string     `json:"group"`
		Cases []ruleCase `json:"cases"`
	}
	if err := json.Unmarshal(text, &group); err != nil {
		return 0, nil, fmt.Errorf("reading rule cases: %w", err)
	}
	if err := r.load(ctx); err != nil {
		return 0, nil, fmt.Errorf("loading the rules library: %w", err)
	}
	for _, c := range group.Cases {
		r.count++
		got, counters, err := r.play(ctx, fmt.Sprintf("rule%d", r.count), c)
		if err != nil {
			failures = append(failures, fmt.Sprintf("%s/%s: %v", group.Group, c.Name, err))
			continue
		}
		if problem := differs(c, got, counters); problem != "" {
			failures = append(failures, fmt.Sprintf("%s/%s: %s", group.Group, c.Name, problem))
			continue
		}
		passed++
	}
	return passed, failures, nil
}

// play runs one case and gives its outputs, or {"error": …}, as JSON would give them.
func (r *ruleRunner) play(ctx context.Context, site string, c ruleCase) (got any, counters map[string]int64, err error) {
	if c.Rule.Arbitrate != nil {
		got, err = arbitrate(c)
		return got, nil, err
	}
	program, sources, refused, err := ruleProgram(c)
	if err != nil {
		return nil, nil, err
	}
	if refused != "" {
		return map[string]any{"error": refused}, nil, nil
	}
	run := &ruleRun{runner: r, site: site, sources: sources}
	return run.play(ctx, program, c)
}

// differs says how the outputs differ from what is expected, empty when they do not.
func differs(c ruleCase, got any, counters map[string]int64) string {
	var want any
	if err := json.Unmarshal(c.Expect, &want); err != nil {
		return err.Error()
	}
	if !same(got, want) {
		g, _ := json.Marshal(got)
		return fmt.Sprintf("got %s, expected %s", g, c.Expect)
	}
	if counters == nil {
		return ""
	}
	if counters["late"] != c.Counters["late"] {
		return fmt.Sprintf("%d late, expected %d", counters["late"], c.Counters["late"])
	}
	return ""
}

// same compares values as JSON has them; numbers agree within 1e-9.
func same(got, want any) bool {
	switch w := want.(type) {
	case float64:
		g, ok := got.(float64)
		return ok && math.Abs(g-w) <= 1e-9*math.Max(1, math.Abs(w))
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !same(g[i], w[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for k := range w {
			v, there := g[k]
			if !there || !same(v, w[k]) {
				return false
			}
		}
		return true
	}
	return got == want
}
