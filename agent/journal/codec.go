package journal

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/voltage-edge/voltage/sdk/frame"
)

// A frame is written as what differs from a base: the device's journalled frame before it, or, in a complete frame, nothing
// but zeros. See package frame for the layout that is taken apart here.
//
//	1                 flags: see below
//	1                 the frame's own flags
//	varint or 8       source time minus receive clock in ms, or, with flagRawTime, the float64
//	uvarint           how many numeric points differ in value or quality
//	n or ceil(N/8)    which: the distance of each from the one before, or, with flagBitmap, a bit for each point
//	…                 for each of them: a control byte (bit 7: a quality byte follows; bits 4 to 6: how many zero bytes
//	                  the difference ends with; bits 0 to 3: how many bytes of it follow), the quality, the bytes of value XOR base
//	ceil(N/8)         only with flagMask: the frame's changed mask, where it is not the set of points that differ
//	…                 only with flagTexts: the texts' part of the frame; without it they are as in the base
const (
	flagMask    = 1 << 0
	flagBitmap  = 1 << 1
	flagTexts   = 1 << 2
	flagRawTime = 1 << 3

	frameHeader = 16
)

// shape is what the point table says about the size of a frame.
type shape struct {
	id     uint32
	points int
	texts  int
}

func (s shape) quality() int { return frameHeader + 8*s.points }
func (s shape) mask() int    { return frameHeader + 9*s.points }
func (s shape) fixed() int   { return s.mask() + (s.points+7)/8 }

// blank is a frame of zeros: the base of a complete frame.
func (s shape) blank(b []byte) []byte {
	if cap(b) < s.fixed() {
		b = make([]byte, s.fixed())
	}
	b = b[:s.fixed()]
	clear(b)
	b[0] = frame.Version
	binary.LittleEndian.PutUint16(b[2:], uint16(s.points))
	binary.LittleEndian.PutUint32(b[4:], s.id)
	return b
}

// encoder holds the space that encoding needs.
type encoder struct {
	differs []int
	mask    []byte
}

// frame appends f as a difference from base. Both are frames of the shape.
func (e *encoder) frame(dst []byte, s shape, millis int64, f, base []byte) []byte {
	e.compare(s, f, base)
	flags, at := byte(0), len(dst)
	dst = append(dst, 0, f[1])
	dst, flags = appendTime(dst, flags, binary.LittleEndian.Uint64(f[8:]), millis)
	dst, flags = e.appendSet(dst, flags, s.points)
	for _, i := range e.differs {
		dst = appendValue(dst, f, base, i, s.quality())
	}
	if mask := f[s.mask():s.fixed()]; string(mask) != string(e.mask) {
		flags |= flagMask
		dst = append(dst, mask...)
	}
	if texts := f[s.fixed():]; string(texts) != string(base[s.fixed():]) {
		flags |= flagTexts
		dst = append(dst, texts...)
	}
	dst[at] = flags
	return dst
}

// compare finds the points that differ, as a list and as a mask.
func (e *encoder) compare(s shape, f, base []byte) {
	e.differs = e.differs[:0]
	if size := (s.points + 7) / 8; cap(e.mask) < size {
		e.mask = make([]byte, size)
	} else {
		e.mask = e.mask[:size]
		clear(e.mask)
	}
	values, old := f[frameHeader:s.quality()], base[frameHeader:s.quality()]
	qf, qb := f[s.quality():s.mask()], base[s.quality():s.mask()]
	same := string(qf) == string(qb)
	for i := 0; len(values) >= 8 && len(old) >= 8; i++ {
		if binary.LittleEndian.Uint64(values) != binary.LittleEndian.Uint64(old) || !same && qf[i] != qb[i] {
			e.differs = append(e.differs, i)
			e.mask[i/8] |= 1 << (i % 8)
		}
		values, old = values[8:], old[8:]
	}
}

func appendTime(dst []byte, flags byte, source uint64, millis int64) ([]byte, byte) {
	if ms := int64(math.Float64frombits(source)); math.Float64bits(float64(ms)) == source {
		return binary.AppendVarint(dst, ms-millis), flags
	}
	return binary.LittleEndian.AppendUint64(dst, source), flags | flagRawTime
}

func (e *encoder) appendSet(dst []byte, flags byte, points int) ([]byte, byte) {
	dst = appendUint(dst, uint64(len(e.differs)))
	if len(e.differs) > len(e.mask) {
		return append(dst, e.mask...), flags | flagBitmap
	}
	last := -1
	for _, i := range e.differs {
		dst = appendUint(dst, uint64(i-last-1))
		last = i
	}
	return dst, flags
}

func appendValue(dst, f, base []byte, i, quality int) []byte {
	at := frameHeader + 8*i
	x := binary.LittleEndian.Uint64(f[at:]) ^ binary.LittleEndian.Uint64(base[at:])
	control := byte(0)
	if x != 0 {
		zeros := bits.TrailingZeros64(x) / 8
		x >>= 8 * zeros
		control = byte(zeros<<4 | (bits.Len64(x)+7)/8)
	}
	q := f[quality+i]
	if q != base[quality+i] {
		dst = append(dst, control|0x80, q)
	} else {
		dst = append(dst, control)
	}
	for n := control & 15; n > 0; n-- {
		dst = append(dst, byte(x))
		x >>= 8
	}
	return dst
}

// sourceTime reads the source time in ms of an encoded frame, NaN when it is malformed.
func sourceTime(s *scanner, millis int64) (frameFlags, flags byte, source uint64) {
	flags, frameFlags = s.byte(), s.byte()
	if flags&flagRawTime == 0 {
		return frameFlags, flags, math.Float64bits(float64(s.int() + millis))
	}
	b := s.bytes(8)
	if s.failed {
		return 0, 0, 0
	}
	return frameFlags, flags, binary.LittleEndian.Uint64(b)
}

// decodeFrame turns state, which holds the base, into the frame that s encodes.
func decodeFrame(s *scanner, sh shape, millis int64, state []byte) ([]byte, error) {
	frameFlags, flags, source := sourceTime(s, millis)
	if s.failed || len(state) < sh.fixed() {
		return nil, errRecord
	}
	state[1] = frameFlags
	binary.LittleEndian.PutUint64(state[8:], source)
	mask := state[sh.mask():sh.fixed()]
	clear(mask)
	if err := readSet(s, flags, sh.points, mask); err != nil {
		return nil, err
	}
	for i := range mask {
		for m := mask[i]; m != 0; m &= m - 1 {
			readValue(s, state, 8*i+bits.TrailingZeros8(m), sh.quality())
		}
	}
	if flags&flagMask != 0 {
		copy(mask, s.bytes(len(mask)))
	}
	if flags&flagTexts != 0 {
		state = append(state[:sh.fixed()], s.rest()...)
	}
	return state, s.end()
}

// readSet fills mask with the points that differ.
func readSet(s *scanner, flags byte, points int, mask []byte) error {
	n := s.uint()
	if flags&flagBitmap != 0 {
		copy(mask, s.bytes(len(mask)))
		if last := points % 8; s.failed || last != 0 && mask[len(mask)-1]>>last != 0 {
			return errRecord
		}
		return nil
	}
	if n > uint64(points) {
		return errRecord
	}
	next := 0
	for range n {
		gap := s.uint()
		if s.failed || gap >= uint64(points-next) {
			return errRecord
		}
		i := next + int(gap)
		mask[i/8] |= 1 << (i % 8)
		next = i + 1
	}
	return nil
}

func readValue(s *scanner, state []byte, i, quality int) {
	control := s.byte()
	if control&0x80 != 0 {
		state[quality+i] = s.byte()
	}
	x := uint64(0)
	for j, b := range s.bytes(int(control & 15)) {
		x |= uint64(b) << (8 * j)
	}
	x <<= 8 * (control >> 4 & 7)
	at := frameHeader + 8*i
	binary.LittleEndian.PutUint64(state[at:], binary.LittleEndian.Uint64(state[at:])^x)
}
