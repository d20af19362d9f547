package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/api"
)

func (e *environment) alarmsCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "alarms",
		Short: "The alarms that want attention",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			alarms, err := agent.Alarms(c.Context(), all)
			if err != nil {
				return err
			}
			if len(alarms) == 0 && !e.json {
				e.say("No alarm wants attention.")
				return nil
			}
			return e.print(alarms, func() *table { return alarmTable(alarms) })
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every alarm that is defined")
	return c
}

func alarmTable(alarms []api.Alarm) *table {
	t := newTable("alarm", "priority", "state", "raised", "value", "message").alignRight(4)
	for _, a := range alarms {
		t.row(a.Name, a.Priority, alarmState(a), ago(a.Raised), withUnit(optional(a.Value), a.Unit), a.Message)
	}
	return t
}

// alarmFigures counts what is worth a word.
func alarmFigures(a api.AlarmsStatus) string {
	parts := []string{fmt.Sprintf("%d of %d active, %d unacknowledged", a.Active, a.Defined, a.Unacknowledged)}
	for _, x := range []struct {
		n    int
		what string
	}{
		{a.Shelved, "shelved"}, {a.Suppressed, "suppressed"}, {a.OutOfService, "out of service"}, {a.Disabled, "disabled"}, {a.Chattering, "chattering"},
	} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	return strings.Join(append(parts, fmt.Sprintf("%d announced within 10 min", a.Announced10min)), ", ")
}

// alarmState says the bits that matter to a person.
func alarmState(a api.Alarm) cell {
	text, c := "normal", green
	switch {
	case !a.Enabled:
		return cell{"disabled", dim}
	case a.Active && !a.Acked:
		text, c = "active, unacknowledged", red
	case a.Active:
		text, c = "active, acknowledged", yellow
	case !a.Acked:
		text, c = "returned, unacknowledged", yellow
	case !a.Confirmed:
		text, c = "returned, unconfirmed", yellow
	case a.Latched:
		text, c = "latched", yellow
	}
	if a.Level != "" && a.Active {
		text = a.Level + ": " + text
	}
	switch {
	case a.Shelving != "" && a.Shelving != "unshelved":
		text, c = text+", shelved", dim
	case a.Suppressed:
		text, c = text+", suppressed", dim
	case a.OutOfService:
		text, c = text+", out of service", dim
	}
	return cell{text, c}
}

func (e *environment) ackCommand() *cobra.Command {
	var comment string
	c := &cobra.Command{
		Use:   "ack ALARM",
		Short: "Acknowledge an alarm",
		Args:  exactly(1, "the name of an alarm"),
		RunE: func(c *cobra.Command, args []string) error {
			return e.alarmDo(c, api.AlarmCommand{Name: args[0], Command: "ack", Comment: comment})
		},
	}
	c.Flags().StringVar(&comment, "comment", "", "what you know of it")
	return c
}

func (e *environment) alarmCommand() *cobra.Command {
	root := &cobra.Command{Use: "alarm", Short: "Confirm, reset, shelve, suppress or disable an alarm"}
	for _, do := range []struct{ name, short string }{
		{"ack", "Acknowledge it"},
		{"confirm", "Confirm that its cause is dealt with"},
		{"reset", "Release its latch"},
		{"shelve", "Silence it for a time, or until it returns"},
		{"unshelve", "End its shelving"},
		{"suppress", "Silence it by hand"},
		{"unsuppress", "End the silence by hand"},
		{"out_of_service", "Take it out of service"},
		{"in_service", "Put it back in service"},
		{"disable", "Stop evaluating it"},
		{"enable", "Evaluate it again"},
	} {
		var comment, duration string
		var once bool
		c := &cobra.Command{
			Use:   do.name + " ALARM",
			Short: do.short,
			Args:  exactly(1, "the name of an alarm"),
			RunE: func(c *cobra.Command, args []string) error {
				req := api.AlarmCommand{Name: args[0], Command: do.name, Comment: comment}
				if do.name == "shelve" {
					req.Mode = "timed"
					if once {
						req.Mode = "oneshot"
					}
					d, err := span(duration)
					if err != nil {
						return err
					}
					req.Duration = d
				}
				return e.alarmDo(c, req)
			},
		}
		c.Flags().StringVar(&comment, "comment", "", "why")
		if do.name == "shelve" {
			c.Flags().StringVar(&duration, "for", "1h", "how long")
			c.Flags().BoolVar(&once, "once", false, "until it returns to normal instead")
		}
		root.AddCommand(c)
	}
	return root
}

func (e *environment) alarmDo(c *cobra.Command, req api.AlarmCommand) error {
	req.By = userName()
	agent, err := e.agent()
	if err != nil {
		return err
	}
	a, err := agent.AlarmCommand(c.Context(), req)
	if err != nil {
		return err
	}
	return e.print(a, func() *table { return alarmTable([]api.Alarm{a}) })
}
