package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

func (a *literal) Rules(context.Context) ([]Rule, error) {
	return []Rule{{
		Name: "peak_shaving", Kind: "rule", Verdict: "true", State: "active", Evaluations: 9, Fires: 2,
		Time: &RuleTime{MeanUS: 0.5, P99US: 1, MaxUS: 2, Samples: 3},
	}}, a.fails()
}

func (a *literal) TraceRule(_ context.Context, name string) (RuleTrace, error) {
	a.rule = "trace " + name
	return RuleTrace{Rule: Rule{Name: name}, Conclusion: "it does"}, nil
}

func (a *literal) UnparkRule(_ context.Context, name, by string) (Rule, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rule = "unpark " + name + " by " + by
	return Rule{Name: name, State: "idle"}, a.err
}

func TestRuleCommandsSayWho(t *testing.T) {
	a := newLiteral()
	s, data := start(t, a, nil)
	if status, body := fetch(t, http.MethodPost, s.URL()+"/api/v1/rules/a/unpark?by=anna", ""); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	if a.rule != "unpark a by api.anna" {
		t.Errorf("asked for %q", a.rule)
	}
	if status, _ := fetch(t, http.MethodPost, s.URL()+"/api/v1/rules/a/unpark?by=rule.x", ""); status != http.StatusBadRequest {
		t.Errorf("who speaks for a rule gets %d", status)
	}
	c := dial(t, data)
	if _, err := c.UnparkRule(t.Context(), "a/b", "cli.root"); err != nil || a.rule != "unpark a/b by cli.root" {
		t.Errorf("the command asked for %q, %v", a.rule, err)
	}
}

func TestRulesAreMeasured(t *testing.T) {
	s, _ := start(t, newLiteral(), nil)
	_, body := fetch(t, http.MethodGet, s.URL()+"/metrics", "")
	for _, want := range []string{
		`voltage_rule_evaluations_total{rule="peak_shaving"} 9`, `voltage_rule_active{rule="peak_shaving"} 1`,
		`voltage_rule_evaluation_mean_seconds{rule="peak_shaving"} 5e-07`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

func TestARuleIsTracedByItsName(t *testing.T) {
	a := newLiteral()
	s, data := start(t, a, nil)
	status, body := fetch(t, http.MethodGet, s.URL()+"/api/v1/rules/a%2Fb/trace", "")
	if status != http.StatusOK || a.rule != "trace a/b" || !strings.Contains(body, `"conclusion":"it does"`) {
		t.Errorf("asked for %q: %d %s", a.rule, status, body)
	}
	if got, err := dial(t, data).TraceRule(t.Context(), "c d"); err != nil || got.Name != "c d" || got.Conclusion != "it does" {
		t.Errorf("the command got %+v, %v", got, err)
	}
}
