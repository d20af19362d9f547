package frame

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Builder packs the frames of one device. It keeps the values of the frame before, to tell what changed. It is not
// safe for concurrent use.
type Builder struct {
	table   Table
	id      uint32
	values  []float64
	quality []Quality
	texts   []string
	tq      []Quality

	lastValues  []float64
	lastQuality []Quality
	lastTexts   []string
	lastTQ      []Quality
	packed      bool
}

// NewBuilder returns a builder for the point table. Every point starts as bad, never read.
func NewBuilder(table Table) (*Builder, error) {
	if len(table.Numbers) > MaxPoints || len(table.Texts) > MaxPoints {
		return nil, fmt.Errorf("a device may have %d numeric and %d text points, this one has %d and %d", MaxPoints, MaxPoints, len(table.Numbers), len(table.Texts))
	}
	b := &Builder{
		table: table, id: table.TableID(),
		values: make([]float64, len(table.Numbers)), quality: make([]Quality, len(table.Numbers)),
		texts: make([]string, len(table.Texts)), tq: make([]Quality, len(table.Texts)),
		lastValues: make([]float64, len(table.Numbers)), lastQuality: make([]Quality, len(table.Numbers)),
		lastTexts: make([]string, len(table.Texts)), lastTQ: make([]Quality, len(table.Texts)),
	}
	b.SetAll(Bad | NeverRead)
	return b, nil
}

// SetAll gives every point, numbers and texts, a bad quality: nothing of the device is known.
func (b *Builder) SetAll(q Quality) {
	for i := range b.values {
		b.SetBad(i, q)
	}
	for i := range b.texts {
		b.SetTextBad(i, q)
	}
}

// Set gives numeric point i a value of good quality. A NaN or an infinity is no value: it becomes bad, not available.
func (b *Builder) Set(i int, v float64) { b.SetQuality(i, v, Good) }

// SetQuality gives numeric point i a value and a quality.
func (b *Builder) SetQuality(i int, v float64, q Quality) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		if !q.IsBad() {
			q = Bad | NotANumber
		}
		v = math.NaN()
	}
	if q.IsBad() {
		v = math.NaN()
	}
	b.values[i], b.quality[i] = v, q
}

// SetBad makes numeric point i unknown.
func (b *Builder) SetBad(i int, q Quality) { b.SetQuality(i, math.NaN(), q|Bad) }

// SetText gives text point i a value of good quality, cut at MaxText bytes.
func (b *Builder) SetText(i int, s string) {
	if len(s) > MaxText {
		s = s[:MaxText]
	}
	b.texts[i], b.tq[i] = s, Good
}

// SetTextBad makes text point i unknown.
func (b *Builder) SetTextBad(i int, q Quality) { b.texts[i], b.tq[i] = "", q|Bad }

// Value is what numeric point i holds now.
func (b *Builder) Value(i int) (float64, Quality) { return b.values[i], b.quality[i] }

// Pack appends the frame to dst and returns it. The next frame's changed mask is relative to this one; the first
// frame has everything changed.
func (b *Builder) Pack(dst []byte, at time.Time) []byte {
	n := len(b.values)
	start := len(dst)
	size := headerSize + 9*n + (n+7)/8
	dst = append(dst, make([]byte, size)...)
	f := dst[start:]
	f[0] = Version
	binary.LittleEndian.PutUint16(f[2:], uint16(n))
	binary.LittleEndian.PutUint32(f[4:], b.id)
	binary.LittleEndian.PutUint64(f[8:], math.Float64bits(float64(at.UnixMilli())))
	flags := byte(flagKnown)
	quality, mask := f[headerSize+8*n:], f[headerSize+9*n:]
	for i, v := range b.values {
		bits := math.Float64bits(v)
		q := b.quality[i]
		binary.LittleEndian.PutUint64(f[headerSize+8*i:], bits)
		quality[i] = byte(q)
		if q.IsBad() {
			flags &^= flagKnown
		}
		if !b.packed || q != b.lastQuality[i] || bits != math.Float64bits(b.lastValues[i]) {
			mask[i/8] |= 1 << (i % 8)
			flags |= flagChanged
		}
	}
	copy(b.lastValues, b.values)
	copy(b.lastQuality, b.quality)
	if len(b.texts) > 0 {
		dst, flags = b.packTexts(dst, flags)
	}
	b.packed = true
	dst[start+1] = flags
	return dst
}

func (b *Builder) packTexts(dst []byte, flags byte) ([]byte, byte) {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(b.texts)))
	for i, s := range b.texts {
		changed := byte(0)
		if !b.packed || s != b.lastTexts[i] || b.tq[i] != b.lastTQ[i] {
			changed = 1
			flags |= flagChanged
		}
		dst = append(dst, byte(b.tq[i]), changed)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(len(s)))
		dst = append(dst, s...)
	}
	copy(b.lastTexts, b.texts)
	copy(b.lastTQ, b.tq)
	return dst, flags | flagTexts
}
