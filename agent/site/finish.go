package site

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// finish puts the site's papers in order: revision, files, masked sources, diagnostics by place.
func (l *loader) finish() {
	s := l.site
	for name := range l.inputs {
		if _, isFile := s.Sources[name]; isFile || isPath(name) {
			s.Files = append(s.Files, name)
		}
	}
	slices.Sort(s.Files)
	s.Revision = l.revision()
	l.maskSources()
	l.dropDoubtful()
	l.scrub()
	l.diags = Deduplicate(l.diags)
}

// sureSummaries are those of complaints about unknown things that hold whatever else the site has.
var sureSummaries = []string{"Unknown attribute", "Unknown block", "Unknown unit", "Unknown library", "Unknown column", "Unknown time zone", "Unknown profile"}

// dropDoubtful leaves out, when a file has an error of syntax, complaints about what is not there: it may be in the part
// that could not be read. In the file itself a brace too few or too many makes anything look unknown.
func (l *loader) dropDoubtful() {
	unread := map[string]bool{}
	syntax := map[*hcl.Diagnostic]bool{}
	for _, src := range l.files {
		if src.diags.HasErrors() {
			unread[src.name] = true
		}
		for _, d := range src.diags {
			syntax[d] = true
		}
	}
	if len(unread) == 0 {
		return
	}
	l.diags = slices.DeleteFunc(l.diags, func(d *hcl.Diagnostic) bool {
		if syntax[d] || slices.Contains(sureSummaries, d.Summary) && d.Subject != nil && !unread[d.Subject.Filename] {
			return false
		}
		return strings.HasPrefix(d.Summary, "Unknown ") || strings.HasPrefix(d.Summary, "Missing ") || strings.Contains(d.Summary, " without ") ||
			strings.Contains(d.Summary, "read-only")
	})
}

// isPath tells files from what else was read: "env:NAME", "var:NAME", "profile:PLUGIN/NAME", the switches.
func isPath(name string) bool {
	for _, prefix := range []string{"env:", "var:", "profile:", "switches:"} {
		if len(name) > len(prefix) && name[:len(prefix)] == prefix {
			return false
		}
	}
	return true
}

// Deduplicate sorts diagnostics by place and leaves out those that say the same of the same place: a for_each says it
// for each of its instances, and the compiler may say what was said before.
func Deduplicate(diags hcl.Diagnostics) hcl.Diagnostics {
	key := func(d *hcl.Diagnostic) (file string, line, column int) {
		if d.Subject == nil {
			return "", 0, 0
		}
		return d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column
	}
	out := slices.Clone(diags)
	slices.SortStableFunc(out, func(a, b *hcl.Diagnostic) int {
		fa, la, ca := key(a)
		fb, lb, cb := key(b)
		return cmp.Or(cmp.Compare(fa, fb), cmp.Compare(la, lb), cmp.Compare(ca, cb), cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Summary, b.Summary), cmp.Compare(a.Detail, b.Detail))
	})
	return slices.CompactFunc(out, func(a, b *hcl.Diagnostic) bool {
		fa, la, ca := key(a)
		fb, lb, cb := key(b)
		return fa == fb && la == lb && ca == cb && a.Severity == b.Severity && a.Summary == b.Summary && a.Detail == b.Detail
	})
}

// checkPatterns checks patterns of names.
func (l *loader) checkPatterns(c *content, name string) {
	for _, p := range c.list(name) {
		if _, err := path.Match(p, ""); err != nil {
			l.fail(c.at(name), "Wrong value", "%q: %q is no pattern; * stands for any letters, as in \"battery.*\".", name, p)
		}
	}
}
