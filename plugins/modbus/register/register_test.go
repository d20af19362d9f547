package register

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseAddress(t *testing.T) {
	good := map[string]Address{
		"holding:200":    {Holding, 200, NoBit},
		"holding:0x9C40": {Holding, 40000, NoBit},
		"input:0":        {Input, 0, NoBit},
		"input:65535":    {Input, 65535, NoBit},
		"coil:5":         {Coil, 5, NoBit},
		"discrete:7":     {Discrete, 7, NoBit},
		"holding:200.3":  {Holding, 200, 3},
		"input:0x10.15":  {Input, 16, 15},
	}
	for s, want := range good {
		if got, err := ParseAddress(s); err != nil || got != want {
			t.Errorf("%s is %v, %v", s, got, err)
		}
	}
	bad := map[string]string{
		"":               "no colon",
		"200":            "no colon",
		"holdin:200":     "no table",
		"Holding:200":    "no table",
		"holding:":       "no register number",
		"holding:-1":     "no register number",
		"holding:65536":  "no register number",
		"holding:40201":  "",
		"holding:0x":     "no register number",
		"holding: 5":     "no register number",
		"holding:400001": "address 0 of its table",
		"holding:5.16":   "no bit",
		"holding:5.":     "no bit",
		"holding:5.-1":   "no bit",
		"coil:5.1":       "single bit",
	}
	for s, want := range bad {
		_, err := ParseAddress(s)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", s, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"holding:200", "input:0x34.3", "coil:5", "x:y.z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a {
			t.Errorf("%q is %v, which is written %s and read as %v, %v", s, a, a, again, err)
		}
	})
}

// TestOrders holds the letters against bytes: A is the highest.
func TestOrders(t *testing.T) {
	cases := []struct {
		kind  Type
		order Order
		wire  []byte
		want  float64
	}{
		{Uint32, ABCD, []byte{1, 2, 3, 4}, 0x01020304},
		{Uint32, CDAB, []byte{3, 4, 1, 2}, 0x01020304},
		{Uint32, BADC, []byte{2, 1, 4, 3}, 0x01020304},
		{Uint32, DCBA, []byte{4, 3, 2, 1}, 0x01020304},
		{Uint16, ABCD, []byte{1, 2}, 0x0102},
		{Uint16, CDAB, []byte{1, 2}, 0x0102},
		{Uint16, BADC, []byte{2, 1}, 0x0102},
		{Uint16, DCBA, []byte{2, 1}, 0x0102},
		{Uint64, ABCD, []byte{0, 0, 1, 2, 3, 4, 5, 6}, 0x010203040506},
		{Uint64, CDAB, []byte{5, 6, 3, 4, 1, 2, 0, 0}, 0x010203040506},
		{Uint64, BADC, []byte{0, 0, 2, 1, 4, 3, 6, 5}, 0x010203040506},
		{Uint64, DCBA, []byte{6, 5, 4, 3, 2, 1, 0, 0}, 0x010203040506},
		{Int32, CDAB, []byte{0xFF, 0xFE, 0xFF, 0xFF}, -2},
		{Int16, ABCD, []byte{0xFF, 0xFE}, -2},
		{Int64, DCBA, []byte{0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, -2},
		{Float32, ABCD, []byte{0x43, 0x66, 0x80, 0x00}, 230.5},
		{Float32, CDAB, []byte{0x80, 0x00, 0x43, 0x66}, 230.5},
		{Float64, CDAB, []byte{0, 0, 0, 0, 0xD0, 0, 0x40, 0x6C}, 230.5},
	}
	for _, c := range cases {
		e := Encoding{Type: c.kind, Order: c.order, Bit: NoBit}
		if got, ok := e.Number(c.wire); !ok || got != c.want {
			t.Errorf("%v %v % x is %v, %v, expected %v", c.kind, OrderNames[c.order], c.wire, got, ok, c.want)
		}
		back := make([]byte, len(c.wire))
		if err := e.Encode(c.want, back); err != nil || string(back) != string(c.wire) {
			t.Errorf("%v %v %v is written % x, %v, expected % x", c.kind, OrderNames[c.order], c.want, back, err, c.wire)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := Encoding{
			Type:  Type(rapid.IntRange(int(Uint16), int(Float64)).Draw(t, "type")),
			Order: Order(rapid.IntRange(0, 3).Draw(t, "order")), Bit: NoBit,
		}
		v := rapid.Float64Range(-math.MaxFloat32, math.MaxFloat32).Draw(t, "value")
		if e.Type < Float32 {
			low, high := e.Type.bounds()
			v = rapid.Float64Range(low, high).Draw(t, "integer")
		}
		b := make([]byte, 2*e.Size())
		if err := e.Encode(v, b); err != nil {
			t.Fatalf("encode %v: %v", v, err)
		}
		want := math.Round(v)
		switch e.Type {
		case Float32:
			want = float64(float32(v))
		case Float64:
			want = v
		}
		if got, ok := e.Number(b); !ok || got != want {
			t.Fatalf("%v as %v is read as %v, %v", v, e.Type, got, ok)
		}
	})
}

func TestNumbersThatDoNotFit(t *testing.T) {
	cases := map[Type][]float64{
		Uint16:  {-1, 65536, math.NaN(), math.Inf(1)},
		Int16:   {-32769, 32768},
		Uint32:  {-1, math.MaxUint32 + 1},
		Int32:   {math.MaxInt32 + 1},
		Uint64:  {-1, 1 << 60},
		Int64:   {-(1 << 60), 1 << 60},
		Float32: {1e39, math.NaN()},
		Float64: {math.NaN(), math.Inf(-1)},
		Bool:    {2, -1},
	}
	for kind, values := range cases {
		for _, v := range values {
			if err := (Encoding{Type: kind}).Encode(v, make([]byte, 8)); err == nil {
				t.Errorf("%v fits %v", v, kind)
			}
		}
	}
}

func TestNoValue(t *testing.T) {
	cases := []struct {
		kind    Type
		invalid string
		wire    []byte
		ok      bool
	}{
		{Uint16, "0xFFFF", []byte{0xFF, 0xFF}, false},
		{Uint16, "0xFFFF", []byte{0xFF, 0xFE}, true},
		{Int16, "-32768", []byte{0x80, 0}, false},
		{Int16, "0x8000 0x7FFF", []byte{0x7F, 0xFF}, false},
		{Int32, "0x80000000", []byte{0x80, 0, 0, 0}, false},
		{Uint64, "0xFFFFFFFFFFFFFFFF", []byte{255, 255, 255, 255, 255, 255, 255, 255}, false},
		{Float32, "", []byte{0x7F, 0xC0, 0, 0}, false},
		{Float32, "", []byte{0x7F, 0x80, 0, 0}, false},
		{Float64, "", []byte{0x7F, 0xF8, 0, 0, 0, 0, 0, 1}, false},
		{Float32, "", []byte{0, 0, 0, 0}, true},
	}
	for _, c := range cases {
		invalid, err := ParseInvalid(c.invalid, c.kind)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := (Encoding{Type: c.kind, Bit: NoBit, Invalid: invalid}).Number(c.wire); ok != c.ok {
			t.Errorf("%v % x with invalid %q is a value: %v", c.kind, c.wire, c.invalid, ok)
		}
	}
	for s, kind := range map[string]Type{"x": Uint16, "0x10000": Uint16, "1.5": Int32} {
		if _, err := ParseInvalid(s, kind); err == nil {
			t.Errorf("%q is a list of %v", s, kind)
		}
	}
}

func TestBits(t *testing.T) {
	word := []byte{0x80, 0x05} // bits 15, 2, 0
	for bit, want := range map[int8]float64{0: 1, 1: 0, 2: 1, 14: 0, 15: 1} {
		if got, _ := (Encoding{Type: Bool, Bit: bit}).Number(word); got != want {
			t.Errorf("bit %d is %v", bit, got)
		}
	}
	if got, _ := (Encoding{Type: Bool, Bit: NoBit}).Number(word); got != 1 {
		t.Errorf("the whole word is %v", got)
	}
}

func TestText(t *testing.T) {
	cases := map[string]string{"SDM630\x00\x00junk": "SDM630", "blank   ": "blank", "": "", "\x00\x00": "", "\xFFx": "\uFFFDx"}
	for wire, want := range cases {
		if got := (Encoding{Type: String}).Text([]byte(wire)); got != want {
			t.Errorf("%q is %q", wire, got)
		}
	}
	if got := (Encoding{Type: String, Order: DCBA}).Text([]byte("badc")); got != "abcd" {
		t.Errorf("swapped text is %q", got)
	}
}

func BenchmarkNumber(b *testing.B) {
	e := Encoding{Type: Float32, Order: CDAB, Bit: NoBit}
	var wire [4]byte
	binary.BigEndian.PutUint32(wire[:], math.Float32bits(230.5))
	for range b.N {
		e.Number(wire[:])
	}
}
