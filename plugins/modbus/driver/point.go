package driver

import (
	"fmt"

	"github.com/voltage-edge/voltage/plugins/modbus/plan"
	"github.com/voltage-edge/voltage/plugins/modbus/register"
	"github.com/voltage-edge/voltage/sdk"
)

// point is one point with its place in the device.
type point struct {
	spec     *sdk.PointSpec
	address  register.Address
	encoding register.Encoding
}

// cells are what is read for the point.
func (p *point) cells() plan.Cells {
	return plan.Cells{Table: p.address.Table, Address: p.address.Number, Quantity: uint16(p.encoding.Size())}
}

// complaint is what is wrong with an attribute of a point.
type complaint struct {
	attribute, summary, detail string
}

type complaints []complaint

func (c *complaints) add(attribute, summary, format string, args ...any) {
	*c = append(*c, complaint{attribute, summary, fmt.Sprintf(format, args...)})
}

// newPoint reads a point's attributes; without complaints the point can be used.
func newPoint(spec *sdk.PointSpec, device sdk.Values) (point, complaints) {
	p := point{spec: spec, encoding: register.Encoding{Bit: register.NoBit}}
	var wrong complaints
	var err error
	if p.address, err = register.ParseAddress(spec.Address); err != nil {
		wrong.add("address", "Not an address", "%v.", err)
	}
	if p.encoding.Type, err = register.ParseType(spec.Type); err != nil {
		wrong.add("type", "Unknown type", "%v.", err)
	}
	order := spec.Config.String("order")
	if order == "" {
		order = device.String("order")
	}
	if p.encoding.Order, err = register.ParseOrder(order); err != nil {
		wrong.add("order", "Unknown byte order", "%v.", err)
	}
	if len(wrong) > 0 {
		return p, wrong
	}
	p.readBit(&wrong)
	p.readLength(&wrong)
	if p.encoding.Invalid, err = register.ParseInvalid(spec.Config.String("invalid"), p.encoding.Type); err != nil {
		wrong.add("invalid", "Not a list of raw values", "%v.", err)
	}
	p.checkPlace(&wrong)
	return p, wrong
}

func (p *point) readBit(wrong *complaints) {
	bit := p.address.Bit
	if p.spec.Config.Has("bit") {
		given := int8(p.spec.Config.Int("bit"))
		if bit != register.NoBit && bit != given {
			wrong.add("bit", "Two bits", "The address names bit %d and the attribute bit %d. Leave one of them out.", bit, given)
		}
		bit = given
	}
	switch {
	case bit == register.NoBit:
	case p.address.Table.Bits():
		wrong.add("bit", "A bit of a bit", "A %s is a single bit already. Leave the bit out.", p.address.Table)
	case p.encoding.Type != register.Bool:
		wrong.add("type", "A bit is a bool", "One bit of a register can only be a bool, not %s. Write type = \"bool\".", p.encoding.Type)
	}
	p.encoding.Bit = bit
}

func (p *point) readLength(wrong *complaints) {
	switch has := p.spec.Config.Has("length"); {
	case p.encoding.Type == register.String && !has:
		wrong.add("type", "A string without a length", "Say with length how many registers it takes.")
	case p.encoding.Type != register.String && has:
		wrong.add("length", "Only a string has a length", "%s always takes %d registers. Leave the length out.", p.encoding.Type, p.encoding.Type.Words())
	}
	p.encoding.Words = p.spec.Config.Int("length")
}

func (p *point) checkPlace(wrong *complaints) {
	table := p.address.Table
	if table.Bits() && p.encoding.Type != register.Bool {
		wrong.add("type", "Not a bool", "A %s is a bool, not %s. Write type = \"bool\".", table, p.encoding.Type)
	}
	if end := p.cells().End(); end > 65536 {
		wrong.add("address", "Beyond the last register", "%s needs %d registers, and %s is followed by %d.", p.encoding.Type, p.encoding.Size(), p.address, 65536-int(p.address.Number)-1)
	}
	if p.spec.Writable && !table.Writable() {
		wrong.add("address", "Can't be written", "A device takes no writes to its %s table. Leave the write block out, or look for the holding register or coil that sets the value.", table)
	}
	if p.spec.Writable && p.encoding.Type == register.String {
		wrong.add("type", "Can't be written", "A set-point is a number; a string can only be read.")
	}
}
