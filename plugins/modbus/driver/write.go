package driver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/voltage-edge/voltage/plugins/modbus/register"
	"github.com/voltage-edge/voltage/plugins/modbus/wire"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/poll"
)

// maxValue is the size in bytes of the largest number.
const maxValue = 8

// write sets a point and reads it back when it can be read. A safe value is not read back: others may wait for theirs.
func (d *device) write(ctx context.Context, line *wire.Line, w poll.Writing, resp *sdk.WriteResponse) {
	p := d.outputs[w.Point.Name]
	written, err := d.set(ctx, line, p, w.Value)
	if code, refused := wire.Exception(err); refused {
		resp.Answer = exceptionText(code)
		err = errors.New(resp.Answer)
	}
	if err != nil {
		resp.Err = fmt.Errorf("write unit %d, %s: %w", d.unit, p.address, err)
		return
	}
	resp.Written, resp.Answer = written, "confirmed"
	if p.spec.Readable && !w.Safe {
		resp.ReadBack = d.readBack(ctx, line, p)
	}
}

// set writes the value and returns what it is after rounding to its type.
func (d *device) set(ctx context.Context, line *wire.Line, p *point, value float64) (float64, error) {
	var buffer [maxValue]byte
	b := buffer[:2*p.encoding.Size()]
	if err := p.encoding.Encode(p.spec.ToRaw(value), b); err != nil {
		return 0, err
	}
	switch {
	case p.bits():
		on := binary.BigEndian.Uint16(b) != 0
		return p.spec.ToUnit(number(on)), line.WriteCoil(ctx, d.unit, p.address.Number, on, d.multiple)
	case p.wholeWord():
		rounded, _ := p.encoding.Number(b)
		return p.spec.ToUnit(rounded), line.WriteRegisters(ctx, d.unit, p.address.Number, b, d.multiple)
	default:
		return d.setBit(ctx, line, p, math.Round(p.spec.ToRaw(value)) != 0)
	}
}

// setBit changes one bit of a register, and leaves the others as they are.
func (d *device) setBit(ctx context.Context, line *wire.Line, p *point, on bool) (float64, error) {
	before, err := line.Read(ctx, d.unit, p.cells())
	if err != nil {
		return 0, err
	}
	word := uint16(p.encoding.Raw(before))
	if mask := uint16(1) << p.encoding.Bit; on {
		word |= mask
	} else {
		word &^= mask
	}
	whole := p.encoding
	whole.Type, whole.Bit = register.Uint16, register.NoBit
	var b [2]byte
	if err := whole.Encode(float64(word), b[:]); err != nil {
		return 0, err
	}
	return p.spec.ToUnit(number(on)), line.WriteRegisters(ctx, d.unit, p.address.Number, b[:], d.multiple)
}

// readBack is what the point reads now; nil when it can't be read.
func (d *device) readBack(ctx context.Context, line *wire.Line, p *point) *float64 {
	b, err := line.Read(ctx, d.unit, p.cells())
	if err != nil {
		return nil
	}
	v, ok := float64(b[0]&1), true
	if !p.bits() {
		v, ok = p.encoding.Number(b)
	}
	if !ok {
		return nil
	}
	v = p.spec.ToUnit(v)
	return &v
}

func number(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
