package intake

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/voltage-edge/voltage/sdk/frame"
)

var nan = math.NaN()

// markAll says in a packed frame that everything changed. The layout is that of package frame.
func markAll(b []byte, numbers, texts int) {
	const header, changed = 16, 1 << 1
	b[1] |= changed
	mask := b[header+9*numbers : header+9*numbers+(numbers+7)/8]
	for i := range numbers {
		mask[i/8] |= 1 << (i % 8)
	}
	at := header + 9*numbers + (numbers+7)/8 + 2
	for range texts {
		b[at+1] = 1
		at += 4 + int(binary.LittleEndian.Uint16(b[at+2:]))
	}
}

// refuseInvalid makes the values unknown that can't be, and tells whether there were any.
func (d *device) refuseInvalid(v frame.View, b []byte) bool {
	found := false
	for _, i := range d.limited {
		if v.Quality(i).IsBad() || d.numbers[i].Valid.Has(v.Value(i)) {
			continue
		}
		found = true
		refuse(b, v.Len(), i)
	}
	return found
}

// refuse makes number i of n in a packed frame unknown. The layout is that of package frame.
func refuse(b []byte, n, i int) {
	const header, known = 16, 1 << 0
	b[1] &^= known
	binary.LittleEndian.PutUint64(b[header+8*i:], math.Float64bits(nan))
	b[header+8*n+i] = byte(frame.Bad | frame.OutOfRange)
}

// unknown packs a frame in which nothing is known, for the reason of the quality.
func unknown(t frame.Table, q frame.Quality, at time.Time) ([]byte, error) {
	b, err := frame.NewBuilder(t)
	if err != nil {
		return nil, err
	}
	b.SetAll(q)
	return b.Pack(nil, at), nil
}

// open checks a packed frame of a device. frame.Parse would compute the table's id anew each time.
func (d *device) open(packed []byte) (frame.View, error) {
	v, err := frame.Parse(packed, nil)
	if err != nil {
		return v, err
	}
	if v.TableID() != d.id || v.Len() != len(d.table.Numbers) || v.Texts() != len(d.table.Texts) {
		return v, fmt.Errorf("%w: it has id %08x, %d numbers and %d texts, expected %08x, %d and %d",
			frame.ErrTable, v.TableID(), v.Len(), v.Texts(), d.id, len(d.table.Numbers), len(d.table.Texts))
	}
	if ms := v.Millis(); math.IsNaN(ms) || math.IsInf(ms, 0) {
		return v, fmt.Errorf("%w: its time is %v", frame.ErrCorrupt, ms)
	}
	return v, nil
}
