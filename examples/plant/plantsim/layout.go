package plantsim

import (
	"encoding/binary"
	"math"
)

// kind is how a value sits in registers.
type kind int

const (
	u16 kind = iota
	i16
	u32
	i32
	f32
	text
)

// field is one value of a unit's registers, high word first unless swapped.
type field struct {
	address uint16
	kind    kind
	scale   float64 // value = raw × scale; 0 means 1
	swapped bool    // low word first
	words   int     // of a text
	get     func(*physics) float64
	str     string
	set     func(*physics, float64)
}

func (f field) size() int {
	switch f.kind {
	case u16, i16:
		return 1
	case text:
		return f.words
	default:
		return 2
	}
}

// disturb says what a fault makes of values.
type disturb int

const (
	asIs disturb = iota
	notANumber
	outOfRange
)

// encode puts the field's value into dst, which has its size.
func (f field) encode(p *physics, d disturb, dst []uint16) {
	if f.kind == text {
		for i := range dst {
			dst[i] = uint16(byteAt(f.str, 2*i))<<8 | uint16(byteAt(f.str, 2*i+1))
		}
		return
	}
	var bits uint32
	switch d {
	case notANumber:
		bits = [...]uint32{u16: 0xFFFF, i16: 0x8000, u32: math.MaxUint32, i32: 1 << 31, f32: 0x7FC00000}[f.kind]
	case outOfRange:
		bits = [...]uint32{u16: 0xFFFE, i16: 0x7FFF, u32: math.MaxUint32 - 1, i32: math.MaxInt32, f32: math.Float32bits(9.9e29)}[f.kind]
	default:
		bits = f.raw(f.get(p))
	}
	f.put(bits, dst)
}

func (f field) raw(v float64) uint32 {
	if f.kind == f32 {
		return math.Float32bits(float32(v))
	}
	if f.scale != 0 {
		v /= f.scale
	}
	v = math.Round(v)
	switch f.kind {
	case u16:
		return uint32(clamp(v, 0, math.MaxUint16))
	case i16:
		return uint32(uint16(int16(clamp(v, math.MinInt16, math.MaxInt16))))
	case u32:
		return uint32(clamp(v, 0, math.MaxUint32))
	default:
		return uint32(int32(clamp(v, math.MinInt32, math.MaxInt32)))
	}
}

func (f field) put(bits uint32, dst []uint16) {
	if len(dst) == 1 {
		dst[0] = uint16(bits)
		return
	}
	high, low := uint16(bits>>16), uint16(bits)
	if f.swapped {
		high, low = low, high
	}
	dst[0], dst[1] = high, low
}

// decode is the value of the field's registers.
func (f field) decode(src []uint16) float64 {
	bits := uint32(src[0])
	if len(src) == 2 {
		bits = uint32(src[0])<<16 | uint32(src[1])
		if f.swapped {
			bits = uint32(src[1])<<16 | uint32(src[0])
		}
	}
	v := 0.0
	switch f.kind {
	case i16:
		v = float64(int16(bits))
	case i32:
		v = float64(int32(bits))
	case f32:
		return float64(math.Float32frombits(bits))
	default:
		v = float64(bits)
	}
	if f.scale != 0 {
		v *= f.scale
	}
	return v
}

func byteAt(s string, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// Float32 is the value of two registers, high word first: what a set-point in Write.Values holds.
func Float32(registers []uint16) float64 {
	var b [4]byte
	binary.BigEndian.PutUint16(b[:], registers[0])
	binary.BigEndian.PutUint16(b[2:], registers[1])
	return float64(math.Float32frombits(binary.BigEndian.Uint32(b[:])))
}
