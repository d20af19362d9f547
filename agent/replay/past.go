package replay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/journal"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua"
)

// PastOptions say what stretch of a journal to run through which site.
type PastOptions struct {
	Site     *site.Site
	Programs *compile.Programs
	// Libraries run in the place of those that the site names, by name.
	Libraries map[string]lua.Library
	// Journal is its folder. It is only read.
	Journal string
	// Since and Until bound what is compared. WarmUp is how much before it is run too, so that delays, windows and what is in
	// force are as they were; its decisions do not count.
	Since, Until time.Time
	WarmUp       time.Duration
	// Within is how far apart two decisions may be that count as the same.
	Within time.Duration
	// Progress, when set, is told now and then how far the replay is.
	Progress func(at time.Time)
	Log      hclog.Logger

	// cut bounds the frames of a batch, and depth the batches of a round trip; 0: what is fast. The outcome is the same.
	cut, depth int
}

// Report is what came of a replay. The same journal, site and libraries give the same report.
type Report struct {
	Site      string    `json:"site"`
	Revision  string    `json:"revision"`
	Since     time.Time `json:"since"`
	Until     time.Time `json:"until"`
	Start     time.Time `json:"start"` // of the warm-up
	Libraries []Version `json:"libraries"`
	// Frames that were run, Points in them, and Inputs: what people and programs asked for.
	Frames int `json:"frames"`
	Points int `json:"points"`
	Inputs int `json:"inputs"`
	// Notes say what could not be as it was.
	Notes    []string  `json:"notes"`
	Totals   Totals    `json:"totals"`
	Subjects []Subject `json:"subjects"`
	// Differences are the first ones of each subject.
	Differences []Difference `json:"differences"`
}

// Version is a library that was run.
type Version struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Hash    string `json:"hash"`
}

func versions(libs []lua.Library) []Version {
	var out []Version
	for _, l := range libs {
		out = append(out, Version{l.Name, l.Version, l.Hash})
	}
	return out
}

// lateness is how long after its time an event may come in the journal, in ms, to be compared with what is decided now.
const lateness = 10_000

// RunPast runs a stretch of the journal through a site on a scratch Redis, and compares what it decides with what the journal
// says was decided.
func RunPast(ctx context.Context, o PastOptions) (*Report, error) {
	if !o.Since.Before(o.Until) {
		return nil, fmt.Errorf("the time to replay begins at %s and ends at %s: it must end later", o.Since.UTC().Format(time.RFC3339), o.Until.UTC().Format(time.RFC3339))
	}
	libs, err := Libraries(o.Site, o.Libraries)
	if err != nil {
		return nil, err
	}
	start, carried, inputs, err := prepare(o)
	if err != nil {
		return nil, err
	}
	o.Libraries = map[string]lua.Library{}
	for _, l := range libs {
		o.Libraries[l.Name] = l
	}
	e, err := Open(ctx, Options{Site: o.Site, Programs: o.Programs, Start: start, Libraries: o.Libraries, LibrariesOnly: true, Log: o.Log})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	p := &past{
		o: o, engine: e, mapping: newMapping(o.Site), compared: NewComparison(o.Since.UnixMilli(), o.Within),
		report: &Report{
			Site: o.Site.Name, Revision: o.Site.Revision, Since: o.Since.UTC(), Until: o.Until.UTC(), Start: time.UnixMilli(start).UTC(), Libraries: versions(libs),
		},
	}
	for _, in := range carried {
		if err := p.input(ctx, in); err != nil {
			return nil, err
		}
	}
	if err := p.run(ctx, start, inputs); err != nil {
		return nil, err
	}
	return p.finish(ctx)
}

// past is a replay under way.
type past struct {
	o        PastOptions
	engine   *Engine
	mapping  *mapping
	compared *Comparison
	report   *Report
	told     int64
}

// prepare looks through the events once: what was asked for from outside in the time to run, and what was in force before.
func prepare(o PastOptions) (start int64, carried, inputs []event.Event, err error) {
	r, err := journal.OpenReader(o.Journal, time.Time{})
	if err != nil {
		return 0, nil, nil, err
	}
	defer r.Close()
	oldest, newest, ok := r.Span()
	if !ok || newest.Before(o.Since) || !oldest.Before(o.Until) {
		has := "it is empty"
		if ok {
			has = fmt.Sprintf("it has %s to %s", oldest.UTC().Format(time.RFC3339), newest.UTC().Format(time.RFC3339))
		}
		return 0, nil, nil, fmt.Errorf("the journal in %s has nothing of %s to %s: %s", o.Journal, o.Since.UTC().Format(time.RFC3339), o.Until.UTC().Format(time.RFC3339), has)
	}
	start = max(oldest.UnixMilli(), o.Since.Add(-o.WarmUp).UnixMilli())
	var before standing
	r.EventsOnly()
	for {
		rec, err := r.Next()
		if ended(err) {
			break
		}
		if err != nil {
			return 0, nil, nil, err
		}
		switch ev := rec.Event; {
		case !IsInput(ev):
		case ev.Millis < start:
			before.take(ev)
		case ev.Millis < o.Until.UnixMilli():
			inputs = append(inputs, ev)
		}
	}
	slices.SortStableFunc(inputs, func(a, b event.Event) int { return int(a.Millis - b.Millis) })
	return start, before.at(start), inputs, nil
}

// input does an input again; what a library refuses is told, and changes nothing.
func (p *past) input(ctx context.Context, in event.Event) error {
	if err := p.engine.Feed(ctx, max(in.Millis, p.engine.Now())); err != nil {
		return err
	}
	p.report.Inputs++
	err := p.engine.Input(ctx, in)
	if refused(err) {
		p.mapping.note("%s is refused: %v", inputName(in), err)
		err = nil
	}
	if err != nil {
		return err
	}
	return p.take()
}

// take hands what the engine decided to the comparison.
func (p *past) take() error {
	for _, ev := range p.engine.Take() {
		if err := p.compared.Now(ev); err != nil {
			return err
		}
	}
	now := p.engine.Now()
	p.compared.Advance(now - lateness)
	if p.o.Progress != nil && now-p.told >= 60_000 {
		p.told = now
		p.o.Progress(time.UnixMilli(now))
	}
	return nil
}

func (p *past) finish(ctx context.Context) (*Report, error) {
	until := p.o.Until.UnixMilli() - 1
	if err := p.engine.Feed(ctx, max(until, p.engine.Now())); err != nil {
		return nil, err
	}
	if err := p.take(); err != nil {
		return nil, err
	}
	p.compared.Finish(p.o.Until.UnixMilli())
	p.report.Subjects, p.report.Totals = p.compared.Subjects()
	p.report.Differences = p.compared.Examples()
	p.report.Notes = append([]string{}, p.mapping.told()...)
	return p.report, nil
}
