package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table collects rows of text and writes them in columns. A cell may carry a colour; numbers stand at the right.
type table struct {
	head  []string
	rows  [][]cell
	right map[int]bool
}

type cell struct {
	text  string
	color color
}

// color is the number of an ANSI colour; 0 is none.
type color int

const (
	plain  color = 0
	bold   color = 1
	dim    color = 2
	red    color = 31
	green  color = 32
	yellow color = 33
	cyan   color = 36
)

func newTable(head ...string) *table { return &table{head: head, right: map[int]bool{}} }

// alignRight puts the columns, from 0, at the right.
func (t *table) alignRight(columns ...int) *table {
	for _, c := range columns {
		t.right[c] = true
	}
	return t
}

// row adds a row; each value is a cell or is printed with %v.
func (t *table) row(values ...any) {
	cells := make([]cell, len(values))
	for i, v := range values {
		if c, ok := v.(cell); ok {
			cells[i] = c
			continue
		}
		cells[i] = cell{text: fmt.Sprint(v)}
	}
	t.rows = append(t.rows, cells)
}

// lines lays the table out; with colors it carries ANSI sequences. Nothing is wider than width, when that is above 0.
func (t *table) lines(colors bool, width int) []string {
	widths := make([]int, len(t.head))
	for i, h := range t.head {
		widths[i] = utf8.RuneCountInString(h)
	}
	for _, r := range t.rows {
		for i, c := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	out := make([]string, 0, len(t.rows)+1)
	head := make([]cell, len(t.head))
	for i, h := range t.head {
		head[i] = cell{strings.ToUpper(h), dim}
	}
	if strings.Join(t.head, "") != "" {
		out = append(out, t.line(head, widths, colors, width))
	}
	for _, r := range t.rows {
		out = append(out, t.line(r, widths, colors, width))
	}
	return out
}

func (t *table) line(cells []cell, widths []int, colors bool, width int) string {
	var b strings.Builder
	used := 0
	for i, c := range cells {
		if i > 0 {
			b.WriteString("  ")
			used += 2
		}
		text, pad := c.text, widths[i]-utf8.RuneCountInString(c.text)
		if width > 0 && used+utf8.RuneCountInString(text) > width {
			text = cut(text, width-used)
		}
		if t.right[i] {
			b.WriteString(strings.Repeat(" ", pad))
		}
		b.WriteString(paint(text, c.color, colors))
		if !t.right[i] && i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", pad))
		}
		used += widths[i]
		if width > 0 && used >= width {
			break
		}
	}
	return strings.TrimRight(b.String(), " ")
}

func (t *table) write(w io.Writer, colors bool, width int) {
	for _, l := range t.lines(colors, width) {
		fmt.Fprintln(w, l)
	}
}

// cut shortens text to n runes, with an ellipsis as the last one.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	if n < 1 {
		return ""
	}
	return string([]rune(text)[:n-1]) + "…"
}

func paint(text string, c color, colors bool) string {
	if !colors || c == plain || text == "" {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, text)
}
