package sdk

import "time"

// Values are the attributes of a block, decoded by its schema: string, float64, bool, []string, []float64,
// map[string]string, Values for a nested block and []Values for a repeated one. Durations are float64 nanoseconds. What
// was left out and has no default is not there.
type Values map[string]any

// Has tells whether name was given or has a default.
func (v Values) Has(name string) bool { _, ok := v[name]; return ok }

// String is a string attribute, "" when left out.
func (v Values) String(name string) string { s, _ := v[name].(string); return s }

// Number is a number attribute, 0 when left out.
func (v Values) Number(name string) float64 { f, _ := v[name].(float64); return f }

// Int is an int attribute, 0 when left out.
func (v Values) Int(name string) int { return int(v.Number(name)) }

// Bool is a bool attribute, false when left out.
func (v Values) Bool(name string) bool { b, _ := v[name].(bool); return b }

// Duration is a duration attribute, 0 when left out.
func (v Values) Duration(name string) time.Duration { return time.Duration(v.Number(name)) }

// Strings is a list(string) attribute.
func (v Values) Strings(name string) []string { s, _ := v[name].([]string); return s }

// Numbers is a list(number) attribute.
func (v Values) Numbers(name string) []float64 { s, _ := v[name].([]float64); return s }

// Map is a map(string) attribute.
func (v Values) Map(name string) map[string]string { m, _ := v[name].(map[string]string); return m }

// Block is a nested block, nil when left out.
func (v Values) Block(name string) Values { b, _ := v[name].(Values); return b }

// Blocks is a repeated nested block.
func (v Values) Blocks(name string) []Values { b, _ := v[name].([]Values); return b }
