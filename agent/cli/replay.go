package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/daemon"
	"github.com/voltage-edge/voltage/agent/replay"
	"github.com/voltage-edge/voltage/lua"
)

// replayFlags are those of the replay command.
type replayFlags struct {
	siteFlags
	site                       string
	libraries                  []string
	since, until, warm, within string
}

func (e *environment) replayCommand() *cobra.Command {
	var flags replayFlags
	c := &cobra.Command{
		Use:   "replay",
		Short: "Run the past again through another site or library, and show what would have differed",
		Long: "Runs a stretch of the journal in the data folder through a site on a scratch Redis with a clock of its own, as fast as it goes, and\n" +
			"compares the requests, alarms and rules of then with those of now. Nothing is written to a device, and a running agent is not\n" +
			"asked and not disturbed. What people asked for then, and did to alarms, is done again at its time.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return e.replay(c.Context(), flags) },
	}
	flags.add(c)
	f := c.Flags()
	f.StringVar(&flags.since, "since", "24h", "from then on: a span back from now (10m, 24h, 7d) or a time")
	f.StringVar(&flags.until, "until", "", "up to then; now when left out")
	f.StringVar(&flags.warm, "warm-up", "1h", "how much before it is run too, so that delays, windows and what is in force are as they were")
	f.StringVar(&flags.within, "within", "1s", "how far apart two decisions may be that count as the same")
	f.StringVar(&flags.site, "site", "", "the `SITE` to run, a file or folder; the one that the agent ran last when left out")
	f.StringArrayVar(&flags.libraries, "library", nil, "a library's main `FILE` to run in the place of the site's; may be repeated")
	return c
}

func (e *environment) replay(ctx context.Context, flags replayFlags) error {
	o, err := flags.options(time.Now())
	if err != nil {
		return err
	}
	variables, err := flags.parse()
	if err != nil {
		return err
	}
	check := daemon.CheckOptions{Site: flags.site, Data: e.data, Variables: variables}
	var checked *daemon.Checked
	if flags.site != "" {
		checked = daemon.Check(ctx, check)
	} else if checked, err = daemon.CheckLast(ctx, check); err != nil {
		return err
	}
	if checked.Diagnostics.HasErrors() {
		e.printDiagnostics(checked.Diagnostics, checked.Sources)
		return exit{exitFailed, countErrors(checked.Diagnostics)}
	}
	o.Site, o.Programs, o.Journal = checked.Site, checked.Programs, filepath.Join(e.data, "journal")
	if e.terminal() && !e.json {
		o.Progress = func(at time.Time) { fmt.Fprintf(e.errs, "\r\x1b[K%s", at.Local().Format(time.DateTime)) }
		defer fmt.Fprint(e.errs, "\r\x1b[K")
	}
	began := time.Now()
	r, err := replay.RunPast(ctx, o)
	if err != nil {
		return err
	}
	if e.json {
		return e.printJSON(r)
	}
	if o.Progress != nil {
		fmt.Fprint(e.errs, "\r\x1b[K")
		took := time.Since(began)
		fmt.Fprintf(e.errs, "%s in %s, %.0f × real time\n", age(r.Until.Sub(r.Start)), age(took), r.Until.Sub(r.Start).Seconds()/took.Seconds())
	}
	e.sayReplay(r)
	return nil
}

// options are the flags but for the site.
func (f *replayFlags) options(now time.Time) (o replay.PastOptions, err error) {
	o.Until = now
	if o.Since, err = moment(f.since, now); err != nil {
		return o, err
	}
	if f.until != "" {
		if o.Until, err = moment(f.until, now); err != nil {
			return o, err
		}
	}
	if !o.Since.Before(o.Until) {
		return o, exit{exitUsage, "--since must be before --until"}
	}
	if o.WarmUp, err = span(f.warm); err != nil {
		return o, err
	}
	if o.Within, err = span(f.within); err != nil {
		return o, err
	}
	o.Libraries = map[string]lua.Library{}
	for _, file := range f.libraries {
		lib, err := lua.BundleFile(file)
		if err != nil {
			return o, err
		}
		if !replay.Runs(lib.Name) {
			return o, exit{exitUsage, fmt.Sprintf("%s is the library %q, which no site runs: it is none of models, alarms, rules", file, lib.Name)}
		}
		o.Libraries[lib.Name] = lib
	}
	return o, nil
}

func (e *environment) sayReplay(r *replay.Report) {
	e.say("Site %s, revision %s, %s to %s: %d frames, %d points, %d requests and commands of people and programs.",
		r.Site, short(r.Revision), local(r.Since), local(r.Until), r.Frames, r.Points, r.Inputs)
	for _, n := range r.Notes {
		e.say("Note: %s.", n)
	}
	e.say("")
	e.sayComparison(daemon.Comparison(r.Subjects, r.Totals, r.Differences, nil), "then", "now")
}

func local(t time.Time) string { return t.Local().Format(time.DateTime) }
