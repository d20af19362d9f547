package journal

import (
	"errors"
	"fmt"
	"slices"

	"github.com/voltage-edge/voltage/sdk/frame"
)

// Column is one point of a device's table.
type Column struct {
	Name string
	// Unit of a numeric point, empty when it has none.
	Unit string
	// Bool points hold 0 or 1.
	Bool bool
}

// Table is a device's point table: what the slots of its frames mean. A table that a reader gives out must not be
// changed.
type Table struct {
	Device  string
	Numbers []Column
	Texts   []Column

	id uint32
}

// ID is the table id that the device's frames carry.
func (t *Table) ID() uint32 { return t.id }

// Frame is the table as the package frame has it.
func (t *Table) Frame() frame.Table {
	return frame.Table{Numbers: columnNames(t.Numbers), Texts: columnNames(t.Texts)}
}

func columnNames(columns []Column) []string {
	if len(columns) == 0 {
		return nil
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

// number finds a numeric point's slot.
func (t *Table) number(name string) (int, bool) {
	i := slices.IndexFunc(t.Numbers, func(c Column) bool { return c.Name == name })
	return i, i >= 0
}

func (t *Table) equal(o *Table) bool {
	return t.Device == o.Device && t.id == o.id && slices.Equal(t.Numbers, o.Numbers) && slices.Equal(t.Texts, o.Texts)
}

const maxName = 64 << 10

func (t *Table) check() error {
	if t.Device == "" {
		return errors.New("a point table needs the name of its device")
	}
	if len(t.Numbers) > frame.MaxPoints || len(t.Texts) > frame.MaxPoints {
		return fmt.Errorf("the point table of %s has %d numeric and %d text points, at most %d of each fit a frame", t.Device, len(t.Numbers), len(t.Texts), frame.MaxPoints)
	}
	for _, columns := range [][]Column{t.Numbers, t.Texts} {
		for _, c := range columns {
			if len(c.Name) > maxName || len(c.Unit) > maxName {
				return fmt.Errorf("the point table of %s has a name or unit of more than %d bytes", t.Device, maxName)
			}
		}
	}
	return nil
}

// append writes the table behind dst.
func (t *Table) append(dst []byte) []byte {
	dst = appendString(dst, t.Device)
	dst = appendColumns(dst, t.Numbers)
	return appendColumns(dst, t.Texts)
}

func appendColumns(dst []byte, columns []Column) []byte {
	dst = appendUint(dst, uint64(len(columns)))
	for _, c := range columns {
		dst = appendString(dst, c.Name)
		dst = appendString(dst, c.Unit)
		flag := byte(0)
		if c.Bool {
			flag = 1
		}
		dst = append(dst, flag)
	}
	return dst
}

// readTable reads what append wrote.
func readTable(s *scanner) (*Table, error) {
	t := &Table{Device: s.string()}
	t.Numbers = readColumns(s)
	t.Texts = readColumns(s)
	if err := s.end(); err != nil {
		return nil, err
	}
	t.id = t.Frame().TableID()
	return t, nil
}

func readColumns(s *scanner) []Column {
	n := s.uint()
	if n > frame.MaxPoints {
		s.fail()
		return nil
	}
	var columns []Column
	for range n {
		c := Column{Name: s.string(), Unit: s.string()}
		c.Bool = s.byte() == 1
		if s.failed {
			return nil
		}
		columns = append(columns, c)
	}
	return columns
}
