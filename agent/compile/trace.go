package compile

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/voltage-edge/voltage/agent/site"
)

// maxTraced bounds the parts of a rule that are traced; the rest of a very large one is left out.
const maxTraced = 2000

// Trace is a rule's expressions taken apart, so that the library that runs the rule can say the value of each part.
type Trace struct {
	// Program is the revision of the rules' program that Chunk fits.
	Program string
	// Chunk is Lua that gets (D, H, V) and puts the values of N parts into V.
	Chunk string
	N     int
	// Expressions are the condition, the values, and behind them the locals and measurements that they name.
	Expressions []TracedExpression
}

// TracedExpression is one expression.
type TracedExpression struct {
	// Name is when, set TARGET, or a name that another expression has.
	Name string
	// File and Line where it stands.
	File string
	Line int
	// Parts have the whole expression first, and each part before those that it is made of. Numbers and texts that are written out are
	// left out.
	Parts []TracedPart
}

// TracedPart is a part of an expression: a name, an operator with its operands, a call.
type TracedPart struct {
	// Text as it was written, but on one line.
	Text string
	// Level is how deep it is in the expression, from 0.
	Level int
	// Operator is the name of the function in lua/shared/logic.lua that makes the value, or point, age, good, energy, counter or const. Named
	// is set when the part is a name with an expression of its own.
	Operator string
	Named    bool
	// Value is its number in V, from 1.
	Value int
	Unit  string
	// Points are the names of those that the part reads.
	Points []string
}

// Explain takes a rule of a site without errors apart; false when there is none of that name.
func Explain(s *site.Site, name string) (*Trace, bool) {
	c := &compiler{}
	d := newDevices()
	program := c.ruleProgram(d, s.Rules, s.Flows())
	for _, r := range s.Rules {
		if r.Name != name {
			continue
		}
		t := &tracer{site: s, writer: &writer{devices: d, known: map[*node]string{}}, numbers: map[*node]int{}, seen: map[string]bool{}}
		when := c.check(r.When)
		if when == nil {
			return nil, false
		}
		t.expression("when", r.When.Range(), when, false)
		for _, set := range r.Sets {
			if v := c.setValue(set, c.check(set.Value)); v != nil {
				t.expression("set "+set.Target, set.Value.Range(), v, false)
			}
		}
		for i := 0; i < len(t.queue); i++ { // grows on the way
			t.expression(t.queue[i].name, t.queue[i].node.origin, t.queue[i].node, true)
		}
		return &Trace{Program: program.Revision, Chunk: t.chunk.String(), N: t.n, Expressions: t.out}, true
	}
	return nil, false
}

// tracer writes the chunk of a trace.
type tracer struct {
	site    *site.Site
	writer  *writer
	numbers map[*node]int
	chunk   strings.Builder
	n       int
	out     []TracedExpression
	// queue are names that stand for expressions of their own, each once.
	queue []named
	seen  map[string]bool
}

type named struct {
	name string
	node *node
}

// number writes a part's value into V and gives its number; 0 when there are too many.
func (t *tracer) number(n *node) int {
	if i, ok := t.numbers[n]; ok {
		return i
	}
	if t.n >= maxTraced {
		return 0
	}
	t.n++
	lua := t.writer.threeValued(n, 0)
	// The locals end with the part, as Lua takes 200 of them.
	fmt.Fprintf(&t.chunk, "do %s V[%d] = %s end\n", strings.Join(t.writer.locals, " "), t.n, lua)
	t.writer.locals = nil
	t.writer.known[n], t.numbers[n] = fmt.Sprintf("V[%d]", t.n), t.n
	return t.n
}

// expression takes one expression apart. Own: it is what a name stands for.
func (t *tracer) expression(name string, rng hcl.Range, n *node, own bool) {
	e := TracedExpression{Name: name, File: rng.Filename, Line: rng.Start.Line}
	src := t.source(rng)
	t.part(&e, src, n, 0, own)
	if len(e.Parts) > 0 {
		e.Parts[0].Text = src.line(name)
		t.out = append(t.out, e)
	}
}

// part lists a node, and below it its operands. whole: the node is all of an expression that has a name, and is not to be listed as
// this name.
func (t *tracer) part(e *TracedExpression, src *sourceText, n *node, level int, whole bool) {
	isName := !whole && n.origin != hcl.Range{}
	if level > 0 && n.constant() && src.literal(n.rng) || n.kind == text {
		return
	}
	at, text := len(e.Parts), src.text(n.rng)
	if whole {
		text = src.line("")
	}
	e.Parts = append(e.Parts, TracedPart{Text: text, Level: level, Operator: string(n.op), Unit: n.unit, Points: pointNames(n)})
	if isName {
		e.Parts[at].Named = t.name(text, n)
	} else {
		t.operands(e, src, n, level, at)
	}
	if e.Parts[at].Value = t.number(n); e.Parts[at].Value == 0 {
		e.Parts = e.Parts[:at]
	}
}

func pointNames(n *node) []string {
	var out []string
	for _, p := range points(n) {
		out = append(out, p.FullName())
	}
	return out
}

// operands lists what the part at a place is made of. A conversion was not written: what it converts has the same text.
func (t *tracer) operands(e *TracedExpression, src *sourceText, n *node, level, at int) {
	for _, a := range n.args {
		switch text := src.text(a.rng); {
		case text != e.Parts[at].Text:
			t.part(e, src, a, level+1, false)
		case a.origin != hcl.Range{}:
			e.Parts[at].Named = t.name(text, a)
		case !a.constant():
			t.operands(e, src, a, level, at)
		}
	}
}

// name lists the expression that a name stands for, once; false when it is no more than another name or a number.
func (t *tracer) name(name string, n *node) bool {
	if len(n.args) == 0 || n.op == opTruth {
		return false
	}
	if !t.seen[name] {
		t.seen[name] = true
		t.queue = append(t.queue, named{name, n})
	}
	return true
}

// sourceText is the text of one expression.
type sourceText struct {
	whole string
	// from is the offset in the file that whole begins at.
	from int
	file string
}

// source finds the text of an expression. In the JSON syntax it is within a text, whose escapes don't count.
func (t *tracer) source(rng hcl.Range) *sourceText {
	s := &sourceText{from: rng.Start.Byte, file: rng.Filename}
	f := t.site.Sources[rng.Filename]
	if f == nil || rng.Start.Byte >= len(f.Bytes) {
		return s
	}
	if strings.HasSuffix(rng.Filename, ".json") {
		for _, prefix := range []string{`"${`, `"`} {
			start := rng.Start.Byte - len(prefix)
			var text string
			if start >= 0 && strings.HasPrefix(string(f.Bytes[start:]), prefix) && json.NewDecoder(strings.NewReader(string(f.Bytes[start:]))).Decode(&text) == nil {
				s.whole = text[len(prefix)-1:]
				if end := rng.End.Byte - rng.Start.Byte; end <= len(s.whole) {
					s.whole = s.whole[:end]
				}
				return s
			}
		}
	}
	s.whole = string(f.Bytes[rng.Start.Byte:min(rng.End.Byte, len(f.Bytes))])
	return s
}

// within gives a range as offsets in the text; false when it is elsewhere.
func (s *sourceText) within(r hcl.Range) (from, to int, ok bool) {
	from, to = r.Start.Byte-s.from, r.End.Byte-s.from
	return from, to, r.Filename == s.file && from >= 0 && from <= to && to <= len(s.whole)
}

func (s *sourceText) text(r hcl.Range) string {
	from, to, ok := s.within(r)
	if !ok {
		return ""
	}
	return strings.Join(strings.Fields(s.whole[from:to]), " ")
}

// line is the whole text on one line, or name when the file is not at hand.
func (s *sourceText) line(name string) string {
	if s.whole == "" {
		return name
	}
	return strings.Join(strings.Fields(s.whole), " ")
}

// literal tells whether a number, a text, true or false is written there; a name is no literal, and neither is what is computed.
func (s *sourceText) literal(r hcl.Range) bool {
	from, to, ok := s.within(r)
	if !ok {
		return true // it was not written
	}
	e, diags := hclsyntax.ParseExpression([]byte(s.whole[from:to]), "", hcl.InitialPos)
	return diags.HasErrors() || len(e.Variables()) == 0
}
