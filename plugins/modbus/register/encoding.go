package register

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Type is what a value is.
type Type uint8

// The types.
const (
	Bool Type = iota
	Uint16
	Int16
	Uint32
	Int32
	Uint64
	Int64
	Float32
	Float64
	String
)

var typeNames = [...]string{
	Bool: "bool", Uint16: "uint16", Int16: "int16", Uint32: "uint32", Int32: "int32",
	Uint64: "uint64", Int64: "int64", Float32: "float32", Float64: "float64", String: "string",
}

// TypeNames are the names of all types; the first is the default.
func TypeNames() []string {
	names := []string{typeNames[Uint16]}
	for t, n := range typeNames {
		if Type(t) != Uint16 {
			names = append(names, n)
		}
	}
	return names
}

// String is the type's name.
func (t Type) String() string { return typeNames[t] }

// ParseType finds a type by its name.
func ParseType(name string) (Type, error) {
	for t, n := range typeNames {
		if n == name {
			return Type(t), nil
		}
	}
	return 0, fmt.Errorf("there is no type %q; there are %s", name, strings.Join(TypeNames(), ", "))
}

// Words is how many registers a value of the type takes; 0 for a string, which says it itself.
func (t Type) Words() int {
	switch t {
	case Uint32, Int32, Float32:
		return 2
	case Uint64, Int64, Float64:
		return 4
	case String:
		return 0
	default:
		return 1
	}
}

// Order is how the bytes of a value lie on the wire, by the letters that vendors use: A is the highest byte.
type Order uint8

// The orders. Of two or four registers, ABCD has the highest first and CDAB the lowest; BADC and DCBA are the same with
// the bytes of each register swapped. A value of one register has its bytes swapped by the latter two.
const (
	ABCD Order = iota
	CDAB
	BADC
	DCBA
)

// OrderNames are the orders, the default first.
var OrderNames = []string{"ABCD", "CDAB", "BADC", "DCBA"}

// ParseOrder finds an order by its letters; empty is ABCD.
func ParseOrder(s string) (Order, error) {
	if s == "" {
		return ABCD, nil
	}
	for o, n := range OrderNames {
		if n == s {
			return Order(o), nil
		}
	}
	return 0, fmt.Errorf("there is no order %q; there are %s", s, strings.Join(OrderNames, ", "))
}

func (o Order) swapsBytes() bool { return o == BADC || o == DCBA }
func (o Order) lowFirst() bool   { return o == CDAB || o == DCBA }

// Encoding is how a value sits in its cells.
type Encoding struct {
	Type  Type
	Order Order
	// Bit of the register, for a bool; or NoBit.
	Bit int8
	// Words of a string.
	Words int
	// Invalid are the raw values, as unsigned numbers of the type's size, that mean that there is no value.
	Invalid []uint64
}

// Size is the number of registers that the value takes.
func (e Encoding) Size() int {
	if e.Type == String {
		return e.Words
	}
	return e.Type.Words()
}

// Raw is the value's bits as an unsigned number; b holds its registers as they came.
func (e Encoding) Raw(b []byte) uint64 {
	switch e.Type.Words() {
	case 1:
		v := binary.BigEndian.Uint16(b)
		if e.Order.swapsBytes() {
			v = v>>8 | v<<8
		}
		return uint64(v)
	case 2:
		return uint64(ordered32(binary.BigEndian.Uint32(b), e.Order))
	default:
		return ordered64(binary.BigEndian.Uint64(b), e.Order)
	}
}

// ordered32 brings four bytes into ABCD, and from there back.
func ordered32(v uint32, o Order) uint32 {
	if o.lowFirst() {
		v = v>>16 | v<<16
	}
	if o.swapsBytes() {
		v = v>>8&0x00FF00FF | v<<8&0xFF00FF00
	}
	return v
}

func ordered64(v uint64, o Order) uint64 {
	if o.lowFirst() {
		v = v>>32 | v<<32
		v = v>>16&0x0000FFFF0000FFFF | v<<16&0xFFFF0000FFFF0000
	}
	if o.swapsBytes() {
		v = v>>8&0x00FF00FF00FF00FF | v<<8&0xFF00FF00FF00FF00
	}
	return v
}

// Number is the value in its registers as they came; false when it says that there is none. It must not be called for a
// string.
func (e Encoding) Number(b []byte) (float64, bool) {
	raw := e.Raw(b)
	for _, invalid := range e.Invalid {
		if raw == invalid {
			return 0, false
		}
	}
	switch e.Type {
	case Bool:
		if e.Bit != NoBit {
			return float64(raw >> e.Bit & 1), true
		}
		if raw != 0 {
			return 1, true
		}
		return 0, true
	case Int16:
		return float64(int16(raw)), true
	case Int32:
		return float64(int32(raw)), true
	case Int64:
		return float64(int64(raw)), true
	case Float32:
		v := float64(math.Float32frombits(uint32(raw)))
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case Float64:
		v := math.Float64frombits(raw)
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	default:
		return float64(raw), true
	}
}

// Text is the string in its registers as they came, without what follows the first zero byte and without trailing blanks.
func (e Encoding) Text(b []byte) string {
	text := make([]byte, len(b))
	copy(text, b)
	if e.Order.swapsBytes() {
		for i := 0; i+1 < len(text); i += 2 {
			text[i], text[i+1] = text[i+1], text[i]
		}
	}
	s, _, _ := strings.Cut(string(text), "\x00")
	return strings.ToValidUTF8(strings.TrimRight(s, " "), "\uFFFD")
}

// ErrRange says that a number does not fit a type.
var ErrRange = errors.New("does not fit")

// Encode puts a raw number, rounded to the type, into dst, which has the value's size in bytes.
func (e Encoding) Encode(v float64, dst []byte) error {
	raw, err := e.rawOf(v)
	if err != nil {
		return err
	}
	switch e.Type.Words() {
	case 1:
		w := uint16(raw)
		if e.Order.swapsBytes() {
			w = w>>8 | w<<8
		}
		binary.BigEndian.PutUint16(dst, w)
	case 2:
		binary.BigEndian.PutUint32(dst, ordered32(uint32(raw), e.Order))
	default:
		binary.BigEndian.PutUint64(dst, ordered64(raw, e.Order))
	}
	return nil
}

func (e Encoding) rawOf(v float64) (uint64, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%v %w any register", v, ErrRange)
	}
	if e.Type == Float64 {
		return math.Float64bits(v), nil
	}
	if e.Type == Float32 {
		if math.Abs(v) > math.MaxFloat32 {
			return 0, fmt.Errorf("%g %w float32", v, ErrRange)
		}
		return uint64(math.Float32bits(float32(v))), nil
	}
	low, high := e.Type.bounds()
	v = math.Round(v)
	if v < low || v > high {
		return 0, fmt.Errorf("%.0f %w %s (%.0f to %.0f)", v, ErrRange, e.Type, low, high)
	}
	if v < 0 {
		return uint64(int64(v)), nil
	}
	return uint64(v), nil
}

// bounds are the smallest and largest number that an integer type takes. Those of 64 bits end where a float64 is exact.
func (t Type) bounds() (low, high float64) {
	const exact = 1 << 53
	switch t {
	case Bool:
		return 0, 1
	case Int16:
		return math.MinInt16, math.MaxInt16
	case Uint32:
		return 0, math.MaxUint32
	case Int32:
		return math.MinInt32, math.MaxInt32
	case Uint64:
		return 0, exact
	case Int64:
		return -exact, exact
	default:
		return 0, math.MaxUint16
	}
}

// ParseInvalid reads the raw values that mean "no value": decimal or hexadecimal, several separated by blanks. A negative
// number is taken as its two's complement in the type's size.
func ParseInvalid(s string, t Type) ([]uint64, error) {
	var values []uint64
	bits := 16 * t.Words()
	for _, f := range strings.Fields(s) {
		if t == String {
			return nil, errors.New("a string has no invalid values")
		}
		if u, err := strconv.ParseUint(f, 0, bits); err == nil {
			values = append(values, u)
			continue
		}
		i, err := strconv.ParseInt(f, 0, bits)
		if err != nil {
			return nil, fmt.Errorf("%q is no number of %d bits; write raw values, separated by blanks, as 0xFFFF or -32768", f, bits)
		}
		values = append(values, uint64(i)&(math.MaxUint64>>(64-bits)))
	}
	return values, nil
}
