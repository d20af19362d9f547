package schema

import (
	"fmt"
	"regexp"
	"slices"
)

// name is what the name of an attribute or block looks like.
var name = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

var types = []Type{String, Number, Int, Bool, Duration, Strings, Numbers, Map}

// Validate tells everything that is wrong with the description itself; path is put before each complaint.
func (b Block) Validate(path string) []error {
	var errs []error
	seen := make(map[string]bool)
	once := func(n, what string) {
		if !name.MatchString(n) {
			errs = append(errs, fmt.Errorf("%s: %s %q: a name is lower-case letters, digits and _", path, what, n))
		}
		if seen[n] {
			errs = append(errs, fmt.Errorf("%s: %s %q is there twice", path, what, n))
		}
		seen[n] = true
	}
	for _, a := range b.Attributes {
		once(a.Name, "attribute")
		for _, fault := range a.faults() {
			errs = append(errs, fmt.Errorf("%s: attribute %q %s", path, a.Name, fault))
		}
	}
	for _, n := range b.Blocks {
		once(n.Name, "block")
		errs = append(errs, n.Block.Validate(path+"."+n.Name)...)
	}
	return errs
}

func (a Attribute) faults() []string {
	var out []string
	fault := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if !slices.Contains(types, a.Type) {
		fault("has the unknown type %q", a.Type)
	}
	if a.Doc == "" {
		fault("has no documentation")
	}
	if a.Required && a.Default != nil {
		fault("is required, and has a default all the same")
	}
	if a.Sensitive && a.Default != nil {
		fault("is sensitive, and has a default all the same")
	}
	if a.Default != nil && !a.takes(a.Default) {
		fault("is a %s, its default is a %T", a.Type, a.Default)
	}
	if len(a.OneOf) > 0 && a.Type != String && a.Type != Strings {
		fault("is a %s: only a string has a list of values", a.Type)
	}
	if s, ok := a.Default.(string); ok && len(a.OneOf) > 0 && !slices.Contains(a.OneOf, s) {
		fault("has the default %q, which is none of its values", s)
	}
	numeric := a.Type == Number || a.Type == Int || a.Type == Duration || a.Type == Numbers
	if (a.Min != nil || a.Max != nil) && !numeric {
		fault("is a %s: only a number has bounds", a.Type)
	}
	if a.Min != nil && a.Max != nil && *a.Min > *a.Max {
		fault("has a least value above its greatest")
	}
	if f, ok := a.Default.(float64); ok && (a.Min != nil && f < *a.Min || a.Max != nil && f > *a.Max) {
		fault("has a default beyond its bounds")
	}
	return out
}

// takes tells whether v is a default of the attribute's type.
func (a Attribute) takes(v any) bool {
	switch v.(type) {
	case string:
		return a.Type == String || a.Type == Duration
	case float64, int:
		return a.Type == Number || a.Type == Int
	case bool:
		return a.Type == Bool
	case []string:
		return a.Type == Strings
	case []float64:
		return a.Type == Numbers
	case map[string]string:
		return a.Type == Map
	}
	return false
}
