package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func (a *literal) RuleDefinition(_ context.Context, name string) (RuleDefinition, error) {
	return RuleDefinition{Name: name, Kind: "rule", Stored: true, Place: "x", Definition: json.RawMessage(`{"when": "true"}`)}, a.fails()
}

func (a *literal) note(format string, args ...any) (Plan, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rule = fmt.Sprintf(format, args...)
	return Plan{Applied: true}, a.err
}

func (a *literal) PutRule(_ context.Context, c RuleChange) (Plan, error) {
	return a.note("put %s %s %s by %s", c.Kind, c.Name, c.Definition, c.By)
}

func (a *literal) ValidateRule(_ context.Context, c RuleChange) (Plan, error) {
	return a.note("validate %s %s %s by %s", c.Kind, c.Name, c.Definition, c.By)
}

func (a *literal) DeleteRule(_ context.Context, name, by string) (Plan, error) {
	return a.note("delete %s by %s", name, by)
}

func (a *literal) EnableRule(_ context.Context, name, by string) (Plan, error) {
	return a.note("enable %s by %s", name, by)
}

func (a *literal) DisableRule(_ context.Context, name, by string) (Plan, error) {
	return a.note("disable %s by %s", name, by)
}

func TestRulesAreChangedByTheirNames(t *testing.T) {
	a := newLiteral()
	s, data := start(t, a, func(o *Options) { o.Token = "secret" })
	for _, x := range []struct{ method, path, body, want string }{
		{"PUT", "a?by=anna", "{\n \"when\": \"true\" }", "put rule a {\n \"when\": \"true\" } by api.anna"},
		{"PUT", "a?kind=chain", `{}`, "put chain a {} by api"},
		{"POST", "a/validate", `{}`, "validate rule a {} by api"},
		{"DELETE", "a%5Bx%5D", "", "delete a[x] by api"},
		{"POST", "a/enable?by=anna", "", "enable a by api.anna"},
		{"POST", "a/disable", "", "disable a by api"},
	} {
		headers := []string{"Authorization: Bearer secret"}
		if x.body != "" {
			headers = append(headers, asJSON)
		}
		status, body := fetch(t, x.method, s.URL()+"/api/v1/rules/"+x.path, x.body, headers...)
		if status != http.StatusOK || a.rule != x.want {
			t.Errorf("%s %s asked for %q: %d %s", x.method, x.path, a.rule, status, body)
		}
	}
	for path, body := range map[string]string{"a": "{", "b": "", "c?by=rule.x": "{}", "d?what=x": "{}", "e": strings.Repeat(" ", maxBody) + "{}"} {
		if status, reply := fetch(t, "PUT", s.URL()+"/api/v1/rules/"+path, body, asJSON, "Authorization: Bearer secret"); status < 400 || status >= 500 {
			t.Errorf("%s: %d %s", path, status, reply)
		}
	}

	c := dial(t, data)
	change := RuleChange{Name: "a b", Kind: "window", Definition: json.RawMessage("{ \n}"), By: "cli.root"}
	for want, do := range map[string]func() (Plan, error){
		"put window a b { \n} by cli.root":      func() (Plan, error) { return c.PutRule(t.Context(), change) },
		"validate window a b { \n} by cli.root": func() (Plan, error) { return c.ValidateRule(t.Context(), change) },
		"delete a b by cli.root":                func() (Plan, error) { return c.DeleteRule(t.Context(), "a b", "cli.root") },
		"enable a b by cli.root":                func() (Plan, error) { return c.EnableRule(t.Context(), "a b", "cli.root") },
		"disable a b by cli.root":               func() (Plan, error) { return c.DisableRule(t.Context(), "a b", "cli.root") },
	} {
		if p, err := do(); err != nil || !p.Applied || a.rule != want {
			t.Errorf("asked for %q, not %q: %v", a.rule, want, err)
		}
	}
	if d, err := c.RuleDefinition(t.Context(), "a b"); err != nil || d.Name != "a b" || string(d.Definition) != `{"when":"true"}` {
		t.Errorf("%+v %v", d, err)
	}
	if _, err := c.StartShadow(t.Context(), ShadowRequest{Rule: &change, For: time.Minute}); err != nil || a.shadow.Rule == nil ||
		a.shadow.For != time.Minute || a.shadow.Rule.Name != "a b" || a.shadow.Rule.Kind != "window" {
		t.Errorf("a dry run asked for %+v: %v", a.shadow, err)
	}
	a.err = &Error{Code: "invalid", Detail: "no", Diagnostics: []Diagnostic{{Severity: "error", Summary: "Unknown device", Line: 3}}}
	_, err := c.PutRule(t.Context(), change)
	var refusal *Error
	if !errors.Is(err, ErrInvalid) || !errors.As(err, &refusal) || len(refusal.Diagnostics) != 1 || refusal.Diagnostics[0].Line != 3 {
		t.Errorf("a refusal comes as %#v", err)
	}
}

func TestRulesAreNotChangedWithoutAToken(t *testing.T) {
	a := newLiteral()
	s, _ := start(t, a, nil)
	for _, x := range []struct{ method, path string }{
		{"PUT", ""}, {"DELETE", ""}, {"POST", "/validate"}, {"POST", "/dry-run"}, {"POST", "/enable"}, {"POST", "/disable"},
	} {
		if status, body := fetch(t, x.method, s.URL()+"/api/v1/rules/a"+x.path, "{}", asJSON); status != http.StatusForbidden || a.rule != "" {
			t.Errorf("%s %s: %d %s", x.method, x.path, status, body)
		}
	}
}
