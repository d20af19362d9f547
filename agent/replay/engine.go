// Package replay runs a checked site without its devices, on a scratch Redis and a clock of its own: frames go in with
// their times, timers fire at theirs, and what comes out are the events and the outputs' values.
package replay

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/control"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/agent/virtual"
	"github.com/voltage-edge/voltage/lua"
)

// libraries are those that a site runs on.
var libraries = []string{store.Models, store.Alarms, store.Rules}

// Options say what an engine runs.
type Options struct {
	Site *site.Site
	// Programs may be nil: they are loaded later then.
	Programs *compile.Programs
	// Start is the clock at the beginning, in ms since the Unix epoch.
	Start int64
	// Libraries run in the place of those that the site names, by name.
	Libraries map[string]lua.Library
	// Dir is the folder for the scratch Redis, which is made, and removed at the end; empty: one among the temporary ones.
	Dir string
	// LibrariesOnly leaves the outputs alone: requests are told, and nobody judges them.
	LibrariesOnly bool
	// Log may be nil.
	Log hclog.Logger
}

// Engine is a site that runs on frames that it is given. It is not safe for concurrent use.
type Engine struct {
	dir     string
	store   *store.Store
	arbiter *control.Arbiter // nil: the outputs are left alone
	clock   atomic.Int64
	next    int64
	virtual *virtual.Devices
	// waiting are frames of virtual devices, made of events.
	waiting []store.Frame
	events  []event.Event
	judged  []control.Judgement
	// asked are actions to be carried out, and acts tells that the site has any.
	asked []event.Event
	acts  bool
}

// Open starts a scratch Redis for a site. The caller closes the engine.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	dir, err := folder(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("make a folder for the scratch Redis: %w", err)
	}
	e := &Engine{dir: dir}
	if !o.LibrariesOnly {
		e.arbiter = control.NewArbiter()
	}
	e.clock.Store(o.Start)
	if err := e.open(ctx, o); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func folder(dir string) (string, error) {
	if dir != "" {
		return dir, os.MkdirAll(dir, 0o700)
	}
	// The name is short: a socket's path has little room.
	return os.MkdirTemp("", "vr-")
}

func (e *Engine) open(ctx context.Context, o Options) (err error) {
	if e.store, err = store.Open(ctx, store.Options{
		Site: o.Site.Name, Config: site.Store{Embedded: true, Executable: o.Site.Store.Executable},
		DataDir: filepath.Join(e.dir, "data"), RunDir: filepath.Join(e.dir, "run"), Log: o.Log, Scratch: true,
		Now: func() time.Time { return time.UnixMilli(e.clock.Load()) },
	}); err != nil {
		return fmt.Errorf("start a scratch Redis: %w", err)
	}
	libs, err := Libraries(o.Site, o.Libraries)
	if err != nil {
		return err
	}
	for _, lib := range libs {
		if err := e.store.Load(ctx, lib); err != nil {
			return err
		}
	}
	if o.Programs == nil {
		return nil
	}
	programs := *o.Programs
	programs.Routes = nil // no sinks here
	if err := e.store.LoadPrograms(ctx, &programs); err != nil {
		return err
	}
	if e.arbiter == nil {
		return e.startVirtual(ctx, o.Site)
	}
	e.arbiter.Advance(o.Start)
	for _, d := range o.Site.Devices {
		for _, p := range d.Points {
			if w := p.Write; w != nil {
				e.arbiter.SetOutput(p.FullName(), control.Limits{Min: w.Min, Max: w.Max, Ramp: w.Ramp, Safe: w.Safe})
			}
		}
	}
	e.judge(o.Start)
	return e.startVirtual(ctx, o.Site)
}

// Libraries are those that a site runs on: of each name the one in place of it, else the site's own, else the one that comes
// with the program.
func Libraries(s *site.Site, instead map[string]lua.Library) ([]lua.Library, error) {
	files := map[string]string{}
	for _, l := range s.Libraries {
		files[l.Name] = l.File
	}
	var out []lua.Library
	for _, name := range libraries {
		lib, ok := instead[name]
		if !ok {
			var err error
			if lib, err = bundle(name, files[name]); err != nil {
				return nil, err
			}
		}
		out = append(out, lib)
	}
	return out, nil
}

// Runs tells whether a site runs on a library of that name.
func Runs(name string) bool { return slices.Contains(libraries, name) }

func bundle(name, file string) (lua.Library, error) {
	if file == "" {
		return lua.Bundle(name)
	}
	lib, err := lua.BundleFile(file)
	if err == nil && lib.Name != name {
		err = fmt.Errorf("%s declares the library %q, not %s", file, lib.Name, name)
	}
	return lib, err
}

// Close ends the scratch Redis and removes what it left.
func (e *Engine) Close() {
	if e.store != nil {
		e.store.Close()
	}
	os.RemoveAll(e.dir)
}

// Now is the engine's clock.
func (e *Engine) Now() int64 { return e.clock.Load() }

// Feed moves the clock to now, with all timers on the way, and hands over the frames of that instant, one per device.
func (e *Engine) Feed(ctx context.Context, now int64, frames ...store.Frame) error {
	if now < e.Now() {
		return fmt.Errorf("the clock stands at %d ms and can't go back to %d ms", e.Now(), now)
	}
	for at := e.due(); at != 0 && at < now; at = e.due() {
		if err := e.instant(ctx, max(at, e.Now()), nil); err != nil {
			return err
		}
	}
	if len(frames) > 0 || e.due() == now {
		return e.instant(ctx, now, frames)
	}
	e.clock.Store(now)
	e.judge(now)
	return nil
}

func (e *Engine) apply(ctx context.Context, now int64, frames []store.Frame) error {
	return e.batch(ctx, store.Batch{Now: now, Frames: frames})
}

// batch takes a batch through the libraries, the timers before it too.
func (e *Engine) batch(ctx context.Context, b store.Batch) error {
	now := b.Now
	e.clock.Store(now)
	res, err := e.store.Apply(ctx, b)
	if err != nil {
		return err
	}
	if err := failure(res); err != nil {
		return err
	}
	e.setNext(res.Next, now)
	return e.took(now, res)
}

func (e *Engine) setNext(next, now int64) {
	e.next = next
	if e.next != 0 && e.next <= now {
		// What is due at once is worked off by the next millisecond: the clock gets on whatever a library says.
		e.next = now + 1
	}
}

// took hands the events of a batch on.
func (e *Engine) took(now int64, res store.Result) error {
	e.wait(e.virtual.Results(res.Windows, now))
	for _, ev := range res.Events {
		ev.ID = ""
		e.events = append(e.events, ev)
		e.wait(e.virtual.Follow(ev, now))
		if ev.Kind == event.Action {
			e.asked = append(e.asked, ev)
		}
		if ev.Kind != event.Request || e.arbiter == nil {
			continue
		}
		r, err := control.FromEvent(ev)
		if err != nil {
			return err
		}
		e.arbiter.Put(r)
	}
	e.judge(now)
	return nil
}

func (e *Engine) judge(now int64) {
	if e.arbiter != nil {
		e.judged = append(e.judged, e.arbiter.Advance(now)...)
	}
}

// Take gives the events since the last call, without ids, which depend on the run.
func (e *Engine) Take() []event.Event {
	out := e.events
	e.events = nil
	return out
}

// Judgements gives the changes of the outputs since the last call.
func (e *Engine) Judgements() []control.Judgement {
	out := e.judged
	e.judged = nil
	return out
}

// Output is how an output stands now; false when the site has none of that name.
func (e *Engine) Output(name string) (control.Judgement, bool) {
	if e.arbiter == nil {
		return control.Judgement{}, false
	}
	return e.arbiter.Now(name, e.Now())
}

// Rule is how a rule stands now.
func (e *Engine) Rule(ctx context.Context, name string) (store.Rule, error) {
	return e.store.EvaluateRule(ctx, name)
}

// Alarms are the site's alarms by name.
func (e *Engine) Alarms(ctx context.Context) (map[string]store.Alarm, error) {
	list, err := e.store.AlarmList(ctx, true)
	out := make(map[string]store.Alarm, len(list))
	for _, a := range list {
		out[a.Name] = a
	}
	return out, err
}
