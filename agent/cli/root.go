// Package cli is the voltage command: it parses, asks the running agent, prints, and gives an exit code. It holds no logic of the
// site.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/voltage-edge/voltage/agent/api"
)

// Version is the agent's semantic version; the build sets it.
var Version = "0.0.0-dev"

// The exit codes beside 0.
const (
	exitFailed    = 1 // the command could not be done
	exitUsage     = 2 // the command was not understood
	exitOutranked = 3 // set: somebody with a higher priority holds the output
	exitNotDone   = 4 // set: the device refused, did not answer, or reads something else
	exitPending   = 5 // set: no outcome in the given time
)

// exit is an error that has its own exit code; nothing more is printed when its text is empty.
type exit struct {
	code int
	text string
}

func (e exit) Error() string { return e.text }

// environment is what every command needs.
type environment struct {
	out, errs io.Writer
	data      string
	json      bool
	color     string
}

// Main runs one command and gives its exit code.
func Main(args []string, out, errs io.Writer) int {
	env := &environment{out: out, errs: errs}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := env.root()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	var code exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		if code.text != "" {
			fmt.Fprintln(errs, "Error: "+code.text)
		}
		return code.code
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return 130
	}
	fmt.Fprintln(errs, "Error: "+err.Error())
	return exitFailed
}

func (e *environment) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "voltage",
		Short:         "The agent of an energy site",
		Long:          "Voltage reads, decides and controls an energy site as its site.hcl says.\n`voltage run` is the agent; the other commands talk to a running one by its data folder.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return exit{exitUsage, fmt.Sprintf("%v; see %s --help", err, c.CommandPath())}
	})
	flags := root.PersistentFlags()
	flags.StringVar(&e.data, "data", defaultData(), "the agent's data `folder` (or VOLTAGE_DATA)")
	flags.BoolVar(&e.json, "json", false, "print JSON for programs")
	flags.StringVar(&e.color, "color", "auto", "auto, always or never")
	root.CompletionOptions.HiddenDefaultCmd = true
	for _, add := range []func() *cobra.Command{
		e.runCommand, e.validateCommand, e.formatCommand, e.planCommand, e.reloadCommand, e.shadowCommand,
		e.statusCommand, e.getCommand, e.watchCommand, e.setCommand, e.whyCommand, e.outputsCommand,
		e.historyCommand, e.eventsCommand, e.replayCommand, e.alarmsCommand, e.ackCommand, e.alarmCommand, e.notificationsCommand, e.rulesCommand, e.routesCommand,
		e.libraryCommand, e.pluginCommand, e.versionCommand,
	} {
		root.AddCommand(add())
	}
	for _, c := range root.Commands() {
		if c.HasSubCommands() && !c.Runnable() {
			c.RunE = groupHelp
		}
	}
	return root
}

// groupHelp is a command that has only others below it: by itself it says which, and what it does not have is an error.
func groupHelp(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	text := fmt.Sprintf("there is no command %q; see %s --help", c.CommandPath()+" "+args[0], c.CommandPath())
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		text = fmt.Sprintf("there is no command %q; did you mean %s?", c.CommandPath()+" "+args[0], c.CommandPath()+" "+near[0])
	}
	return exit{exitUsage, text}
}

func defaultData() string {
	if d := os.Getenv("VOLTAGE_DATA"); d != "" {
		return d
	}
	return "data"
}

// agent connects to the running agent.
func (e *environment) agent() (*api.Client, error) { return api.Dial(e.data) }

// colors tells whether to paint.
func (e *environment) colors() bool {
	switch e.color {
	case "always":
		return true
	case "never":
		return false
	}
	return os.Getenv("NO_COLOR") == "" && e.terminal()
}

// terminal tells whether a person reads the output.
func (e *environment) terminal() bool {
	f, ok := e.out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// size is the terminal's width and height, 0 when there is none.
func (e *environment) size() (width, height int) {
	if f, ok := e.out.(*os.File); ok {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil {
			return w, h
		}
	}
	return 0, 0
}

func exactly(n int, names string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return exit{exitUsage, fmt.Sprintf("%s takes %s, %d given; see %s --help", c.CommandPath(), names, len(args), c.CommandPath())}
	}
}
