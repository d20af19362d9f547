package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/notify"
	"github.com/voltage-edge/voltage/agent/site"
)

// applyNotifications makes the notifier tell what a site says: it is started with the first contact, and goes with the last.
func (a *Agent) applyNotifications(s *site.Site) error {
	a.mu.RLock()
	open := a.notifier
	a.mu.RUnlock()
	wanted := len(s.Contacts)+len(s.Notifications) > 0
	dir := filepath.Join(a.o.Data, "notifications")
	switch {
	case open != nil && wanted:
		open.Configure(s)
		return nil
	case open != nil:
		a.setNotifier(nil)
		return errors.Join(open.Stop(), notify.Forget(dir, a.journal))
	case !wanted:
		return notify.Forget(dir, a.journal)
	}
	n, err := notify.Start(notify.Options{
		Dir: dir, Journal: a.journal, Site: s, URL: reachable(a.server.URL()), Alarms: a.standingAlarms, Emit: a.emit, Now: a.clock.Now, Log: a.log.Named("notify"),
	})
	if err != nil {
		return err
	}
	a.setNotifier(n)
	return nil
}

func (a *Agent) setNotifier(n *notify.Notifier) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.notifier = n
}

// stopNotifier ends the notifier, which keeps what waits.
func (a *Agent) stopNotifier() {
	a.mu.RLock()
	n := a.notifier
	a.mu.RUnlock()
	if n == nil {
		return
	}
	if err := n.Stop(); err != nil {
		a.log.Warn("close the notifications; they go on from where they were kept", "error", err)
	}
	a.setNotifier(nil)
}

// reachable is an address of the API under which others find it: one that listens everywhere goes by the machine's name.
func reachable(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	host, port, err := net.SplitHostPort(u.Host)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			u.Host = net.JoinHostPort(name, port)
		}
	}
	return u.String()
}

// standingAlarms are the alarms as the library has them now.
func (a *Agent) standingAlarms(ctx context.Context) ([]notify.Alarm, error) {
	list, err := a.store.AlarmList(ctx, false)
	if err != nil {
		return nil, err
	}
	out := make([]notify.Alarm, 0, len(list))
	for _, x := range list {
		out = append(out, notify.Alarm{
			Name: x.Name, Priority: x.Priority, Message: x.Message, Level: x.Level, Quality: x.Quality, Value: x.Value, Unit: x.Unit, Since: int64(x.Since),
			Occurrence: x.Occurrence, Active: x.Active, Acked: x.Acked,
			Silenced: !x.Enabled || x.Suppressed || x.OutOfService || x.Shelving != "unshelved",
		})
	}
	return out, nil
}

// Notifications says who is told about alarms, and what waits.
func (a *Agent) Notifications(context.Context) (api.Notifications, error) {
	out := api.Notifications{Contacts: []api.ContactStatus{}, Groups: []api.NotificationGroup{}}
	a.mu.RLock()
	n := a.notifier
	a.mu.RUnlock()
	if n == nil {
		return out, nil
	}
	st := n.Status()
	out.Error = st.Error
	for _, c := range st.Contacts {
		state := "ok"
		if c.Error != "" {
			state = "failing"
		}
		out.Contacts = append(out.Contacts, api.ContactStatus{
			Name: c.Name, Place: c.Place, State: state, Pending: c.Pending, Oldest: c.Oldest, Sent: c.Sent, Failures: c.Failures, Lost: c.Lost,
			LastSent: c.LastSent, Error: c.Error, Retry: c.Retry,
		})
	}
	for _, g := range st.Groups {
		out.Groups = append(out.Groups, api.NotificationGroup{
			ID: g.ID, Notification: g.Notification, By: g.By, Alarms: g.Alarms, Messages: g.Messages, Last: g.Last,
			NextMessage: g.NextMessage, NextRepeat: g.NextRepeat, NextEscalation: g.NextEscalation, Told: g.Told,
		})
	}
	return out, nil
}

// TestContact sends a message to a contact, and says what became of it.
func (a *Agent) TestContact(ctx context.Context, name string) (api.ContactTest, error) {
	s := a.current()
	c := s.Contact(name)
	if c == nil {
		names := make([]string, 0, len(s.Contacts))
		for _, x := range s.Contacts {
			names = append(names, x.Name)
		}
		return api.ContactTest{}, unknown("contact", name, names)
	}
	a.mu.RLock()
	n := a.notifier
	a.mu.RUnlock()
	if n == nil {
		return api.ContactTest{}, fmt.Errorf("%w: %w", api.ErrUnavailable, errStopping)
	}
	began := time.Now()
	err := n.Test(ctx, c, s)
	out := api.ContactTest{Contact: name, OK: err == nil, TookMS: milliseconds(time.Since(began))}
	if err != nil {
		out.Error = err.Error()
	}
	return out, nil
}
