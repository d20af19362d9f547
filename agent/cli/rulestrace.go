package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/api"
)

func (e *environment) rulesTraceCommand() *cobra.Command {
	var follow bool
	var interval string
	c := &cobra.Command{
		Use:   "trace RULE",
		Short: "Why a rule acts or does not, with the values that it sees",
		Long: "Evaluates the rule on the values of the moment, without acting, and shows each part of its expressions, what it reads and what it\n" +
			"waits for. Nothing is recorded while nobody asks. --follow looks again and again, and shows what it saw when the rule was evaluated\n" +
			"meanwhile, until ctrl-c; with --json each is one line.",
		Args: exactly(1, "the name of a rule"),
		RunE: func(c *cobra.Command, args []string) error {
			every, err := span(interval)
			if err != nil {
				return err
			}
			if every < 50*time.Millisecond {
				return exit{exitUsage, "--interval is at least 50ms"}
			}
			agent, err := e.agent()
			if err != nil {
				return err
			}
			t, err := agent.TraceRule(c.Context(), args[0])
			if err != nil {
				return err
			}
			if follow {
				return e.followRule(c.Context(), agent, t, every)
			}
			if e.json {
				return e.printJSON(t)
			}
			e.writeTrace(t)
			return nil
		},
	}
	c.Flags().BoolVar(&follow, "follow", false, "go on with the next evaluations")
	c.Flags().StringVar(&interval, "interval", "200ms", "how often --follow looks")
	return c
}

// followRule writes a rule's trace, and then a line for each time that it was found evaluated.
func (e *environment) followRule(ctx context.Context, agent api.Agent, t api.RuleTrace, every time.Duration) error {
	lines := json.NewEncoder(e.out)
	show := func() error {
		if e.json {
			return lines.Encode(t)
		}
		e.writeTraceLine(t)
		return nil
	}
	if e.json {
		if err := show(); err != nil {
			return err
		}
	} else {
		e.writeTrace(t)
		e.say("")
	}
	away := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
		next, err := agent.TraceRule(ctx, t.Name)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, api.ErrUnavailable):
			if !away {
				fmt.Fprintf(e.errs, "%s  %v; waiting\n", time.Now().Format("15:04:05.000"), err)
			}
			away = true
			continue
		case err != nil:
			return err
		}
		away = false
		if next.Evaluations == t.Evaluations && next.State == t.State && next.Errors == t.Errors {
			continue
		}
		t = next
		if err := show(); err != nil {
			return err
		}
	}
}

// writeTraceLine says an evaluation on one line.
func (e *environment) writeTraceLine(t api.RuleTrace) {
	values := make([]string, 0, len(t.Inputs))
	for _, in := range t.Inputs {
		text := in.Name + " " + withUnit(optional(in.Value), in.Unit)
		if in.Quality != "good" {
			text += " " + in.Quality
		}
		values = append(values, text)
	}
	state := stateCell(t.State)
	e.say("%s  %s  %s  %s", t.Now.Local().Format("15:04:05.000"), paint(state.text, state.color, e.colors()), t.Conclusion,
		paint(strings.Join(values, ", "), dim, e.colors()))
}

// writeTrace writes the whole of a trace: first the answer, then what it rests on.
func (e *environment) writeTrace(t api.RuleTrace) {
	colors := e.colors()
	width, _ := e.size()
	state := stateCell(t.State)
	e.say("%s  %s  at %s", paint(t.Name, bold, colors), paint(state.text, state.color, colors), t.Now.Local().Format("15:04:05.000"))
	for _, l := range wrapped(t.Conclusion, width) {
		e.say("%s", l)
	}
	for _, x := range t.Expressions {
		e.say("\n%s  %s", paint(x.Name, bold, colors), paint(fmt.Sprintf("%s:%d", x.File, x.Line), dim, colors))
		partTable(x).write(e.out, colors, width)
	}
	if len(t.Steps) > 0 {
		e.say("\n%s", paint(map[string]string{"chain": "nodes", "sequence": "attempts", "window": "has"}[t.Kind], bold, colors))
		stepTable(t.Steps).write(e.out, colors, width)
	}
	if len(t.Inputs) > 0 {
		e.say("\n%s", paint("reads", bold, colors))
		inputTable(t.Inputs).write(e.out, colors, width)
	}
	if len(t.Timing) > 0 {
		e.say("\n%s", paint("timing", bold, colors))
		timing := newTable("", "")
		for _, s := range t.Timing {
			timing.row("  "+s.Setting, s.State)
		}
		timing.write(e.out, colors, width)
	}
	if len(t.Requests) > 0 {
		e.say("\n%s", paint("asks for", bold, colors))
		requests := newTable("", "", "")
		for _, r := range t.Requests {
			requests.row("  "+r.Output, withUnit(number(r.Value), r.Unit), fmt.Sprintf("priority %d, %s; voltage why %s", r.Priority, lifetime(r.Expires), r.Output))
		}
		requests.write(e.out, colors, width)
	}
	e.say("\n%s", paint(fmt.Sprintf("evaluated %d, fired %d, unknown %d, errors %d", t.Evaluations, t.Fires, t.Unknowns, t.Errors), dim, colors))
}

// stepTable shows the steps of a flow.
func stepTable(steps []api.TracedStep) *table {
	out := newTable("", "", "", "")
	for _, x := range steps {
		values := make([]string, 0, len(x.Values)+1)
		for _, name := range slices.Sorted(maps.Keys(x.Values)) {
			values = append(values, name+" = "+optional(x.Values[name]))
		}
		if !x.Until.IsZero() {
			values = append(values, age(max(time.Until(x.Until), 0))+" to go")
		}
		state := cell{x.State, plain}
		switch x.State {
		case "acts", "true":
			state.color = green
		case "not reached":
			state.color = dim
		case "unknown":
			state.color = red
		}
		out.row("  "+x.Name, cell{x.Kind, dim}, state, strings.Join(values, ", "))
	}
	return out
}

// lifetime says how long a request stands.
func lifetime(expires time.Time) string {
	if expires.IsZero() {
		return "without an end"
	}
	return "for " + age(time.Until(expires)) + " more"
}

// partTable shows an expression's parts as a tree, behind their values: a long text must not push these off the screen.
func partTable(x api.TracedExpression) *table {
	t := newTable("", "").alignRight(0)
	for _, p := range x.Parts {
		value := partCell(p)
		value.text = "  " + value.text
		t.row(value, strings.Repeat("  ", p.Level)+p.Text)
	}
	return t
}

func partCell(p api.TracedPart) cell {
	switch v := p.Value.(type) {
	case bool:
		if v {
			return cell{"true", green}
		}
		return cell{"false", yellow}
	case float64:
		return cell{withUnit(number(v), p.Unit), plain}
	}
	return cell{"unknown", red}
}

func inputTable(inputs []api.TracedInput) *table {
	t := newTable("", "", "", "")
	for _, in := range inputs {
		seen := "never read"
		if in.AgeMS != nil {
			seen = age(time.Duration(*in.AgeMS*float64(time.Millisecond))) + " old"
		}
		quality, _, _ := strings.Cut(in.Quality, " ")
		t.row("  "+in.Name, withUnit(optional(in.Value), in.Unit), seen, cell{in.Quality, qualityColor(quality)})
	}
	return t
}

// wrapped breaks a text between words so that no line is wider; width 0: one line.
func wrapped(text string, width int) []string {
	if width <= 0 {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
