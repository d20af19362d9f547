package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voltage-edge/voltage/agent/api"
)

func (e *environment) notificationsCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "notifications",
		Short: "Who is told about alarms, what waits, what comes next",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			n, err := agent.Notifications(c.Context())
			if err != nil {
				return err
			}
			if e.json {
				return e.printJSON(n)
			}
			e.printNotifications(n)
			return nil
		},
	}
	root.AddCommand(&cobra.Command{
		Use:   "test CONTACT",
		Short: "Send a test message, and say what became of it",
		Args:  exactly(1, "the name of a contact"),
		RunE: func(c *cobra.Command, args []string) error {
			agent, err := e.agent()
			if err != nil {
				return err
			}
			got, err := agent.TestContact(c.Context(), args[0])
			if err != nil {
				return err
			}
			if e.json {
				if err := e.printJSON(got); err != nil || got.OK {
					return err
				}
			}
			if !got.OK {
				return fmt.Errorf("contact %s did not take the test message: %s", got.Contact, got.Error)
			}
			e.say("Contact %s took the test message, in %.0f ms.", got.Contact, got.TookMS)
			return nil
		},
	})
	return root
}

func (e *environment) printNotifications(n api.Notifications) {
	if len(n.Contacts) == 0 {
		e.say("The site has no contacts.")
		return
	}
	width, _ := e.size()
	if n.Error != "" {
		e.say("%s", paint(n.Error, yellow, e.colors()))
	}
	contactTable(n.Contacts).write(e.out, e.colors(), width)
	groups := newTable("notification", "alarms", "messages", "last", "next message", "next repeat", "next escalation", "told").alignRight(2)
	for _, g := range n.Groups {
		groups.row(g.Notification, few(g.Alarms), g.Messages, since(g.Last), ahead(g.NextMessage), ahead(g.NextRepeat), ahead(g.NextEscalation), strings.Join(g.Told, ", "))
	}
	e.section(groups, width)
}

func contactTable(contacts []api.ContactStatus) *table {
	t := newTable("contact", "state", "where", "pending", "sent", "lost", "last sent", "next try", "error").alignRight(3, 4, 5)
	for _, c := range contacts {
		t.row(c.Name, stateCell(c.State), c.Place, c.Pending, c.Sent, c.Lost, since(c.LastSent), ahead(c.Retry), firstLine(c.Error))
	}
	return t
}

// ahead is how long it is to a time.
func ahead(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if d := time.Until(t); d > 0 {
		return "in " + since(time.Now().Add(-d))
	}
	return "now"
}

// few lists names, as far as they fit.
func few(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s, and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
