package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/daemon"
)

func (e *environment) runCommand() *cobra.Command {
	var flags siteFlags
	var noTable, strict bool
	var level string
	c := &cobra.Command{
		Use:   "run SITE",
		Short: "Run the agent on a site, in the foreground",
		Long: "Runs the agent on SITE, a file or a folder. On a terminal it shows the live table, and its log goes to voltage.log in the\n" +
			"data folder; else the log goes to standard error. SIGHUP reloads the site. Ctrl-C leaves the outputs at their safe values,\n" +
			"and no process behind.",
		Args: exactly(1, "a file or folder"),
		RunE: func(c *cobra.Command, args []string) error {
			variables, err := flags.parse()
			if err != nil {
				return err
			}
			if hclog.LevelFromString(level) == hclog.NoLevel {
				return exit{exitUsage, fmt.Sprintf("--log-level takes trace, debug, info, warn or error, not %q", level)}
			}
			o := daemon.Options{Site: args[0], Data: e.data, Variables: variables, Version: Version, Strict: strict}
			return e.runAgent(c.Context(), o, e.terminal() && !noTable, hclog.LevelFromString(level))
		},
	}
	flags.add(c)
	c.Flags().BoolVar(&noTable, "no-table", false, "no live table, also on a terminal")
	c.Flags().BoolVar(&strict, "strict", false, "do not start on a site with errors, also when one ran before")
	c.Flags().StringVar(&level, "log-level", "info", "trace, debug, info, warn or error")
	return c
}

func (e *environment) runAgent(ctx context.Context, o daemon.Options, table bool, level hclog.Level) error {
	var to io.Writer = e.errs
	if table {
		log, err := openLog(o.Data)
		if err != nil {
			return err
		}
		defer log.Close()
		to = log
	}
	o.Log = hclog.New(&hclog.LoggerOptions{Name: "voltage", Level: level, Output: to})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var screens sync.WaitGroup
	if table {
		o.Ready = func() {
			screens.Go(func() { e.showUntil(ctx) })
		}
	}
	err := daemon.Run(ctx, o)
	stop()
	screens.Wait()
	var invalid *daemon.InvalidSite
	if errors.As(err, &invalid) {
		e.printDiagnostics(invalid.Diagnostics, invalid.Sources)
		return exit{exitFailed, countErrors(invalid.Diagnostics)}
	}
	return err
}

// showUntil shows the live table of the agent that runs in this process.
func (e *environment) showUntil(ctx context.Context) {
	agent, err := e.agent()
	if err != nil {
		fmt.Fprintln(e.errs, "no live table:", err)
		return
	}
	if err := newScreen(e, agent, nil).run(ctx); err != nil {
		fmt.Fprintln(e.errs, "no live table:", err)
	}
}

// maxLog is the size from which the log is put aside at the next start.
const maxLog = 10 << 20

// openLog opens voltage.log in the data folder; a long one becomes voltage.log.1 first.
func openLog(data string) (*os.File, error) {
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	name := filepath.Join(data, "voltage.log")
	if info, err := os.Stat(name); err == nil && info.Size() > maxLog {
		if err := os.Rename(name, name+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}
