package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
)

// schemas makes JSON schemas of Go types: what encoding/json writes for them. Named structs become components.
type schemas struct {
	components map[string]any
}

type object = map[string]any

var (
	timeType  = reflect.TypeFor[time.Time]()
	spanType  = reflect.TypeFor[span]()
	eventType = reflect.TypeFor[event.Event]()
	rawType   = reflect.TypeFor[json.RawMessage]()
)

func (s *schemas) of(t reflect.Type) object {
	switch t {
	case timeType:
		return object{"type": "string", "format": "date-time"}
	case spanType:
		return object{"type": "string", "description": `a duration, such as "30s", "15m" or "7d"`}
	case rawType:
		return object{"type": "object", "description": "a body of a block, in the JSON syntax of HCL"}
	case eventType:
		return s.component("Event", func() object {
			return object{
				"type": "object", "required": []string{"t", "kind"},
				"properties": object{
					"id":     object{"type": "string"},
					"t":      object{"type": "integer", "description": "milliseconds since the Unix epoch"},
					"kind":   object{"type": "string"},
					"fields": object{"type": "object", "additionalProperties": object{"type": "string"}},
				},
			}
		})
	}
	switch t.Kind() {
	case reflect.Pointer:
		return orNull(s.of(t.Elem()))
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.component(componentName(t), func() object { return s.structure(t) })
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Interface:
		return object{"description": "a number, a boolean, a text, or null"}
	}
	return object{"type": "integer"}
}

// componentName is the type's name; what is only the body of a request, setBody, is called SetRequest.
func componentName(t reflect.Type) string {
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	if body, ok := strings.CutSuffix(name, "Body"); ok {
		return body + "Request"
	}
	return name
}

// component gives a reference to a named schema, which it makes once.
func (s *schemas) component(name string, build func() object) object {
	if _, ok := s.components[name]; !ok {
		s.components[name] = object{} // holds the place, should the type contain itself
		s.components[name] = build()
	}
	return object{"$ref": "#/components/schemas/" + name}
}

func (s *schemas) structure(t reflect.Type) object {
	properties := object{}
	required := []string{}
	s.fields(t, properties, &required)
	out := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func (s *schemas) fields(t reflect.Type, properties object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			s.fields(f.Type, properties, required)
			continue
		}
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		properties[name] = s.of(f.Type)
		if !strings.Contains(options, "omit") {
			*required = append(*required, name)
		}
	}
}

func orNull(o object) object {
	if t, ok := o["type"].(string); ok {
		o["type"] = []string{t, "null"}
		return o
	}
	return object{"oneOf": []object{o, {"type": "null"}}}
}
