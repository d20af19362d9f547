package api

import (
	"context"
	"net/url"
	"time"
)

// Notifications says who is told about alarms, and what waits.
type Notifications struct {
	// Error: the state of notifications can't be kept.
	Error    string              `json:"error,omitempty"`
	Contacts []ContactStatus     `json:"contacts"`
	Groups   []NotificationGroup `json:"groups"`
}

// ContactStatus is how a contact does.
type ContactStatus struct {
	Name  string `json:"name"`
	Place string `json:"place"` // without secrets
	State string `json:"state"` // ok, failing
	// Pending messages are not delivered, since Oldest.
	Pending int       `json:"pending"`
	Oldest  time.Time `json:"oldest,omitzero"`
	Sent    uint64    `json:"sent"`
	// Failures counts attempts; Lost messages were given up, or refused for good.
	Failures uint64    `json:"failures"`
	Lost     uint64    `json:"lost"`
	LastSent time.Time `json:"last_sent,omitzero"`
	// Error is why the last attempt failed; Retry is when the next one is.
	Error string    `json:"error,omitempty"`
	Retry time.Time `json:"retry,omitzero"`
}

// NotificationGroup is a group of alarms that somebody knows of, or will.
type NotificationGroup struct {
	ID             string            `json:"id"`
	Notification   string            `json:"notification"`
	By             map[string]string `json:"by,omitempty"`
	Alarms         []string          `json:"alarms"`
	Messages       int               `json:"messages"`
	Last           time.Time         `json:"last,omitzero"`
	NextMessage    time.Time         `json:"next_message,omitzero"`
	NextRepeat     time.Time         `json:"next_repeat,omitzero"`
	NextEscalation time.Time         `json:"next_escalation,omitzero"`
	// Told are the contacts that know of it.
	Told []string `json:"told"`
}

// ContactTest is what became of a test message.
type ContactTest struct {
	Contact string  `json:"contact"`
	OK      bool    `json:"ok"`
	Error   string  `json:"error,omitempty"`
	TookMS  float64 `json:"took_ms"`
}

func notificationRoutes() []route {
	return []route{
		{
			method: "GET", path: "/api/v1/notifications", id: "notifications", tag: "alarms", reply: Notifications{},
			summary: "Who is told about alarms, what waits, and what comes next",
			do:      func(c *call) (any, error) { return c.agent.Notifications(c.Context()) },
		},
		{
			method: "POST", path: "/api/v1/contacts/{name}/test", id: "testContact", tag: "alarms", reply: ContactTest{},
			summary: "Send a test message to a contact, and wait for what becomes of it", privileged: true,
			do: func(c *call) (any, error) { return c.agent.TestContact(c.Context(), c.PathValue("name")) },
		},
	}
}

func putContacts(contacts []ContactStatus, put sample) {
	for _, x := range contacts {
		put("contact_up", gauge, flag(x.State == "ok"), x.Name)
		put("contact_sent_total", counter, float64(x.Sent), x.Name)
		put("contact_failures_total", counter, float64(x.Failures), x.Name)
		put("contact_lost_total", counter, float64(x.Lost), x.Name)
		put("contact_pending", gauge, float64(x.Pending), x.Name)
	}
}

// Notifications says who is told about alarms.
func (c *Client) Notifications(ctx context.Context) (Notifications, error) {
	return get[Notifications](ctx, c, "/notifications", nil)
}

// TestContact sends a test message.
func (c *Client) TestContact(ctx context.Context, name string) (ContactTest, error) {
	return post[ContactTest](ctx, c, "/contacts/"+url.PathEscape(name)+"/test", nil)
}
