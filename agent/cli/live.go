package cli

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/api"
)

func (e *environment) getCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "get [NAME...]",
		Short: "Values with unit, quality and age",
		Long:  "Prints values by name (battery.soc, bess.power) or pattern ('battery.*'); without a name all of them.\nOne exact name with --json prints one object, anything else an array.",
		RunE: func(c *cobra.Command, args []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			if len(args) == 1 && !isPattern(args[0]) {
				v, err := agent.Value(c.Context(), args[0])
				if err != nil {
					return err
				}
				return e.print(v, func() *table { return valueTable([]api.Value{v}) })
			}
			values, err := agent.Values(c.Context(), args)
			if err != nil {
				return err
			}
			return e.print(values, func() *table { return valueTable(values) })
		},
	}
}

func isPattern(name string) bool {
	for _, r := range name {
		if r == '*' || r == '?' {
			return true
		}
	}
	return false
}

func valueTable(values []api.Value) *table {
	t := newTable("name", "value", "unit", "quality", "age").alignRight(1, 4)
	addValues(t, values)
	return t
}

func addValues(t *table, values []api.Value) {
	for _, v := range values {
		t.row(v.Name, valueText(v), v.Unit, qualityCell(v), ageOf(v))
	}
}

func (e *environment) setCommand() *cobra.Command {
	var ttl, reason string
	var priority int
	var wait time.Duration
	c := &cobra.Command{
		Use:   "set NAME VALUE|none",
		Short: "Ask for an output, and wait for what becomes of it",
		Long: "Makes a request for an output (battery.setpoint) or a model's action (bess.power), beside those of the rules: the highest\n" +
			"priority wins. `none` withdraws it. Exit codes: 0 written or withdrawn, 3 outranked, 4 refused by the device or read back\n" +
			"as something else, 5 no outcome in time.",
		Args: exactly(2, "a name and a value"),
		RunE: func(c *cobra.Command, args []string) error {
			req := api.SetRequest{Name: args[0], Priority: priority, Owner: "cli." + userName(), Reason: reason, Wait: wait}
			if args[1] != "none" {
				v, err := strconv.ParseFloat(args[1], 64)
				if err != nil {
					return exit{exitUsage, fmt.Sprintf("%q is no number; `none` withdraws the request", args[1])}
				}
				req.Value = &v
			}
			if ttl != "" {
				d, err := span(ttl)
				if err != nil {
					return err
				}
				req.TTL = d
			}
			agent, err := e.agent()
			if err != nil {
				return err
			}
			out, err := agent.Set(c.Context(), req)
			if err != nil {
				return err
			}
			return e.printOutcome(out)
		},
	}
	c.Flags().StringVar(&ttl, "ttl", "", "how long the request stands (30s, 15m, 2h); without it until withdrawn")
	c.Flags().IntVar(&priority, "priority", 90, "0 to 100; the highest of all requests wins")
	c.Flags().StringVar(&reason, "reason", "", "why, for `voltage why`")
	c.Flags().DurationVar(&wait, "wait", 15*time.Second, "how long to wait for the outcome")
	return c
}

func userName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "somebody"
}

func (e *environment) printOutcome(o api.Outcome) error {
	if e.json {
		if err := e.printJSON(o); err != nil {
			return err
		}
	} else {
		text := o.Output + ": " + o.Result
		if o.Value != nil {
			text += " " + withUnit(number(*o.Value), o.Unit)
		}
		if o.ReadBack != nil {
			text += ", read back " + withUnit(number(*o.ReadBack), o.Unit)
		}
		if o.Detail != "" && o.Result != "written" {
			text += " (" + o.Detail + ")"
		}
		e.say("%s", text)
	}
	switch o.Result {
	case "written", "withdrawn":
		return nil
	case "outranked":
		return exit{code: exitOutranked}
	case "pending":
		return exit{code: exitPending}
	}
	return exit{code: exitNotDone}
}

func (e *environment) whyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "why OUTPUT",
		Short: "Who holds an output, why, and what the device answered",
		Args:  exactly(1, "the name of an output"),
		RunE: func(c *cobra.Command, args []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			w, err := agent.Why(c.Context(), args[0])
			if err != nil {
				return err
			}
			if e.json {
				return e.printJSON(w)
			}
			e.printWhy(w)
			return nil
		},
	}
}

func (e *environment) printWhy(w api.Why) {
	colors := e.colors()
	width, _ := e.size()
	o := w.Output
	e.say("%s", w.Sentence)
	e.say("")
	facts := newTable("", "")
	facts.row("value", withUnit(optional(o.Value), o.Unit)+aimText(o))
	facts.row("state", stateCell(o.State))
	facts.row("range", fmt.Sprintf("%s to %s, safe %s", number(o.Min), number(o.Max), withUnit(number(o.Safe), o.Unit)))
	facts.write(e.out, colors, width)
	if len(w.Contenders) > 0 {
		e.say("")
		t := newTable("request by", "value", "priority", "age", "expires", "rev", "", "because").alignRight(1, 2)
		for _, r := range w.Contenders {
			lost := cell{"holds it", green}
			if r.Lost != "" {
				lost = cell{r.Lost, dim}
			}
			t.row(r.Owner, withUnit(number(r.Value), o.Unit), r.Priority, since(r.At), until(r.Expires), short(r.Revision), lost, r.Reason)
		}
		t.write(e.out, colors, width)
	}
	if len(w.Writes) > 0 {
		e.say("")
		t := newTable("written", "value", "for", "outcome", "read back", "took", "answer").alignRight(1, 4, 5)
		for _, x := range w.Writes {
			owner := x.Owner
			if owner == "" {
				owner = "nobody (safe)"
			}
			t.row(x.Time.Local().Format("15:04:05.000"), withUnit(number(x.Value), o.Unit), owner, stateCell(x.Outcome), withUnit(optional(x.ReadBack), o.Unit), fmt.Sprintf("%.1f ms", x.TookMS), x.Answer)
		}
		t.write(e.out, colors, width)
	}
}

func aimText(o api.Output) string {
	// A device's type rounds; what reads the same is the same.
	if o.Value == nil || o.Aim == nil || number(*o.Value) == number(*o.Aim) {
		return ""
	}
	return ", on the way to " + withUnit(number(*o.Aim), o.Unit)
}

func until(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return "in " + age(time.Until(t))
}

func short(revision string) string {
	if len(revision) > 8 {
		return revision[:8]
	}
	return revision
}

func (e *environment) outputsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "outputs",
		Short: "The outputs, and who holds them",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			outs, err := agent.Outputs(c.Context())
			if err != nil {
				return err
			}
			return e.print(outs, func() *table { return outputTable(outs) })
		},
	}
}

func outputTable(outs []api.Output) *table {
	t := newTable("output", "value", "aim", "unit", "state", "held by", "priority", "expires").alignRight(1, 2, 6)
	for _, o := range outs {
		owner, priority, expires := o.Owner, strconv.Itoa(o.Priority), until(o.Expires)
		if owner == "" {
			owner, priority, expires = "nobody (safe)", "", ""
		}
		t.row(o.Name, optional(o.Value), optional(o.Aim), o.Unit, stateCell(o.State), owner, priority, expires)
	}
	return t
}

func (e *environment) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch [PATTERN...]",
		Short: "The live table; with --json or into a pipe every change on a line",
		RunE: func(c *cobra.Command, args []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			if e.json || !e.terminal() {
				return e.follow(c.Context(), agent, args)
			}
			return newScreen(e, agent, args).run(c.Context())
		},
	}
}

// follow prints every change on a line of its own, until ctx ends.
func (e *environment) follow(ctx context.Context, agent *api.Client, patterns []string) error {
	changes, err := agent.Subscribe(ctx, patterns, 0)
	if err != nil {
		return err
	}
	for ch := range changes {
		if e.json {
			if err := e.printLine(ch); err != nil {
				return err
			}
			continue
		}
		switch {
		case ch.Value != nil:
			v := *ch.Value
			e.say("%s  %s = %s  %s", v.Time.Local().Format("15:04:05.000"), v.Name, withUnit(valueText(v), v.Unit), qualityCell(v).text)
		case ch.Event != nil:
			e.say("%s", eventLine(*ch.Event))
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return errors.New("the agent ended the stream; it may have stopped")
}
