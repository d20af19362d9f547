package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
)

// document makes the OpenAPI document of the routes.
func document(routes []route, version string) ([]byte, error) {
	s := &schemas{components: map[string]any{}}
	failure := s.of(reflect.TypeFor[Error]())
	paths := map[string]object{}
	for _, r := range routes {
		if paths[r.path] == nil {
			paths[r.path] = object{}
		}
		paths[r.path][strings.ToLower(r.method)] = operation(r, s, failure)
	}
	for path, o := range fixedPaths(s, failure) {
		paths[path] = o
	}
	if version == "" {
		version = "0.0.0"
	}
	b, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Voltage", "version": version,
			"description": "What a running agent knows and does. Errors are objects with a code, a sentence and a hint.",
		},
		"servers":  []object{{"url": "/"}},
		"security": []object{{}, {"token": []string{}}},
		"paths":    paths,
		"components": object{
			"schemas":         s.components,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}},
		},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("make the OpenAPI document: %w", err)
	}
	return b, nil
}

func operation(r route, s *schemas, failure object) object {
	op := object{
		"operationId": r.id, "summary": r.summary, "tags": []string{r.tag},
		"responses": object{
			"200":     jsonContent("done", s.of(reflect.TypeOf(r.reply))),
			"default": jsonContent("an error", failure),
		},
	}
	if params := parameters(r); len(params) > 0 {
		op["parameters"] = params
	}
	if r.body != nil {
		body := jsonContent("", s.of(reflect.TypeOf(r.body)))
		delete(body, "description")
		body["required"] = !r.bodyOptional
		op["requestBody"] = body
	}
	if r.privileged {
		op["description"] = "Refused to a caller who came by TCP, when the api block has no token."
	}
	return op
}

func parameters(r route) []object {
	var out []object
	for _, part := range strings.Split(r.path, "/") {
		name, ok := strings.CutPrefix(part, "{")
		if !ok {
			continue
		}
		schema := object{"type": "string"}
		if name == "command}" {
			schema["enum"] = alarmCommands
		}
		out = append(out, object{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": schema})
	}
	for _, p := range r.query {
		schema := object{"type": p.kind}
		if p.many {
			schema = object{"type": "array", "items": schema}
		}
		out = append(out, object{"name": p.name, "in": "query", "description": p.doc, "schema": schema})
	}
	return out
}

func jsonContent(description string, schema object) object {
	return object{"description": description, "content": object{"application/json": object{"schema": schema}}}
}

// fixedPaths are what is no operation of the table.
func fixedPaths(s *schemas, failure object) map[string]object {
	change, health := s.of(reflect.TypeFor[Change]()), s.of(reflect.TypeFor[Health]())
	s.of(reflect.TypeFor[Subscription]())
	return map[string]object{
		"/api/v1/ws": {"get": object{
			"operationId": "watch", "tags": []string{"values"}, "summary": "Changes, pushed over a WebSocket",
			"description": "The client sends one Subscription as text, the agent then sends Changes: the values as they are, marked as a snapshot, " +
				"then what changes. With `after`, the last sequence that the client has, it goes on behind that, if that is still remembered. " +
				"A client that is too slow is closed with status 1013.",
			"responses": object{"101": jsonContent("each message is a change", change), "default": jsonContent("an error", failure)},
		}},
		"/api/v1/openapi.json": {"get": object{
			"operationId": "document", "tags": []string{"agent"}, "summary": "This document",
			"responses": object{"200": jsonContent("this document", object{"type": "object"})},
		}},
		"/metrics": {"get": object{
			"operationId": "metrics", "tags": []string{"agent"}, "summary": "Metrics for Prometheus",
			"responses": object{"200": object{"description": "metrics", "content": object{"text/plain": object{"schema": object{"type": "string"}}}}},
		}},
		"/healthz": {"get": object{
			"operationId": "health", "tags": []string{"agent"}, "summary": "Whether the agent does its work", "security": []object{{}},
			"responses": object{"200": jsonContent("it does", health), "503": jsonContent("it does not, with the reasons", health)},
		}},
	}
}

func (s *Server) serveDocument(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(s.document)
}
