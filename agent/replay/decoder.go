package replay

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// decoder reads bodies and collects what is wrong with them.
type decoder struct{ diags hcl.Diagnostics }

func (d *decoder) refuse(at hcl.Range, summary, detail string) {
	d.diags = append(d.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at})
}

func (d *decoder) content(b hcl.Body, s *hcl.BodySchema) *hcl.BodyContent {
	c, diags := b.Content(s)
	d.diags = append(d.diags, diags...)
	return c
}

func (d *decoder) value(e hcl.Expression, want cty.Type) cty.Value {
	v, diags := e.Value(nil)
	d.diags = append(d.diags, diags...)
	if diags.HasErrors() {
		return cty.NullVal(want)
	}
	c, err := convert.Convert(v, want)
	if err != nil || c.IsNull() {
		d.refuse(e.Range(), "Wrong value", fmt.Sprintf("Here goes a %s.", want.FriendlyName()))
		return cty.NullVal(want)
	}
	return c
}

// number reads a number; true is 1, and false is 0.
func (d *decoder) number(e hcl.Expression) cty.Value {
	if v, _ := e.Value(nil); !v.IsNull() && v.IsKnown() && v.Type() == cty.Bool {
		if v.True() {
			return cty.NumberIntVal(1)
		}
		return cty.NumberIntVal(0)
	}
	return d.value(e, cty.Number)
}

// numberOrNull reads a number, or null as one that is unknown.
func (d *decoder) numberOrNull(e hcl.Expression) cty.Value {
	if v, diags := e.Value(nil); !diags.HasErrors() && v.IsNull() {
		return cty.UnknownVal(cty.Number)
	}
	return d.number(e)
}

// instant reads a time with its date and zone.
func (d *decoder) instant(e hcl.Expression) int64 {
	v := d.value(e, cty.String)
	if v.IsNull() {
		return scenarioStart
	}
	t, err := time.Parse(time.RFC3339, v.AsString())
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		d.refuse(e.Range(), "Wrong time", `A start is written as "2026-03-29T00:30:00+01:00".`)
		return scenarioStart
	}
	return t.UnixMilli()
}

// duration reads a time to come, such as "30s".
func (d *decoder) duration(e hcl.Expression) time.Duration {
	v := d.value(e, cty.String)
	if v.IsNull() {
		return 0
	}
	t, err := time.ParseDuration(v.AsString())
	if err != nil || t <= 0 {
		d.refuse(e.Range(), "Wrong time", `How long is written as "30s" or "1h30m".`)
	}
	return t
}

// states reads a state of an alarm, or a list of them that all hold.
func (d *decoder) states(e hcl.Expression) cty.Value {
	exprs := []hcl.Expression{e}
	if list, diags := hcl.ExprList(e); !diags.HasErrors() {
		exprs = list
	}
	var out []cty.Value
	for _, x := range exprs {
		v := d.value(x, cty.String)
		if v.IsNull() {
			continue
		}
		if !slices.Contains(alarmStates, v.AsString()) {
			d.refuse(x.Range(), "Wrong state", fmt.Sprintf("A state of an alarm is one of %s, not %q.", strings.Join(alarmStates, ", "), v.AsString()))
		}
		out = append(out, v)
	}
	if len(exprs) == 0 {
		d.refuse(e.Range(), "Nothing expected", "Name at least one state of the alarm.")
	}
	if len(out) == 0 {
		return cty.NullVal(cty.List(cty.String))
	}
	return cty.ListVal(out)
}

// entries reads { "name" = value }.
func (d *decoder) entries(a *hcl.Attribute, read func(hcl.Expression) cty.Value) []Entry {
	if a == nil {
		return nil
	}
	pairs, diags := hcl.ExprMap(a.Expr)
	d.diags = append(d.diags, diags...)
	var out []Entry
	for _, p := range pairs {
		k, v := d.value(p.Key, cty.String), read(p.Value)
		if !k.IsNull() && !v.IsNull() {
			out = append(out, Entry{Name: k.AsString(), Value: v, Range: p.Key.Range()})
		}
	}
	return out
}

// names reads [ "name" ].
func (d *decoder) names(a *hcl.Attribute) []Entry {
	if a == nil {
		return nil
	}
	list, diags := hcl.ExprList(a.Expr)
	if diags.HasErrors() {
		d.refuse(a.Expr.Range(), "Wrong value", fmt.Sprintf(`Here goes a list: %s = ["NAME"].`, a.Name))
	}
	var out []Entry
	for _, e := range list {
		if v := d.value(e, cty.String); !v.IsNull() {
			out = append(out, Entry{Name: v.AsString(), Range: e.Range()})
		}
	}
	return out
}
