package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/daemon"
	"github.com/voltage-edge/voltage/agent/replay"
)

// scenarioResult is what came of one scenario.
type scenarioResult struct {
	File     string           `json:"file"`
	Scenario string           `json:"scenario"`
	Seconds  float64          `json:"seconds"`
	Passed   bool             `json:"passed"`
	Failures []replay.Failure `json:"failures,omitempty"`
	Error    string           `json:"error,omitempty"`
}

func (e *environment) rulesTestCommand() *cobra.Command {
	var flags siteFlags
	var only, junit string
	c := &cobra.Command{
		Use:   "test FILE...",
		Short: "Run scenario files against their sites, without devices and without waiting",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exit{exitUsage, "voltage rules test takes scenario files, none given; see voltage rules test --help"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			variables, err := flags.parse()
			if err != nil {
				return err
			}
			results, err := e.testScenarios(c.Context(), args, only, variables)
			if err != nil {
				return err
			}
			if len(results) == 0 {
				return exit{exitFailed, "there is no scenario to run" + notOnly(only)}
			}
			failed := failures(results)
			if junit != "" {
				if err := writeJUnit(junit, results); err != nil {
					return err
				}
			}
			if e.json {
				if err := e.printJSON(results); err != nil {
					return err
				}
			} else {
				e.sayScenarios(results)
				e.say("%d passed, %d failed", len(results)-failed, failed)
			}
			if failed > 0 {
				return exit{code: exitFailed}
			}
			return nil
		},
	}
	flags.add(c)
	c.Flags().StringVar(&only, "only", "", "run the scenarios whose name has this `TEXT`")
	c.Flags().StringVar(&junit, "junit", "", "write the results to this `FILE`, in the XML form that CI servers read")
	return c
}

func notOnly(only string) string {
	if only == "" {
		return ""
	}
	return fmt.Sprintf(" whose name has %q", only)
}

// failures are how many scenarios did not pass.
func failures(results []scenarioResult) int {
	n := 0
	for _, r := range results {
		if !r.Passed {
			n++
		}
	}
	return n
}

func (e *environment) testScenarios(ctx context.Context, files []string, only string, variables map[string]string) ([]scenarioResult, error) {
	sites := map[string]*daemon.Checked{}
	results := []scenarioResult{}
	for _, f := range files {
		scenarios, sources, diags := replay.ReadScenarios(f)
		if diags.HasErrors() {
			e.printDiagnostics(diags, sources)
			return nil, exit{exitFailed, f + " has errors"}
		}
		for _, sc := range scenarios {
			if !strings.Contains(sc.Name, only) {
				continue
			}
			checked := sites[sc.Site]
			if checked == nil {
				checked = daemon.Check(ctx, daemon.CheckOptions{Site: sc.Site, Data: e.data, Variables: variables})
				sites[sc.Site] = checked
			}
			if checked.Diagnostics.HasErrors() {
				e.printDiagnostics(checked.Diagnostics, checked.Sources)
				return nil, exit{exitFailed, fmt.Sprintf("%s: %s", sc.Site, countErrors(checked.Diagnostics))}
			}
			r, began := scenarioResult{File: f, Scenario: sc.Name}, time.Now()
			failures, err := replay.RunScenario(ctx, sc, checked.Site, checked.Programs)
			r.Seconds = time.Since(began).Seconds()
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				r.Error = err.Error()
			}
			r.Failures, r.Passed = failures, err == nil && len(failures) == 0
			results = append(results, r)
		}
	}
	return results, nil
}

func (e *environment) sayScenarios(results []scenarioResult) {
	for _, r := range results {
		if r.Passed {
			e.say("ok    %s", r.Scenario)
			continue
		}
		e.say("FAIL  %s", r.Scenario)
		for _, f := range r.Failures {
			e.say("      %s: at %s: %s", f.Place, f.At, f.Text)
			if f.Why != "" {
				e.say("        %s", f.Why)
			}
		}
		if r.Error != "" {
			e.say("      %s", r.Error)
		}
	}
}
