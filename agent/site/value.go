package site

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/voltage-edge/voltage/agent/spelling"
	"github.com/voltage-edge/voltage/sdk/schema"
)

// mark says that a value is a secret.
type mark string

const secretMark mark = "secret"

func isText(v cty.Value) bool { return v.IsKnown() && !v.IsNull() && v.Type() == cty.String }

// convert gives a value the form that sdk.Values documents, and checks it against the attribute's bounds. It says
// whether the value is a secret.
func (l *loader) convert(v cty.Value, a *schema.Attribute, rng hcl.Range) (out any, secret, ok bool) {
	v, marks := v.UnmarkDeep()
	secret = len(marks) > 0 || a.Sensitive
	out, err := converted(v, a.Type, l.intern)
	if err == nil {
		err = l.bounds(out, a, secret)
	}
	if err != nil {
		l.fail(rng, "Wrong value", "%q: %s.", a.Name, err)
		return nil, secret, false
	}
	return out, secret, true
}

// found is how a message calls the type of a value. It never has the value itself, which may be a secret.
func found(v cty.Value) string {
	switch t := v.Type(); {
	case v.IsNull():
		return "null"
	case t == cty.String:
		return "text"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsListType() || t.IsTupleType() || t.IsSetType():
		return "a list"
	case t.IsMapType() || t.IsObjectType():
		return "a map"
	default:
		return withArticle(t.FriendlyName())
	}
}

func wanted(what string, v cty.Value) error {
	return fmt.Errorf("%s is wanted, and this is %s", what, found(v))
}

func converted(v cty.Value, t schema.Type, intern func(string) string) (any, error) {
	switch t {
	case schema.String:
		return toText(v, intern)
	case schema.Number:
		return toNumber(v)
	case level:
		if v.Type() == cty.Bool && !v.IsNull() {
			if v.True() {
				return 1.0, nil
			}
			return 0.0, nil
		}
		return toNumber(v)
	case schema.Int:
		f, err := toNumber(v)
		if err == nil && f != math.Trunc(f) {
			return nil, fmt.Errorf("a whole number is wanted")
		}
		return f, err
	case schema.Bool:
		return toBool(v)
	case schema.Duration:
		if v.Type() != cty.String || v.IsNull() {
			return nil, wanted("a duration such as \"250ms\", \"5s\" or \"1d\"", v)
		}
		d, err := ParseDuration(v.AsString())
		return float64(d), err
	case rate:
		if v.Type() == cty.Number {
			return toNumber(v)
		}
		if !isText(v) {
			return nil, wanted("a rate such as \"10/s\"", v)
		}
		return parseRate(v.AsString())
	case size:
		if v.Type() == cty.Number {
			return toNumber(v)
		}
		if !isText(v) {
			return nil, wanted("a size such as \"512MB\"", v)
		}
		return parseSize(v.AsString())
	case schema.Strings:
		return toList(v, "text", func(e cty.Value) (string, error) { return toText(e, intern) })
	case schema.Numbers:
		return toList(v, "numbers", toNumber)
	case schema.Map:
		return toMap(v, intern)
	case anything:
		return v, nil
	}
	return nil, fmt.Errorf("the schema has the unknown type %s", t)
}

func toText(v cty.Value, intern func(string) string) (string, error) {
	if t := v.Type(); v.IsNull() || t != cty.String && t != cty.Number {
		return "", wanted("text", v)
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return "", wanted("text", v)
	}
	return intern(s.AsString()), nil
}

func toNumber(v cty.Value) (float64, error) {
	if t := v.Type(); v.IsNull() || t != cty.String && t != cty.Number {
		return 0, wanted("a number", v)
	}
	n, err := convert.Convert(v, cty.Number)
	if err != nil {
		return 0, wanted("a number", v)
	}
	f, _ := n.AsBigFloat().Float64()
	if math.IsInf(f, 0) {
		return 0, fmt.Errorf("this number is too large for 64 bits of floating point")
	}
	return f, nil
}

func toBool(v cty.Value) (bool, error) {
	if t := v.Type(); v.IsNull() || t != cty.String && t != cty.Bool {
		return false, wanted("true or false", v)
	}
	b, err := convert.Convert(v, cty.Bool)
	if err != nil {
		return false, wanted("true or false", v)
	}
	return b.True(), nil
}

// toList takes a list, set or tuple; a single value counts as a list of one.
func toList[T any](v cty.Value, of string, element func(cty.Value) (T, error)) ([]T, error) {
	if v.IsNull() {
		return nil, wanted("a list of "+of, v)
	}
	t := v.Type()
	if !t.IsListType() && !t.IsSetType() && !t.IsTupleType() {
		e, err := element(v)
		if err != nil {
			return nil, wanted("a list of "+of, v)
		}
		return []T{e}, nil
	}
	out := make([]T, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		_, ev := it.Element()
		e, err := element(ev)
		if err != nil {
			return nil, fmt.Errorf("a list of %s is wanted, and one of its elements is %s", of, found(ev))
		}
		out = append(out, e)
	}
	return out, nil
}

func toMap(v cty.Value, intern func(string) string) (map[string]string, error) {
	if t := v.Type(); v.IsNull() || !t.IsMapType() && !t.IsObjectType() {
		return nil, wanted("a map of text", v)
	}
	out := map[string]string{}
	for it := v.ElementIterator(); it.Next(); {
		k, ev := it.Element()
		s, err := toText(ev, intern)
		if err != nil {
			return nil, fmt.Errorf("a map of text is wanted, and %q is %s", k.AsString(), found(ev))
		}
		out[k.AsString()] = s
	}
	return out, nil
}

// bounds checks a converted value against what the attribute allows. A secret is not repeated.
func (l *loader) bounds(v any, a *schema.Attribute, secret bool) error {
	switch v := v.(type) {
	case string:
		return oneOf(v, a, secret)
	case []string:
		for _, s := range v {
			if err := oneOf(s, a, secret); err != nil {
				return err
			}
		}
	case float64:
		return within(v, a)
	case []float64:
		for _, f := range v {
			if err := within(f, a); err != nil {
				return err
			}
		}
	}
	return nil
}

func oneOf(v string, a *schema.Attribute, secret bool) error {
	if len(a.OneOf) == 0 || slices.Contains(a.OneOf, v) {
		return nil
	}
	names := make([]string, len(a.OneOf))
	for i, o := range a.OneOf {
		names[i] = fmt.Sprintf("%q", o)
	}
	if secret {
		return fmt.Errorf("there are %s", strings.Join(names, ", "))
	}
	if n := spelling.Nearest(v, a.OneOf); n != "" {
		return fmt.Errorf("there is no %q (did you mean %q?), but %s", v, n, thereAre(names))
	}
	return fmt.Errorf("there is no %q, but %s", v, thereAre(names))
}

func within(v float64, a *schema.Attribute) error {
	show := func(f float64) string {
		switch a.Type {
		case schema.Duration:
			return FormatDuration(time.Duration(f))
		case size:
			return formatNumber(f) + " bytes"
		}
		if a.Unit != "" {
			return formatNumber(f) + " " + a.Unit
		}
		return formatNumber(f)
	}
	switch {
	case math.IsNaN(v) || a.Min != nil && v < *a.Min && a.Max != nil:
		return fmt.Errorf("must be between %s and %s", show(*a.Min), show(*a.Max))
	case a.Min != nil && v < *a.Min:
		return fmt.Errorf("must be at least %s", show(*a.Min))
	case a.Max != nil && v > *a.Max && a.Min != nil:
		return fmt.Errorf("must be between %s and %s", show(*a.Min), show(*a.Max))
	case a.Max != nil && v > *a.Max:
		return fmt.Errorf("must be at most %s", show(*a.Max))
	}
	return nil
}
