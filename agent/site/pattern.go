package site

import (
	"fmt"
	"regexp"
	"strings"
)

// Pattern is a pattern of names, in which * stands for any characters, or none, and ? for any one. All others stand for
// themselves: "battery.*", "*.power", "charger[left].?1".
type Pattern struct {
	text string
	re   *regexp.Regexp
	// wild is how many * and ? there are.
	wild int
}

// NewPattern makes a pattern of a text.
func NewPattern(text string) *Pattern {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	p := &Pattern{text: text}
	for _, c := range text {
		switch c {
		case '*':
			b.WriteString(`(.*)`)
			p.wild++
		case '?':
			b.WriteString(`(.)`)
			p.wild++
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	b.WriteString(`\z`)
	p.re = regexp.MustCompile(b.String())
	return p
}

// Match tells whether a name fits.
func (p *Pattern) Match(name string) bool { return p.re.MatchString(name) }

// Rename makes of a name that fits another one: $1 in it is what the first * or ? stands for, and so on; $$ is a $.
func (p *Pattern) Rename(name, to string) (string, bool) {
	found := p.re.FindStringSubmatch(name)
	if found == nil {
		return "", false
	}
	return expandCaptures(to, func(n int) string { return found[n] }), true
}

// checkRename says what is wrong with the other name.
func (p *Pattern) checkRename(to string) error {
	var err error
	expandCaptures(to, func(n int) string {
		if n > p.wild && err == nil {
			err = fmt.Errorf("$%d has nothing to stand for: %q has %d of * and ?", n, p.text, p.wild)
		}
		return ""
	})
	return err
}

// expandCaptures puts f(1) in the place of $1, and so on.
func expandCaptures(to string, f func(int) string) string {
	if !strings.Contains(to, "$") {
		return to
	}
	var b strings.Builder
	for i := 0; i < len(to); i++ {
		if to[i] != '$' || i+1 == len(to) {
			b.WriteByte(to[i])
			continue
		}
		switch c := to[i+1]; {
		case c == '$':
			b.WriteByte('$')
			i++
		case c >= '1' && c <= '9':
			b.WriteString(f(int(c - '0')))
			i++
		default:
			b.WriteByte('$')
		}
	}
	return b.String()
}

// Selection is a choice of names by patterns.
type Selection struct {
	include, exclude []*Pattern
}

// NewSelection makes a selection: names that fit any pattern of include, all when it is empty, and none of exclude.
func NewSelection(include, exclude []string) *Selection {
	s := &Selection{}
	for _, p := range include {
		s.include = append(s.include, NewPattern(p))
	}
	for _, p := range exclude {
		s.exclude = append(s.exclude, NewPattern(p))
	}
	return s
}

// Match tells whether a name is chosen.
func (s *Selection) Match(name string) bool {
	return (len(s.include) == 0 || matchAny(s.include, name)) && !matchAny(s.exclude, name)
}

func matchAny(patterns []*Pattern, name string) bool {
	for _, p := range patterns {
		if p.Match(name) {
			return true
		}
	}
	return false
}
