package frame

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func tableOf(numbers, texts int) Table {
	var t Table
	for i := range numbers {
		t.Numbers = append(t.Numbers, fmt.Sprint("n", i))
	}
	for i := range texts {
		t.Texts = append(t.Texts, fmt.Sprint("t", i))
	}
	return t
}

// given is what a point was given, as it should be read.
type given struct {
	value   float64
	text    string
	quality Quality
}

func (g given) same(o given) bool {
	return math.Float64bits(g.value) == math.Float64bits(o.value) && g.text == o.text && g.quality == o.quality
}

// What is packed is read again, with what changed since the frame before.
func TestPackedFramesAreReadAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	qualities := []Quality{Good, Good, Uncertain, Bad | NoAnswer, Bad | Stale, Uncertain | NotANumber}
	values := []float64{0, math.Copysign(0, -1), 1, -2.5, 1e308, math.NaN(), math.Inf(1), math.Inf(-1)}
	for range 300 {
		table := tableOf(r.IntN(20), r.IntN(4))
		b, err := NewBuilder(table)
		if err != nil {
			t.Fatal(err)
		}
		var before []given
		now := make([]given, len(table.Numbers)+len(table.Texts))
		for i := range now {
			now[i].quality = Bad | NeverRead
			if i < len(table.Numbers) {
				now[i].value = math.NaN()
			}
		}
		for n := range 5 {
			for i := range now {
				if r.IntN(2) == 0 {
					continue
				}
				q := qualities[r.IntN(len(qualities))]
				if i >= len(table.Numbers) {
					text := strings.Repeat("ä", r.IntN(4))
					if now[i] = (given{text: text}); q.IsBad() {
						now[i] = given{quality: q}
						b.SetTextBad(i-len(table.Numbers), q)
					} else {
						b.SetText(i-len(table.Numbers), text)
					}
					continue
				}
				v := values[r.IntN(len(values))]
				b.SetQuality(i, v, q)
				switch {
				case q.IsBad():
					v = math.NaN()
				case math.IsNaN(v) || math.IsInf(v, 0):
					v, q = math.NaN(), Bad|NotANumber
				}
				now[i] = given{value: v, quality: q}
			}
			at := time.UnixMilli(1_700_000_000_000 + int64(n)).UTC()
			packed := b.Pack([]byte("before"), at)
			if string(packed[:6]) != "before" {
				t.Fatal("Pack does not append")
			}
			check(t, table, packed[6:], at, now, before)
			before = slices.Clone(now)
		}
	}
}

func check(t *testing.T, table Table, packed []byte, at time.Time, now, before []given) {
	t.Helper()
	v, err := Parse(packed, &table)
	if err != nil {
		t.Fatal(err)
	}
	if !v.Time().Equal(at) || v.Len() != len(table.Numbers) || v.Texts() != len(table.Texts) {
		t.Fatalf("time %v, %d numbers, %d texts; expected %v, %d, %d", v.Time(), v.Len(), v.Texts(), at, len(table.Numbers), len(table.Texts))
	}
	known, any := true, false
	for i, want := range now {
		changed := before == nil || !want.same(before[i])
		any = any || changed
		got, said := given{}, false
		if i < v.Len() {
			got, said = given{value: v.Value(i), quality: v.Quality(i)}, v.Changed(i)
			known = known && !want.quality.IsBad()
		} else {
			k := i - v.Len()
			got, said = given{text: v.Text(k), quality: v.TextQuality(k)}, v.TextChanged(k)
		}
		if !got.same(want) || said != changed {
			t.Fatalf("point %d is %+v (changed %v), expected %+v (%v)", i, got, said, want, changed)
		}
	}
	if v.Known() != known || v.AnyChanged() != any {
		t.Fatalf("known %v, changed %v; expected %v, %v", v.Known(), v.AnyChanged(), known, any)
	}
}

func TestFramesOfAnotherTableAreRefused(t *testing.T) {
	table := tableOf(2, 1)
	b, err := NewBuilder(table)
	if err != nil {
		t.Fatal(err)
	}
	packed := b.Pack(nil, time.Now())
	for name, other := range map[string]Table{
		"one more": tableOf(3, 1), "no text": tableOf(2, 0), "another order": {Numbers: []string{"n1", "n0"}, Texts: table.Texts},
		"other names": {Numbers: []string{"n0", "x"}, Texts: table.Texts}, "a text for a number": {Numbers: []string{"n0"}, Texts: []string{"n1", "t0"}},
	} {
		if _, err := Parse(packed, &other); !errors.Is(err, ErrTable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	newer := slices.Clone(packed)
	newer[0]++
	if _, err := Parse(newer, &table); !errors.Is(err, ErrVersion) {
		t.Errorf("another version: %v", err)
	}
	for n := range packed {
		if _, err := Parse(packed[:n], &table); !errors.Is(err, ErrShort) && !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
	if _, err := Parse(append(slices.Clone(packed), 0), &table); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a byte too many: %v", err)
	}
	if _, err := NewBuilder(Table{Numbers: make([]string, MaxPoints+1)}); err == nil {
		t.Error("a table with too many points is taken")
	}
}

func TestTextsAreCut(t *testing.T) {
	b, err := NewBuilder(tableOf(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	b.SetText(0, strings.Repeat("x", MaxText+1))
	v, err := Parse(b.Pack(nil, time.Now()), nil)
	if err != nil || len(v.Text(0)) != MaxText {
		t.Errorf("a text of %d bytes, %v", len(v.Text(0)), err)
	}
}

// Any bytes are read or refused; what is read can be looked at.
func FuzzParse(f *testing.F) {
	for _, table := range []Table{tableOf(0, 0), tableOf(3, 0), tableOf(9, 2)} {
		b, err := NewBuilder(table)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b.Pack(nil, time.UnixMilli(1)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Parse(text, nil)
		if err != nil {
			return
		}
		for i := range v.Len() {
			_, _, _ = v.Value(i), v.Quality(i).String(), v.Changed(i)
		}
		for i := range v.Texts() {
			_, _, _ = v.Text(i), v.TextQuality(i).String(), v.TextChanged(i)
		}
		_ = v.Time()
	})
}
