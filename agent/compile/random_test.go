package compile_test

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// env has the values of the points; NaN is unknown.
type env [6]float64

// numberExpr and boolExpr are expressions with what they mean. A number is NaN, a truth is 2, where it is unknown.
type numberExpr struct {
	text string
	eval func(env) float64
}

type boolExpr struct {
	text string
	eval func(env) int
}

const unknown = 2

func finite(v float64) float64 {
	if math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

func genNumber(t *rapid.T, depth int) numberExpr {
	if depth == 0 || rapid.IntRange(0, 4).Draw(t, "leaf") == 0 {
		if rapid.Bool().Draw(t, "constant") {
			v := rapid.SampledFrom([]float64{0, 1, 2.5, 80, 0.1, 1e308, 1e-300}).Draw(t, "value")
			return numberExpr{strconv.FormatFloat(v, 'g', -1, 64), func(env) float64 { return v }}
		}
		i := rapid.IntRange(0, 3).Draw(t, "point")
		return numberExpr{fmt.Sprintf("device.m.p%d", i), func(e env) float64 { return e[i] }}
	}
	a := genNumber(t, depth-1)
	switch rapid.IntRange(0, 12).Draw(t, "op") {
	case 10:
		return genList(t, depth, a)
	case 11:
		low, high := genNumber(t, depth-1), genNumber(t, depth-1)
		return numberExpr{"clamp(" + a.text + ", " + low.text + ", " + high.text + ")", func(e env) float64 {
			x, lo, hi := a.eval(e), low.eval(e), high.eval(e)
			if lo > hi || math.IsNaN(x+lo+hi) && (math.IsNaN(x) || math.IsNaN(lo) || math.IsNaN(hi)) {
				return math.NaN()
			}
			return math.Max(lo, math.Min(hi, x))
		}}
	case 12:
		if rapid.Bool().Draw(t, "up") {
			return numberExpr{"ceil(" + a.text + ")", func(e env) float64 { return math.Ceil(a.eval(e)) }}
		}
		return numberExpr{"floor(" + a.text + ")", func(e env) float64 { return math.Floor(a.eval(e)) }}
	case 0:
		return numberExpr{"(-" + a.text + ")", func(e env) float64 { return -a.eval(e) }}
	case 1:
		return numberExpr{"abs(" + a.text + ")", func(e env) float64 { return math.Abs(a.eval(e)) }}
	case 2:
		return numberExpr{"round(" + a.text + ")", func(e env) float64 { return math.Round(a.eval(e)) }}
	case 3:
		c, b := genBool(t, depth-1), genNumber(t, depth-1)
		return numberExpr{"(" + c.text + " ? " + a.text + " : " + b.text + ")", func(e env) float64 {
			switch c.eval(e) {
			case 1:
				return a.eval(e)
			case 0:
				return b.eval(e)
			}
			return math.NaN()
		}}
	case 4:
		b := genNumber(t, depth-1)
		return numberExpr{"max(" + a.text + ", " + b.text + ")", func(e env) float64 { return math.Max(a.eval(e), b.eval(e)) }}
	case 5:
		b := genNumber(t, depth-1)
		return numberExpr{"coalesce(" + a.text + ", " + b.text + ")", func(e env) float64 {
			if v := a.eval(e); !math.IsNaN(v) {
				return v
			}
			return b.eval(e)
		}}
	}
	b := genNumber(t, depth-1)
	op := rapid.SampledFrom([]string{"+", "-", "*", "/", "%"}).Draw(t, "operator")
	return numberExpr{"(" + a.text + " " + op + " " + b.text + ")", func(e env) float64 {
		x, y := a.eval(e), b.eval(e)
		switch op {
		case "+":
			return finite(x + y)
		case "-":
			return finite(x - y)
		case "*":
			return finite(x * y)
		case "/":
			return finite(x / y)
		}
		return math.Mod(x, y)
	}}
}

// genList is a function of as many arguments as one likes.
func genList(t *rapid.T, depth int, first numberExpr) numberExpr {
	all, texts := []numberExpr{first}, []string{first.text}
	for range rapid.IntRange(0, 3).Draw(t, "more") {
		all = append(all, genNumber(t, depth-1))
		texts = append(texts, all[len(all)-1].text)
	}
	name := rapid.SampledFrom([]string{"sum", "avg", "min", "max"}).Draw(t, "function")
	return numberExpr{name + "(" + strings.Join(texts, ", ") + ")", func(e env) float64 {
		v := 0.0
		for i, a := range all {
			x := a.eval(e)
			switch {
			case name == "sum" || name == "avg":
				v += x
			case i == 0:
				v = x
			case name == "min":
				v = math.Min(v, x)
			default:
				v = math.Max(v, x)
			}
		}
		if name == "avg" {
			v = finite(v) / float64(len(all))
		}
		return finite(v)
	}}
}

func genBool(t *rapid.T, depth int) boolExpr {
	if depth == 0 {
		i := rapid.IntRange(4, 5).Draw(t, "point")
		return boolExpr{fmt.Sprintf("device.m.p%d", i), func(e env) int {
			if math.IsNaN(e[i]) {
				return unknown
			}
			return map[bool]int{true: 1}[e[i] != 0]
		}}
	}
	switch rapid.IntRange(0, 5).Draw(t, "op") {
	case 0:
		a := genBool(t, depth-1)
		return boolExpr{"!" + a.text, func(e env) int { return [3]int{1, 0, unknown}[a.eval(e)] }}
	case 1:
		a, b := genBool(t, depth-1), genBool(t, depth-1)
		return boolExpr{"(" + a.text + " && " + b.text + ")", func(e env) int {
			x, y := a.eval(e), b.eval(e)
			switch {
			case x == 0 || y == 0:
				return 0
			case x == unknown || y == unknown:
				return unknown
			}
			return 1
		}}
	case 2:
		a, b := genBool(t, depth-1), genBool(t, depth-1)
		return boolExpr{"(" + a.text + " || " + b.text + ")", func(e env) int {
			x, y := a.eval(e), b.eval(e)
			switch {
			case x == 1 || y == 1:
				return 1
			case x == unknown || y == unknown:
				return unknown
			}
			return 0
		}}
	case 3:
		a := genNumber(t, depth-1)
		return boolExpr{"known(" + a.text + ")", func(e env) int { return map[bool]int{true: 1}[!math.IsNaN(a.eval(e))] }}
	}
	a, b := genNumber(t, depth-1), genNumber(t, depth-1)
	op := rapid.SampledFrom([]string{">", ">=", "<", "<=", "==", "!="}).Draw(t, "operator")
	return boolExpr{"(" + a.text + " " + op + " " + b.text + ")", func(e env) int {
		x, y := a.eval(e), b.eval(e)
		if math.IsNaN(x) || math.IsNaN(y) {
			return unknown
		}
		return map[bool]int{true: 1}[map[string]bool{">": x > y, ">=": x >= y, "<": x < y, "<=": x <= y, "==": x == y, "!=": x != y}[op]]
	}}
}

// Whatever compiles runs on a real Redis without an error and gives what a naive evaluator gives, by the plain form where
// all is known, by the three-valued form, and as a value; whatever is refused is refused at a place.
func TestCompiledExpressionsMeanWhatTheySay(t *testing.T) {
	server := luatest.Start(t)
	loadLibrary(t, server.Client, "rules")
	ctx := context.Background()
	n := newNames()
	table := frame.Table{}
	var ps []*site.Point
	for i := range 6 {
		name := fmt.Sprintf("p%d", i)
		ps = append(ps, &site.Point{Name: name, Bool: i > 3})
		table.Numbers = append(table.Numbers, name)
	}
	n.device("m", ps...)
	k := keys("random", "rules")
	words := []string{"false", "true", "unknown"}
	at := 0
	rapid.Check(t, func(t *rapid.T) {
		var conditions []boolExpr
		var values []numberExpr
		var rules []*site.Rule
		for range rapid.IntRange(1, 40).Draw(t, "rules") {
			c, v := genBool(t, rapid.IntRange(0, 5).Draw(t, "depth")), genNumber(t, rapid.IntRange(0, 4).Draw(t, "depth"))
			when, diags := hclsyntax.ParseExpression([]byte(c.text), "c", hcl.InitialPos)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			value, diags := hclsyntax.ParseExpression([]byte(v.text), "v", hcl.InitialPos)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			r := &site.Rule{Name: fmt.Sprintf("r%d", len(rules)), On: "rising", When: site.Expr{Expression: when},
				Sets: []*site.Set{{Target: "o.x", Value: site.Expr{Expression: value}}}}
			if _, diags := compile.With(n.siteOf(r), n); diags.HasErrors() {
				for _, d := range diags {
					if d.Subject == nil || d.Summary == "" || d.Detail == "" {
						t.Fatalf("%s; %s: refused without a place or a reason: %+v", c.text, v.text, d)
					}
				}
				continue
			}
			conditions, values, rules = append(conditions, c), append(values, v), append(rules, r)
		}
		programs, diags := compile.With(n.siteOf(rules...), n)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if err := server.Del(ctx, k...).Err(); err != nil {
			t.Fatal(err)
		}
		loadProgram(t, server.Client, k, programs.Rules)
		b, err := frame.NewBuilder(table)
		if err != nil {
			t.Fatal(err)
		}
		var e env
		for i := range e {
			switch kind := rapid.IntRange(0, 9).Draw(t, "quality"); {
			case kind == 0:
				e[i] = math.NaN()
			case i > 3:
				e[i] = float64(kind % 2)
			default:
				e[i] = rapid.SampledFrom([]float64{0, 1, -1, 80, 3.7, -2.5, 1e308, -1e308, 5e-324}).Draw(t, "value")
			}
			if math.IsNaN(e[i]) {
				b.SetBad(i, frame.Bad)
			} else {
				b.Set(i, e[i])
			}
		}
		at += 1000
		clock := strconv.Itoa(at)
		pipe := server.Pipeline()
		batch := pipe.FCall(ctx, "rules_batch_execute", k, clock, "m", clock, b.Pack(nil, time.UnixMilli(int64(at))))
		type got struct{ executed, evaluated, acted *redis.Cmd }
		var all []got
		for _, r := range rules {
			all = append(all, got{
				pipe.FCall(ctx, "rule_execute", k, clock, r.Name),
				pipe.FCall(ctx, "rule_evaluate_conditions", k, clock, r.Name),
				pipe.FCall(ctx, "rule_execute_actions", k, clock, r.Name),
			})
		}
		events := pipe.XRange(ctx, k[6], "-", "+")
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatalf("%v\n%v", err, batch.Err())
		}
		wished := map[string]string{}
		for _, m := range events.Val() {
			if m.Values["event"] == "error" {
				t.Fatalf("%v", m.Values)
			}
			if m.Values["kind"] == "request" {
				wished[m.Values["owner"].(string)] = m.Values["value"].(string)
			}
		}
		for i, g := range all {
			want := words[conditions[i].eval(e)]
			if got, _ := g.executed.Slice(); got[0] != want {
				t.Fatalf("%s with %v: executed %v, expected %s", conditions[i].text, e, got[0], want)
			}
			if got, _ := g.evaluated.Slice(); got[0] != want {
				t.Fatalf("%s with %v: evaluated %v, expected %s", conditions[i].text, e, got[0], want)
			}
			text, ok := wished["rule."+rules[i].Name]
			value := values[i].eval(e)
			if ok == math.IsNaN(value) {
				t.Fatalf("%s with %v: wished %q, expected %v", values[i].text, e, text, value)
			}
			if got, err := strconv.ParseFloat(text, 64); ok && (err != nil || got != value) {
				t.Fatalf("%s with %v: wished %q, expected %v", values[i].text, e, text, value)
			}
		}
	})
}
