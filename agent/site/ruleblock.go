package site

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// RuleKinds are the blocks that are rules, or flows among them.
var RuleKinds = []string{"rule", "chain", "window", "sequence"}

// anyRule is one of them, in words.
const anyRule = "a rule, chain, window or sequence"

// RuleBlock is one block of a kind of RuleKinds in the JSON syntax of HCL.
type RuleBlock struct {
	Kind, Name string
	// Body is the JSON object of what stands between the block's braces.
	Body []byte
}

// File is a file of the JSON syntax that holds the block. The lines of the body are lines of the file.
func (b RuleBlock) File() []byte {
	name, _ := json.Marshal(b.Name)
	return fmt.Appendf(nil, "{%q: {%s: %s}}\n", b.Kind, name, bytes.TrimSpace(b.Body))
}

// Check says what is wrong with the block before the site is read with it: its kind, its name, or JSON that is none.
func (b RuleBlock) Check() error {
	switch {
	case !slices.Contains(RuleKinds, b.Kind):
		return fmt.Errorf("the kind is %q; it must be %s", b.Kind, anyRule)
	case !hclsyntax.ValidIdentifier(b.Name) || len(b.Name) > longestName:
		return fmt.Errorf("%q can't be a name: it has letters, digits, _ and -, begins with a letter, and is no longer than %d bytes", b.Name, longestName)
	}
	dec := json.NewDecoder(bytes.NewReader(b.Body))
	var body map[string]json.RawMessage
	if err := dec.Decode(&body); err != nil {
		return fmt.Errorf("the %s is no JSON object: %w", b.Kind, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("something follows behind the JSON object of the %s", b.Kind)
	}
	return nil
}

// ReadRuleBlock reads a file that holds one rule, chain, window or sequence: *.json is in the JSON syntax of HCL, and what else is in its
// own, which is put into JSON.
func ReadRuleBlock(src []byte, filename string) (RuleBlock, hcl.Diagnostics) {
	if strings.HasSuffix(filepath.Base(filename), ".json") {
		b, err := readRuleJSON(src)
		if err != nil {
			start := hcl.Range{Filename: filename, Start: hcl.InitialPos, End: hcl.InitialPos}
			return b, complaint(start, "No rule", "%s.", capital(err.Error()))
		}
		return b, nil
	}
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if at, deep := tooDeep(src); deep {
		return RuleBlock{}, complaint(rangeOfBytes(filename, src, at, at+1), "Nested too deeply", "Brackets are nested more than %d deep here.", deepest)
	}
	f, diags := hclsyntax.ParseConfig(src, filename, hcl.InitialPos)
	if diags.HasErrors() {
		return RuleBlock{}, diags
	}
	body := f.Body.(*hclsyntax.Body)
	for _, a := range body.Attributes {
		return RuleBlock{}, complaint(a.NameRange, "Attribute outside of a block", "The file holds one block: %s.", anyRule)
	}
	for _, x := range body.Blocks {
		if !slices.Contains(RuleKinds, x.Type) {
			return RuleBlock{}, complaint(x.DefRange(), "Not a rule", "The file holds one block: %s. This is %s.", anyRule, withArticle(x.Type))
		}
	}
	if n := len(body.Blocks); n != 1 {
		return RuleBlock{}, complaint(rangeOfBytes(filename, src, 0, 0), "Not one rule", "The file holds one block: %s. This has %d.", anyRule, n)
	}
	x := body.Blocks[0]
	if len(x.Labels) != 1 {
		return RuleBlock{}, complaint(x.DefRange(), "Wrong labels", "%s has a name: write %s \"NAME\" { … }.", capital(withArticle(x.Type)+" block"), x.Type)
	}
	var out bytes.Buffer
	w := jsonWriter{src: src, out: &out}
	w.body(x.Body, "")
	return RuleBlock{Kind: x.Type, Name: x.Labels[0], Body: out.Bytes()}, nil
}

// readRuleJSON reads {"KIND": {"NAME": BODY}}.
func readRuleJSON(src []byte) (RuleBlock, error) {
	wanted := fmt.Errorf("the file holds one block: {\"KIND\": {\"NAME\": {…}}} whose KIND is %s", anyRule)
	var kinds map[string]map[string]json.RawMessage
	if err := json.Unmarshal(src, &kinds); err != nil {
		return RuleBlock{}, fmt.Errorf("%w: %w", wanted, err)
	}
	if len(kinds) != 1 {
		return RuleBlock{}, wanted
	}
	for kind, names := range kinds {
		if len(names) != 1 {
			return RuleBlock{}, wanted
		}
		for name, body := range names {
			b := RuleBlock{Kind: kind, Name: name, Body: body}
			return b, b.Check()
		}
	}
	return RuleBlock{}, wanted
}

// jsonWriter puts HCL's own syntax into its JSON syntax. Expressions keep their text.
type jsonWriter struct {
	src []byte
	out *bytes.Buffer
}

// body writes a body as an object: attributes in their order, then blocks by type.
func (w jsonWriter) body(b *hclsyntax.Body, indent string) {
	inner := indent + "  "
	attributes := make([]*hclsyntax.Attribute, 0, len(b.Attributes))
	for _, a := range b.Attributes {
		attributes = append(attributes, a)
	}
	slices.SortFunc(attributes, func(x, y *hclsyntax.Attribute) int { return x.NameRange.Start.Byte - y.NameRange.Start.Byte })
	next := "{\n"
	member := func(name string) {
		w.out.WriteString(next + inner)
		w.text(name)
		w.out.WriteString(": ")
		next = ",\n"
	}
	for _, a := range attributes {
		member(a.Name)
		w.expression(a.Expr, inner)
	}
	var types []string
	of := map[string][]*hclsyntax.Block{}
	for _, x := range b.Blocks {
		if of[x.Type] == nil {
			types = append(types, x.Type)
		}
		of[x.Type] = append(of[x.Type], x)
	}
	for _, name := range types {
		member(name)
		w.list(len(of[name]), inner, func(i int, indent string) { w.block(of[name][i].Labels, of[name][i].Body, indent) })
	}
	if next == "{\n" {
		w.out.WriteString("{}")
		return
	}
	w.out.WriteString("\n" + indent + "}")
}

// block writes a block as an object in an object for each label.
func (w jsonWriter) block(labels []string, b *hclsyntax.Body, indent string) {
	if len(labels) == 0 {
		w.body(b, indent)
		return
	}
	w.out.WriteString("{\n" + indent + "  ")
	w.text(labels[0])
	w.out.WriteString(": ")
	w.block(labels[1:], b, indent+"  ")
	w.out.WriteString("\n" + indent + "}")
}

// list writes several as an array, and one as it is.
func (w jsonWriter) list(n int, indent string, write func(i int, indent string)) {
	if n == 1 {
		write(0, indent)
		return
	}
	w.out.WriteString("[")
	for i := range n {
		if i > 0 {
			w.out.WriteString(", ")
		}
		write(i, indent)
	}
	w.out.WriteString("]")
}

// expression writes numbers, truth values and plain texts as those of JSON, lists and objects too, and all else as "${…}".
func (w jsonWriter) expression(e hclsyntax.Expression, indent string) {
	switch x := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		if x.Val.IsNull() || x.Val.Type() == cty.Bool || x.Val.Type() == cty.Number {
			w.out.Write(w.source(x.SrcRange))
			return
		}
	case *hclsyntax.TemplateExpr:
		if x.IsStringLiteral() {
			v, _ := x.Value(nil)
			w.text(strings.NewReplacer("${", "$${", "%{", "%%{").Replace(v.AsString()))
			return
		}
	case *hclsyntax.TupleConsExpr:
		w.out.WriteString("[")
		for i, item := range x.Exprs {
			if i > 0 {
				w.out.WriteString(", ")
			}
			w.expression(item, indent)
		}
		w.out.WriteString("]")
		return
	case *hclsyntax.ObjectConsExpr:
		if w.object(x, indent) {
			return
		}
	}
	w.text("${" + string(w.source(e.Range())) + "}")
}

// object writes an object whose keys are words; false when one is computed.
func (w jsonWriter) object(x *hclsyntax.ObjectConsExpr, indent string) bool {
	keys := make([]string, len(x.Items))
	for i, item := range x.Items {
		if word := hcl.ExprAsKeyword(item.KeyExpr); word != "" {
			keys[i] = word
			continue
		}
		v, diags := item.KeyExpr.Value(nil)
		if diags.HasErrors() || !isText(v) {
			return false
		}
		keys[i] = strings.NewReplacer("${", "$${", "%{", "%%{").Replace(v.AsString())
	}
	w.out.WriteString("{")
	for i, item := range x.Items {
		if i > 0 {
			w.out.WriteString(",")
		}
		w.out.WriteString("\n" + indent + "  ")
		w.text(keys[i])
		w.out.WriteString(": ")
		w.expression(item.ValueExpr, indent+"  ")
	}
	if len(x.Items) > 0 {
		w.out.WriteString("\n" + indent)
	}
	w.out.WriteString("}")
	return true
}

func (w jsonWriter) source(r hcl.Range) []byte { return w.src[r.Start.Byte:r.End.Byte] }

func (w jsonWriter) text(s string) {
	enc := json.NewEncoder(w.out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a text into a buffer
	w.out.Truncate(w.out.Len() - 1)
}
