// Package intake is the one way in: every frame is checked, stamped, appended to the journal, shown in the live picture,
// and taken through the libraries in Redis.
package intake

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/agent/virtual"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// Appender is the journal, as far as the intake needs it.
type Appender interface {
	AppendFrame(millis int64, device string, packed []byte) error
}

// Applier is the store, as far as the intake needs it.
type Applier interface {
	Apply(ctx context.Context, b store.Batch) (store.Result, error)
	// Wake is signalled when a batch without frames would bring events.
	Wake() <-chan struct{}
}

// Options are what an Intake works with.
type Options struct {
	Clock   Clock
	Journal Appender
	// Table tells the journal what the slots of a device's frames mean, before its first frame and after a change of the
	// site. It is called under the intake's lock. May be nil.
	Table func(d *site.Device) error
	Store Applier
	// States are those of alarms, and the results of windows, as the libraries have them, for conditions that read them. It is asked between
	// batches: at the start, after a change of the site, and when Redis lost something. May be nil.
	States func(ctx context.Context) (virtual.States, error)
	// Events takes what the libraries put on the stream, in order, each once. The next batch waits for it.
	Events func([]event.Event)
	// Watching tells whether anybody wants to know what changes, and Changed takes it: the values of each frame that differ
	// from the frame before. Both may be nil. They are called under the intake's lock: they must be quick and must not call
	// the intake.
	Watching func() bool
	Changed  func([]Value)
	Log      hclog.Logger
}

// Intake takes frames in. Its methods may be called from any goroutine.
type Intake struct {
	o    Options
	log  hclog.Logger
	live *Live

	notify chan struct{} // frames wait, or the site changed

	// accept is held while a frame is stamped, journalled, shown and queued: one order for all of them.
	accept    sync.Mutex
	clock     int64 // of the last frame, in ms
	queue     *queue
	gone      []string // devices whose frames Redis is to forget
	counters  counters
	staleFrom int64 // when the next device may have become stale; 0: look
	virtual   *virtual.Devices
	// askStates: the states of alarms and results of windows that conditions read have to be asked for.
	askStates bool
}

// New makes the intake of a site. Frames are taken at once; Run takes them to Redis.
func New(o Options, s *site.Site) *Intake {
	if o.Clock == nil {
		o.Clock = NewClock()
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	in := &Intake{o: o, log: o.Log, live: newLive(), notify: make(chan struct{}, 1), queue: newQueue()}
	in.counters.began(o.Clock.Now())
	in.live.layout.Store(newLayout(s, &layout{}, in.millis()))
	in.tables(s)
	in.replaceVirtual(s)
	return in
}

// tables tells the journal the site's point tables.
func (in *Intake) tables(s *site.Site) {
	if in.o.Table == nil {
		return
	}
	for _, d := range s.AllDevices() {
		if err := in.o.Table(d); err != nil {
			in.log.Error("the journal does not take a device's point table", "device", d.Name, "error", err)
		}
	}
}

// Live is the live picture.
func (in *Intake) Live() *Live { return in.live }

// millis is the clock in ms, which never falls. accept need not be held.
func (in *Intake) millis() int64 { return in.o.Clock.Now().UnixMilli() }

// stamp is the clock for a frame. What virtual devices have to say until then comes first. accept is held.
func (in *Intake) stamp() int64 {
	now := max(in.clock, in.millis())
	in.advanceVirtual(now)
	in.clock = max(in.clock, now)
	return in.clock
}

// Frame takes a packed frame over: the caller must not change it any more. When it returns nil, the frame is in the journal
// and on its way to Redis. When the journal can't take it (a full disk), the frame is shown and acted on all the same, is
// counted as not journalled, and nil is returned too: a site must be controlled even when its past can't be kept.
func (in *Intake) Frame(device string, packed []byte) error {
	in.accept.Lock()
	defer in.accept.Unlock()
	d := in.live.layout.Load().byName[device]
	if d == nil || d.virtual {
		in.counters.reject(reasonDevice)
		return fmt.Errorf("frame of %q refused: the site has no such device", device)
	}
	v, err := d.open(packed)
	if err != nil {
		in.counters.reject(reasonOf(err))
		return fmt.Errorf("frame of %s refused: %w", device, err)
	}
	edited := d.refuseInvalid(v, packed)
	if d.mark {
		markAll(packed, v.Len(), v.Texts())
		d.mark, edited = false, true
	}
	if edited {
		if v, err = d.open(packed); err != nil {
			return fmt.Errorf("frame of %s refused: %w", device, err)
		}
	}
	d.ever, d.stale = true, false
	in.take(d, v, in.stamp())
	return nil
}

// take journals a checked frame of the clock at, shows it and queues it. accept is held.
func (in *Intake) take(d *device, v frame.View, at int64) {
	if err := in.o.Journal.AppendFrame(at, d.name, v.Bytes()); err != nil {
		if in.counters.unjournalled(err) {
			in.log.Error("the journal does not take frames: the site is controlled, its past is not kept", "error", err)
		}
	} else if in.counters.journalled(at, v.Len()+v.Texts()) {
		in.log.Info("the journal takes frames again")
	}
	d.last = at
	r := &Reading{View: v, Millis: at}
	d.newest.Store(r)
	if in.o.Changed != nil && in.o.Watching() {
		if changed := d.changes(r); len(changed) > 0 {
			in.o.Changed(changed)
		}
	}
	in.queue.push(store.Frame{Device: d.name, Millis: at, Packed: v.Bytes()})
	in.signal()
}

func (in *Intake) signal() {
	select {
	case in.notify <- struct{}{}:
	default:
	}
}

// Stopped makes all values of devices unknown, because their channel does not run any more.
func (in *Intake) Stopped(devices ...string) {
	in.accept.Lock()
	defer in.accept.Unlock()
	byName := in.live.layout.Load().byName
	for _, name := range devices {
		if d := byName[name]; d != nil {
			in.silence(d, frame.Stopped)
		}
	}
}

// silence takes a frame in which nothing of the device is known. accept is held.
func (in *Intake) silence(d *device, reason frame.Quality) {
	d.stale, d.mark = true, true
	packed, err := unknown(d.table, frame.Bad|reason, in.silentAt(d))
	if err != nil {
		in.log.Error("can't make a frame", "device", d.name, "error", err)
		return
	}
	v, err := d.open(packed)
	if err != nil {
		in.log.Error("can't read a frame made here", "device", d.name, "error", err)
		return
	}
	in.take(d, v, in.stamp())
}

// silentAt is the source time of a frame made here: right after the last reading, by the clock of whoever read it, so that
// it is newer than that, and older than the next.
func (in *Intake) silentAt(d *device) time.Time {
	if r := d.newest.Load(); r != nil {
		return time.UnixMilli(int64(r.View.Millis()) + 1)
	}
	return time.UnixMilli(in.stamp())
}

// watchStale makes the values of silent devices unknown, and tells when to look again; 0: never.
func (in *Intake) watchStale(now int64) int64 {
	in.accept.Lock()
	defer in.accept.Unlock()
	if in.staleFrom > now {
		return in.staleFrom
	}
	var next int64
	for _, d := range in.live.layout.Load().devices {
		if d.stale || d.patient <= 0 || len(d.numbers)+len(d.texts) == 0 {
			continue
		}
		until := d.last + d.patient
		if until > now {
			if next == 0 || until < next {
				next = until
			}
			continue
		}
		reason := frame.Stale
		if !d.ever {
			reason = frame.NeverRead
		}
		in.log.Warn("no frame: the device's values are unknown", "device", d.name, "for", time.Duration(now-d.last)*time.Millisecond)
		in.silence(d, reason)
	}
	in.staleFrom = next
	return next
}

// Reconfigure takes another site. Devices that keep their points keep their values. Those that are gone, or have other points,
// are taken leave of with a frame in which nothing is known.
func (in *Intake) Reconfigure(s *site.Site) {
	in.accept.Lock()
	defer in.accept.Unlock()
	before := in.live.layout.Load()
	after := newLayout(s, before, in.stamp())
	for _, d := range before.devices {
		if now := after.byName[d.name]; now != nil && now.cell == d.cell {
			continue
		}
		if d.ever && !d.stale {
			in.silence(d, frame.Stopped)
		}
		in.gone = append(in.gone, d.name)
	}
	in.queue.drop(func(name string) bool {
		now, old := after.byName[name], before.byName[name]
		return now != nil && (old == nil || now.cell == old.cell)
	})
	in.live.layout.Store(after)
	in.tables(s)
	in.replaceVirtual(s)
	in.staleFrom = 0
	in.signal()
}
