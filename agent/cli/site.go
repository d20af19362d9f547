package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/daemon"
	"github.com/voltage-edge/voltage/agent/durable"
	"github.com/voltage-edge/voltage/agent/site"
)

// siteFlags are the flags of every command that reads a site.
type siteFlags struct{ variables []string }

func (f *siteFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.variables, "var", nil, "a variable of the site, `NAME=VALUE`; may be repeated")
}

func (f *siteFlags) parse() (map[string]string, error) {
	out := map[string]string{}
	for _, v := range f.variables {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, exit{exitUsage, fmt.Sprintf("--var takes NAME=VALUE, not %q", v)}
		}
		out[name] = value
	}
	return out, nil
}

func (e *environment) validateCommand() *cobra.Command {
	var flags siteFlags
	c := &cobra.Command{
		Use:   "validate SITE",
		Short: "Check a site: all that is wrong with it, at once",
		Args:  exactly(1, "a file or folder"),
		RunE: func(c *cobra.Command, args []string) error {
			variables, err := flags.parse()
			if err != nil {
				return err
			}
			checked := daemon.Check(c.Context(), daemon.CheckOptions{Site: args[0], Data: e.data, Variables: variables})
			if e.json {
				if err := e.printJSON(daemon.Diagnostics(checked.Diagnostics, checked.Sources)); err != nil {
					return err
				}
			} else {
				e.printDiagnostics(checked.Diagnostics, checked.Sources)
			}
			if checked.Diagnostics.HasErrors() {
				return exit{exitFailed, countErrors(checked.Diagnostics)}
			}
			if !e.json {
				s := checked.Site
				points := 0
				for _, d := range s.Devices {
					points += len(d.Points)
				}
				flows := ""
				if n := len(s.Flows()); n > 0 {
					flows = fmt.Sprintf("%d chains, windows and sequences, ", n)
				}
				e.say("%s is valid: %d channels, %d devices with %d points, %d models, %d alarms, %d rules, %s%d sinks.",
					args[0], len(s.Channels), len(s.Devices), points, len(s.Models), len(s.Alarms), len(s.Rules), flows, len(s.Sinks))
			}
			return nil
		},
	}
	flags.add(c)
	return c
}

func (e *environment) printDiagnostics(diags hcl.Diagnostics, sources map[string]*hcl.File) {
	width, _ := e.size()
	if width == 0 {
		width = 100
	}
	site.WriteDiagnostics(e.errs, sources, diags, e.colors(), width)
}

func countErrors(diags hcl.Diagnostics) string {
	n := 0
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			n++
		}
	}
	if n == 1 {
		return "the site has 1 error"
	}
	return fmt.Sprintf("the site has %d errors", n)
}

func (e *environment) formatCommand() *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use:   "fmt [FILE|FOLDER...]",
		Short: "Lay out site files as everybody does",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			files, err := siteFiles(args)
			if err != nil {
				return err
			}
			changed := 0
			for _, f := range files {
				did, err := e.formatFile(f, check)
				if err != nil {
					return err
				}
				if did {
					changed++
				}
			}
			if check && changed > 0 {
				return exit{exitFailed, fmt.Sprintf("%d files are not laid out; run voltage fmt", changed)}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&check, "check", false, "change nothing; fail when a file would change")
	return c
}

func siteFiles(args []string) ([]string, error) {
	var files []string
	for _, a := range args {
		info, err := os.Stat(a)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, a)
			continue
		}
		found, err := filepath.Glob(filepath.Join(a, "*.hcl"))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	return files, nil
}

// formatFile rewrites a file, when its layout differs, in one step: a reader sees the old one or the new one.
func (e *environment) formatFile(name string, check bool) (bool, error) {
	src, err := os.ReadFile(name)
	if err != nil {
		return false, err
	}
	out, diags := site.Format(src)
	if diags.HasErrors() {
		e.printDiagnostics(diags, map[string]*hcl.File{name: {Bytes: src}})
		return false, exit{exitFailed, name + " can't be laid out"}
	}
	if bytes.Equal(src, out) {
		return false, nil
	}
	e.say("%s", name)
	if check {
		return true, nil
	}
	// The file itself is replaced, not a link to it.
	path, err := filepath.EvalSymlinks(name)
	if err != nil {
		return false, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	return true, durable.WriteFile(path, out, info.Mode().Perm())
}

func (e *environment) planCommand() *cobra.Command {
	var shadow shadowFlags
	var drop bool
	c := &cobra.Command{
		Use:   "plan",
		Short: "What a reload of the running agent's site would change",
		Long: "Says what a reload would change. With --shadow the site as it is written now runs beside the live one on the same frames, without\n" +
			"touching an output, and what it decides otherwise is shown; then reload makes it the live one, and plan --drop ends it.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			if drop {
				return e.dropShadow(c.Context(), agent, "site", "")
			}
			if shadow.span == "" {
				p, err := agent.Plan(c.Context())
				if err != nil {
					return err
				}
				return e.printPlan(p)
			}
			return e.shadowPlan(c.Context(), agent, shadow)
		},
	}
	shadow.add(c, "run the site as it is written now beside the live one for this `TIME`, such as 10m")
	c.Flags().BoolVar(&drop, "drop", false, "end the candidate that --shadow started")
	return c
}

func (e *environment) reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Make the running agent run its site as it is written now",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			p, err := agent.Reload(c.Context())
			if err != nil {
				return err
			}
			return e.printPlan(p)
		},
	}
}

// printPlan prints a plan; one that can't be applied is a failure.
func (e *environment) printPlan(p api.Plan) error {
	if e.json {
		if err := e.printJSON(p); err != nil {
			return err
		}
	} else {
		e.sayDiagnostics(p.Diagnostics)
		e.say("%s", strings.TrimRight(p.Text, "\n"))
	}
	if hasErrors(p.Diagnostics) {
		return exit{exitFailed, "the site as it is written now can't be run; the agent goes on with the one before"}
	}
	return nil
}

func hasErrors(all []api.Diagnostic) bool {
	return slices.ContainsFunc(all, func(d api.Diagnostic) bool { return d.Severity == "error" })
}

// sayDiagnostics prints what is wrong, and where.
func (e *environment) sayDiagnostics(all []api.Diagnostic) {
	for _, d := range all {
		c := red
		if d.Severity == "warning" {
			c = yellow
		}
		fmt.Fprintf(e.errs, "%s: %s\n", paint(d.Severity, c, e.colors()), d.Summary)
		if d.File != "" {
			fmt.Fprintf(e.errs, "  on %s line %d, column %d\n", d.File, d.Line, d.Column)
		}
		if d.Snippet != "" {
			fmt.Fprintf(e.errs, "    %s\n", d.Snippet)
		}
		if d.Detail != "" {
			fmt.Fprintf(e.errs, "  %s\n", d.Detail)
		}
		fmt.Fprintln(e.errs)
	}
}
