package daemon

import (
	"context"
	"strconv"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/site"
)

// Routes lists what goes to the sinks by routes.
func (a *Agent) Routes(ctx context.Context) ([]api.Route, error) {
	st, err := a.Status(ctx)
	if err != nil {
		return nil, err
	}
	out := []api.Route{}
	for _, r := range a.current().Routes {
		x := api.Route{Name: r.Name, Events: append([]string{}, r.Events...), Sinks: []api.RouteCounts{}, Streams: make([]api.RouteStream, len(r.Streams))}
		for i, s := range r.Streams {
			x.Streams[i] = routeStream(s)
			x.Shaped = x.Shaped || r.Shaped(s)
		}
		for _, k := range st.Sinks {
			for _, c := range k.Routes {
				if c.Route == r.Name {
					x.Sinks = append(x.Sinks, c)
				}
			}
		}
		out = append(out, x)
	}
	return out, nil
}

func routeStream(s *site.Stream) api.RouteStream {
	out := api.RouteStream{From: s.Source(), Name: s.FullName(), Unit: s.Unit, Tags: s.Tags, Thinning: thinningWords(s.Thinning), Computed: s.Point == nil}
	if s.Point != nil && s.Point.Unit != s.Unit {
		out.FromUnit = s.Point.Unit
	}
	return out
}

// thinningWords says what is left out.
func thinningWords(t site.Thinning) string {
	text := ""
	if t.Every != 0 {
		text = "every " + site.FormatDuration(t.Every)
		if t.Align {
			text += " by the clock"
		}
	}
	c := t.Change
	if c == nil {
		return text
	}
	if text != "" {
		text += ", "
	}
	text += "on change"
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	switch {
	case c.Deadband != 0 && c.Percent != 0:
		text += " of " + number(c.Deadband) + " and " + number(c.Percent) + " %"
	case c.Deadband != 0:
		text += " of " + number(c.Deadband)
	case c.Percent != 0:
		text += " of " + number(c.Percent) + " %"
	}
	if c.MaxInterval != 0 {
		text += ", or after " + site.FormatDuration(c.MaxInterval)
	}
	return text
}
