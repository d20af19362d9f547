package api

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// validator checks JSON against the schemas of the document: those words of JSON Schema that the document uses, and
// nothing that a schema does not name.
type validator struct{ components map[string]any }

func (v validator) check(at string, schema map[string]any, value any) error {
	if ref, ok := schema["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/components/schemas/")
		next, ok := v.components[name].(map[string]any)
		if !ok {
			return fmt.Errorf("%s: no component %s", at, name)
		}
		return v.check(at, next, value)
	}
	if one, ok := schema["oneOf"].([]any); ok {
		var errs []string
		for _, s := range one {
			err := v.check(at, s.(map[string]any), value)
			if err == nil {
				return nil
			}
			errs = append(errs, err.Error())
		}
		return fmt.Errorf("%s: none of: %s", at, strings.Join(errs, "; "))
	}
	var types []string
	switch t := schema["type"].(type) {
	case nil:
		return nil
	case string:
		types = []string{t}
	case []any:
		for _, x := range t {
			types = append(types, x.(string))
		}
	}
	got := typeOf(value)
	if !slices.Contains(types, got) && !(got == "integer" && slices.Contains(types, "number")) {
		return fmt.Errorf("%s: %s, expected %v", at, got, types)
	}
	switch x := value.(type) {
	case []any:
		for i, e := range x {
			if err := v.check(fmt.Sprintf("%s[%d]", at, i), schema["items"].(map[string]any), e); err != nil {
				return err
			}
		}
	case map[string]any:
		return v.checkObject(at, schema, x)
	}
	return nil
}

func (v validator) checkObject(at string, schema, value map[string]any) error {
	required, _ := schema["required"].([]any)
	for _, r := range required {
		if _, ok := value[r.(string)]; !ok {
			return fmt.Errorf("%s: no %s", at, r)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, e := range value {
		next, ok := properties[name].(map[string]any)
		if !ok {
			next, ok = schema["additionalProperties"].(map[string]any)
		}
		if !ok && schema["properties"] != nil {
			return fmt.Errorf("%s: %s is not in the document", at, name)
		}
		if err := v.check(at+"."+name, next, e); err != nil {
			return err
		}
	}
	return nil
}

func typeOf(v any) string {
	switch x := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case float64:
		if x == math.Trunc(x) {
			return "integer"
		}
		return "number"
	}
	return "object"
}

// dig follows keys into nested objects.
func dig(t *testing.T, v any, keys ...string) map[string]any {
	t.Helper()
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok || m[k] == nil {
			t.Fatalf("no %s of %v", k, keys)
		}
		v = m[k]
	}
	return v.(map[string]any)
}

// TestDocument asks for everything that the document lists, and holds the answers against it.
func TestDocument(t *testing.T) {
	a := newLiteral()
	s, data := start(t, a, nil)
	client := dial(t, data)
	code, body := fetch(t, "GET", s.URL()+"/api/v1/openapi.json", "")
	var doc map[string]any
	if err := json.Unmarshal([]byte(body), &doc); code != 200 || err != nil {
		t.Fatalf("%d %v", code, err)
	}
	if doc["openapi"] != "3.1.0" || dig(t, doc, "info")["version"] != "1.2.3" {
		t.Errorf("%v %v", doc["openapi"], doc["info"])
	}
	v := validator{dig(t, doc, "components", "schemas")}
	paths := dig(t, doc, "paths")

	ids := map[string]bool{}
	listed := 0
	for path, operations := range paths {
		for method, op := range operations.(map[string]any) {
			listed++
			op := op.(map[string]any)
			id, _ := op["operationId"].(string)
			if id == "" || ids[id] || op["summary"] == "" {
				t.Errorf("%s %s: id %q", method, path, id)
			}
			ids[id] = true
		}
	}
	if want := len(s.routes) + 4; listed != want {
		t.Errorf("%d operations are listed, the table and the fixed paths have %d", listed, want)
	}
	url := strings.NewReplacer("{name}", "battery.soc", "{command}", "ack")
	for _, r := range s.routes {
		t.Run(r.id, func(t *testing.T) {
			op := dig(t, paths, r.path, strings.ToLower(r.method))
			for _, part := range strings.Split(r.path, "/") {
				if strings.HasPrefix(part, "{") && !strings.Contains(fmt.Sprint(op["parameters"]), "name:"+strings.Trim(part, "{}")) {
					t.Errorf("no parameter %s", part)
				}
			}
			path := url.Replace(r.path)
			if r.id == "restartPlugin" {
				path = "/api/v1/plugins/modbus/restart"
			}
			var in any
			if r.body != nil {
				content := dig(t, op, "requestBody", "content", "application/json", "schema")
				in = map[string]any{}
				if r.id == "set" {
					in = map[string]any{"value": 1.5, "ttl": "30s"}
				}
				if err := v.check("body", content, in); err != nil {
					t.Error(err)
				}
			}
			var out any
			if err := client.ask(t.Context(), r.method, strings.TrimPrefix(path, "/api/v1"), nil, in, &out); err != nil {
				t.Fatal(err)
			}
			if err := v.check("reply", dig(t, op, "responses", "200", "content", "application/json", "schema"), out); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("errors", func(t *testing.T) {
		_, body := fetch(t, "GET", s.URL()+"/api/v1/values/none.such", "")
		var out any
		if err := json.Unmarshal([]byte(body), &out); err != nil {
			t.Fatal(err)
		}
		if err := v.check("error", dig(t, v.components, "Error"), out); err != nil {
			t.Error(err)
		}
	})
	t.Run("changes", func(t *testing.T) {
		conn, _, err := websocket.Dial(t.Context(), s.URL()+"/api/v1/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(`{"patterns":["battery.*"]}`)); err != nil {
			t.Fatal(err)
		}
		_, b, err := conn.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var out any
		if err := json.Unmarshal(b, &out); err != nil {
			t.Fatal(err)
		}
		if err := v.check("change", dig(t, paths, "/api/v1/ws", "get", "responses", "101", "content", "application/json", "schema"), out); err != nil {
			t.Error(err)
		}
	})
	// The validator itself must be able to refuse.
	if v.check("x", dig(t, v.components, "Value"), map[string]any{"name": "x"}) == nil ||
		v.check("x", dig(t, v.components, "Error"), map[string]any{"error": "x", "detail": "y", "more": 1.0}) == nil {
		t.Error("the validator takes everything")
	}
}

// TestEveryAgentMethodHasARoute compares the table with the Agent interface.
func TestEveryAgentMethodHasARoute(t *testing.T) {
	ids := map[string]bool{"subscribe": true} // the WebSocket
	for _, r := range table() {
		ids[strings.ToLower(r.id)] = true
		if r.method == http.MethodGet && r.privileged {
			t.Errorf("%s: what is only read need not be privileged", r.id)
		}
	}
	agent := reflect.TypeFor[Agent]()
	for i := range agent.NumMethod() {
		if name := agent.Method(i).Name; !ids[strings.ToLower(name)] {
			t.Errorf("no route for %s", name)
		}
	}
}
