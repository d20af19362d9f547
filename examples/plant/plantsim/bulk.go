package plantsim

import (
	"math"
	"time"

	"github.com/simonvetter/modbus"
)

// firstBulkUnit is the unit id of the first unit for measuring throughput.
const firstBulkUnit = 11

// Bulk is a set of units that have nothing but input registers with float32 values, high word first, from address 0.
type Bulk struct {
	Units, Points int
	// Changing is the share of the values that differ after Every, 0 to 1.
	Changing float64
	Every    time.Duration
}

type bulk struct {
	Bulk
	registers [][]uint16
	next      int
	rest      time.Duration
	round     float32
}

func newBulk(c Bulk, units map[uint8]*unit) *bulk {
	b := &bulk{Bulk: c}
	for i := range c.Units {
		units[uint8(firstBulkUnit+i)] = &unit{}
		registers := make([]uint16, 2*c.Points)
		for k := range c.Points {
			put32(registers, k, float32(i*1000+k))
		}
		b.registers = append(b.registers, registers)
	}
	return b
}

func put32(registers []uint16, point int, v float32) {
	bits := math.Float32bits(v)
	registers[2*point], registers[2*point+1] = uint16(bits>>16), uint16(bits)
}

func (b *bulk) has(unit uint8) bool {
	return int(unit) >= firstBulkUnit && int(unit) < firstBulkUnit+len(b.registers)
}

func (b *bulk) advance(d time.Duration) {
	if b.Units == 0 || b.Every <= 0 {
		return
	}
	for b.rest += d; b.rest >= b.Every; b.rest -= b.Every {
		b.round++
		count := int(b.Changing * float64(b.Points))
		for _, registers := range b.registers {
			for k := range count {
				put32(registers, (b.next+k)%b.Points, b.round+float32(k)/8)
			}
		}
		b.next = (b.next + count) % b.Points
	}
}

func (b *bulk) read(unit uint8, address, quantity uint16) ([]uint16, error) {
	registers := b.registers[unit-firstBulkUnit]
	if int(address)+int(quantity) > len(registers) {
		return nil, modbus.ErrIllegalDataAddress
	}
	return append([]uint16(nil), registers[address:address+quantity]...), nil
}
