// Package plan merges the values that are wanted of a device into as few requests as its limits allow.
package plan

import (
	"cmp"
	"slices"

	"github.com/voltage-edge/voltage/plugins/modbus/register"
)

// The limits of the protocol.
const (
	MaxRegisters = 125
	MaxBits      = 2000
)

// Limits bound a request.
type Limits struct {
	// Registers is the largest number of registers in one request, Bits that of coils or discrete inputs.
	Registers, Bits int
	// Gap is the largest number of registers that nobody wants and that are read to save a request; a gap between bits
	// may be 16 times as long.
	Gap int
}

// Cells is a run of cells of one table.
type Cells struct {
	Table    register.Table
	Address  uint16
	Quantity uint16
}

// End is the address behind the last cell.
func (c Cells) End() int { return int(c.Address) + int(c.Quantity) }

// Item is one value that is wanted. ID is the caller's.
type Item struct {
	Cells
	ID int
}

// Request is one request, with the items that it covers in the order of their addresses.
type Request struct {
	Cells
	Items []Item
}

// Build merges items into requests, in the order of tables and addresses. No item is cut; one that is larger than the
// limit gets a request of its own.
func Build(items []Item, l Limits) []Request {
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Address, b.Address), cmp.Compare(a.Quantity, b.Quantity))
	})
	var requests []Request
	for _, item := range sorted {
		if n := len(requests); n > 0 && requests[n-1].take(item, l) {
			continue
		}
		requests = append(requests, Request{Cells: item.Cells, Items: []Item{item}})
	}
	return requests
}

// take adds the item to the request when the limits allow it.
func (r *Request) take(item Item, l Limits) bool {
	size, gap := l.Registers, l.Gap
	if item.Table.Bits() {
		size, gap = l.Bits, 16*l.Gap
	}
	end := max(r.End(), item.End())
	if item.Table != r.Table || int(item.Address) > r.End()+gap || end-int(r.Address) > size {
		return false
	}
	r.Quantity = uint16(end - int(r.Address))
	r.Items = append(r.Items, item)
	return true
}

// Split divides a request that the device refused: at its gaps when it has any, since nothing says that a gap may be
// read; else in two halves. A request of one item can't be divided: it is returned alone.
func Split(r Request) []Request {
	size := Limits{Registers: MaxRegisters, Bits: MaxBits}
	if runs := Build(r.Items, size); len(runs) > 1 {
		return runs
	}
	if len(r.Items) < 2 {
		return []Request{r}
	}
	half := len(r.Items) / 2
	return append(Build(r.Items[:half], size), Build(r.Items[half:], size)...)
}
