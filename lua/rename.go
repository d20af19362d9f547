package lua

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	registration = regexp.MustCompile(`(?m)^(redis\.register_function\{ function_name = '\w+)'`)
	suffixField  = regexp.MustCompile(`(?m)^(local Library = \{.*suffix = ')'`)
)

// ErrNoBundle is the error of As for a text that the bundler did not make.
var ErrNoBundle = errors.New("the text is no bundle")

// As returns a bundled library under another name, as BundleAs does: its own and each of its functions' with the suffix
// behind it. It is for a library of which only the bundle is at hand, and fails for a text that is none.
func (l Library) As(suffix string) (Library, error) {
	if !suffixPattern.MatchString(suffix) {
		return Library{}, fmt.Errorf("the suffix %q has characters other than letters, digits and underscores", suffix)
	}
	head, body, ok := strings.Cut(l.Source, "\nfunction open()\n")
	first := "#!lua name=" + l.Name + "\n"
	if !ok || !strings.HasPrefix(head, first) || !registration.MatchString(head) || !suffixField.MatchString(head) {
		return Library{}, fmt.Errorf("library %q: %w", l.Name, ErrNoBundle)
	}
	head = "#!lua name=" + l.Name + suffix + "\n" + head[len(first):]
	head = registration.ReplaceAllString(head, "${1}"+suffix+"'")
	head = suffixField.ReplaceAllString(head, "${1}"+suffix+"'")
	l.Name += suffix
	l.Source = head + "\nfunction open()\n" + body
	return l, nil
}
