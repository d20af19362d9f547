package replay

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"

	"github.com/voltage-edge/voltage/agent/store"
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

// Step is one instant of a scenario: what is set counts first, then the devices' frames, then what people ask for, then what
// is expected.
type Step struct {
	At time.Duration
	// Set are points with their values; Bad are points that have none.
	Set, Bad        []Entry
	Silent, Answers []Entry
	Requests        []AskedFor
	Commands        []Command
	Expect          []Expectation
	Range           hcl.Range
}

// AskedFor is a request that somebody makes for an output, or withdraws.
type AskedFor struct {
	store.SetRequest
	Range hcl.Range
}

// Command is what somebody does to an alarm.
type Command struct {
	store.AlarmCommand
	Range hcl.Range
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
	// Outputs by number; Rules that are true, and Idle ones that are not.
	Outputs, Rules, Idle []Entry
	// Alarms have lists of texts: each one of alarmStates.
	Alarms []Entry
	// Values are points, measurements of models and aggregates of windows by number; null: unknown.
	Values []Entry
	// Within is how far an output or a value may be off.
	Within float64
}

var (
	fileSchema     = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "scenario", LabelNames: []string{"name"}}}}
	scenarioSchema = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "site", Required: true}, {Name: "start"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "at", LabelNames: []string{"time"}}},
	}
	stepSchema = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "set"}, {Name: "bad"}, {Name: "silent"}, {Name: "answers"}},
		Blocks: []hcl.BlockHeaderSchema{
			{Type: "request", LabelNames: []string{"output"}}, {Type: "alarm", LabelNames: []string{"name"}}, {Type: "expect"},
		},
	}
	requestSchema = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "value"}, {Name: "priority"}, {Name: "ttl"}, {Name: "by"}},
	}
	commandSchema = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "command", Required: true}, {Name: "for"}, {Name: "once"}, {Name: "by"}},
	}
	expectSchema = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "output"}, {Name: "rule"}, {Name: "idle"}, {Name: "fired"}, {Name: "quiet"}, {Name: "alarm"}, {Name: "value"}, {Name: "within"}},
	}
)

// anybody makes requests and commands that name nobody, with the priority of `voltage set`.
const (
	anybody         = "scenario"
	requestPriority = 90
)

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

func (d *decoder) step(b *hcl.Block) Step {
	s := Step{Range: b.DefRange}
	t, err := time.ParseDuration(b.Labels[0])
	if err != nil || t < 0 {
		d.refuse(b.LabelRanges[0], "Wrong time", `The label of at is a time since the start, such as "2s" or "1m30s".`)
	}
	s.At = t
	c := d.content(b.Body, stepSchema)
	s.Set = d.entries(c.Attributes["set"], d.number)
	s.Bad = d.names(c.Attributes["bad"])
	s.Silent = d.names(c.Attributes["silent"])
	s.Answers = d.names(c.Attributes["answers"])
	for _, b := range c.Blocks {
		switch b.Type {
		case "request":
			s.Requests = append(s.Requests, d.request(b))
		case "alarm":
			s.Commands = append(s.Commands, d.command(b))
		default:
			s.Expect = append(s.Expect, d.expect(b))
		}
	}
	return s
}

func (d *decoder) request(b *hcl.Block) AskedFor {
	r := AskedFor{store.SetRequest{Name: b.Labels[0], Owner: anybody, Priority: requestPriority, Why: "a scenario"}, b.DefRange}
	c := d.content(b.Body, requestSchema)
	if a := c.Attributes["value"]; a != nil {
		if v := d.number(a.Expr); !v.IsNull() {
			f, _ := v.AsBigFloat().Float64()
			r.Value = &f
		}
	}
	if a := c.Attributes["priority"]; a != nil {
		if v := d.value(a.Expr, cty.Number); !v.IsNull() {
			f, _ := v.AsBigFloat().Float64()
			if r.Priority = int(f); f < 0 || f > 100 || f != float64(r.Priority) {
				d.refuse(a.Expr.Range(), "Wrong priority", "A priority is a whole number from 0 to 100.")
			}
		}
	}
	if a := c.Attributes["ttl"]; a != nil {
		r.TTL = d.duration(a.Expr)
	}
	if a := c.Attributes["by"]; a != nil {
		if v := d.value(a.Expr, cty.String); !v.IsNull() {
			r.Owner = v.AsString()
		}
	}
	return r
}

func (d *decoder) command(b *hcl.Block) Command {
	x := Command{store.AlarmCommand{Name: b.Labels[0], By: anybody}, b.DefRange}
	c := d.content(b.Body, commandSchema)
	if a := c.Attributes["by"]; a != nil {
		if v := d.value(a.Expr, cty.String); !v.IsNull() {
			x.By = v.AsString()
		}
	}
	a := c.Attributes["command"]
	if a == nil {
		return x
	}
	if v := d.value(a.Expr, cty.String); !v.IsNull() {
		if x.Command = v.AsString(); !slices.Contains(operatorCommands, x.Command) {
			d.refuse(a.Expr.Range(), "Wrong command", fmt.Sprintf("A command is one of %s, not %q.", strings.Join(operatorCommands, ", "), x.Command))
		}
	}
	once, how := c.Attributes["once"], c.Attributes["for"]
	if x.Command != "shelve" {
		for _, a := range []*hcl.Attribute{once, how} {
			if a != nil {
				d.refuse(a.NameRange, "Unused attribute", fmt.Sprintf("Only the command shelve has %q.", a.Name))
			}
		}
		return x
	}
	x.Mode = "timed"
	if once != nil {
		if v := d.value(once.Expr, cty.Bool); !v.IsNull() && v.True() {
			x.Mode = "oneshot"
		}
	}
	if x.Duration = time.Hour; how != nil {
		x.Duration = d.duration(how.Expr)
	}
	return x
}

func (d *decoder) expect(b *hcl.Block) Expectation {
	c := d.content(b.Body, expectSchema)
	e := Expectation{
		Outputs: d.entries(c.Attributes["output"], d.number), Rules: d.names(c.Attributes["rule"]), Idle: d.names(c.Attributes["idle"]),
		Fired: d.names(c.Attributes["fired"]), Quiet: d.names(c.Attributes["quiet"]),
		Alarms: d.entries(c.Attributes["alarm"], d.states), Values: d.entries(c.Attributes["value"], d.numberOrNull), Within: defaultWithin,
	}
	if a := c.Attributes["within"]; a != nil {
		if v := d.value(a.Expr, cty.Number); !v.IsNull() {
			e.Within, _ = v.AsBigFloat().Float64()
		}
	}
	return e
}
