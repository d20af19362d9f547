package site

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/spelling"
	"github.com/voltage-edge/voltage/sdk/schema"
)

// pointTable is a list of points with a name: a CSV table or a profile.
type pointTable struct {
	rows []*content
	// broken: some rows were wrong, which has been told.
	broken bool
}

// table reads points = csv("FILE"); nil: it can't be read, which has been told.
func (l *loader) table(e hcl.Expression, p *pluginInfo, s *Scope) *pointTable {
	arg := e
	if call, diags := hcl.ExprCall(e); !diags.HasErrors() {
		if call.Name != "csv" || len(call.Arguments) != 1 {
			l.fail(e.Range(), "Wrong value", "A table is wanted: points = csv(\"FILE\").")
			return nil
		}
		arg = call.Arguments[0]
	} else if v, diags := e.Value(nil); diags.HasErrors() || !isText(v) {
		l.fail(e.Range(), "Wrong value", "A table is wanted: points = csv(\"FILE\").")
		return nil
	}
	v, ok := l.value(arg, s)
	if !ok {
		return nil
	}
	if v, _ = v.Unmark(); !isText(v) {
		l.fail(arg.Range(), "Wrong value", "The name of a CSV file is wanted, and this is %s.", found(v))
		return nil
	}
	return l.fileTable(l.path(v.AsString()), p, arg.Range())
}

// fileTable reads a CSV file once for all who use it.
func (l *loader) fileTable(path string, p *pluginInfo, rng hcl.Range) *pointTable {
	key := p.name + "\x00" + path
	if t, ok := l.tables[key]; ok {
		return t
	}
	content, ok := l.options.Overlay[overlayName(l.folder, path)]
	if !ok {
		var err error
		if content, err = readFile(path, largestSource); err != nil {
			l.fail(rng, "Table not readable", "%s.", capital(err.Error()))
			return nil
		}
	}
	l.read(path, content)
	t := l.parseTable(path, content, p)
	l.tables[key] = t
	return t
}

func overlayName(folder, path string) string {
	if rel, err := filepath.Rel(folder, path); err == nil {
		return rel
	}
	return path
}

// column is one column of a table.
type column struct {
	name string
	// block is the name before a dot: write in write.safe.
	block string
	attr  *schema.Attribute
}

// csvTable is a CSV text while it is read.
type csvTable struct {
	l       *loader
	name    string
	src     []byte
	lines   []int // offset of each line
	reader  *csv.Reader
	columns []*column
	point   int
	shape   *shape
}

func (l *loader) parseTable(name string, src []byte, p *pluginInfo) *pointTable {
	before := l.count
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	l.site.Sources[name] = &hcl.File{Bytes: src}
	t := &csvTable{l: l, name: name, src: src, shape: p.point, point: -1}
	t.lines = append(t.lines, 0)
	for i, b := range src {
		if b == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	t.reader = csv.NewReader(bytes.NewReader(src))
	t.reader.Comment, t.reader.FieldsPerRecord, t.reader.ReuseRecord, t.reader.TrimLeadingSpace = '#', -1, true, true
	if first, _, _ := bytes.Cut(src, []byte{'\n'}); bytes.Count(first, []byte{';'}) > bytes.Count(first, []byte{','}) {
		t.reader.Comma = ';'
	}
	out := &pointTable{}
	if t.header() {
		out.rows = t.read()
	}
	out.broken = l.count > before
	return out
}

// at is the place of a field of the record that was read last.
func (t *csvTable) at(field, length int) hcl.Range {
	line, column := t.reader.FieldPos(field)
	from := t.lines[min(line, len(t.lines))-1]
	start := min(from+column-1, len(t.src))
	end := min(start+length, len(t.src))
	col := utf8.RuneCount(t.src[from:start]) + 1
	return hcl.Range{
		Filename: t.name,
		Start:    hcl.Pos{Line: line, Column: col, Byte: start},
		End:      hcl.Pos{Line: line, Column: col + utf8.RuneCount(t.src[start:end]), Byte: end},
	}
}

func (t *csvTable) broken(err error) {
	var p *csv.ParseError
	if !errors.As(err, &p) {
		t.l.fail(hcl.Range{Filename: t.name, Start: hcl.InitialPos, End: hcl.InitialPos}, "Table not readable", "%s.", capital(err.Error()))
		return
	}
	// The record may reach over many lines, to the end of the file: where it begins is where to look.
	from := t.lines[min(p.StartLine, len(t.lines))-1]
	line, _, _ := bytes.Cut(t.src[from:], []byte{'\n'})
	rng := rangeOfBytes(t.name, t.src, from, from+len(line))
	t.l.fail(rng, "Table not readable", "This is no CSV: %s.", p.Err)
}

func (t *csvTable) header() bool {
	record, err := t.reader.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			t.l.fail(hcl.Range{Filename: t.name, Start: hcl.InitialPos, End: hcl.InitialPos}, "Table without a header", "The first line of a table names its columns: point,address,type,unit.")
			return false
		}
		t.broken(err)
		return false
	}
	ok := true
	seen := map[string]bool{}
	for i, name := range record {
		name = strings.TrimSpace(name)
		rng := t.at(i, len(record[i]))
		switch {
		case seen[name]:
			t.l.fail(rng, "Duplicate column", "There is a column %q already.", name)
			ok = false
		case name == "point":
			t.point = i
		}
		seen[name] = true
		c := t.column(name)
		if c == nil && name != "point" {
			names := append([]string{"point"}, t.shape.order...)
			hint := spelling.DidYouMean(name, names)
			if hint == "" {
				hint = " There are " + thereAre(names) + "."
			}
			t.l.fail(rng, "Unknown column", "A table of points for this plugin has no column %q.%s", name, hint)
			ok = false
		}
		t.columns = append(t.columns, c)
	}
	if t.point < 0 {
		t.l.fail(t.at(0, len(record[0])), "Missing column", "A table of points needs a column \"point\" with their names.")
		return false
	}
	return ok
}

// column finds what a column is; nil: it is unknown, or the name of the point.
func (t *csvTable) column(name string) *column {
	sh, block := t.shape, ""
	if b, rest, dotted := strings.Cut(name, "."); dotted {
		n := sh.blocks[b]
		if n == nil || n.many {
			return nil
		}
		sh, block, name = n.shape, b, rest
	}
	a := sh.attrs[name]
	if a == nil {
		return nil
	}
	return &column{name: a.Name, block: block, attr: a}
}

func (t *csvTable) read() []*content {
	var rows []*content
	seen := map[string]hcl.Range{}
	for {
		record, err := t.reader.Read()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.broken(err)
			return rows
		}
		if row := t.row(record, seen); row != nil {
			rows = append(rows, row)
		}
	}
}

func (t *csvTable) row(record []string, seen map[string]hcl.Range) *content {
	l := t.l
	if len(record) > len(t.columns) {
		l.fail(t.at(len(t.columns), len(record[len(t.columns)])), "Too many fields", "This line has %d fields, and the header names %d columns.", len(record), len(t.columns))
		return nil
	}
	if t.point >= len(record) || strings.TrimSpace(record[t.point]) == "" {
		l.fail(t.at(0, len(record[0])), "Point without a name", "The column \"point\" of this line is empty.")
		return nil
	}
	name := l.intern(strings.TrimSpace(record[t.point]))
	nameRange := t.at(t.point, len(record[t.point]))
	if !l.goodName(name, nameRange) {
		return nil
	}
	if before, ok := seen[name]; ok {
		l.fail(nameRange, "Duplicate name", "There is a point %q already, at %s.", name, lineOf(before))
		return nil
	}
	seen[name] = nameRange
	c := &content{shape: t.shape, kind: "point", label: name, labelRange: nameRange, rng: nameRange, table: true, attrs: make([]attr, 0, len(record))}
	before := l.count
	for i, cell := range record {
		if cell = strings.TrimSpace(cell); cell == "" || i == t.point || t.columns[i] == nil {
			continue
		}
		t.cell(c, t.columns[i], cell, t.at(i, len(record[i])))
	}
	for _, b := range c.blocks {
		l.complete(b)
	}
	l.complete(c)
	c.bad = l.count > before
	return c
}

func (t *csvTable) cell(c *content, col *column, cell string, rng hcl.Range) {
	into := c
	if col.block != "" {
		if into = c.block(col.block); into == nil {
			into = &content{shape: t.shape.blocks[col.block].shape, kind: col.block, rng: rng}
			c.blocks = append(c.blocks, into)
		}
	}
	out := attr{name: col.name, rng: rng, sensitive: col.attr.Sensitive}
	v, ok := t.l.convertCell(cell, col.attr, rng)
	if !ok {
		c.bad, into.bad = true, true
	}
	out.value = v
	into.attrs = append(into.attrs, out)
}

// convertCell gives the text of a cell the form that its attribute has. Lists and maps are written with semicolons.
func (l *loader) convertCell(cell string, a *schema.Attribute, rng hcl.Range) (any, bool) {
	v := cty.StringVal(cell)
	switch a.Type {
	case schema.String:
		if len(a.OneOf) == 0 || slices.Contains(a.OneOf, cell) {
			return l.intern(cell), true
		}
	case schema.Number:
		if f, err := strconv.ParseFloat(cell, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) && within(f, a) == nil {
			return f, true
		}
	case schema.Strings, schema.Numbers:
		var list []cty.Value
		for _, part := range strings.Split(cell, ";") {
			list = append(list, cty.StringVal(strings.TrimSpace(part)))
		}
		v = cty.ListVal(list)
	case schema.Map:
		m := map[string]cty.Value{}
		for _, part := range strings.Split(cell, ";") {
			key, value, ok := strings.Cut(part, "=")
			if !ok {
				l.fail(rng, "Wrong value", "%q: pairs are wanted, as in a=1;b=2.", a.Name)
				return nil, false
			}
			m[strings.TrimSpace(key)] = cty.StringVal(strings.TrimSpace(value))
		}
		v = cty.MapVal(m)
	case level:
		if n, err := toBool(v); err == nil {
			v = cty.BoolVal(n)
		}
	}
	out, _, ok := l.convert(v, a, rng)
	return out, ok
}
