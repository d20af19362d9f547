// Package frame is the packed form of one reading of one device: the unit that plugins send, the journal keeps and the
// Lua libraries unpack.
//
// # Layout, version 1
//
// All numbers are little-endian. N is the count of numeric points of the device's point table, in table order; text points
// are counted apart. Points that can't be read are not in the table.
//
//	offset        size        what
//	0             1           version, 1
//	1             1           flags: bit 0 every numeric value is known (no quality is bad), bit 1 something changed,
//	                          bit 2 texts follow
//	2             2           N
//	4             4           table id: CRC-32C of the point table (see TableID); a frame is refused under another table
//	8             8           source time, float64, milliseconds since the Unix epoch
//	16            8×N         values, float64; NaN where the quality is bad
//	16+8N         N           quality bytes (see Quality)
//	16+9N         ceil(N/8)   changed mask, bit i of byte i/8 is point i: its value or quality differs from the frame before
//	…             2           count of text points (only with flag bit 2), then for each, in table order:
//	                          quality byte, changed byte (0 or 1), uint16 length, bytes (UTF-8)
//
// Integers of more than 53 bits lose their low bits: a value is a float64 everywhere.
package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"
)

// Version is the layout version that this package writes.
const Version = 1

// MaxPoints is the largest number of numeric points, and of text points, in one frame.
const MaxPoints = 65535

// MaxText is the largest length of one text value in bytes.
const MaxText = 65535

const (
	headerSize = 16

	flagKnown   = 1 << 0
	flagChanged = 1 << 1
	flagTexts   = 1 << 2
)

// Table is the point table that a frame is packed for: names of the numeric points and of the text points, each in
// the order of their slots.
type Table struct {
	Numbers []string
	Texts   []string
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// TableID identifies a point table. Both sides compute it from the names, so that a frame packed for one table can't
// be read under another.
func (t Table) TableID() uint32 {
	h := crc32.New(castagnoli)
	for _, n := range t.Numbers {
		h.Write([]byte(n))
		h.Write([]byte{0})
	}
	h.Write([]byte{1})
	for _, n := range t.Texts {
		h.Write([]byte(n))
		h.Write([]byte{0})
	}
	return h.Sum32()
}

// Errors of Parse. Each is wrapped with what was found.
var (
	ErrShort   = errors.New("frame is shorter than its header says")
	ErrVersion = errors.New("frame has a layout version that this program does not know")
	ErrTable   = errors.New("frame was packed for another point table")
	ErrCorrupt = errors.New("frame is corrupt")
)

// View reads a packed frame in place. Parse makes it; of the zero View only Bytes, Len and Texts may be asked.
type View struct {
	b     []byte
	n     int
	texts []textSpan
}

type textSpan struct {
	quality Quality
	changed bool
	from    int
	to      int
}

// Parse checks b and returns a view on it; b must not be changed while the view is used. With a table, the frame's
// table id and counts must be the table's.
func Parse(b []byte, table *Table) (View, error) {
	if len(b) < headerSize {
		return View{}, fmt.Errorf("%w: %d bytes", ErrShort, len(b))
	}
	if b[0] != Version {
		return View{}, fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	v := View{b: b, n: int(binary.LittleEndian.Uint16(b[2:]))}
	if table != nil {
		if id := table.TableID(); v.TableID() != id || v.n != len(table.Numbers) {
			return View{}, fmt.Errorf("%w: it has id %08x and %d points, expected %08x and %d", ErrTable, v.TableID(), v.n, id, len(table.Numbers))
		}
	}
	end := headerSize + 9*v.n + (v.n+7)/8
	if len(b) < end {
		return View{}, fmt.Errorf("%w: %d bytes, %d points need %d", ErrShort, len(b), v.n, end)
	}
	if b[1]&flagTexts == 0 {
		if len(b) != end {
			return View{}, fmt.Errorf("%w: %d bytes after the end", ErrCorrupt, len(b)-end)
		}
		if table != nil && len(table.Texts) > 0 {
			return View{}, fmt.Errorf("%w: no texts, expected %d", ErrTable, len(table.Texts))
		}
		return v, nil
	}
	return v, v.parseTexts(end, table)
}

func (v *View) parseTexts(at int, table *Table) error {
	b := v.b
	if len(b) < at+2 {
		return fmt.Errorf("%w: no count of texts", ErrShort)
	}
	count := int(binary.LittleEndian.Uint16(b[at:]))
	if table != nil && count != len(table.Texts) {
		return fmt.Errorf("%w: %d texts, expected %d", ErrTable, count, len(table.Texts))
	}
	at += 2
	v.texts = make([]textSpan, count)
	for i := range v.texts {
		if len(b) < at+4 {
			return fmt.Errorf("%w: text %d of %d", ErrShort, i, count)
		}
		size := int(binary.LittleEndian.Uint16(b[at+2:]))
		from := at + 4
		if len(b) < from+size {
			return fmt.Errorf("%w: text %d of %d", ErrShort, i, count)
		}
		v.texts[i] = textSpan{quality: Quality(b[at]), changed: b[at+1] != 0, from: from, to: from + size}
		at = from + size
	}
	if at != len(b) {
		return fmt.Errorf("%w: %d bytes after the end", ErrCorrupt, len(b)-at)
	}
	return nil
}

// Bytes returns the packed frame.
func (v View) Bytes() []byte { return v.b }

// Len is the number of numeric points.
func (v View) Len() int { return v.n }

// Texts is the number of text points.
func (v View) Texts() int { return len(v.texts) }

// TableID is the id of the point table that the frame was packed for.
func (v View) TableID() uint32 { return binary.LittleEndian.Uint32(v.b[4:]) }

// Millis is the source time in milliseconds since the Unix epoch.
func (v View) Millis() float64 { return math.Float64frombits(binary.LittleEndian.Uint64(v.b[8:])) }

// Time is the source time.
func (v View) Time() time.Time { return time.UnixMilli(int64(v.Millis())).UTC() }

// Known tells whether every numeric value is known: none is of bad quality.
func (v View) Known() bool { return v.b[1]&flagKnown != 0 }

// AnyChanged tells whether any value or quality differs from the frame before.
func (v View) AnyChanged() bool { return v.b[1]&flagChanged != 0 }

// Value is numeric value i; NaN when its quality is bad.
func (v View) Value(i int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(v.b[headerSize+8*i:]))
}

// Quality is the quality of numeric value i.
func (v View) Quality(i int) Quality { return Quality(v.b[headerSize+8*v.n+i]) }

// Changed tells whether numeric point i differs from the frame before.
func (v View) Changed(i int) bool {
	return v.b[headerSize+9*v.n+i/8]&(1<<(i%8)) != 0
}

// Text is text value i, empty when its quality is bad.
func (v View) Text(i int) string { return string(v.b[v.texts[i].from:v.texts[i].to]) }

// TextQuality is the quality of text value i.
func (v View) TextQuality(i int) Quality { return v.texts[i].quality }

// TextChanged tells whether text point i differs from the frame before.
func (v View) TextChanged(i int) bool { return v.texts[i].changed }
