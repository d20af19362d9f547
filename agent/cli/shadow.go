package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/lua"
)

// shadowFlags are those of the commands that start a candidate.
type shadowFlags struct {
	span   string
	detach bool
}

func (f *shadowFlags) add(c *cobra.Command, doc string) {
	c.Flags().StringVar(&f.span, "shadow", "", doc)
	c.Flags().BoolVar(&f.detach, "detach", false, "with --shadow: start it and return; voltage shadow shows how it does")
}

// follow is how often a shadow that is watched is asked for.
const follow = time.Second

func (e *environment) shadowCommand() *cobra.Command {
	var wait, drop bool
	c := &cobra.Command{
		Use:   "shadow",
		Short: "The candidate that runs beside the live site: what it costs, and what it decides otherwise",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			ask := agent.Shadow
			if drop {
				ask = agent.DropShadow
			}
			s, err := ask(c.Context())
			if err != nil {
				return err
			}
			if wait {
				return e.followShadow(c.Context(), agent, s)
			}
			return e.sayShadow(s)
		},
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait until it ends")
	c.Flags().BoolVar(&drop, "drop", false, "end it")
	return c
}

// shadowPlan shows the plan and runs the candidate.
func (e *environment) shadowPlan(ctx context.Context, agent *api.Client, f shadowFlags) error {
	p, err := agent.Plan(ctx)
	if err != nil {
		return err
	}
	if !e.json {
		if err := e.printPlan(p); err != nil {
			return err
		}
		e.say("")
	}
	return e.startShadow(ctx, agent, api.ShadowRequest{}, f)
}

func (e *environment) startShadow(ctx context.Context, agent *api.Client, req api.ShadowRequest, f shadowFlags) error {
	var err error
	if req.For, err = span(f.span); err != nil {
		return err
	}
	s, err := agent.StartShadow(ctx, req)
	if err != nil {
		return err
	}
	if f.detach {
		return e.sayShadow(s)
	}
	return e.followShadow(ctx, agent, s)
}

// followShadow shows a shadow until it ends, and then what came of it. An interrupt leaves it running.
func (e *environment) followShadow(ctx context.Context, agent *api.Client, s api.Shadow) error {
	tick := time.NewTicker(follow)
	defer tick.Stop()
	said := 0
	for s.State == "running" {
		if !e.json {
			said = e.progress(s, said)
		}
		select {
		case <-ctx.Done():
			e.clearLine()
			fmt.Fprintln(e.errs, "The candidate goes on; voltage shadow shows it, voltage shadow --drop ends it.")
			return ctx.Err()
		case <-tick.C:
		}
		now, err := agent.Shadow(ctx)
		if err != nil {
			if ctx.Err() != nil {
				continue
			}
			e.clearLine()
			return err
		}
		s = now
	}
	e.clearLine()
	return e.sayShadow(s)
}

// progress shows one line on a terminal, and everywhere the differences that are new since so many.
func (e *environment) progress(s api.Shadow, said int) int {
	all := s.Compared.Differences
	if len(all) > said && said < shownDifferences {
		e.clearLine()
		for _, d := range all[said:min(len(all), shownDifferences)] {
			name := d.Name
			if d.Owner != "" {
				name += " by " + d.Owner
			}
			e.say("%s  %s %s: live %s, candidate %s", d.Time.Local().Format("15:04:05.000"), d.Kind, name, decisionText(d.Then), decisionText(d.Now))
		}
		said = min(len(all), shownDifferences)
	}
	if e.terminal() {
		fmt.Fprintf(e.out, "\r\x1b[K%s", shadowLine(s))
	}
	return said
}

func (e *environment) clearLine() {
	if e.terminal() && !e.json {
		fmt.Fprint(e.out, "\r\x1b[K")
	}
}

// shadowLine says in one line how a shadow does.
func shadowLine(s api.Shadow) string {
	name := s.Name
	if s.Version != "" {
		name += " " + s.Version
	}
	parts := []string{fmt.Sprintf("%s %s: %s", s.Kind, name, s.State)}
	if s.State == "running" {
		parts = append(parts, age(time.Duration(s.LeftSeconds*float64(time.Second)))+" left")
	}
	parts = append(parts, fmt.Sprintf("%d frames", s.Frames), fmt.Sprintf("%.0f µs a frame", s.CostMicros),
		fmt.Sprintf("%d decisions the same, %d not", s.Compared.Totals.Same, s.Compared.Totals.Differences()))
	if s.Waiting > 0 {
		parts = append(parts, fmt.Sprintf("%d batches behind", s.Waiting))
	}
	return strings.Join(parts, ", ")
}

// sayShadow prints a shadow; one that failed is a failure.
func (e *environment) sayShadow(s api.Shadow) error {
	failed := exit{exitFailed, "the candidate failed, and is dropped; the live site was not touched: " + s.Reason}
	if e.json {
		if err := e.printJSON(s); err != nil {
			return err
		}
		if s.State == "failed" {
			return failed
		}
		return nil
	}
	e.say("%s.", shadowLine(s))
	if s.Reason != "" && s.State != "failed" {
		e.say("It ended before its time: %s.", s.Reason)
	}
	for _, n := range s.Compared.Notes {
		e.say("Note: %s.", n)
	}
	e.say("")
	e.sayComparison(s.Compared, "live", "candidate")
	if s.State == "failed" {
		return failed
	}
	if s.State == "ended" && s.Reason == "" {
		e.say("")
		switch s.Kind {
		case "library":
			e.say("voltage library promote %s makes it the live one.", s.Name)
		case "rule":
			e.say("voltage rules put without --shadow makes it a live one.")
		default:
			e.say("voltage reload makes it the live one.")
		}
	}
	return nil
}

// dropShadow ends the candidate of a kind, and of a name where one is given.
func (e *environment) dropShadow(ctx context.Context, agent *api.Client, kind, name string) error {
	if err := isShadow(ctx, agent, kind, name); err != nil {
		return err
	}
	s, err := agent.DropShadow(ctx)
	if err != nil {
		return err
	}
	return e.sayShadow(s)
}

// isShadow makes sure that the candidate is the one that is meant.
func isShadow(ctx context.Context, agent *api.Client, kind, name string) error {
	s, err := agent.Shadow(ctx)
	if err != nil {
		return err
	}
	if s.Kind != kind || name != "" && s.Name != name {
		return exit{exitFailed, fmt.Sprintf("the candidate is the %s %s, not the %s", s.Kind, s.Name, strings.TrimSpace(kind+" "+name))}
	}
	return nil
}

func (e *environment) libraryLoadCommand() *cobra.Command {
	var shadow shadowFlags
	c := &cobra.Command{
		Use:   "load NAME [FILE] | load FILE",
		Short: "Load a library from a file, or the bundled one again, after its self-test",
		Long: "Loads a library from its main file on the agent's machine, or the one that the site says again, when it passes its self-test. With\n" +
			"--shadow it runs beside the live one on the same frames, without touching an output, and what it decides otherwise is shown; then\n" +
			"promote makes it the live one, and drop ends it.",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			name, file, err := libraryArguments(args)
			if err != nil {
				return err
			}
			agent, err := e.agent()
			if err != nil {
				return err
			}
			if shadow.span != "" {
				return e.startShadow(c.Context(), agent, api.ShadowRequest{Library: name, File: file}, shadow)
			}
			l, err := agent.LoadLibrary(c.Context(), name, file)
			if err != nil {
				return err
			}
			return e.print(l, func() *table { return libraryTable(l) })
		},
	}
	shadow.add(c, "run it beside the live one for this `TIME`, such as 10m, instead of loading it")
	return c
}

// libraryArguments are a library's name and file; the name of a lone file stands in it.
func libraryArguments(args []string) (name, file string, err error) {
	if len(args) == 1 && !strings.HasSuffix(args[0], ".lua") {
		return args[0], "", nil
	}
	if file, err = filepath.Abs(args[len(args)-1]); err != nil || len(args) == 2 {
		return args[0], file, err
	}
	lib, err := lua.BundleFile(file)
	return lib.Name, file, err
}

func (e *environment) libraryPromoteCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "promote NAME",
		Short: "Make the library that runs beside the live one the live one",
		Args:  exactly(1, "the name of a library"),
		RunE: func(c *cobra.Command, args []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			if err := isShadow(c.Context(), agent, "library", args[0]); err != nil {
				return err
			}
			s, err := agent.PromoteShadow(c.Context())
			if err != nil {
				return err
			}
			libraries, err := agent.Libraries(c.Context())
			if err != nil {
				return err
			}
			for _, l := range libraries {
				if l.Name == s.Name {
					return e.print(l, func() *table { return libraryTable(l) })
				}
			}
			return errors.New("the library is promoted, but the agent does not list it")
		},
	}
}

func (e *environment) libraryDropCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "drop NAME",
		Short: "End the library that runs beside the live one",
		Args:  exactly(1, "the name of a library"),
		RunE: func(c *cobra.Command, args []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			return e.dropShadow(c.Context(), agent, "library", args[0])
		},
	}
}
