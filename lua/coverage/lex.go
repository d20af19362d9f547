package main

import (
	"fmt"
	"strings"
)

// token is one word of Lua 5.1. Kind is the text itself of keywords and operators, else name, number, string or end.
type token struct {
	kind   string
	offset int
	line   int
}

const (
	tokenName   = "name"
	tokenNumber = "number"
	tokenString = "string"
	tokenEnd    = "end of file"
)

var keywords = map[string]bool{
	"and": true, "break": true, "do": true, "else": true, "elseif": true, "end": true, "false": true, "for": true,
	"function": true, "if": true, "in": true, "local": true, "nil": true, "not": true, "or": true, "repeat": true,
	"return": true, "then": true, "true": true, "until": true, "while": true,
}

// operators are in the order in which they are tried: the longer ones first.
var operators = []string{
	"...", "..", "==", "~=", "<=", ">=", "+", "-", "*", "/", "%", "^", "#", "<", ">", "=", "(", ")", "{", "}", "[", "]", ";", ":", ",", ".",
}

// lexer takes Lua apart.
type lexer struct {
	text string
	at   int
	line int
}

func lex(text string) ([]token, error) {
	l := &lexer{text: text, line: 1}
	var out []token
	for {
		if err := l.blank(); err != nil {
			return nil, err
		}
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		if t.kind == tokenEnd {
			return out, nil
		}
	}
}

func (l *lexer) fail(format string, args ...any) error {
	return fmt.Errorf("line %d: %s", l.line, fmt.Sprintf(format, args...))
}

// move goes n bytes on.
func (l *lexer) move(n int) {
	l.line += strings.Count(l.text[l.at:l.at+n], "\n")
	l.at += n
}

func (l *lexer) rest() string { return l.text[l.at:] }

// blank goes over spaces and comments.
func (l *lexer) blank() error {
	for {
		rest := l.rest()
		if n := len(rest) - len(strings.TrimLeft(rest, " \t\r\n\f\v")); n > 0 {
			l.move(n)
			continue
		}
		if !strings.HasPrefix(rest, "--") {
			return nil
		}
		if n, ok, err := l.long(2); err != nil {
			return err
		} else if ok {
			l.move(n)
			continue
		}
		if n := strings.IndexByte(rest, '\n'); n >= 0 {
			l.move(n)
		} else {
			l.move(len(rest))
		}
	}
}

// long tells whether a long bracket [==[ … ]==] begins from bytes on, and where it ends.
func (l *lexer) long(from int) (end int, ok bool, err error) {
	rest := l.rest()[from:]
	level := 1
	for level < len(rest) && rest[level] == '=' {
		level++
	}
	if !strings.HasPrefix(rest, "[") || level >= len(rest) || rest[level] != '[' {
		return 0, false, nil
	}
	closing := "]" + strings.Repeat("=", level-1) + "]"
	n := strings.Index(rest[level+1:], closing)
	if n < 0 {
		return 0, false, l.fail("%s is missing", closing)
	}
	return from + level + 1 + n + len(closing), true, nil
}

func isLetter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

func (l *lexer) next() (token, error) {
	t := token{offset: l.at, line: l.line}
	rest := l.rest()
	if rest == "" {
		t.kind = tokenEnd
		return t, nil
	}
	n, ok, err := l.long(0)
	switch c := rest[0]; {
	case err != nil:
		return t, err
	case ok:
		t.kind = tokenString
	case isLetter(c):
		for n = 1; n < len(rest) && (isLetter(rest[n]) || isDigit(rest[n])); n++ {
			continue
		}
		if t.kind = tokenName; keywords[rest[:n]] {
			t.kind = rest[:n]
		}
	case isDigit(c) || c == '.' && len(rest) > 1 && isDigit(rest[1]):
		t.kind, n = tokenNumber, numberLength(rest)
	case c == '"' || c == '\'':
		if t.kind, n = tokenString, stringLength(rest); n == 0 {
			return t, l.fail("this string has no end")
		}
	default:
		for _, o := range operators {
			if strings.HasPrefix(rest, o) {
				t.kind, n = o, len(o)
				break
			}
		}
		if n == 0 {
			return t, l.fail("%q is not Lua", c)
		}
	}
	l.move(n)
	return t, nil
}

func numberLength(s string) int {
	n := 0
	for n < len(s) && (isLetter(s[n]) || isDigit(s[n]) || s[n] == '.') {
		exponent := s[n] == 'e' || s[n] == 'E'
		n++
		if exponent && n < len(s) && (s[n] == '+' || s[n] == '-') {
			n++
		}
	}
	return n
}

// stringLength is the length of a quoted string, or 0 when it has no end.
func stringLength(s string) int {
	for n := 1; n < len(s); n++ {
		switch s[n] {
		case '\\':
			n++
		case '\n':
			return 0
		case s[0]:
			return n + 1
		}
	}
	return 0
}
