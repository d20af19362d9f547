// Package store is the agent's side of Redis: the server that it starts itself or is given the address of, the libraries
// and programs on it, and the one pipeline in which a batch of frames goes through them.
//
// A Store keeps what the server should hold (libraries, programs, the newest frames) and puts it there again whenever the
// server was started anew or somebody deleted it. Whoever uses it sees that as an error of one call at most.
package store

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua"
)

// Options say where Redis is and what the store works with.
type Options struct {
	// Site is the site's name; it is in the name of every key.
	Site   string
	Config site.Store
	// DataDir holds the embedded server's data and the libraries that were loaded; RunDir its socket.
	DataDir, RunDir string
	Log             hclog.Logger
	// Now is the clock that calls are given as their now; nil: the machine's.
	Now func() time.Time
	// LastEvent is the stream id of the last event that was worked off in an earlier run; empty: all that are there come
	// again.
	LastEvent string
	// Notify takes events of the store's own: a server restarted, data set aside, a library repaired. It must not block, nor
	// call the store. May be nil.
	Notify func(event.Event)
	// CheckEvery is the pause between two looks at what the server holds; 0: 2 s.
	CheckEvery time.Duration
	// Scratch makes the embedded server one whose data nobody wants afterwards: it writes nothing to the disk, and is killed at
	// the end. What it loses before that is not put back: Apply fails from then on.
	Scratch bool
	// Patient opens the store also when an external server is away: it is looked for until it comes, and calls fail until
	// then.
	Patient bool
	// Derived tells of a device whether its frames are made of what the libraries keep in the server. Their values become
	// unknown with a server that may have lost that. May be nil.
	Derived func(device string) bool
}

// Store is a connection to a site's Redis. Its methods may be called from any goroutine.
type Store struct {
	o      Options
	log    hclog.Logger
	keys   keys
	suffix string // of the names of libraries and functions on the server
	id     string // of the agent, for its ownership of the site
	opened time.Time
	mode   string
	where  string
	server *server // nil: external
	client redis.UniversalClient

	wake   chan struct{}
	cancel context.CancelFunc
	done   sync.WaitGroup

	// trials is held while the scratch key space is used. It comes before work.
	trials sync.Mutex

	// work is held while a batch is in Redis, or what the server holds is changed. It comes before mu.
	work    sync.Mutex
	wanted  map[string]lua.Library // by name: what the server should hold
	program map[string]*program    // by library
	batch   pipeline
	cursor  string // id of the last event that was read
	pending []event.Event
	suspect string // why the server must be looked over before the next batch; empty: no need
	refresh bool   // the next batch shows the libraries every device anew
	checked bool   // it is known that the server can be used

	// arrival is what a new connection needs; it comes last of all locks.
	arrival sync.Mutex
	run     string // run id of the server that was given frames and epoch
	newest  map[string][]byte
	forgot  bool        // newest was rid of frames of Derived, and nobody knows yet
	arrived atomic.Bool // a server was started anew since the last look

	stirred atomic.Bool // a call changed something since the last batch

	mu      sync.Mutex
	version string
	state   State
	status  Status
	latency latencies
}

// Open starts the embedded server or connects to the one of the configuration, looks whether it can be used, and makes it
// the site's: a new epoch, no frames. The context bounds the opening alone.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Site == "" {
		return nil, errors.New("opening the store: the site has no name")
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CheckEvery <= 0 {
		o.CheckEvery = 2 * time.Second
	}
	if o.LastEvent == "" {
		o.LastEvent = "0-0"
	}
	s := &Store{
		o: o, log: o.Log, keys: siteKeys(o.Site), mode: modeOf(o.Config), state: StateStarting,
		wake: make(chan struct{}, 1), wanted: map[string]lua.Library{}, program: map[string]*program{},
		opened: time.Now(), cursor: o.LastEvent, newest: map[string][]byte{}, suffix: suffixOf(o.Site, o.Config.Embedded, o.Config.DB),
	}
	if err := s.open(ctx); err != nil && !s.awaits(err) {
		s.shut()
		return nil, err
	}
	background, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.done.Go(func() { s.watch(background) })
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	redis.SetLogger(poolLog{s.log})
	if s.o.Config.Embedded {
		exe, err := findExecutable(ctx, s.o.Config.Executable)
		if err != nil {
			return err
		}
		s.server, err = startServer(ctx, exe, s.o, s.tell, s.stir)
		if err != nil {
			return err
		}
	} else if len(s.o.Config.Addresses) == 0 {
		return errors.New("opening the store: neither embedded nor an address")
	}
	s.where = whereIs(s.o.Config, s.server)
	options, err := clientOptions(s.o.Config, s.server)
	if err != nil {
		return err
	}
	options.OnConnect = s.welcome
	s.client = newClient(s.mode, options)
	frames, err := lua.Bundle(framesLibrary)
	if err != nil {
		return err
	}
	s.work.Lock()
	defer s.work.Unlock()
	s.wanted[framesLibrary] = frames
	s.preparePipeline()
	if s.server == nil {
		if s.id, err = agentID(s.o.DataDir); err != nil {
			return err
		}
		if err := s.check(ctx); err != nil {
			return err
		}
		s.checked = true
		if err := s.awaitOwnership(ctx); err != nil {
			return err
		}
	}
	return s.restore(ctx)
}

// away is why a server that did not answer at the start is to be put in order when it comes.
const away = "the server was away at the start"

// awaits tells whether the store is opened all the same, and the server looked for.
func (s *Store) awaits(err error) bool {
	if !s.o.Patient || s.server != nil || !Away(err) {
		return false
	}
	s.work.Lock()
	s.suspect = away
	s.work.Unlock()
	s.note(err)
	s.log.Error("redis does not answer; it is looked for until it does", "error", err)
	return true
}

// Close ends what the store started, the embedded server last. Calls that are under way fail.
func (s *Store) Close() {
	s.cancel()
	s.done.Wait()
	s.disown()
	s.shut()
}

func (s *Store) shut() {
	if s.client != nil {
		s.client.Close()
	}
	s.done.Wait()
	if s.server != nil {
		s.server.stop()
	}
	s.setState(StateClosed)
}

// Wake is signalled when something changed in Redis that was no frame: a call that wrote. A batch, with or without
// frames, then fetches the events and the next deadline.
func (s *Store) Wake() <-chan struct{} { return s.wake }

func (s *Store) stir() {
	s.stirred.Store(true)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// tell makes an event of the agent's own.
func (s *Store) tell(name, detail string) {
	if s.o.Notify != nil {
		s.o.Notify(event.New(s.o.Now(), event.Agent, "event", name, "detail", detail))
	}
}

// millis is the clock as the libraries take it.
func (s *Store) millis() int64 { return s.o.Now().UnixMilli() }

// librariesDir holds the sources of the libraries that were loaded.
func (s *Store) librariesDir() string { return filepath.Join(s.o.DataDir, "libraries") }

// available is nil unless the embedded server is known not to answer: then there is no use in trying.
func (s *Store) available() error {
	if s.server == nil {
		return nil
	}
	return s.server.available()
}

// explain adds what was tried to an error.
func (s *Store) explain(doing string, err error) error {
	err = explain(doing, s.where, err)
	var e *Error
	if s.server != nil && errors.As(err, &e) && e.Problem == Unreachable {
		e.Advice = "It is started again by itself when it ended"
	}
	return err
}

// note keeps the last error for the status, and the state that goes with it.
func (s *Store) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.state = StateOK
		return
	}
	s.state = stateOf(err)
	s.status.LastError = err.Error()
	s.status.LastErrorAt = s.o.Now()
}

func (s *Store) setState(state State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}
