package plan

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/voltage-edge/voltage/plugins/modbus/register"
)

func item(id int, table register.Table, address, quantity uint16) Item {
	return Item{Cells: Cells{table, address, quantity}, ID: id}
}

func cellsOf(requests []Request) []Cells {
	var cells []Cells
	for _, r := range requests {
		cells = append(cells, r.Cells)
	}
	return cells
}

func TestBuild(t *testing.T) {
	const h, in, c = register.Holding, register.Input, register.Coil
	limits := Limits{Registers: 125, Bits: 2000, Gap: 10}
	cases := []struct {
		name   string
		items  []Item
		limits Limits
		want   []Cells
	}{
		{"nothing", nil, limits, nil},
		{"neighbours", []Item{item(0, h, 2, 2), item(1, h, 0, 2)}, limits, []Cells{{h, 0, 4}}},
		{"a gap of ten", []Item{item(0, h, 0, 2), item(1, h, 12, 2)}, limits, []Cells{{h, 0, 14}}},
		{"a gap of eleven", []Item{item(0, h, 0, 2), item(1, h, 13, 2)}, limits, []Cells{{h, 0, 2}, {h, 13, 2}}},
		{"two tables", []Item{item(0, h, 0, 2), item(1, in, 0, 2)}, limits, []Cells{{in, 0, 2}, {h, 0, 2}}},
		{"the same registers", []Item{item(0, h, 0, 1), item(1, h, 0, 1), item(2, h, 0, 2)}, limits, []Cells{{h, 0, 2}}},
		{"one within another", []Item{item(0, h, 0, 10), item(1, h, 2, 1), item(2, h, 10, 1)}, limits, []Cells{{h, 0, 11}}},
		{"the size limit", []Item{item(0, h, 0, 124), item(1, h, 124, 2)}, limits, []Cells{{h, 0, 124}, {h, 124, 2}}},
		{"bits", []Item{item(0, c, 0, 1), item(1, c, 161, 1), item(2, c, 400, 1)}, limits, []Cells{{c, 0, 162}, {c, 400, 1}}},
		{"the last register", []Item{item(0, h, 65535, 1), item(1, h, 65534, 1)}, limits, []Cells{{h, 65534, 2}}},
		{"larger than the limit", []Item{item(0, h, 0, 4)}, Limits{Registers: 2}, []Cells{{h, 0, 4}}},
	}
	for _, c := range cases {
		if got := cellsOf(Build(c.items, c.limits)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, expected %v", c.name, got, c.want)
		}
	}
}

// draw makes items that fit the limits.
func draw(t *rapid.T, l Limits) []Item {
	count := rapid.IntRange(0, 200).Draw(t, "count")
	items := make([]Item, count)
	for i := range items {
		table := register.Table(rapid.IntRange(0, 3).Draw(t, "table"))
		quantity := 1
		if !table.Bits() {
			quantity = rapid.IntRange(1, min(l.Registers, 20)).Draw(t, "quantity")
		}
		address := rapid.IntRange(0, rapid.SampledFrom([]int{50, 1000, 65536 - quantity}).Draw(t, "span")).Draw(t, "address")
		items[i] = item(i, table, uint16(address), uint16(quantity))
	}
	return items
}

// check says whether the requests cover each item once and keep the limits.
func check(t *rapid.T, items []Item, requests []Request, l Limits) {
	seen := map[int]int{}
	for _, r := range requests {
		largest, gap := l.Registers, l.Gap
		if r.Table.Bits() {
			largest, gap = l.Bits, 16*l.Gap
		}
		if int(r.Quantity) > largest || r.Quantity == 0 || r.End() > 65536 {
			t.Fatalf("request %v breaks a limit", r.Cells)
		}
		end := int(r.Address)
		for _, i := range r.Items {
			seen[i.ID]++
			if i.Table != r.Table || i.Address < r.Address || i.End() > r.End() {
				t.Fatalf("request %v does not cover %v", r.Cells, i.Cells)
			}
			if int(i.Address)-end > gap {
				t.Fatalf("request %v has a gap before %v", r.Cells, i.Cells)
			}
			end = max(end, i.End())
		}
		if end != r.End() {
			t.Fatalf("request %v reads more than its items", r.Cells)
		}
	}
	for _, i := range items {
		if seen[i.ID] != 1 {
			t.Fatalf("item %v is in %d requests", i, seen[i.ID])
		}
	}
}

func TestEveryItemIsCoveredWithinTheLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Limits{Registers: rapid.IntRange(1, 125).Draw(t, "registers"), Bits: rapid.IntRange(1, 2000).Draw(t, "bits"), Gap: rapid.IntRange(0, 125).Draw(t, "gap")}
		items := draw(t, l)
		check(t, items, Build(items, l), l)
	})
}

func TestSplittingEndsAtSingleItems(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Limits{Registers: 125, Bits: 2000, Gap: 10}
		items := draw(t, l)
		queue := Build(items, l)
		var leaves []Request
		for rounds := 0; len(queue) > 0; rounds++ {
			if rounds > 4*len(items) {
				t.Fatalf("splitting %d items does not end", len(items))
			}
			r := queue[0]
			queue = queue[1:]
			if len(r.Items) == 1 {
				leaves = append(leaves, r)
				continue
			}
			parts := Split(r)
			if len(parts) < 2 {
				t.Fatalf("request %v of %d items was not divided", r.Cells, len(r.Items))
			}
			queue = append(queue, parts...)
		}
		check(t, items, leaves, Limits{Registers: 125, Bits: 2000})
	})
}
