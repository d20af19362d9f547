// Package register knows where a value sits in a device's registers and how it is encoded there.
package register

import (
	"fmt"
	"strconv"
	"strings"
)

// Table is one of the four tables of a Modbus device.
type Table uint8

// The tables.
const (
	Coil Table = iota
	Discrete
	Input
	Holding
)

var tableNames = [...]string{Coil: "coil", Discrete: "discrete", Input: "input", Holding: "holding"}

// String is the table's name in an address.
func (t Table) String() string { return tableNames[t] }

// Bits tells whether the table's cells are single bits.
func (t Table) Bits() bool { return t == Coil || t == Discrete }

// Writable tells whether a device takes writes to the table.
func (t Table) Writable() bool { return t == Coil || t == Holding }

// AddressSyntax says how an address is written.
const AddressSyntax = "`TABLE:NUMBER` with TABLE one of coil, discrete, input, holding, and NUMBER the zero-based address that goes on the wire, " +
	"decimal or hexadecimal (`holding:200`, `input:0x34`); one bit of a register is `holding:200.3`, bit 0 being the lowest"

// Address is the first cell of a value. Numbers are those of the protocol: what a vendor lists as 40001 is holding:0.
type Address struct {
	Table  Table
	Number uint16
	// Bit of the register, or NoBit.
	Bit int8
}

// NoBit is the Bit of an address that means whole registers, or a coil or discrete input.
const NoBit int8 = -1

// String is the address as it is written.
func (a Address) String() string {
	s := a.Table.String() + ":" + strconv.Itoa(int(a.Number))
	if a.Bit != NoBit {
		s += "." + strconv.Itoa(int(a.Bit))
	}
	return s
}

// ParseAddress reads an address (see AddressSyntax).
func ParseAddress(s string) (Address, error) {
	name, number, ok := strings.Cut(s, ":")
	if !ok {
		return Address{}, fmt.Errorf("%q has no colon; an address is %s", s, AddressSyntax)
	}
	table, ok := tableNamed(name)
	if !ok {
		return Address{}, fmt.Errorf("there is no table %q in %q; an address is %s", name, s, AddressSyntax)
	}
	a := Address{Table: table, Bit: NoBit}
	number, bit, hasBit := strings.Cut(number, ".")
	n, err := parseNumber(number)
	if err != nil {
		return Address{}, fmt.Errorf("%q in %q is no register number from 0 to 65535: %s", number, s, hintOf(number))
	}
	a.Number = n
	if !hasBit {
		return a, nil
	}
	b, err := strconv.ParseUint(bit, 10, 8)
	if err != nil || b > 15 {
		return Address{}, fmt.Errorf("%q in %q is no bit from 0 to 15", bit, s)
	}
	if table.Bits() {
		return Address{}, fmt.Errorf("%q: a %s is a single bit already", s, table)
	}
	a.Bit = int8(b)
	return a, nil
}

func tableNamed(name string) (Table, bool) {
	for t, n := range tableNames {
		if n == name {
			return Table(t), true
		}
	}
	return 0, false
}

func parseNumber(s string) (uint16, error) {
	base := 10
	if hex, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		s, base = hex, 16
	}
	n, err := strconv.ParseUint(s, base, 16)
	return uint16(n), err
}

// hintOf helps with the numbers that vendors print.
func hintOf(number string) string {
	if n, err := strconv.Atoi(number); err == nil && n > 65535 && n <= 465536 {
		return fmt.Sprintf("a vendor's register %d is address %d of its table", n, n%100000-1)
	}
	return "write it as 200 or 0xC8"
}
