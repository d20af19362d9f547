package plantsim

import (
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"time"

	"github.com/simonvetter/modbus"
)

// startServer starts the Modbus server behind the front door. The server does not tell which port it took, so a free one
// is looked for first; somebody else may take it in between, hence the attempts.
func (p *Plant) startServer() error {
	var err error
	for range 10 {
		var free net.Listener
		if free, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return fmt.Errorf("look for a free port: %w", err)
		}
		p.backend = free.Addr().String()
		if err = free.Close(); err != nil {
			return err
		}
		p.server, err = modbus.NewServer(&modbus.ServerConfiguration{
			URL: "tcp://" + p.backend, Timeout: time.Hour, MaxClients: 1000, Logger: log.New(io.Discard, "", 0),
		}, handler{p})
		if err != nil {
			return err
		}
		if err = p.server.Start(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("start the plant's Modbus server: %w", err)
}

// handler answers requests from the register maps.
type handler struct{ plant *Plant }

// readings are the input registers and discrete inputs of a unit at one moment.
type readings struct {
	input    []uint16
	discrete []bool
}

func (p *Plant) snapshot(u *unit) readings {
	last := int(u.open)
	for _, f := range u.input {
		last = max(last, int(f.address)+f.size())
	}
	r := readings{input: make([]uint16, last), discrete: make([]bool, len(u.discrete))}
	for _, f := range u.input {
		f.encode(p.physics, asIs, r.input[f.address:int(f.address)+f.size()])
	}
	for i, b := range u.discrete {
		r.discrete[i] = b.get(p.physics)
	}
	return r
}

// enter finds the unit and its fault.
func (p *Plant) enter(id uint8) (*unit, disturb, error) {
	u := p.units[id]
	if u == nil {
		return nil, asIs, modbus.ErrGWTargetFailedToRespond
	}
	switch f := p.fault(id); f.Kind {
	case NaN:
		return u, notANumber, nil
	case Range:
		return u, outOfRange, nil
	}
	return u, asIs, nil
}

// read collects registers; a range that no field covers wholly is an illegal address, except in an open unit.
func (p *Plant) read(fields []field, open uint16, d disturb, address, quantity uint16) ([]uint16, error) {
	from, to := int(address), int(address)+int(quantity)
	registers := make([]uint16, quantity)
	covered := 0
	var scratch [2]uint16
	for _, f := range fields {
		start, end := int(f.address), int(f.address)+f.size()
		if end <= from || start >= to {
			continue
		}
		whole := scratch[:]
		if f.size() > len(scratch) {
			whole = make([]uint16, f.size())
		}
		whole = whole[:f.size()]
		f.encode(p.physics, d, whole)
		for i, w := range whole {
			if at := start + i - from; at >= 0 && at < len(registers) {
				registers[at] = w
				covered++
			}
		}
	}
	if covered < int(quantity) && to > int(open) {
		return nil, modbus.ErrIllegalDataAddress
	}
	return registers, nil
}

// HandleInputRegisters answers function 4.
func (h handler) HandleInputRegisters(r *modbus.InputRegistersRequest) ([]uint16, error) {
	p := h.plant
	p.mu.Lock()
	defer p.mu.Unlock()
	u, d, err := p.enter(r.UnitId)
	if err != nil {
		return nil, err
	}
	if p.bulk.has(r.UnitId) {
		return p.bulk.read(r.UnitId, r.Addr, r.Quantity)
	}
	registers, err := p.read(u.input, u.open, d, r.Addr, r.Quantity)
	if frozen, ok := p.frozen[r.UnitId]; ok && err == nil {
		registers = append(registers[:0], frozen.input[r.Addr:r.Addr+r.Quantity]...)
	}
	return registers, err
}

// HandleHoldingRegisters answers functions 3, 6 and 16.
func (h handler) HandleHoldingRegisters(r *modbus.HoldingRegistersRequest) ([]uint16, error) {
	p := h.plant
	p.mu.Lock()
	defer p.mu.Unlock()
	u, d, err := p.enter(r.UnitId)
	if err != nil {
		return nil, err
	}
	if !r.IsWrite {
		return p.read(u.holding, 0, d, r.Addr, r.Quantity)
	}
	return nil, p.write(u, r)
}

// write sets the fields that are written whole; a write that touches anything else is refused as a whole.
func (p *Plant) write(u *unit, r *modbus.HoldingRegistersRequest) error {
	from, to := int(r.Addr), int(r.Addr)+len(r.Args)
	covered := 0
	for _, f := range u.holding {
		start, end := int(f.address), int(f.address)+f.size()
		if start >= from && end <= to && f.set != nil {
			if v := f.decode(r.Args[start-from : end-from]); math.IsInf(v, 0) || math.IsNaN(v) {
				return modbus.ErrIllegalDataValue
			}
			covered += f.size()
		}
	}
	if covered != len(r.Args) {
		return modbus.ErrIllegalDataAddress
	}
	for _, f := range u.holding {
		start, end := int(f.address), int(f.address)+f.size()
		if start >= from && end <= to {
			f.set(p.physics, f.decode(r.Args[start-from:end-from]))
		}
	}
	p.record(Write{Time: time.Now(), Unit: r.UnitId, Table: "holding", Address: r.Addr, Values: append([]uint16(nil), r.Args...)})
	return nil
}

// HandleCoils answers functions 1, 5 and 15.
func (h handler) HandleCoils(r *modbus.CoilsRequest) ([]bool, error) {
	p := h.plant
	p.mu.Lock()
	defer p.mu.Unlock()
	u, _, err := p.enter(r.UnitId)
	if err != nil {
		return nil, err
	}
	if int(r.Addr)+int(r.Quantity) > len(u.coils) {
		return nil, modbus.ErrIllegalDataAddress
	}
	coils := u.coils[r.Addr : r.Addr+r.Quantity]
	values := make([]bool, len(coils))
	if r.IsWrite {
		w := Write{Time: time.Now(), Unit: r.UnitId, Table: "coil", Address: r.Addr}
		for i, b := range coils {
			b.set(p.physics, r.Args[i])
			w.Values = append(w.Values, uint16(number(r.Args[i])))
		}
		p.record(w)
	}
	for i, b := range coils {
		values[i] = b.get(p.physics)
	}
	return values, nil
}

// HandleDiscreteInputs answers function 2.
func (h handler) HandleDiscreteInputs(r *modbus.DiscreteInputsRequest) ([]bool, error) {
	p := h.plant
	p.mu.Lock()
	defer p.mu.Unlock()
	u, _, err := p.enter(r.UnitId)
	if err != nil {
		return nil, err
	}
	if int(r.Addr)+int(r.Quantity) > len(u.discrete) {
		return nil, modbus.ErrIllegalDataAddress
	}
	if frozen, ok := p.frozen[r.UnitId]; ok {
		return append([]bool(nil), frozen.discrete[r.Addr:r.Addr+r.Quantity]...), nil
	}
	values := make([]bool, r.Quantity)
	for i := range values {
		values[i] = u.discrete[int(r.Addr)+i].get(p.physics)
	}
	return values, nil
}
