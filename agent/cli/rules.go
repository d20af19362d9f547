package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/api"
)

func (e *environment) rulesCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "rules",
		Short: "The rules, how often they fired, and what fails",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			rules, err := agent.Rules(c.Context())
			if err != nil {
				return err
			}
			return e.print(rules, func() *table { return ruleTable(rules) })
		},
	}
	for _, add := range []func() *cobra.Command{
		e.rulesTopCommand, e.rulesTraceCommand, e.rulesTestCommand, e.rulesShowCommand, e.rulesPutCommand,
		e.rulesChangeCommand("delete", "Remove a rule that was made on the running site", api.Agent.DeleteRule),
		e.rulesChangeCommand("enable", "Enable a rule, whatever its definition says", api.Agent.EnableRule),
		e.rulesChangeCommand("disable", "Disable a rule, whatever its definition says, until it is enabled", api.Agent.DisableRule),
	} {
		root.AddCommand(add())
	}
	for _, do := range []struct {
		name, short string
		run         func(agent api.Agent, ctx context.Context, name, by string) (api.Rule, error)
	}{
		{"unpark", "Let a rule that failed too often try again", api.Agent.UnparkRule},
	} {
		root.AddCommand(&cobra.Command{
			Use:   do.name + " RULE",
			Short: do.short,
			Args:  exactly(1, "the name of a rule"),
			RunE: func(c *cobra.Command, args []string) error {
				agent, err := e.agent()
				if err != nil {
					return err
				}
				r, err := do.run(agent, c.Context(), args[0], "cli."+userName())
				if err != nil {
					return err
				}
				return e.print(r, func() *table { return ruleTable([]api.Rule{r}) })
			},
		})
	}
	return root
}

func ruleTable(rules []api.Rule) *table {
	t := newTable("rule", "state", "condition", "evaluated", "fires", "unknown", "errors", "time", "last fire", "because").alignRight(3, 4, 5, 6, 7, 8)
	for _, r := range rules {
		because := cell{round(r.Why), plain}
		if r.Error != "" {
			because = cell{r.Error, red}
		}
		t.row(r.Name, ruleStateCell(r), r.Verdict, r.Evaluations, r.Fires, r.Unknowns, r.Errors, meanTime(r.Time), since(r.LastFire), because)
	}
	return t
}

func ruleFigures(r api.RulesStatus) string {
	parts := []string{fmt.Sprintf("%d defined", r.Defined)}
	for _, x := range []struct {
		n    int
		what string
	}{
		{r.Stored, "made on the running site"}, {r.Disabled, "disabled"}, {r.Switched, "switched by hand"}, {r.Failing, "failing"}, {r.Parked, "parked"},
	} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	return strings.Join(parts, ", ")
}

// ruleStateCell is a rule's state, and whether that was put by hand.
func ruleStateCell(r api.Rule) cell {
	c := stateCell(r.State)
	if r.Switched {
		c.text += " (by hand)"
	}
	return c
}

func meanTime(t *api.RuleTime) string {
	if t == nil {
		return "–"
	}
	return micros(t.MeanUS)
}

// micros says a time in µs.
func micros(us float64) string {
	if us >= 1000 {
		return fmt.Sprintf("%.1f ms", us/1000)
	}
	return fmt.Sprintf("%.2f µs", us)
}
