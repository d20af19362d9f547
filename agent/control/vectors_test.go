package control

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

type vectorLimits struct {
	Safe    float64
	Min     *float64
	Max     *float64
	Ramp    string
	Initial *float64
}

type vectorRequest struct {
	Rule     string
	Priority int
	Value    *float64
	At       int64
	TTL      string
}

type vectorEntry struct {
	T      int64
	Output string
	Value  float64
	Rule   *string
}

type vectorCase struct {
	Name string
	Rule struct {
		Arbitrate struct {
			Limits  map[string]vectorLimits
			Outputs map[string][]vectorRequest
		}
	}
	Events []struct{ T int64 }
	Expect []vectorEntry
}

// readVectors reads the arbitration cases, which are among the vectors of the libraries.
func readVectors(t *testing.T) []vectorCase {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "lua", "vectors", "testdata", "rules", "arbitrate.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []vectorCase }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	return file.Cases
}

func (l vectorLimits) limits(t *testing.T) Limits {
	out := Limits{Min: math.Inf(-1), Max: math.Inf(1), Safe: l.Safe, Initial: l.Initial}
	if l.Min != nil {
		out.Min = *l.Min
	}
	if l.Max != nil {
		out.Max = *l.Max
	}
	if l.Ramp != "" {
		r, err := strconv.ParseFloat(strings.TrimSuffix(l.Ramp, "/s"), 64)
		if err != nil {
			t.Fatal(err)
		}
		out.Ramp = r
	}
	return out
}

func TestVectors(t *testing.T) {
	cases := readVectors(t)
	if len(cases) < 8 {
		t.Fatalf("%d cases, expected at least 8", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			a := NewArbiter()
			for name, l := range c.Rule.Arbitrate.Limits {
				a.SetOutput(name, l.limits(t))
			}
			for output, list := range c.Rule.Arbitrate.Outputs {
				for _, v := range list {
					r := Request{Output: output, Owner: v.Rule, Priority: v.Priority, At: v.At, Until: Forever, Withdraw: v.Value == nil}
					if v.Value != nil {
						r.Value = *v.Value
					}
					if v.TTL != "" {
						ttl, err := time.ParseDuration(v.TTL)
						if err != nil {
							t.Fatal(err)
						}
						r.Until = v.At + ttl.Milliseconds()
					}
					if !a.Put(r) {
						t.Fatalf("no output %s", output)
					}
				}
			}
			var got []Judgement
			for _, e := range c.Events {
				got = append(got, a.Advance(e.T)...)
			}
			if len(got) != len(c.Expect) {
				t.Fatalf("got %d entries, expected %d: %+v", len(got), len(c.Expect), got)
			}
			for i, want := range c.Expect {
				rule := ""
				if want.Rule != nil {
					rule = *want.Rule
				}
				g := got[i]
				if g.Millis != want.T || g.Output != want.Output || g.Owner() != rule || math.Abs(g.Value-want.Value) > 1e-9*math.Max(1, math.Abs(want.Value)) {
					t.Errorf("entry %d: got t=%d %s=%v by %q, expected t=%d %s=%v by %q", i, g.Millis, g.Output, g.Value, g.Owner(), want.T, want.Output, want.Value, rule)
				}
			}
		})
	}
}
