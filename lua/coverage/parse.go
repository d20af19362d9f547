package main

import (
	"fmt"
	"slices"
)

// statement is where a statement begins.
type statement struct{ offset, line int }

// statements finds all statements of a Lua 5.1 source, in the order of their beginnings.
func statements(text string) (found []statement, err error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	defer func() {
		if problem, ok := recover().(syntaxError); ok {
			found, err = nil, problem
		}
	}()
	p.block()
	p.expect(tokenEnd)
	return p.found, nil
}

type syntaxError string

func (e syntaxError) Error() string { return string(e) }

// maxNesting is how deeply blocks and expressions may be nested; Lua itself takes 200 levels.
const maxNesting = 400

// parser follows the grammar of Lua 5.1, section 8 of its manual, and remembers where statements begin.
type parser struct {
	tokens []token
	at     int
	depth  int
	found  []statement
}

func (p *parser) kind() string { return p.tokens[p.at].kind }

func (p *parser) fail(wanted string) {
	t := p.tokens[p.at]
	panic(syntaxError(fmt.Sprintf("line %d: %s is wanted, and there is %s", t.line, wanted, t.kind)))
}

func (p *parser) expect(kind string) {
	if p.kind() != kind {
		p.fail(kind)
	}
	if kind != tokenEnd {
		p.at++
	}
}

// accept goes over a token if it is one of the kinds.
func (p *parser) accept(kinds ...string) bool {
	if slices.Contains(kinds, p.kind()) {
		p.at++
		return true
	}
	return false
}

func (p *parser) deeper() func() {
	if p.depth++; p.depth > maxNesting {
		p.fail("less nesting")
	}
	return func() { p.depth-- }
}

func (p *parser) block() {
	defer p.deeper()()
	for !slices.Contains([]string{"end", "else", "elseif", "until", tokenEnd}, p.kind()) {
		last := p.statement()
		p.accept(";")
		if last {
			return
		}
	}
}

// statement reads one statement, and tells whether it must be the last of its block.
func (p *parser) statement() bool {
	t := p.tokens[p.at]
	p.found = append(p.found, statement{t.offset, t.line})
	switch {
	case p.accept("if"):
		p.branches()
	case p.accept("while"):
		p.expression()
		p.body("do")
	case p.kind() == "do":
		p.body("do")
	case p.accept("for"):
		p.loop()
	case p.accept("repeat"):
		p.block()
		p.expect("until")
		p.expression()
	case p.accept("function"):
		p.expect(tokenName)
		for p.accept(".", ":") {
			p.expect(tokenName)
		}
		p.function()
	case p.accept("local"):
		p.local()
	case p.accept("return"):
		if !slices.Contains([]string{"end", "else", "elseif", "until", tokenEnd, ";"}, p.kind()) {
			p.expressions()
		}
		return true
	case p.accept("break"):
		return true
	default:
		p.callOrAssignment()
	}
	return false
}

func (p *parser) body(first string) {
	p.expect(first)
	p.block()
	p.expect("end")
}

func (p *parser) branches() {
	p.expression()
	p.expect("then")
	p.block()
	switch {
	case p.accept("elseif"):
		p.branches()
		return
	case p.accept("else"):
		p.block()
	}
	p.expect("end")
}

func (p *parser) loop() {
	p.names()
	if p.accept("=") {
		p.expressions()
	} else {
		p.expect("in")
		p.expressions()
	}
	p.body("do")
}

func (p *parser) local() {
	if p.accept("function") {
		p.expect(tokenName)
		p.function()
		return
	}
	p.names()
	if p.accept("=") {
		p.expressions()
	}
}

func (p *parser) names() {
	p.expect(tokenName)
	for p.accept(",") {
		p.expect(tokenName)
	}
}

// function reads parameters and body of a function.
func (p *parser) function() {
	p.expect("(")
	for p.accept(tokenName, "...") {
		p.accept(",")
	}
	p.body(")")
}

func (p *parser) callOrAssignment() {
	called := p.prefixed()
	if called && p.kind() != "," && p.kind() != "=" {
		return
	}
	for p.accept(",") {
		p.prefixed()
	}
	p.expect("=")
	p.expressions()
}

func (p *parser) expressions() {
	p.expression()
	for p.accept(",") {
		p.expression()
	}
}

// expression reads an expression. How its operators bind makes no difference here.
func (p *parser) expression() {
	defer p.deeper()()
	for {
		for p.accept("not", "-", "#") {
			continue
		}
		p.operand()
		if !p.accept("+", "-", "*", "/", "%", "^", "..", "==", "~=", "<", "<=", ">", ">=", "and", "or") {
			return
		}
	}
}

func (p *parser) operand() {
	switch {
	case p.accept(tokenNumber, tokenString, "nil", "true", "false", "..."):
	case p.accept("function"):
		p.function()
	case p.kind() == "{":
		p.table()
	default:
		p.prefixed()
	}
}

// prefixed reads a name or an expression in parentheses with all that follows it, and tells whether it ends with a call.
func (p *parser) prefixed() (called bool) {
	if p.accept("(") {
		p.expression()
		p.expect(")")
	} else {
		p.expect(tokenName)
	}
	for {
		switch {
		case p.accept("."):
			p.expect(tokenName)
			called = false
		case p.accept("["):
			p.expression()
			p.expect("]")
			called = false
		case p.accept(":"):
			p.expect(tokenName)
			p.arguments()
			called = true
		case slices.Contains([]string{"(", "{", tokenString}, p.kind()):
			p.arguments()
			called = true
		default:
			return called
		}
	}
}

func (p *parser) arguments() {
	switch {
	case p.kind() == "{":
		p.table()
	case p.accept(tokenString):
	default:
		p.expect("(")
		if p.kind() != ")" {
			p.expressions()
		}
		p.expect(")")
	}
}

func (p *parser) table() {
	p.expect("{")
	for p.kind() != "}" {
		switch {
		case p.accept("["):
			p.expression()
			p.expect("]")
			p.expect("=")
		case p.kind() == tokenName && p.tokens[p.at+1].kind == "=":
			p.at += 2
		}
		p.expression()
		if !p.accept(",", ";") {
			break
		}
	}
	p.expect("}")
}
