// Package driver is the Modbus driver: what stands in site.hcl for it, how a device is read, and how it is written.
package driver

import (
	"context"
	"time"

	"github.com/voltage-edge/voltage/plugins/modbus/plan"
	"github.com/voltage-edge/voltage/plugins/modbus/register"
	"github.com/voltage-edge/voltage/plugins/modbus/wire"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/schema"
)

func bound(v float64) *float64 { return &v }

// longest bounds what is waited for in one request.
var longest = bound(float64(5 * time.Minute))

var channelBlock = schema.Block{
	Doc: "One TCP connection or one serial line. Its devices are asked one after the other, never two at once.",
	Attributes: []schema.Attribute{
		{Name: "transport", Type: schema.String, Default: string(wire.TCP), OneOf: []string{string(wire.TCP), string(wire.RTU), string(wire.RTUOverTCP)},
			Doc: "`tcp` is Modbus TCP, `rtu` a serial line, `rtu-over-tcp` a serial line behind a server that passes its bytes on."},
		{Name: "address", Type: schema.String, Doc: "`host:port` of a TCP transport; port 502 when there is none."},
		{Name: "device", Type: schema.String, Doc: "Serial port of `rtu`, best by a name that stays: `/dev/serial/by-id/…`."},
		{Name: "baud", Type: schema.Int, Default: 19200.0, Min: bound(50), Doc: "Speed of the serial line."},
		{Name: "data_bits", Type: schema.Int, Default: 8.0, Min: bound(7), Max: bound(8), Doc: "Data bits of the serial line."},
		{Name: "parity", Type: schema.String, Default: "even", OneOf: []string{"none", "even", "odd"}, Doc: "Parity of the serial line."},
		{Name: "stop_bits", Type: schema.Int, Default: 1.0, Min: bound(1), Max: bound(2), Doc: "Stop bits of the serial line."},
		{Name: "echo", Type: schema.Bool, Default: false, Doc: "The serial adapter gives back what is sent."},
		{Name: "timeout", Type: schema.Duration, Default: "1s", Min: bound(float64(time.Millisecond)), Max: longest, Doc: "Longest time from a request to the end of its answer."},
		{Name: "connect_timeout", Type: schema.Duration, Default: "3s", Min: bound(float64(time.Millisecond)), Max: longest, Doc: "Longest time that connecting may take."},
		{Name: "connect_delay", Type: schema.Duration, Default: "0s", Min: bound(0), Max: longest, Doc: "Time that the device needs between connecting and the first request."},
		{Name: "pause", Type: schema.Duration, Default: "0s", Min: bound(0), Max: longest, Doc: "Shortest time from an answer to the next request."},
		{Name: "keep_connection", Type: schema.Bool, Default: true, Doc: "Keep the connection between two polls; without it the device is free for others."},
		{Name: "keep_alive", Type: schema.Duration, Default: "15s", Min: bound(0), Doc: "After how long a silent TCP connection is probed; 0 never."},
		{Name: "max_gap", Type: schema.Int, Default: 10.0, Min: bound(0), Max: bound(plan.MaxRegisters), Unit: "registers", Doc: "Registers that nobody wants and that are read to save a request. A device that refuses them is asked without."},
		{Name: "max_registers", Type: schema.Int, Default: float64(plan.MaxRegisters), Min: bound(1), Max: bound(plan.MaxRegisters), Unit: "registers", Doc: "Largest number of registers in one request."},
		{Name: "max_bits", Type: schema.Int, Default: float64(plan.MaxBits), Min: bound(1), Max: bound(plan.MaxBits), Doc: "Largest number of coils or discrete inputs in one request."},
		{Name: "max_backoff", Type: schema.Duration, Default: "30s", Min: bound(float64(time.Second)), Doc: "Longest pause before a device or a connection that failed is tried again."},
	},
}

var deviceBlock = schema.Block{
	Doc: "One unit of the channel.",
	Attributes: []schema.Attribute{
		{Name: "unit", Type: schema.Int, Required: true, Min: bound(0), Max: bound(255), Doc: "Unit id; on a serial line 1 to 247."},
		{Name: "order", Type: schema.String, Default: "ABCD", OneOf: register.OrderNames, Doc: "Byte order of its values, A being the highest byte; a point may have another one."},
		{Name: "max_gap", Type: schema.Int, Min: bound(0), Max: bound(plan.MaxRegisters), Unit: "registers", Doc: "As in the channel, for this device."},
		{Name: "max_registers", Type: schema.Int, Min: bound(1), Max: bound(plan.MaxRegisters), Unit: "registers", Doc: "As in the channel, for this device."},
		{Name: "max_bits", Type: schema.Int, Min: bound(1), Max: bound(plan.MaxBits), Doc: "As in the channel, for this device."},
		{Name: "write_multiple", Type: schema.Bool, Default: false, Doc: "Write single registers and coils with functions 16 and 15 too, for devices that know no others."},
	},
}

var pointBlock = schema.Block{
	Attributes: []schema.Attribute{
		{Name: "order", Type: schema.String, OneOf: register.OrderNames, Doc: "Byte order; the device's when left out."},
		{Name: "bit", Type: schema.Int, Min: bound(0), Max: bound(15), Doc: "Bit of the register, 0 being the lowest, for a bool."},
		{Name: "length", Type: schema.Int, Min: bound(1), Max: bound(plan.MaxRegisters), Unit: "registers", Doc: "Registers that a string takes."},
		{Name: "invalid", Type: schema.String, Doc: "Raw values that mean that there is no value, separated by blanks: `0xFFFF` or `-32768`."},
	},
}

// Driver is the driver.
type Driver struct{}

// Schema describes the driver's blocks.
func (Driver) Schema(_ context.Context, _ sdk.SchemaRequest, resp *sdk.SchemaResponse) {
	resp.Channel, resp.Device, resp.Point = channelBlock, deviceBlock, pointBlock
	resp.PointTypes = register.TypeNames()
	resp.Address = register.AddressSyntax
}
