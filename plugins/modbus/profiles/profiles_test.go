package profiles

import (
	"bytes"
	"encoding/csv"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/plugins/modbus/register"
)

var columns = []string{"point", "address", "type", "order", "scale", "unit", "access", "bit", "length", "invalid", "description"}

var pointName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func TestProfiles(t *testing.T) {
	names := Names()
	if len(names) < 55 || !slices.Contains(names, "eastron-sdm630") {
		t.Fatalf("there are %d profiles: %v", len(names), names)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, name := range names {
		t.Run(name, func(t *testing.T) { total += checkProfile(t, name) })
		if !strings.Contains(string(readme), "| `"+name+"` |") {
			t.Errorf("the README says nothing about %s", name)
		}
	}
	if total < 1500 {
		t.Errorf("there are %d points in all", total)
	}
	if CSV("eastron-sdm631") != nil || CSV("../profiles/eastron-sdm630") != nil {
		t.Error("a profile that is none has a table")
	}
}

func checkProfile(t *testing.T, name string) int {
	rows, err := csv.NewReader(bytes.NewReader(CSV(name))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(rows[0], columns) {
		t.Fatalf("columns are %v", rows[0])
	}
	seen := map[string]bool{}
	for _, row := range rows[1:] {
		cell := map[string]string{}
		for i, c := range columns {
			cell[c] = row[i]
		}
		point := cell["point"]
		if !pointName.MatchString(point) || seen[point] {
			t.Errorf("%q is no name of a point, or is there twice", point)
		}
		seen[point] = true
		checkRow(t, point, cell)
	}
	return len(rows) - 1
}

func checkRow(t *testing.T, point string, cell map[string]string) {
	a, err := register.ParseAddress(cell["address"])
	if err != nil {
		t.Errorf("%s: %v", point, err)
	}
	kind, err := register.ParseType(cell["type"])
	if err != nil {
		t.Errorf("%s: %v", point, err)
	}
	if _, err := register.ParseOrder(cell["order"]); err != nil {
		t.Errorf("%s: %v", point, err)
	}
	if (kind.Words() > 1) != (cell["order"] != "") {
		t.Errorf("%s: %s with order %q", point, kind, cell["order"])
	}
	if _, err := register.ParseInvalid(cell["invalid"], kind); err != nil {
		t.Errorf("%s: %v", point, err)
	}
	if s := cell["scale"]; s != "" {
		if v, err := strconv.ParseFloat(s, 64); err != nil || v == 0 {
			t.Errorf("%s: scale %q", point, s)
		}
	}
	if !slices.Contains([]string{"r", "w", "rw"}, cell["access"]) || cell["access"] != "r" && !a.Table.Writable() {
		t.Errorf("%s: access %q of %s", point, cell["access"], a)
	}
	if (kind == register.String) != (cell["length"] != "") {
		t.Errorf("%s: %s with length %q", point, kind, cell["length"])
	}
	if cell["bit"] != "" && kind != register.Bool {
		t.Errorf("%s: bit %s of %s", point, cell["bit"], kind)
	}
	if cell["description"] == "" {
		t.Errorf("%s says nothing of itself", point)
	}
}
