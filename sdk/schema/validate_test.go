package schema

import (
	"errors"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	low, high := 1.0, 5.0
	good := Block{Attributes: []Attribute{
		{Name: "address", Type: String, Required: true, Doc: "x"},
		{Name: "mode", Type: String, OneOf: []string{"a", "b"}, Default: "b", Doc: "x"},
		{Name: "timeout", Type: Duration, Default: "1s", Min: &low, Doc: "x"},
		{Name: "count", Type: Int, Default: 3.0, Min: &low, Max: &high, Doc: "x"},
		{Name: "tags", Type: Map, Default: map[string]string{"a": "b"}, Doc: "x"},
	}, Blocks: []Nested{{Name: "tls", Block: Block{Attributes: []Attribute{{Name: "ca", Type: String, Doc: "x"}}}}}}
	if errs := good.Validate("channel"); len(errs) > 0 {
		t.Error(errors.Join(errs...))
	}
	for _, test := range []struct {
		a    Attribute
		want string
	}{
		{Attribute{Name: "Address", Type: String, Doc: "x"}, "lower-case"},
		{Attribute{Name: "a", Type: "text", Doc: "x"}, `unknown type "text"`},
		{Attribute{Name: "a", Type: String}, "no documentation"},
		{Attribute{Name: "a", Type: String, Doc: "x", Required: true, Default: "b"}, "required"},
		{Attribute{Name: "a", Type: String, Doc: "x", Sensitive: true, Default: "b"}, "sensitive"},
		{Attribute{Name: "a", Type: Int, Doc: "x", Default: "3"}, "its default is a string"},
		{Attribute{Name: "a", Type: Int, Doc: "x", OneOf: []string{"3"}}, "only a string"},
		{Attribute{Name: "a", Type: String, Doc: "x", OneOf: []string{"3"}, Default: "4"}, "none of its values"},
		{Attribute{Name: "a", Type: String, Doc: "x", Min: &low}, "only a number"},
		{Attribute{Name: "a", Type: Int, Doc: "x", Min: &high, Max: &low}, "above its greatest"},
		{Attribute{Name: "a", Type: Int, Doc: "x", Max: &low, Default: 3.0}, "beyond its bounds"},
	} {
		errs := Block{Blocks: []Nested{{Name: "inner", Block: Block{Attributes: []Attribute{test.a}}}}}.Validate("device")
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), test.want) || !strings.HasPrefix(errs[0].Error(), "device.inner: ") {
			t.Errorf("%+v: %v, want %q", test.a, errs, test.want)
		}
	}
	twice := Block{Attributes: []Attribute{{Name: "a", Type: String, Doc: "x"}}, Blocks: []Nested{{Name: "a"}}}
	if errs := twice.Validate("x"); len(errs) != 1 || !strings.Contains(errs[0].Error(), "twice") {
		t.Error(errs)
	}
}
