package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/replay"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/lua"
)

const (
	// shadowBacklog is how many batches a candidate may be behind. Beyond that it is too slow to be made live.
	shadowBacklog = 256
	// shadowWithin is how far apart two decisions may be that count as the same.
	shadowWithin = time.Second
	// shadowStart bounds the start of a candidate, attachPatience the wait for the batch from which on it is given frames.
	shadowStart, attachPatience = 30 * time.Second, 5 * time.Second
	// shadowTell is the pause between two looks at what a candidate did.
	shadowTell = 300 * time.Millisecond
)

// The states of a shadow.
const (
	shadowRunning  = "running"
	shadowEnded    = "ended"
	shadowFailed   = "failed"
	shadowPromoted = "promoted"
	shadowDropped  = "dropped"
)

// shadows holds the candidate that runs beside the live site, or ran last.
type shadows struct {
	// attach asks the applier for a snapshot and for all batches behind it; given is the candidate that gets them.
	attach atomic.Pointer[attachment]
	given  atomic.Pointer[shadow]

	mu   sync.Mutex
	last *shadow
}

// shadow is one candidate.
type shadow struct {
	kind, name string
	lib        lua.Library    // of the kind library
	rule       api.RuleChange // of the kind rule
	revision   string         // of the site
	ends       time.Time
	run        *replay.Shadow // the goroutine's that runs it
	steps      chan replay.ShadowStep
	ending     context.Context // ends with a shadowEnd as its cause
	end        context.CancelCauseFunc
	done       chan struct{}
	told       atomic.Pointer[api.Shadow]
}

// shadowEnd is why a shadow came to its end.
type shadowEnd struct{ state, reason string }

func (e shadowEnd) Error() string { return e.state + ": " + e.reason }

// stop ends a shadow, unless it has ended, and waits.
func (sh *shadow) stop(state, reason string) {
	sh.end(shadowEnd{state, reason})
	<-sh.done
}

// mark changes the state of a shadow that has ended.
func (sh *shadow) mark(state string) api.Shadow {
	t := *sh.told.Load()
	t.State, t.Reason = state, ""
	sh.told.Store(&t)
	return t
}

// attachment is a shadow that is to be given frames.
type attachment struct {
	shadow *shadow
	ready  chan attached
}

type attached struct {
	snap *store.Snapshot
	at   int64
	err  error
}

// prepare attaches a shadow that waits, before a batch goes to the live libraries. It is called by the applier alone.
func (x *shadows) prepare(ctx context.Context, s *store.Store, b store.Batch) {
	at := x.attach.Swap(nil)
	if at == nil {
		return
	}
	out := attached{at: b.Now}
	if len(b.Frames) > 0 {
		out.at = min(out.at, b.Frames[0].Millis)
	}
	if out.snap, out.err = s.Snapshot(ctx); out.err == nil {
		x.given.Store(at.shadow)
	}
	at.ready <- out
}

// give hands on a batch that went through the live libraries. It never waits.
func (x *shadows) give(b store.Batch, res store.Result) {
	sh := x.given.Load()
	if sh == nil {
		return
	}
	b.Frames = slices.Clone(b.Frames)
	select {
	case sh.steps <- replay.ShadowStep{Batch: b, Events: res.Events}:
	default:
		x.given.CompareAndSwap(sh, nil)
		sh.end(shadowEnd{shadowFailed, fmt.Sprintf("it is too slow: %d batches of frames wait for it", cap(sh.steps))})
	}
}

// endShadow ends the candidate that runs, because what it is compared with is not the same any more. It does not wait.
func (a *Agent) endShadow(reason string) {
	a.shadows.mu.Lock()
	defer a.shadows.mu.Unlock()
	if a.shadows.last != nil {
		a.shadows.last.end(shadowEnd{shadowEnded, reason})
	}
}

func (a *Agent) shadowDir() string { return filepath.Join(a.o.Data, "shadow") }

// Shadow is the candidate that runs or ran last.
func (a *Agent) Shadow(context.Context) (api.Shadow, error) {
	sh, err := a.lastShadow()
	if err != nil {
		return api.Shadow{}, err
	}
	return sh.report(), nil
}

func (sh *shadow) report() api.Shadow {
	t := *sh.told.Load()
	if t.State == shadowRunning {
		t.LeftSeconds = max(time.Until(t.Ends).Seconds(), 0)
		t.Waiting = len(sh.steps)
	}
	return t
}

func (a *Agent) lastShadow() (*shadow, error) {
	a.shadows.mu.Lock()
	defer a.shadows.mu.Unlock()
	if a.shadows.last == nil {
		return nil, fmt.Errorf("%w: no candidate runs beside the live site, nor did one; voltage plan --shadow and voltage library load --shadow start one", api.ErrNotFound)
	}
	return a.shadows.last, nil
}

// shadowStatus is the shadow in the status, nil when there was none.
func (a *Agent) shadowStatus() *api.ShadowStatus {
	sh, err := a.lastShadow()
	if err != nil {
		return nil
	}
	t := sh.report()
	return &api.ShadowStatus{
		State: t.State, Kind: t.Kind, Name: t.Name, LeftSeconds: t.LeftSeconds, Reason: t.Reason, Frames: t.Frames, CostMicros: t.CostMicros,
		Same: t.Compared.Totals.Same, Differences: t.Compared.Totals.Differences(),
	}
}

// StartShadow runs a candidate beside the live site. When it returns, the candidate runs.
func (a *Agent) StartShadow(ctx context.Context, req api.ShadowRequest) (api.Shadow, error) {
	defer giveBack()
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if a.isStopping() {
		return api.Shadow{}, fmt.Errorf("%w: %w", api.ErrUnavailable, errStopping)
	}
	if !a.equipped {
		return api.Shadow{}, fmt.Errorf("%w: Redis is not there yet: nothing runs that a candidate could be compared with", api.ErrUnavailable)
	}
	if req.For <= 0 {
		return api.Shadow{}, fmt.Errorf("%w: a shadow runs for more than no time", api.ErrInvalid)
	}
	if sh, err := a.lastShadow(); err == nil && sh.report().State == shadowRunning {
		return api.Shadow{}, fmt.Errorf("%w: the candidate %s %s runs already; drop it first", api.ErrConflict, sh.kind, sh.name)
	}
	sh, o, err := a.candidate(ctx, req)
	if err != nil {
		return api.Shadow{}, err
	}
	start, cancel := context.WithTimeout(context.WithoutCancel(ctx), shadowStart)
	defer cancel()
	if err := a.openShadow(start, sh, o); err != nil {
		return api.Shadow{}, err
	}
	a.launch(sh, req.For)
	return sh.report(), nil
}

// candidate is what is to run: the libraries that run, with the new one among them, or the site as it is written now.
func (a *Agent) candidate(ctx context.Context, req api.ShadowRequest) (*shadow, replay.ShadowOptions, error) {
	sh := &shadow{steps: make(chan replay.ShadowStep, shadowBacklog), done: make(chan struct{})}
	sh.ending, sh.end = context.WithCancelCause(context.Background())
	o := replay.ShadowOptions{
		Site: a.current(), Live: a.current(), Programs: a.programs, Libraries: a.store.Loaded(), Within: shadowWithin,
		Dir: a.shadowDir(),
	}
	if req.Library != "" {
		if !slices.Contains(libraryNames, req.Library) {
			return nil, o, unknown("library", req.Library, libraryNames)
		}
		lib, err := a.librarySources().candidate(req.Library, req.File)
		if err != nil {
			return nil, o, fmt.Errorf("%w: %w", api.ErrInvalid, err)
		}
		o.Libraries[req.Library] = lib
		sh.kind, sh.name, sh.lib = "library", req.Library, lib
		return sh, o, nil
	}
	checked, diff, err := a.candidateSite(ctx, req, sh)
	if err != nil {
		return nil, o, err
	}
	o.Site, o.Programs = checked.Site, checked.Programs
	for _, name := range libraryNames {
		if diff.Changed("library", name) {
			delete(o.Libraries, name)
		}
	}
	sh.revision = checked.Site.Revision
	return sh, o, nil
}

// candidateSite is the site as it is written now, or the one that runs with another rule.
func (a *Agent) candidateSite(ctx context.Context, req api.ShadowRequest, sh *shadow) (*Checked, site.Plan, error) {
	if req.Rule != nil {
		sh.kind, sh.name, sh.rule = "rule", req.Rule.Name, *req.Rule
		from, _, what, err := a.edited(ctx, a.put(*req.Rule))
		if err != nil {
			return nil, site.Plan{}, err
		}
		checked, diff, p := a.plan(ctx, from)
		if checked == nil {
			return nil, diff, refusedRule(sh.name, what, p)
		}
		return checked, diff, nil
	}
	checked, diff, p := a.plan(ctx, a.asWritten())
	if checked == nil {
		return nil, diff, fmt.Errorf("%w: the site as it is written now can't be run: %s", api.ErrInvalid, firstError(p.Diagnostics))
	}
	sh.kind, sh.name = "site", checked.Site.Name
	return checked, diff, nil
}

func firstError(diags []api.Diagnostic) string {
	for _, d := range diags {
		if d.Severity == "error" {
			return d.Summary + ": " + d.Detail
		}
	}
	return "see voltage plan"
}

// candidate bundles a library from a file, or from where the site has it.
func (l *librarySources) candidate(name, file string) (lua.Library, error) {
	if file == "" {
		return l.bundle(name)
	}
	lib, err := lua.BundleFile(file)
	if err == nil && lib.Name != name {
		err = fmt.Errorf("%s declares the library %q, not %s", file, lib.Name, name)
	}
	return lib, err
}

// openShadow starts the candidate's Redis, and gives it what the live libraries know, between two of their batches.
func (a *Agent) openShadow(ctx context.Context, sh *shadow, o replay.ShadowOptions) error {
	if err := os.RemoveAll(o.Dir); err != nil {
		return fmt.Errorf("remove what an earlier candidate left: %w", err)
	}
	run, err := replay.OpenShadow(ctx, o)
	if err != nil {
		return fmt.Errorf("%w: the candidate does not start: %w", api.ErrInvalid, err)
	}
	at := &attachment{shadow: sh, ready: make(chan attached, 1)}
	a.shadows.attach.Store(at)
	patience := time.NewTimer(attachPatience)
	defer patience.Stop()
	var got attached
	select {
	case got = <-at.ready:
	case <-patience.C:
		got.err = errors.New("no frames go to Redis at the moment")
		if !a.shadows.attach.CompareAndSwap(at, nil) {
			got = <-at.ready
		}
	}
	if got.err == nil {
		if got.err = run.Seed(ctx, got.snap, got.at); got.err != nil {
			got.err = fmt.Errorf("%w: the candidate does not take the site as it is: %w", api.ErrInvalid, got.err)
		}
	} else {
		got.err = fmt.Errorf("%w: the states of the live site can't be taken: %w", api.ErrUnavailable, got.err)
	}
	if got.err != nil {
		a.shadows.given.CompareAndSwap(sh, nil)
		run.Close()
		return got.err
	}
	sh.run = run
	return nil
}

// launch makes a candidate that is ready the one that runs.
func (a *Agent) launch(sh *shadow, span time.Duration) {
	now := time.Now()
	sh.ends = now.Add(span)
	sh.told.Store(&api.Shadow{
		State: shadowRunning, Kind: sh.kind, Name: sh.name, Version: sh.lib.Version, Hash: sh.lib.Hash, Revision: sh.revision,
		Started: now.UTC(), Ends: sh.ends.UTC(), Compared: comparisonOf(sh.run),
	})
	a.shadows.mu.Lock()
	a.shadows.last = sh
	a.shadows.mu.Unlock()
	a.tell("shadow started", fmt.Sprintf("%s %s for %s", sh.kind, sh.name, span))
	a.all.Go(func() { a.runShadow(sh) })
}

// runShadow gives a candidate what the live site was given, until its time is over or it fails.
func (a *Agent) runShadow(sh *shadow) {
	ctx := sh.ending
	defer close(sh.done)
	defer sh.run.Close()
	over := time.NewTimer(time.Until(sh.ends))
	defer over.Stop()
	tell := time.NewTicker(shadowTell)
	defer tell.Stop()
	var why shadowEnd
	for why.state == "" {
		select {
		case <-ctx.Done():
			errors.As(context.Cause(ctx), &why)
		case <-over.C:
			why = shadowEnd{state: shadowEnded}
		case <-tell.C:
			sh.tell(shadowRunning, "")
		case step := <-sh.steps:
			if err := sh.run.Step(ctx, step); err != nil && ctx.Err() == nil {
				why = shadowEnd{shadowFailed, err.Error()}
			}
		}
	}
	a.shadows.given.CompareAndSwap(sh, nil)
	sh.run.Finish()
	sh.tell(why.state, why.reason)
	t := sh.told.Load().Compared.Totals
	a.tell("shadow "+why.state, fmt.Sprintf("%s %s: %d decisions the same, %d not; %s", sh.kind, sh.name, t.Same, t.Differences(), why.reason))
	if why.state == shadowFailed {
		a.log.Warn("the candidate failed and is dropped; the live site was not touched", "kind", sh.kind, "name", sh.name, "error", why.reason)
	}
}

// tell renews what is told of a shadow.
func (sh *shadow) tell(state, reason string) {
	t := *sh.told.Load()
	c := sh.run.Counts()
	t.State, t.Reason, t.Frames = state, reason, c.Frames
	if c.Frames > 0 {
		t.CostMicros = float64(c.Spent.Microseconds()) / float64(c.Frames)
	}
	if state != shadowRunning {
		t.LeftSeconds, t.Waiting = 0, 0
	}
	t.Compared = comparisonOf(sh.run)
	sh.told.Store(&t)
}

// PromoteShadow makes the candidate the live one: a library is loaded, as it ran; a site is reloaded, when it is still the one
// that ran.
func (a *Agent) PromoteShadow(ctx context.Context) (api.Shadow, error) {
	sh, err := a.lastShadow()
	if err != nil {
		return api.Shadow{}, err
	}
	if st := sh.report().State; st != shadowRunning && st != shadowEnded {
		return api.Shadow{}, fmt.Errorf("%w: the candidate %s %s was %s; run it again first", api.ErrConflict, sh.kind, sh.name, st)
	}
	switch sh.kind {
	case "library":
		err = a.promoteLibrary(ctx, sh)
	case "rule":
		_, err = a.PutRule(ctx, sh.rule)
	default:
		err = a.promoteSite(ctx, sh)
	}
	if err != nil {
		return api.Shadow{}, err
	}
	sh.stop(shadowPromoted, "")
	return sh.mark(shadowPromoted), nil
}

func (a *Agent) promoteLibrary(ctx context.Context, sh *shadow) error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	wanted, err := a.librarySources().bundle(sh.name)
	if err != nil {
		return fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	if err := a.store.LoadInstead(ctx, sh.lib, wanted.Hash); err != nil {
		return fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	_, err = a.announceLibrary(ctx, sh.name, "loaded")
	return err
}

func (a *Agent) promoteSite(ctx context.Context, sh *shadow) error {
	p, err := a.Plan(ctx)
	if err != nil {
		return err
	}
	if p.Revision != sh.revision {
		return fmt.Errorf("%w: the site was changed since the candidate was started: run it again, or voltage reload", api.ErrConflict)
	}
	_, err = a.Reload(ctx)
	return err
}

// DropShadow ends the candidate.
func (a *Agent) DropShadow(context.Context) (api.Shadow, error) {
	sh, err := a.lastShadow()
	if err != nil {
		return api.Shadow{}, err
	}
	sh.stop(shadowDropped, "")
	return sh.mark(shadowDropped), nil
}

func comparisonOf(run *replay.Shadow) api.Comparison {
	subjects, totals, differences, notes := run.Compared()
	return Comparison(subjects, totals, differences, notes)
}

// Comparison is what two runs decided, as programs read it.
func Comparison(subjects []replay.Subject, totals replay.Totals, differences []replay.Difference, notes []string) api.Comparison {
	out := api.Comparison{
		Totals: api.ComparisonTotals(totals), Subjects: make([]api.ComparisonSubject, 0, len(subjects)),
		Differences: make([]api.Difference, 0, len(differences)), Notes: append([]string{}, notes...),
	}
	for _, s := range subjects {
		out.Subjects = append(out.Subjects, api.ComparisonSubject{
			Kind: s.Kind, Name: s.Name, Owner: s.Owner, ComparisonTotals: api.ComparisonTotals(s.Totals),
			HeldThen: s.HeldThen, HeldNow: s.HeldNow, MeanThen: s.MeanThen, MeanNow: s.MeanNow,
		})
	}
	for _, d := range differences {
		out.Differences = append(out.Differences, api.Difference{
			Time: d.Time, Kind: d.Kind, Name: d.Name, Owner: d.Owner, Then: (*api.Decision)(d.Then), Now: (*api.Decision)(d.Now),
		})
	}
	return out
}
