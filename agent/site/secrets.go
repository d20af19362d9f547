package site

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/sdk"
)

// Secrets are what env() and file() give, sensitive variables, and the values of sensitive attributes. They carry a mark
// through expressions; where they end, the attribute counts as sensitive. Diagnostics are cleaned of them once more at
// the end, whoever wrote them, and the sources that they are shown with are masked.

// masked is what is printed in the place of a secret.
const masked = "(sensitive)"

// shortestSecret bounds what is looked for in diagnostics: one letter is everywhere.
const shortestSecret = 4

func (l *loader) keepSecret(v any) {
	switch v := v.(type) {
	case string:
		if v = strings.TrimSpace(v); len(v) >= shortestSecret {
			l.secrets[v] = true
		}
	case []string:
		for _, s := range v {
			l.keepSecret(s)
		}
	case map[string]string:
		for _, s := range v {
			l.keepSecret(s)
		}
	case float64:
		l.keepSecret(formatNumber(v))
	}
}

// keepSecrets keeps all texts and numbers within a value.
func (l *loader) keepSecrets(v cty.Value) {
	v, _ = v.UnmarkDeep()
	// The function has no error of its own.
	_ = cty.Walk(v, func(_ cty.Path, v cty.Value) (bool, error) {
		if !v.IsNull() && v.IsKnown() && (v.Type() == cty.String || v.Type() == cty.Number) {
			if s, err := toText(v, func(s string) string { return s }); err == nil {
				l.keepSecret(s)
			}
		}
		return true, nil
	})
}

// hide masks the text of a secret in the sources that diagnostics show. A plain call or name is left to be read: it
// says where the secret comes from.
func (l *loader) hide(e hcl.Expression) {
	switch call := e.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return
	case *hclsyntax.FunctionCallExpr:
		if len(call.Args) == 1 && (call.Name == "env" || call.Name == "file") {
			return
		}
	}
	l.hidden = append(l.hidden, e.Range())
}

// secretLine looks for what is a secret by its name, where nothing better is known: in files that could not be read to
// their end, and in config blocks of plugins that could not be asked.
var secretLine = regexp.MustCompile(`(?im)^[^\n#]*?(?:password|passwd|token|secret|api_key|apikey|private_key)[\w"]*[ \t]*[=:][ \t]*([^\n]*)`)

// secretsByName are the values of attributes that are secrets by their names.
func secretsByName(file string, src []byte, from, to int) []hcl.Range {
	var out []hcl.Range
	for _, m := range secretLine.FindAllSubmatchIndex(src[from:to], -1) {
		r := hcl.Range{Filename: file}
		r.Start.Byte, r.End.Byte = from+m[2], from+m[3]
		if marker, ok := bytes.CutPrefix(src[r.Start.Byte:r.End.Byte], []byte("<<")); ok {
			// A heredoc reaches to the line with its marker.
			end := bytes.Index(src[r.End.Byte:], bytes.Trim(marker, "- \t\r"))
			if end < 0 {
				end = len(src) - r.End.Byte
			}
			r.End.Byte += end
		}
		out = append(out, r)
	}
	return out
}

// hideByName masks what looks like a secret in a config block whose schema is not known.
func (l *loader) hideByName(config *hcl.Block) {
	if config == nil {
		return
	}
	if b, ok := config.Body.(*hclsyntax.Body); ok {
		l.undecoded = append(l.undecoded, b.SrcRange)
	}
}

// maskSources replaces what must not be shown.
func (l *loader) maskSources() {
	byFile := map[string][]hcl.Range{}
	for _, r := range l.hidden {
		byFile[r.Filename] = append(byFile[r.Filename], r)
	}
	for _, src := range l.files {
		if src.diags.HasErrors() {
			byFile[src.name] = append(byFile[src.name], secretsByName(src.name, src.bytes, 0, len(src.bytes))...)
		}
	}
	for _, r := range l.undecoded {
		if f := l.site.Sources[r.Filename]; f != nil && r.End.Byte <= len(f.Bytes) {
			byFile[r.Filename] = append(byFile[r.Filename], secretsByName(r.Filename, f.Bytes, r.Start.Byte, r.End.Byte)...)
		}
	}
	for name, ranges := range byFile {
		f := l.site.Sources[name]
		if f == nil {
			continue
		}
		masked := bytes.Clone(f.Bytes)
		for _, r := range ranges {
			for i := max(0, r.Start.Byte); i < min(r.End.Byte, len(masked)); i++ {
				if masked[i] != '\n' && masked[i] != '\r' && masked[i] != '"' {
					masked[i] = '*'
				}
			}
		}
		f.Bytes = masked
	}
}

// scrub takes secrets out of diagnostics.
func (l *loader) scrub() {
	if len(l.secrets) == 0 {
		return
	}
	// The longest first: one secret may be part of another.
	all := sortedKeys(l.secrets)
	slices.SortStableFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	pairs := make([]string, 0, 2*len(all))
	for _, s := range all {
		pairs = append(pairs, s, masked)
	}
	r := strings.NewReplacer(pairs...)
	for _, d := range l.diags {
		d.Summary, d.Detail = r.Replace(d.Summary), r.Replace(d.Detail)
	}
}

// String is the config without its secrets.
func (c Config) String() string {
	return maskedValues(c.Values, "", c.Sensitive)
}

// GoString is String.
func (c Config) GoString() string { return c.String() }

// MarshalJSON writes the values without the secrets among them.
func (c Config) MarshalJSON() ([]byte, error) {
	return json.Marshal(maskedMap(c.Values, "", c.Sensitive))
}

func maskedMap(values sdk.Values, prefix string, sensitive map[string]bool) map[string]any {
	out := make(map[string]any, len(values))
	for name, v := range values {
		path := prefix + name
		switch v := v.(type) {
		case sdk.Values:
			out[name] = maskedMap(v, path+".", sensitive)
		case []sdk.Values:
			list := make([]map[string]any, len(v))
			for i, e := range v {
				list[i] = maskedMap(e, path+".", sensitive)
			}
			out[name] = list
		default:
			if sensitive[path] {
				v = masked
			}
			out[name] = v
		}
	}
	return out
}

func maskedValues(values sdk.Values, prefix string, sensitive map[string]bool) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range sortedKeys(values) {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(name + "=")
		path := prefix + name
		switch v := values[name].(type) {
		case sdk.Values:
			b.WriteString(maskedValues(v, path+".", sensitive))
		case []sdk.Values:
			for _, e := range v {
				b.WriteString(maskedValues(e, path+".", sensitive))
			}
		default:
			if sensitive[path] {
				b.WriteString(masked)
			} else {
				fmt.Fprintf(&b, "%v", v)
			}
		}
	}
	b.WriteByte('}')
	return b.String()
}

func maskIf(s string) string {
	if s == "" {
		return ""
	}
	return masked
}

// String is the store without its password.
func (s Store) String() string {
	type plain Store
	s.Password = maskIf(s.Password)
	return fmt.Sprintf("%+v", plain(s))
}

// GoString is String.
func (s Store) GoString() string { return s.String() }

// String is the API without its token.
func (a API) String() string {
	type plain API
	a.Token = maskIf(a.Token)
	return fmt.Sprintf("%+v", plain(a))
}

// GoString is String.
func (a API) GoString() string { return a.String() }

// String is the plugin without its environment's values.
func (p Plugin) String() string {
	type plain Plugin
	env := make(map[string]string, len(p.Env))
	for name := range p.Env {
		env[name] = masked
	}
	p.Env = env
	return fmt.Sprintf("%+v", plain(p))
}

// GoString is String.
func (p Plugin) GoString() string { return p.String() }

// String says which site it is; all of it would be too long to print, and has secrets.
func (s *Site) String() string { return "site " + s.Name + " " + s.Revision }

// GoString is String.
func (s *Site) GoString() string { return s.String() }
