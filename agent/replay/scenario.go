package replay

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Scenario is what happens to a site over time, and what is expected of it.
type Scenario struct {
	Name string
	// Site is the path of its file or folder.
	Site string
	// Start is the clock at its beginning, in ms since the Unix epoch.
	Start int64
	Steps []Step
	Range hcl.Range
}

// Step is one instant of a scenario: what is set counts first, then the devices' frames, then what is expected.
type Step struct {
	At              time.Duration
	Set             []Entry
	Silent, Answers []Entry
	Expect          []Expectation
	Range           hcl.Range
}

// Entry is a name, with its value where it has one, and where it stands.
type Entry struct {
	Name  string
	Value cty.Value
	Range hcl.Range
}

// Expectation is what an expect block says.
type Expectation struct {
	// Fired are rules, chains, windows and sequences that fired since the step before, Quiet those that did not.
	Fired, Quiet []Entry
	// Outputs by number; Rules that are true, and Idle ones that are not; Alarms that are active or normal, or at a level.
	Outputs, Rules, Idle, Alarms []Entry
	// Within is how far an output may be off.
	Within float64
}

var (
	fileSchema     = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "scenario", LabelNames: []string{"name"}}}}
	scenarioSchema = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "site", Required: true}, {Name: "start"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "at", LabelNames: []string{"time"}}},
	}
	stepSchema = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "set"}, {Name: "silent"}, {Name: "answers"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "expect"}},
	}
	expectSchema = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "output"}, {Name: "rule"}, {Name: "idle"}, {Name: "fired"}, {Name: "quiet"}, {Name: "alarm"}, {Name: "within"}},
	}
)

// alarmStates are what an alarm may be expected to be.
var alarmStates = []string{"active", "normal", "high_high", "high", "low", "low_low"}

// defaultWithin allows for rounding only.
const defaultWithin = 1e-6

// ReadScenarios reads a scenario file.
func ReadScenarios(path string) ([]Scenario, map[string]*hcl.File, hcl.Diagnostics) {
	parser := hclparse.NewParser()
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "The scenario file can't be read", Detail: err.Error()}}
	}
	file, diags := parser.ParseHCL(text, path)
	if diags.HasErrors() {
		return nil, parser.Files(), diags
	}
	d := &decoder{diags: diags}
	var out []Scenario
	for _, b := range d.content(file.Body, fileSchema).Blocks {
		out = append(out, d.scenario(b, filepath.Dir(path)))
	}
	return out, parser.Files(), d.diags
}

// decoder reads bodies and collects what is wrong with them.
type decoder struct{ diags hcl.Diagnostics }

func (d *decoder) refuse(at hcl.Range, summary, detail string) {
	d.diags = append(d.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at})
}

func (d *decoder) content(b hcl.Body, s *hcl.BodySchema) *hcl.BodyContent {
	c, diags := b.Content(s)
	d.diags = append(d.diags, diags...)
	return c
}

func (d *decoder) value(e hcl.Expression, want cty.Type) cty.Value {
	v, diags := e.Value(nil)
	d.diags = append(d.diags, diags...)
	if diags.HasErrors() {
		return cty.NullVal(want)
	}
	c, err := convert.Convert(v, want)
	if err != nil || c.IsNull() {
		d.refuse(e.Range(), "Wrong value", fmt.Sprintf("Here goes a %s.", want.FriendlyName()))
		return cty.NullVal(want)
	}
	return c
}

func (d *decoder) scenario(b *hcl.Block, dir string) Scenario {
	s := Scenario{Name: b.Labels[0], Start: scenarioStart, Range: b.DefRange}
	c := d.content(b.Body, scenarioSchema)
	if a := c.Attributes["start"]; a != nil {
		s.Start = d.instant(a.Expr)
	}
	if a := c.Attributes["site"]; a != nil {
		if v := d.value(a.Expr, cty.String); !v.IsNull() {
			s.Site = v.AsString()
			if !filepath.IsAbs(s.Site) {
				s.Site = filepath.Join(dir, s.Site)
			}
		}
	}
	last := time.Duration(-1)
	for _, at := range c.Blocks {
		step := d.step(at)
		if step.At < last {
			d.refuse(at.DefRange, "Steps out of order", "Each step is at the time of the one before it or later.")
		}
		last = step.At
		s.Steps = append(s.Steps, step)
	}
	return s
}

// instant reads a time with its date and zone.
func (d *decoder) instant(e hcl.Expression) int64 {
	v := d.value(e, cty.String)
	if v.IsNull() {
		return scenarioStart
	}
	t, err := time.Parse(time.RFC3339, v.AsString())
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		d.refuse(e.Range(), "Wrong time", `A start is written as "2026-03-29T00:30:00+01:00".`)
		return scenarioStart
	}
	return t.UnixMilli()
}

func (d *decoder) step(b *hcl.Block) Step {
	s := Step{Range: b.DefRange}
	t, err := time.ParseDuration(b.Labels[0])
	if err != nil || t < 0 {
		d.refuse(b.LabelRanges[0], "Wrong time", `The label of at is a time since the start, such as "2s" or "1m30s".`)
	}
	s.At = t
	c := d.content(b.Body, stepSchema)
	s.Set = d.entries(c.Attributes["set"], cty.Number)
	s.Silent = d.names(c.Attributes["silent"])
	s.Answers = d.names(c.Attributes["answers"])
	for _, e := range c.Blocks {
		s.Expect = append(s.Expect, d.expect(e))
	}
	return s
}

func (d *decoder) expect(b *hcl.Block) Expectation {
	c := d.content(b.Body, expectSchema)
	e := Expectation{
		Outputs: d.entries(c.Attributes["output"], cty.Number), Rules: d.names(c.Attributes["rule"]), Idle: d.names(c.Attributes["idle"]),
		Fired: d.names(c.Attributes["fired"]), Quiet: d.names(c.Attributes["quiet"]),
		Alarms: d.entries(c.Attributes["alarm"], cty.String), Within: defaultWithin,
	}
	for _, a := range e.Alarms {
		if s := a.Value.AsString(); !slices.Contains(alarmStates, s) {
			d.refuse(a.Range, "Wrong state", fmt.Sprintf("An alarm is active or normal, or at the level high_high, high, low or low_low, not %q.", s))
		}
	}
	if a := c.Attributes["within"]; a != nil {
		if v := d.value(a.Expr, cty.Number); !v.IsNull() {
			e.Within, _ = v.AsBigFloat().Float64()
		}
	}
	return e
}

// entries reads { "name" = value }.
func (d *decoder) entries(a *hcl.Attribute, want cty.Type) []Entry {
	if a == nil {
		return nil
	}
	pairs, diags := hcl.ExprMap(a.Expr)
	d.diags = append(d.diags, diags...)
	var out []Entry
	for _, p := range pairs {
		k, v := d.value(p.Key, cty.String), d.value(p.Value, want)
		if !k.IsNull() && !v.IsNull() {
			out = append(out, Entry{Name: k.AsString(), Value: v, Range: p.Key.Range()})
		}
	}
	return out
}

// names reads [ "name" ].
func (d *decoder) names(a *hcl.Attribute) []Entry {
	if a == nil {
		return nil
	}
	list, diags := hcl.ExprList(a.Expr)
	d.diags = append(d.diags, diags...)
	var out []Entry
	for _, e := range list {
		if v := d.value(e, cty.String); !v.IsNull() {
			out = append(out, Entry{Name: v.AsString(), Range: e.Range()})
		}
	}
	return out
}
