package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/site"
)

func (e *environment) rulesPutCommand() *cobra.Command {
	var check bool
	var shadow shadowFlags
	c := &cobra.Command{
		Use:   "put FILE",
		Short: "Make a rule on the running site, or change one that was made so",
		Long: "Reads a file with one rule, chain, window or sequence block (- is the standard input; *.json is in HCL's JSON syntax) and makes it part\n" +
			"of the running site, through the same checks as site.hcl: it runs when the command returns, and after a restart. What stands in the\n" +
			"site's own files is changed there. With --check it is only checked; with --shadow the site with it runs beside the live one on the\n" +
			"same frames, without touching an output, and what it decides otherwise is shown.",
		Args: exactly(1, "a file"),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := e.readRule(c.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			agent, err := e.agent()
			if err != nil {
				return err
			}
			r := api.RuleChange{Name: b.Name, Kind: b.Kind, Definition: b.Body, By: "cli." + userName()}
			if shadow.span != "" {
				return e.explained(e.startShadow(c.Context(), agent, api.ShadowRequest{Rule: &r}, shadow))
			}
			if !check {
				p, err := agent.PutRule(c.Context(), r)
				return e.sayChange(p, err)
			}
			p, err := agent.ValidateRule(c.Context(), r)
			if err == nil && hasErrors(p.Diagnostics) && !e.json {
				e.sayDiagnostics(p.Diagnostics)
				return exit{exitFailed, "the " + r.Kind + " would not be taken"}
			}
			return e.sayChange(p, err)
		},
	}
	c.Flags().BoolVar(&check, "check", false, "say what is wrong with it and what it would change, and change nothing")
	shadow.add(c, "run it beside the live site for this `TIME`, such as 10m, instead of making it")
	return c
}

// readRule reads the block of a file.
func (e *environment) readRule(stdin io.Reader, name string) (site.RuleBlock, error) {
	var src []byte
	var err error
	if name == "-" {
		name = "the standard input"
		if src, err = io.ReadAll(stdin); err == nil && bytes.HasPrefix(bytes.TrimSpace(src), []byte("{")) {
			name += ".json"
		}
	} else {
		src, err = os.ReadFile(name)
	}
	if err != nil {
		return site.RuleBlock{}, err
	}
	b, diags := site.ReadRuleBlock(src, name)
	if diags.HasErrors() {
		e.printDiagnostics(diags, map[string]*hcl.File{name: {Bytes: src}})
		return b, exit{exitFailed, name + " holds no rule that can be sent"}
	}
	return b, nil
}

func (e *environment) rulesShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show RULE",
		Short: "Where a rule comes from, and the definition of one that was made on the running site",
		Args:  exactly(1, "the name of a rule"),
		RunE: func(c *cobra.Command, args []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			d, err := agent.RuleDefinition(c.Context(), args[0])
			if err != nil {
				return err
			}
			if e.json {
				return e.printJSON(d)
			}
			e.say("%s %s, %s", d.Kind, d.Name, d.Place)
			if d.Stored {
				var b bytes.Buffer
				if err := json.Indent(&b, d.Definition, "", "  "); err != nil {
					return err
				}
				e.say("%s", b.String())
			}
			e.say("")
			return e.print(d.Rules, func() *table { return ruleTable(d.Rules) })
		},
	}
}

// rulesChangeCommand is a command that needs no more than a rule's name.
func (e *environment) rulesChangeCommand(name, short string, do func(a api.Agent, ctx context.Context, rule, by string) (api.Plan, error)) func() *cobra.Command {
	return func() *cobra.Command {
		return &cobra.Command{
			Use:   name + " RULE",
			Short: short,
			Args:  exactly(1, "the name of a rule"),
			RunE: func(c *cobra.Command, args []string) error {
				agent, err := e.agent()
				if err != nil {
					return err
				}
				p, err := do(agent, c.Context(), args[0], "cli."+userName())
				return e.sayChange(p, err)
			},
		}
	}
}

// sayChange says what a change of rules did.
func (e *environment) sayChange(p api.Plan, err error) error {
	if err != nil {
		return e.explained(err)
	}
	if len(p.Changes) == 0 && !e.json {
		e.say("Nothing changes: it was so already.")
		return nil
	}
	return e.printPlan(p)
}

// explained prints the diagnostics of an error that has some, and gives what is left to say.
func (e *environment) explained(err error) error {
	var refusal *api.Error
	if !errors.As(err, &refusal) || len(refusal.Diagnostics) == 0 || e.json {
		return err
	}
	e.sayDiagnostics(refusal.Diagnostics)
	return exit{exitFailed, strings.SplitN(refusal.Detail, ": ", 2)[0] + "; " + refusal.Hint}
}
