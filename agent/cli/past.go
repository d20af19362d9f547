package cli

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/event"
)

func (e *environment) historyCommand() *cobra.Command {
	var from, to, every string
	c := &cobra.Command{
		Use:   "history NAME",
		Short: "A point's past, from the journal",
		Args:  exactly(1, "the name of a point"),
		RunE: func(c *cobra.Command, args []string) error {
			now := time.Now()
			req := api.HistoryRequest{Name: args[0], Until: now}
			var err error
			if req.Since, err = moment(from, now); err != nil {
				return err
			}
			if to != "" {
				if req.Until, err = moment(to, now); err != nil {
					return err
				}
			}
			if req.Every, err = span(every); err != nil {
				return err
			}
			agent, err := e.agent()
			if err != nil {
				return err
			}
			h, err := agent.History(c.Context(), req)
			if err != nil {
				return err
			}
			if e.json {
				return e.printJSON(h)
			}
			e.printHistory(h)
			return nil
		},
	}
	c.Flags().StringVar(&from, "since", "10m", "from then on: a span back from now (10m, 24h, 7d) or a time")
	c.Flags().StringVar(&to, "until", "", "up to then; now when left out")
	c.Flags().StringVar(&every, "every", "10s", "the length of a bucket")
	return c
}

func (e *environment) printHistory(h api.History) {
	if len(h.Buckets) == 0 {
		e.say("The journal has nothing of %s in that time.", h.Name)
		return
	}
	means := make([]float64, len(h.Buckets))
	low, high := math.Inf(1), math.Inf(-1)
	for i, b := range h.Buckets {
		means[i] = math.NaN()
		if b.Mean != nil {
			means[i] = *b.Mean
			low, high = math.Min(low, *b.Min), math.Max(high, *b.Max)
		}
	}
	if e.terminal() {
		width, _ := e.size()
		e.say("%s", paint(sparkline(means, width), cyan, e.colors()))
		first, last := h.Buckets[0].Time.Local(), h.Buckets[len(h.Buckets)-1].Time.Local()
		if low <= high {
			layout := strings.TrimSuffix(layoutOf(first), ".000")
			e.say("%s  %s to %s, %s … %s", h.Name, first.Format(layout), last.Format(layout), number(low), withUnit(number(high), h.Unit))
		}
		e.say("")
	}
	t := newTable("time", "mean", "min", "max", "last", "unit", "samples", "bad").alignRight(1, 2, 3, 4, 6, 7)
	for _, b := range h.Buckets {
		t.row(b.Time.Local().Format("2006-01-02 15:04:05"), optional(b.Mean), optional(b.Min), optional(b.Max), optional(b.Last), h.Unit, b.Count, b.Bad)
	}
	width, _ := e.size()
	t.write(e.out, e.colors(), width)
}

func (e *environment) eventsCommand() *cobra.Command {
	var from string
	var kinds []string
	var limit int
	var renewals bool
	c := &cobra.Command{
		Use:   "events",
		Short: "What happened: alarms, requests, writes, reloads, plugins",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			now := time.Now()
			at, err := moment(from, now)
			if err != nil {
				return err
			}
			agent, err := e.agent()
			if err != nil {
				return err
			}
			events, err := agent.Events(c.Context(), api.EventsRequest{Since: at, Until: now, Kinds: kinds, Renewals: renewals, Limit: limit})
			if err != nil {
				return err
			}
			if e.json {
				return e.printJSON(events)
			}
			if len(events) == 0 {
				e.say("Nothing happened since %s.", at.Local().Format(time.DateTime))
				return nil
			}
			layout := layoutOf(events[0].Time())
			for _, ev := range events {
				e.say("%s", eventLineAt(ev, layout))
			}
			return nil
		},
	}
	c.Flags().StringVar(&from, "since", "1h", "from then on: a span back from now or a time")
	c.Flags().StringSliceVar(&kinds, "kind", nil, "only these: "+strings.Join(event.Kinds, ", "))
	c.Flags().BoolVar(&renewals, "renewals", false, "also requests that only say again what stands, before their time is over")
	c.Flags().IntVar(&limit, "limit", 200, "the newest so many")
	return c
}

// printLine writes v as JSON on one line.
func (e *environment) printLine(v any) error { return json.NewEncoder(e.out).Encode(v) }
