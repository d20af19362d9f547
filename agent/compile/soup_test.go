package compile_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

var soup = []string{
	"device.grid.power", "device.grid.closed", "device.grid.serial", "device.grid", "device", "local.excess", "local.loop", "var.limit", "var.phases", "var",
	"1", "0", "2.5", "1e400", "true", "null", "\"x\"", "\"${device.grid.power}\"", "\"]] error() --\"", "(", ")", "[", "]", "{", "}", ",", ".", "*", "+", "-", "/", "%",
	"<", ">=", "==", "!=", "&&", "||", "!", "?", ":", "...", "for", "in", "k", "=>", "if", "sum(", "min(", "known(", "age(", "clamp(", "coalesce(", "upper(", "energy(", "counter(", "\"10m\"", "[true]", "[0]", "[\"a\"]", "[*]",
}

// What is written may be anything: it is taken or refused at a place, never with a panic, and what is taken runs.
func TestAnythingIsTakenOrRefused(t *testing.T) {
	server := luatest.Start(t)
	loadLibrary(t, server.Client, "rules")
	loadLibrary(t, server.Client, "models")
	ctx := context.Background()
	k, models := keys("soup", "rules"), keys("soup", "models")
	taken, measured := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var rules []*site.Rule
		var measurements []string
		n := newNames()
		seed := plantNames(&testing.T{})
		n.devices, n.live = seed.devices, seed.live
		for range 200 {
			words := rapid.SliceOfN(rapid.SampledFrom(soup), 1, 12).Draw(t, "words")
			e, diags := hclsyntax.ParseExpression([]byte(strings.Join(words, " ")), "soup", hcl.InitialPos)
			if diags.HasErrors() {
				continue
			}
			placed := func(diags hcl.Diagnostics) bool {
				for _, d := range diags {
					if d.Subject == nil || d.Summary == "" {
						t.Fatalf("%v: %+v", words, d)
					}
				}
				return !diags.HasErrors()
			}
			text := strings.Join(words, " ")
			if _, diags := compile.With(modelOf(t, n, text), n); placed(diags) {
				measurements = append(measurements, text)
			}
			r := &site.Rule{Name: fmt.Sprintf("r%d", len(rules)), On: "rising", When: site.Expr{Expression: e}}
			if _, diags := compile.With(n.siteOf(r), n); !placed(diags) {
				continue
			}
			rules = append(rules, r)
		}
		taken += len(rules)
		p, _ := compile.With(n.siteOf(rules...), n)
		if err := server.Del(ctx, k...).Err(); err != nil {
			t.Fatal(err)
		}
		loadProgram(t, server.Client, k, p.Rules)
		for i, r := range rules {
			if err := server.FCall(ctx, "rule_execute", k, strconv.Itoa(i+1), r.Name).Err(); err != nil {
				t.Fatalf("%s: %v", r.Name, err)
			}
		}
		measured += len(measurements)
		p, _ = compile.With(modelOf(t, n, measurements...), n)
		loadProgram(t, server.Client, models, p.Models)
		args := []any{"2000"}
		for name, d := range n.devices {
			b, err := frame.NewBuilder(d.Table())
			if err != nil {
				t.Fatal(err)
			}
			for i := range d.Table().Numbers {
				b.Set(i, rapid.SampledFrom([]float64{0, 1, -3}).Draw(t, "value"))
			}
			args = append(args, name, "1000", b.Pack(nil, time.UnixMilli(1000)))
		}
		if err := server.FCall(ctx, "model_batch_sync", models, args...).Err(); err != nil {
			t.Fatalf("%q: %v", measurements, err)
		}
	})
	if taken == 0 || measured == 0 {
		t.Error("nothing was taken")
	}
}
