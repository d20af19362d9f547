package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/api"
)

func (e *environment) routesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "routes [NAME]",
		Short: "What goes to the sinks by routes, and how much of it went",
		Long:  "Lists the routes with what became of the samples that they took, per sink.\nWith a NAME: what the route takes, and what it is called at the sink.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			routes, err := agent.Routes(c.Context())
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return e.printRoute(routes, args[0])
			}
			if e.json {
				return e.printJSON(routes)
			}
			e.printRoutes(routes)
			return nil
		},
	}
}

func (e *environment) printRoutes(routes []api.Route) {
	if len(routes) == 0 {
		e.say("The site has no routes: each sink takes everything, or what its include and exclude say.")
		return
	}
	width, _ := e.size()
	t := newTable("route", "sink", "points", "events", "taken", "passed", "early", "unchanged", "refused", "failed").alignRight(2, 3, 4, 5, 6, 7, 8, 9)
	for _, r := range routes {
		for _, c := range r.Sinks {
			t.row(r.Name, c.Sink, len(r.Streams), c.Events, c.Taken, c.Passed, c.Early, c.Unchanged, c.Refused, c.Failed)
		}
	}
	t.write(e.out, e.colors(), width)
}

func (e *environment) printRoute(routes []api.Route, name string) error {
	i := slices.IndexFunc(routes, func(r api.Route) bool { return r.Name == name })
	if i < 0 {
		names := make([]string, len(routes))
		for i, r := range routes {
			names[i] = r.Name
		}
		return fmt.Errorf("there is no route %q; there are: %s", name, strings.Join(names, ", "))
	}
	r := routes[i]
	if e.json {
		return e.printJSON(r)
	}
	e.printRoutes([]api.Route{r})
	if len(r.Events) > 0 {
		e.say("Events: %s", strings.Join(r.Events, " "))
	}
	width, _ := e.size()
	t := newTable("from", "as", "unit", "left out but", "tags")
	for _, s := range r.Streams {
		from, unit := s.From, s.Unit
		if s.Computed {
			from = "(computed)"
		}
		if s.FromUnit != "" {
			unit = s.FromUnit + " → " + s.Unit
		}
		t.row(from, s.Name, unit, s.Thinning, tagList(s.Tags))
	}
	e.section(t, width)
	return nil
}

func tagList(tags map[string]string) string {
	var out []string
	for name, value := range tags {
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
