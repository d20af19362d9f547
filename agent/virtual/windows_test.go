package virtual_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/site/sitetest"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/agent/virtual"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// windowSite has a window of a kind, of whose aggregates two are read.
func windowSite(t *testing.T, kind string) *site.Site {
	t.Helper()
	return sitetest.Load(t, fmt.Sprintf(`
site "s" {}
channel "c" { plugin = "any" }
device "m" {
  channel = channel.c
  point "power" { unit = "kW" }
}
window "w" {
  %s
  source = device.m
  aggregate "mean" {
    fn    = "avg"
    value = power
  }
  aggregate "n" { fn = "count" }
}
alarm "a" { when = window.w.mean > 5 || window.w.n > 3 }
`, kind))
}

// results are frames as "ms mean n".
func results(frames []virtual.Frame) []string {
	out := []string{}
	for _, f := range frames {
		v, err := frame.Parse(f.Packed, nil)
		if err != nil {
			return []string{err.Error()}
		}
		text := fmt.Sprint(f.Millis)
		for i := range 2 {
			if q := v.Quality(i); q.IsBad() {
				text += " " + q.String()
			} else {
				text += fmt.Sprint(" ", v.Value(i))
			}
		}
		out = append(out, text)
	}
	return out
}

// came is a result of the window.
func came(at int64, values ...float64) []store.WindowResult {
	var packed []byte
	for _, v := range values {
		packed = binary.LittleEndian.AppendUint64(packed, math.Float64bits(v))
	}
	return []store.WindowResult{{Of: "w\x00mean\x00n", Millis: at, Packed: string(packed)}}
}

func TestResultsOfWindowsLastUntilTheNextShouldHaveCome(t *testing.T) {
	for kind, ends := range map[string]int64{
		"kind = \"tumbling\"\nsize = \"2s\"":                    4000,
		"kind = \"tumbling\"\nsize = \"1m\"":                    65_000,
		"kind = \"sliding\"\nsize = \"1m\"":                     60_000,
		"kind = \"hopping\"\nsize = \"1m\"\nevery = \"10s\"":    15_000,
		"kind = \"count\"\ncount = 3":                           0,
		"kind = \"session\"\ngap = \"1s\"":                      0,
		"kind = \"state\"\nbegin = power > 1\nemit = power < 1": 0,
	} {
		t.Run(kind, func(t *testing.T) {
			v := virtual.New(windowSite(t, kind))
			if !v.Follows() || len(v.Start(1000)) != 0 {
				t.Error("something is known at the start")
			}
			if got := results(v.Learn(virtual.States{}, 1000)); !slices.Equal(got, []string{"1000 bad (never read) bad (never read)"}) {
				t.Errorf("a window without a result: %q", got)
			}
			if got := results(v.Results(came(2000, 7.5, 3), 2010)); !slices.Equal(got, []string{"2010 7.5 3"}) {
				t.Errorf("a result: %q", got)
			}
			if got := results(v.Results(came(3000, math.NaN(), 3), 3010)); !slices.Equal(got, []string{"3010 bad (not available) 3"}) {
				t.Errorf("a result with an unknown: %q", got)
			}
			due := ends
			if ends > 0 {
				due += 3000
			}
			if (v.Due() == 0) != (ends == 0) || v.Due() > due { // earlier is in vain, and no harm
				t.Errorf("it ends at %d, expected %d", v.Due(), due)
			}
			if ends == 0 {
				return
			}
			if got := results(v.Advance(due - 1)); len(got) != 0 {
				t.Errorf("before its end: %q", got)
			}
			if got := results(v.Advance(due)); !slices.Equal(got, []string{fmt.Sprintf("%d bad (stale) bad (stale)", due)}) {
				t.Errorf("at its end: %q", got)
			}
			if v.Due() != 0 || len(v.Advance(due+100_000)) != 0 {
				t.Error("it ends twice")
			}
			// A result from before a restart counts, unless it has ended since.
			known := virtual.States{Windows: []virtual.LastResult{{Name: "w", Millis: 50_000, Captures: `{"mean":1,"n":2}`}, {Name: "other", Captures: "{}"}}}
			if got := results(v.Learn(known, 50_000+ends-1)); !slices.Equal(got, []string{fmt.Sprintf("%d 1 2", 50_000+ends-1)}) {
				t.Errorf("a result that lasts: %q", got)
			}
			if got := results(v.Learn(known, 50_000+ends)); !slices.Equal(got, []string{fmt.Sprintf("%d bad (stale) bad (stale)", 50_000+ends)}) {
				t.Errorf("a result that has ended: %q", got)
			}
		})
	}
}

// What another site's program was asked for, or a library of another form gives, is no result.
func TestOtherResultsAreNone(t *testing.T) {
	v := virtual.New(windowSite(t, "kind = \"count\"\ncount = 3"))
	for _, of := range []string{"w", "w\x00mean", "w\x00n\x00mean", "other\x00mean\x00n", ""} {
		r := came(1, 1, 2)
		r[0].Of = of
		if got := v.Results(r, 5); len(got) != 0 {
			t.Errorf("of %q: %q", of, results(got))
		}
	}
	for _, values := range [][]float64{nil, {1}, {1, 2, 3}} {
		if got := v.Results(came(1, values...), 5); len(got) != 0 {
			t.Errorf("%v gives %q", values, results(got))
		}
	}
}
