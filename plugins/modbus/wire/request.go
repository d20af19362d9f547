package wire

import (
	"context"
	"fmt"

	"github.com/grid-x/modbus"

	"github.com/voltage-edge/voltage/plugins/modbus/plan"
	"github.com/voltage-edge/voltage/plugins/modbus/register"
)

// Read reads cells of a unit: two bytes for a register as they came, or eight bits a byte with the first in the lowest
// bit. The bytes are valid until the next request.
func (l *Line) Read(ctx context.Context, unit byte, c plan.Cells) ([]byte, error) {
	l.framing.SetSlave(unit)
	switch c.Table {
	case register.Coil:
		return l.client.ReadCoils(ctx, c.Address, c.Quantity)
	case register.Discrete:
		return l.client.ReadDiscreteInputs(ctx, c.Address, c.Quantity)
	case register.Input:
		return l.client.ReadInputRegisters(ctx, c.Address, c.Quantity)
	default:
		return l.client.ReadHoldingRegisters(ctx, c.Address, c.Quantity)
	}
}

// WriteRegisters writes holding registers: a single one with function 6 unless multiple, several with function 16.
func (l *Line) WriteRegisters(ctx context.Context, unit byte, address uint16, data []byte, multiple bool) error {
	l.framing.SetSlave(unit)
	if len(data) == 2 && !multiple {
		_, err := l.client.WriteSingleRegister(ctx, address, uint16(data[0])<<8|uint16(data[1]))
		return err
	}
	_, err := l.client.WriteMultipleRegisters(ctx, address, uint16(len(data)/2), data)
	return err
}

// WriteCoil sets a coil with function 5, or 15 when multiple.
func (l *Line) WriteCoil(ctx context.Context, unit byte, address uint16, on, multiple bool) error {
	l.framing.SetSlave(unit)
	if multiple {
		bit := byte(0)
		if on {
			bit = 1
		}
		_, err := l.client.WriteMultipleCoils(ctx, address, 1, []byte{bit})
		return err
	}
	value := uint16(0)
	if on {
		value = 0xFF00
	}
	_, err := l.client.WriteSingleCoil(ctx, address, value)
	return err
}

// answerSize is the number of bytes of the answer's PDU when the device does as it was asked.
func answerSize(request []byte) int {
	switch request[0] {
	case modbus.FuncCodeReadCoils, modbus.FuncCodeReadDiscreteInputs:
		return 2 + (quantity(request)+7)/8
	case modbus.FuncCodeReadInputRegisters, modbus.FuncCodeReadHoldingRegisters:
		return 2 + 2*quantity(request)
	default:
		return 5
	}
}

func quantity(request []byte) int { return int(request[3])<<8 | int(request[4]) }

// exceptionBit marks the function code of an exception answer.
const exceptionBit = 0x80

// checkAnswer tells whether the PDU answer can be the answer to the PDU request.
func checkAnswer(request, answer []byte) error {
	function := request[0]
	if len(answer) == 2 && answer[0] == function|exceptionBit {
		return nil
	}
	if len(answer) == 0 || answer[0] != function {
		return fmt.Errorf("%w: function %d was asked for, % x came", ErrViolation, function, answer[:min(len(answer), 2)])
	}
	if want := answerSize(request); len(answer) != want {
		return fmt.Errorf("%w: it has %d bytes, %d were expected", ErrViolation, len(answer), want)
	}
	switch function {
	case modbus.FuncCodeReadCoils, modbus.FuncCodeReadDiscreteInputs, modbus.FuncCodeReadInputRegisters, modbus.FuncCodeReadHoldingRegisters:
		if int(answer[1]) != len(answer)-2 {
			return fmt.Errorf("%w: it says that it has %d bytes of values and has %d", ErrViolation, answer[1], len(answer)-2)
		}
	default:
		if string(answer[1:5]) != string(request[1:5]) {
			return fmt.Errorf("%w: % x was to be written, % x was confirmed", ErrViolation, request[1:5], answer[1:5])
		}
	}
	return nil
}
