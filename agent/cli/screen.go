package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/event"
)

// screen is the live table: values, alarms, outputs, and the last events, drawn anew twice a second.
type screen struct {
	env      *environment
	agent    api.Agent
	patterns []string
}

func newScreen(env *environment, agent api.Agent, patterns []string) *screen {
	return &screen{env: env, agent: agent, patterns: patterns}
}

const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// run draws until ctx ends, then gives the terminal back as it was.
func (s *screen) run(ctx context.Context) error {
	fmt.Fprint(s.env.out, enterScreen)
	defer fmt.Fprint(s.env.out, leaveScreen)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		lines, err := s.draw(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			lines = []string{"", paint("  "+err.Error(), red, s.env.colors())}
		}
		s.show(lines)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// show writes the lines that fit, over what stood there.
func (s *screen) show(lines []string) {
	_, height := s.env.size()
	if height > 0 && len(lines) > height {
		lines = append(lines[:height-1], paint(fmt.Sprintf("… %d more lines; `voltage get` and `voltage status` have all", len(lines)-height+1), dim, s.env.colors()))
	}
	var b strings.Builder
	b.WriteString(home)
	for i, l := range lines {
		b.WriteString(l)
		b.WriteString(clearLine)
		if i < len(lines)-1 {
			b.WriteString("\r\n")
		}
	}
	b.WriteString(clearBelow)
	fmt.Fprint(s.env.out, b.String())
}

const (
	// shownEvents is how many of the newest events the screen holds, fewestEvents how many when it is low.
	shownEvents  = 8
	fewestEvents = 3
	// fewestValues have a place before all but the fewest events.
	fewestValues = 4
)

func (s *screen) draw(ctx context.Context) ([]string, error) {
	status, err := s.agent.Status(ctx)
	if err != nil {
		return nil, err
	}
	values, err := s.agent.Values(ctx, s.patterns)
	if err != nil {
		return nil, err
	}
	alarms, err := s.agent.Alarms(ctx, false)
	if err != nil {
		alarms = nil // Redis is away; the status line says so
	}
	outputs, err := s.agent.Outputs(ctx)
	if err != nil {
		return nil, err
	}
	recent, err := s.agent.Events(ctx, api.EventsRequest{Since: time.Now().Add(-10 * time.Minute), Until: time.Now().Add(time.Second),
		Kinds: []string{event.Alarm, event.Write, event.Rule, event.Action, event.Publish, event.Arbitration, event.Plugin, event.Device, event.Library, event.Agent}, Limit: shownEvents})
	if err != nil {
		recent = nil
	}
	return s.layout(status, values, alarms, outputs, recent), nil
}

// layout puts what an operator wants to know first at the top: state, alarms, outputs, values, events. What does not fit
// is taken from the oldest events, then from the values; a device with many points is one line.
func (s *screen) layout(status api.Status, values []api.Value, alarms []api.Alarm, outputs []api.Output, recent []event.Event) []string {
	colors := s.env.colors()
	width, height := s.env.size()
	head := fmt.Sprintf("%s  %s  %s", paint(status.Site, bold, colors), paint(status.State, stateColor(status.State), colors), time.Now().Format("15:04:05"))
	if status.API != "" {
		head += "  API " + paint(status.API, cyan, colors)
	}
	lines := []string{head}
	for _, r := range status.Reasons {
		lines = append(lines, "  "+paint(cut(r, max(width-2, 20)), yellow, colors))
	}
	add := func(title string, t *table) {
		lines = append(lines, "", paint(title, bold, colors))
		lines = append(lines, t.lines(colors, width)...)
	}
	if len(alarms) == 0 {
		lines = append(lines, "", paint("Alarms", bold, colors)+"  none")
	} else {
		add("Alarms", alarmTable(alarms))
	}
	add("Outputs", outputTable(outputs))

	shown := valueTable(values)
	if len(s.patterns) == 0 {
		shown = foldedTable(values)
	}
	rows := shown.lines(colors, width)
	if height > 0 {
		room := height - len(lines) - 4 // the two titles, each with an empty line above
		recent = newest(recent, max(room-len(rows), fewestEvents))
		if room -= len(recent); len(rows) > max(room, fewestValues) {
			room = max(room, fewestValues) - 1 // the names of the columns are a row
			rows = append(rows[:room], paint(fmt.Sprintf("… %d more; `voltage get` has all", len(rows)-room), dim, colors))
		}
	}
	lines = append(lines, "", paint("Values", bold, colors))
	lines = append(lines, rows...)
	if len(recent) == 0 {
		return lines
	}
	lines = append(lines, "", paint("Events", bold, colors))
	for _, ev := range recent {
		lines = append(lines, paint(cut(eventLine(ev), max(width, 20)), dim, colors))
	}
	return lines
}

// newest are the last n events.
func newest(events []event.Event, n int) []event.Event {
	return events[max(0, len(events)-n):]
}

// foldFrom is the number of points from which a device is one line of the live table.
const foldFrom = 10

// foldedTable is a valueTable in which the models come first, and a device or model with many values is one line.
func foldedTable(values []api.Value) *table {
	groups := map[string][]api.Value{}
	var order []string
	for _, v := range values {
		name := v.Name[:strings.LastIndexByte(v.Name, '.')+1]
		if groups[name] == nil {
			order = append(order, name)
		}
		groups[name] = append(groups[name], v)
	}
	// Models stand behind the devices in the list.
	slices.Reverse(order)
	t := newTable("name", "value", "unit", "quality", "age").alignRight(1, 4)
	for _, name := range order {
		group := groups[name]
		if len(group) < foldFrom {
			addValues(t, group)
			continue
		}
		bad, youngest := 0, group[0]
		for _, v := range group {
			if v.Quality == "bad" {
				bad++
			}
			if v.AgeMS < youngest.AgeMS {
				youngest = v
			}
		}
		quality := cell{"good", green}
		if bad > 0 {
			quality = cell{fmt.Sprintf("%d bad", bad), red}
		}
		t.row(name+"*", fmt.Sprintf("%d values", len(group)), "", quality, ageOf(youngest))
	}
	return t
}
