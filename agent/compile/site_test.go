package compile_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/redis/go-redis/v9"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua"
)

// names resolves device.NAME.POINT, and var and local constants.
type names struct {
	devices map[string]*site.Device
	live    map[string]site.Expr
	consts  *hcl.EvalContext
}

func (n *names) Context() *hcl.EvalContext { return n.consts }

func (n *names) Resolve(t hcl.Traversal) (site.Ref, hcl.Diagnostics) {
	name := func(i int) string {
		if i < len(t) {
			if a, ok := t[i].(hcl.TraverseAttr); ok {
				return a.Name
			}
		}
		return ""
	}
	switch t.RootName() {
	case "device":
		if d := n.devices[name(1)]; d != nil {
			for _, p := range d.Points {
				if p.Name == name(2) {
					return site.Ref{Point: p}, nil
				}
			}
		}
	case "local":
		if e, ok := n.live[name(1)]; ok {
			return site.Ref{Live: &e}, nil
		}
	}
	return site.Ref{}, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Unknown name", Detail: "There is no such name.", Subject: t.SourceRange().Ptr()}}
}

func newNames() *names {
	return &names{devices: map[string]*site.Device{}, live: map[string]site.Expr{}, consts: &hcl.EvalContext{
		Variables: map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{
			"limit": cty.NumberIntVal(80), "phases": cty.ListVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b")}), "on": cty.True,
		})},
	}}
}

func (n *names) device(name string, points ...*site.Point) *site.Device {
	d := &site.Device{Name: name, Points: points}
	numbers, texts := 0, 0
	for _, p := range points {
		p.Device, p.Readable = d, true
		if p.Text {
			p.Index = texts
			texts++
		} else {
			p.Index = numbers
			numbers++
		}
	}
	n.devices[name] = d
	return d
}

func expr(t testing.TB, text string) site.Expr {
	t.Helper()
	e, diags := hclsyntax.ParseExpression([]byte(text), "site.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return site.Expr{Expression: e}
}

func (n *names) siteOf(rules ...*site.Rule) *site.Site {
	s := &site.Site{Rules: rules}
	for _, d := range n.devices {
		s.Devices = append(s.Devices, d)
	}
	return s
}

func keys(siteName, library string) []string {
	p := "v:{" + siteName + "}:"
	return []string{p + "epoch", p + library + ":program", p + library + ":state", p + library + ":timers", p + "frames", p + "requests", p + "events"}
}

func loadLibrary(t fataler, c *redis.Client, name string) { loadChanged(t, c, name, nil) }

// loadChanged loads a library in which texts, which it must have, are replaced by others.
func loadChanged(t fataler, c *redis.Client, name string, changes map[string]string) {
	t.Helper()
	lib, err := lua.Bundle(name)
	if err != nil {
		t.Fatal(err)
	}
	source := lib.Source
	for old, text := range changes {
		if strings.Count(source, old) != 1 {
			t.Fatalf("%s is not once in the library %s", old, name)
		}
		source = strings.Replace(source, old, text, 1)
	}
	if err := c.FunctionLoadReplace(context.Background(), source).Err(); err != nil {
		t.Fatal(err)
	}
}

// fataler is a test, or a check of random input.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

var epochs int

func loadProgram(t fataler, c *redis.Client, k []string, p compile.Program) {
	t.Helper()
	ctx := context.Background()
	fields := []any{"rev", p.Revision, "n", len(p.Chunks)}
	for i, chunk := range p.Chunks {
		fields = append(fields, strconv.Itoa(i+1), chunk)
	}
	epochs++
	if err := c.Del(ctx, k[1]).Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.HSet(ctx, k[1], fields...).Err(); err != nil {
		t.Fatal(err)
	}
	if err := c.Set(ctx, k[0], fmt.Sprint(epochs), 0).Err(); err != nil {
		t.Fatal(err)
	}
}
