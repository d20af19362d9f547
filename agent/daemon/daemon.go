// Package daemon is the running agent: it starts the rooms in their order, joins what flows between them, applies a plan,
// and stops them in order. It implements what the API shows.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/control"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/intake"
	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/notify"
	"github.com/voltage-edge/voltage/agent/plugin"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
)

// Options say what to run, and where.
type Options struct {
	// Site is a file or a folder, Data the folder that belongs to this agent alone.
	Site, Data string
	Variables  map[string]string
	Version    string
	// Strict refuses to start on a site with errors; else the last one that ran well is run in its place.
	Strict bool
	Log    hclog.Logger
	// Ready is called once, when the API answers.
	Ready func()
}

// Agent is a running agent. It implements api.Agent.
type Agent struct {
	o       Options
	log     hclog.Logger
	started time.Time

	host    *plugin.Host
	journal *journal.Journal
	store   *store.Store
	intake  *intake.Intake
	live    *intake.Live
	control *control.Controller
	hub     *api.Hub
	server  *api.Server
	clock   intake.Clock

	// booted is the site that the agent was started with: journal and API stay as it says.
	booted    *site.Site
	early     earlyEvents
	lastGood  lastGood
	ruleFiles ruleFiles
	resync    atomic.Int32
	shown     lookout
	times     ruleTimes
	explained explained
	measured  measured
	actions   actionCounts
	shadows   shadows
	all       sync.WaitGroup // of goroutines that end by themselves

	// reloading is held while a plan is made or applied, or Redis is given what it should hold.
	reloading sync.Mutex
	equipped  bool   // Redis holds libraries and programs
	origin    source // of the site that runs

	mu       sync.RWMutex
	site     *site.Site
	programs *compile.Programs // written with reloading held too
	sources  *librarySources
	channels map[string]*plugin.Channel
	sinks    map[string]*sinkHandle
	notifier *notify.Notifier  // nil: the site has no contacts
	states   map[string]string // of devices, to see a change
	troubles map[string]string // what is not as it should be, by what it is about
	stopping bool
}

// Run runs an agent until ctx ends, and leaves the outputs at their safe values and no process behind. A site with errors is
// an *InvalidSite.
func Run(ctx context.Context, o Options) error {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	// Children may have working folders of their own.
	data, err := filepath.Abs(o.Data)
	if err != nil {
		return fmt.Errorf("find the data folder: %w", err)
	}
	o.Data = data
	unlock, err := lockData(o.Data)
	if err != nil {
		return err
	}
	defer unlock()
	a := &Agent{
		o: o, log: o.Log, started: time.Now(), lastGood: lastGoodOf(o.Data), ruleFiles: ruleFilesOf(o.Data),
		channels: map[string]*plugin.Channel{}, sinks: map[string]*sinkHandle{}, states: map[string]string{}, troubles: map[string]string{},
	}
	a.hub = api.NewHub(8192, time.Now)
	defer a.all.Wait()
	defer a.stop()
	if err := a.start(ctx); err != nil {
		return err
	}
	return a.serve(ctx)
}

// fromLibraries takes the events of the libraries: first whoever acts, then whoever remembers.
func (a *Agent) fromLibraries(events []event.Event) {
	for _, e := range events {
		a.control.Handle(e)
		if e.Kind == event.Action {
			a.carryOut(e)
		}
	}
	if err := a.journal.AppendEvents(events); err != nil {
		a.log.Error("events are not in the journal", "count", len(events), "error", err)
	}
	for _, e := range events {
		a.hub.Event(e)
	}
}

// emit takes an event of the agent's own.
func (a *Agent) emit(e event.Event) {
	if !a.early.hold(e) {
		a.remember(e)
	}
	a.hub.Event(e)
}

func (a *Agent) remember(e event.Event) {
	if err := a.journal.AppendEvent(e); err != nil {
		a.log.Error("an event is not in the journal", "kind", e.Kind, "error", err)
	}
}

// earlyEvents are those from before the journal is open: plugins are asked for the site that says how it is kept.
type earlyEvents struct {
	mu   sync.Mutex
	open bool
	held []event.Event
}

// hold keeps an event unless the journal is open.
func (h *earlyEvents) hold(e event.Event) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open {
		h.held = append(h.held, e)
	}
	return !h.open
}

// release gives what was held, when the journal is open.
func (h *earlyEvents) release() []event.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := h.held
	h.open, h.held = true, nil
	return held
}

// tell makes an event of the agent's own.
func (a *Agent) tell(what, detail string) {
	a.emit(event.New(time.Now(), event.Agent, "event", what, "detail", detail))
}

// current is the site that runs.
func (a *Agent) current() *site.Site {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.site
}

// What a trouble is about.
const (
	aboutSite    = "site"
	aboutStore   = "store"
	aboutLibrary = "library " // and its name
)

// setTrouble notes what is not as it should be, for the status; an empty text: it is well.
func (a *Agent) setTrouble(about, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if text == "" {
		delete(a.troubles, about)
		return
	}
	a.troubles[about] = text
}

// troubleTexts are the troubles, in a fixed order.
func (a *Agent) troubleTexts() []string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var out []string
	for _, about := range slices.Sorted(maps.Keys(a.troubles)) {
		out = append(out, a.troubles[about])
	}
	return out
}

var errStopping = errors.New("the agent is being stopped")
