package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/notify/message"
	"github.com/voltage-edge/voltage/agent/site"
)

// CursorName is the name of the place in the journal.
const CursorName = "notifications"

// Options are what a notifier works with.
type Options struct {
	// Dir is a folder of its own, for its state.
	Dir     string
	Journal *journal.Journal
	Site    *site.Site
	// URL is where the API is reached; empty: nowhere.
	URL string
	// Alarms lists the alarms as they are now; an error: they can't be told now.
	Alarms func(ctx context.Context) ([]Alarm, error)
	// Emit is given the events about messages.
	Emit func(event.Event)
	// Now is the clock that events are dated by.
	Now func() time.Time
	Log hclog.Logger
}

// Notifier tells contacts about alarms, until it is stopped.
type Notifier struct {
	o      Options
	log    hclog.Logger
	path   string
	cursor *journal.Cursor
	cancel context.CancelFunc
	done   chan struct{}
	all    sync.WaitGroup // of deliveries and of who reads the journal

	records  chan []journal.Record
	outcomes chan outcome
	orders   chan func()

	// The loop's own.
	engine *engine
	// behind counts the records from before the start that were not read yet. Until they are, nothing is due: what
	// somebody did about an alarm may be among them.
	behind int64

	mu     sync.Mutex
	status Status
}

type outcome struct {
	p   *pending
	err error
}

// Start starts a notifier. Without anything kept it begins with the events from now on, and with the alarms that stand.
func Start(o Options) (*Notifier, error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	n := &Notifier{
		o: o, log: o.Log, path: filepath.Join(o.Dir, "state.json"), done: make(chan struct{}),
		records: make(chan []journal.Record), outcomes: make(chan outcome), orders: make(chan func()),
	}
	st, unreadable := readState(n.path)
	if err := unreadable; err != nil {
		o.Log.Error("what was kept of notifications is lost; they begin anew, with the alarms that stand", "error", err)
		st = newState()
		st.Schema = 0
	}
	known, err := o.Journal.Cursors()
	if err != nil {
		return nil, fmt.Errorf("start notifications: %w", err)
	}
	if !slices.Contains(known, CursorName) {
		st.Seq = 0 // of another journal
	}
	st.Schema = schema
	if n.cursor, err = o.Journal.Cursor(CursorName, journal.Newest); err != nil {
		return nil, fmt.Errorf("start notifications: %w", err)
	}
	n.engine = &engine{st: st}
	if unreadable != nil {
		n.engine.events = append(n.engine.events, event.New(o.Now(), event.Notification, "event", "state_lost", "error", unreadable.Error(),
			"detail", "what waited to be sent is lost; the alarms that stand are told again"))
	}
	n.engine.configure(o.Site, o.URL, max(st.Clock, n.now()))
	n.behind = int64(n.cursor.Lag().Records)
	n.setStatus()
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	n.all.Go(func() { n.read(ctx) })
	go n.run(ctx)
	return n, nil
}

// Stop ends it, and keeps what waits. A delivery that is under way is given two seconds.
func (n *Notifier) Stop() error {
	n.cancel()
	<-n.done
	return n.cursor.Close()
}

// mostRecords is how many records are taken at once.
const mostRecords = 1000

// read hands the journal's events to the loop.
func (n *Notifier) read(ctx context.Context) {
	for {
		records, err := n.cursor.Next(ctx, mostRecords)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, journal.ErrClosed) {
				n.log.Error("the journal can't be read; alarms are told from the list of alarms only", "error", err)
			}
			return
		}
		select {
		case n.records <- records:
		case <-ctx.Done():
			return
		}
	}
}

// The alarms are compared with the list of them every reconcileEvery; a list that could not be had is asked for again after
// listAgain.
const (
	reconcileEvery = time.Minute
	listAgain      = 5 * time.Second
)

func (n *Notifier) run(ctx context.Context) {
	defer close(n.done)
	lists := make(chan []Alarm)
	n.all.Go(func() { n.list(ctx, lists) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case records := <-n.records:
			n.take(records)
		case list := <-lists:
			n.engine.reconcile(list, n.now())
		case o := <-n.outcomes:
			n.engine.outcome(o.p, o.err, n.now(), rand.Float64())
		case order := <-n.orders:
			order()
		case <-timer.C:
		}
		if n.behind <= 0 {
			n.engine.advance(n.now())
		}
		n.keep()
		if n.behind <= 0 && ctx.Err() == nil {
			n.deliver(ctx)
			n.keep()
		}
		timer.Reset(n.wait())
	}
	go func() {
		n.all.Wait()
		close(n.outcomes)
	}()
	for o := range n.outcomes { // of deliveries that were under way
		if o.err == nil {
			n.engine.outcome(o.p, nil, n.now(), 0)
		}
	}
	n.keep()
}

func (n *Notifier) now() int64 { return n.o.Now().UnixMilli() }

// wait is how long nothing is due.
func (n *Notifier) wait() time.Duration {
	if n.behind > 0 {
		return time.Minute
	}
	at := min(n.engine.next(), n.engine.nextTry())
	return min(max(time.Duration(at-n.now())*time.Millisecond, 0), time.Minute)
}

// list asks for the alarms now and then.
func (n *Notifier) list(ctx context.Context, to chan<- []Alarm) {
	for {
		wait := listAgain
		if list, err := n.o.Alarms(ctx); err == nil {
			wait = reconcileEvery
			select {
			case to <- list:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// take takes records of the journal. Those that are in the state already were not committed in time.
func (n *Notifier) take(records []journal.Record) {
	for i := range records {
		r := &records[i]
		if r.Kind == journal.Event && r.Event.Kind == event.Alarm && r.Position.Seq > n.engine.st.Seq {
			n.engine.take(r.Event)
			n.engine.st.Seq = r.Position.Seq
		}
	}
	last := records[len(records)-1].Position
	if n.behind -= int64(len(records)); n.behind > 0 && n.cursor.Lag().Records <= uint64(len(records)) {
		n.behind = 0 // retention took some
	}
	if !n.keep() {
		return
	}
	if err := n.cursor.Commit(last); err != nil {
		n.log.Error("the place in the journal is not kept", "error", err)
	}
}

// keep writes the state if it changed, then tells the events about messages; false: it could not be written.
func (n *Notifier) keep() bool {
	if !n.engine.changed {
		return true
	}
	n.setStatus()
	err := writeState(n.path, n.engine.st)
	text := ""
	if err != nil {
		text = err.Error()
	}
	n.mu.Lock()
	fresh := n.status.Error == "" && text != ""
	n.status.Error = text
	n.mu.Unlock()
	if fresh {
		n.log.Error("notifications go on, and may be told twice after a restart", "error", err)
	}
	n.engine.changed = err != nil
	if err != nil && len(n.engine.events) < mostEvents { // they are told when what they tell of is kept
		return false
	}
	for _, e := range n.engine.events {
		n.o.Emit(e)
	}
	n.engine.events = nil
	return err == nil
}

// mostEvents bounds the events that wait for a disk that takes nothing.
const mostEvents = 1000

// deliver hands over what can be.
func (n *Notifier) deliver(ctx context.Context) {
	for _, p := range n.engine.deliveries(n.now()) {
		c, s := n.engine.site.Contact(p.Message.Contact), n.engine.site
		m := p.Message
		n.all.Go(func() {
			limited, cancel := graceful(ctx)
			defer cancel()
			n.outcomes <- outcome{p, hand(limited, c, m, s.Location, n.o.Now())}
		})
	}
}

// stopGrace is what a delivery that is under way is given when the notifier is stopped.
const stopGrace = 2 * time.Second

// graceful is a context that ends a little later.
func graceful(ctx context.Context) (context.Context, context.CancelFunc) {
	limited, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		grace := time.AfterFunc(stopGrace, cancel)
		context.AfterFunc(limited, func() { grace.Stop() })
	})
	return limited, func() { stop(); cancel() }
}

// hand hands one message over, once.
func hand(ctx context.Context, c *site.Contact, m message.Message, zone *time.Location, now time.Time) error {
	m = m.Cut()
	if c.Webhook != nil {
		return post(ctx, c.Webhook, m, zone, now)
	}
	return send(ctx, c.Email, m, zone)
}

// do runs a function in the loop; false: it has ended.
func (n *Notifier) do(f func()) bool {
	finished := make(chan struct{})
	select {
	case n.orders <- func() { defer close(finished); f() }:
		<-finished
		return true
	case <-n.done:
		return false
	}
}

// Configure takes another site; what waits goes on.
func (n *Notifier) Configure(s *site.Site) {
	n.do(func() { n.engine.configure(s, n.o.URL, max(n.engine.st.Clock, n.now())) })
}

// Forget removes what was kept: a site that has no notifications any more, and has some later, begins anew.
func Forget(dir string, j *journal.Journal) error {
	return errors.Join(os.RemoveAll(dir), j.RemoveCursor(CursorName))
}

// Test sends a message to a contact, at once and without another attempt.
func (n *Notifier) Test(ctx context.Context, c *site.Contact, s *site.Site) error {
	m := message.Message{
		ID: fmt.Sprintf("test-%d", n.now()), Kind: message.Test, Site: s.Name, Notification: "test", Contact: c.Name, Time: n.o.Now().UTC(), Alarms: []message.Alarm{},
	}
	m.Finish()
	err := hand(ctx, c, m, s.Location, n.o.Now())
	what, why := "tested", ""
	if err != nil {
		what, why = "test_failed", err.Error()
	}
	detail := "contact " + c.Name
	if why != "" {
		detail += ": " + why
	}
	n.o.Emit(event.New(n.o.Now(), event.Notification, "notification", "test", "event", what, "contact", c.Name, "id", m.ID, "error", why, "detail", detail))
	return err
}
