package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/api"
)

// ruleLoad is a rule, and what it did in a second, lately.
type ruleLoad struct {
	api.Rule
	EvaluationsPerSecond float64 `json:"evaluations_per_second"`
	FiresPerSecond       float64 `json:"fires_per_second"`
	ErrorsPerSecond      float64 `json:"errors_per_second"`
	// TimePerSecond is what its evaluations cost Redis in a second, in µs; null while they were not timed.
	TimePerSecond *float64 `json:"time_us_per_second"`
}

// rankings are the orders of `rules top`.
var rankings = map[string]func(a, b ruleLoad) int{
	"time": func(a, b ruleLoad) int { return cmp.Compare(a.spent(), b.spent()) },
	"fires": func(a, b ruleLoad) int {
		return cmp.Or(cmp.Compare(a.FiresPerSecond, b.FiresPerSecond), cmp.Compare(a.Fires, b.Fires))
	},
	"errors": func(a, b ruleLoad) int {
		return cmp.Or(cmp.Compare(a.ErrorsPerSecond, b.ErrorsPerSecond), cmp.Compare(a.Errors, b.Errors))
	},
}

func (r ruleLoad) spent() float64 {
	if r.TimePerSecond == nil {
		return -1
	}
	return *r.TimePerSecond
}

func (e *environment) rulesTopCommand() *cobra.Command {
	var interval, by string
	c := &cobra.Command{
		Use:   "top",
		Short: "What the rules do and cost, the most expensive first",
		Long: "On a terminal the table is drawn anew at each interval, until ctrl-c; else it is printed once, after one interval.\n" +
			"The time is what evaluations cost Redis: sampled, see docs/operations.md.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			every, err := span(interval)
			if err != nil {
				return err
			}
			if every < 100*time.Millisecond {
				return exit{exitUsage, "--interval is at least 100ms"}
			}
			if rankings[by] == nil {
				return exit{exitUsage, fmt.Sprintf("--sort is time, fires or errors, not %q", by)}
			}
			agent, err := e.agent()
			if err != nil {
				return err
			}
			top := &ruleTop{env: e, agent: agent, every: every, rank: rankings[by], by: by}
			if e.json || !e.terminal() {
				return top.once(c.Context())
			}
			return top.live(c.Context())
		},
	}
	c.Flags().StringVar(&interval, "interval", "1s", "over which `time` the rates are reckoned")
	c.Flags().StringVar(&by, "sort", "time", "time, fires or errors")
	return c
}

// ruleTop reads the rules again and again.
type ruleTop struct {
	env   *environment
	agent api.Agent
	every time.Duration
	rank  func(a, b ruleLoad) int
	by    string

	before map[string]api.Rule
	at     time.Time
}

// read gives the rules with their rates since the last read.
func (t *ruleTop) read(ctx context.Context) ([]ruleLoad, error) {
	rules, err := t.agent.Rules(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	out := make([]ruleLoad, len(rules))
	next := make(map[string]api.Rule, len(rules))
	for i, r := range rules {
		out[i], next[r.Name] = ruleLoad{Rule: r}, r
		if old, ok := t.before[r.Name]; ok {
			out[i].reckon(old, now.Sub(t.at).Seconds())
		}
	}
	t.before, t.at = next, now
	slices.SortStableFunc(out, func(a, b ruleLoad) int { return t.rank(b, a) })
	return out, nil
}

// reckon sets the rates. A counter that fell began anew.
func (r *ruleLoad) reckon(old api.Rule, seconds float64) {
	rate := func(now, before uint64) float64 {
		if now < before {
			before = 0
		}
		return float64(now-before) / seconds
	}
	r.EvaluationsPerSecond = rate(r.Evaluations, old.Evaluations)
	r.FiresPerSecond = rate(r.Fires, old.Fires)
	r.ErrorsPerSecond = rate(r.Errors, old.Errors)
	if r.Time != nil {
		spent := r.Time.MeanUS * r.EvaluationsPerSecond
		r.TimePerSecond = &spent
	}
}

// pause waits one interval, and tells whether ctx ended.
func (t *ruleTop) pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	case <-time.After(t.every):
		return false
	}
}

func (t *ruleTop) once(ctx context.Context) error {
	if _, err := t.read(ctx); err != nil {
		return err
	}
	if t.pause(ctx) {
		return ctx.Err()
	}
	rules, err := t.read(ctx)
	if err != nil {
		return err
	}
	return t.env.print(rules, func() *table { return topTable(rules) })
}

func (t *ruleTop) live(ctx context.Context) error {
	fmt.Fprint(t.env.out, enterScreen)
	defer fmt.Fprint(t.env.out, leaveScreen)
	s := newScreen(t.env, t.agent, nil)
	for {
		rules, err := t.read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		lines := []string{"", paint("  "+fmt.Sprint(err), red, t.env.colors())}
		if err == nil {
			lines = t.lines(rules)
		}
		_, height := t.env.size()
		if height > 1 && len(lines) > height {
			lines = append(lines[:height-1], paint(fmt.Sprintf("… %d more rules", len(lines)-height+1), dim, t.env.colors()))
		}
		s.show(lines)
		if t.pause(ctx) {
			return nil
		}
	}
}

// lines are the table below a line about all rules together.
func (t *ruleTop) lines(rules []ruleLoad) []string {
	colors := t.env.colors()
	width, _ := t.env.size()
	states := map[string]int{}
	var spent, evaluated float64
	for _, r := range rules {
		states[r.State]++
		evaluated += r.EvaluationsPerSecond
		spent += max(r.spent(), 0)
	}
	head := fmt.Sprintf("%s  %d rules: %d active, %d parked, %d disabled  %s evaluations/s, %s of each second, by %s",
		time.Now().Format("15:04:05"), len(rules), states["active"], states["parked"], states["disabled"], number(evaluated), micros(spent), t.by)
	return append([]string{paint(head, bold, colors), ""}, topTable(rules).lines(colors, width)...)
}

func topTable(rules []ruleLoad) *table {
	t := newTable("rule", "state", "eval/s", "time/s", "mean", "p99", "max", "spent", "fires/s", "fires", "unknown", "errors", "last fire", "because").
		alignRight(2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
	for _, r := range rules {
		mean, p99, most, spent, rate := "–", "–", "–", "–", "–"
		if r.Time != nil {
			mean, p99, most = micros(r.Time.MeanUS), micros(r.Time.P99US), micros(r.Time.MaxUS)
			spent = micros(r.Time.SpentMS * 1000)
			if r.TimePerSecond != nil {
				rate = micros(*r.TimePerSecond)
			}
		}
		because := cell{round(r.Why), dim}
		if r.Error != "" {
			because = cell{r.Error, red}
		}
		errors := cell{fmt.Sprint(r.Errors), plain}
		if r.Errors > 0 {
			errors.color = red
		}
		t.row(r.Name, stateCell(r.State), number(r.EvaluationsPerSecond), rate, mean, p99, most, spent, number(r.FiresPerSecond), r.Fires, r.Unknowns,
			errors, since(r.LastFire), because)
	}
	return t
}
