package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/lua"
)

// trial is the name of the scratch key space in which libraries and programs are tried, and the suffix of a library's
// functions while it is tried.
const trial = "trial"

// program is a program that the server should hold.
type program struct {
	compile.Program
	devices map[string]bool // that it reads
}

func newProgram(p compile.Program) *program {
	q := &program{Program: p, devices: make(map[string]bool, len(p.Devices))}
	for _, d := range p.Devices {
		q.devices[d] = true
	}
	return q
}

func (p *program) reads(device string) bool { return p.devices[device] }

// fields are the program as its hash.
func (p *program) fields() []any {
	f := []any{"rev", p.Revision, "n", len(p.Chunks)}
	for i, chunk := range p.Chunks {
		f = append(f, strconv.Itoa(i+1), chunk)
	}
	return f
}

// LoadPrograms tries the programs beside the live ones, on the frames and states that there are, then replaces them all in
// one step. When one of them fails, nothing is changed.
func (s *Store) LoadPrograms(ctx context.Context, p *compile.Programs) error {
	const doing = "loading the site's programs"
	next := map[string]*program{}
	for _, c := range []compile.Program{p.Models, p.Alarms, p.Rules} {
		if len(c.Chunks) == 0 {
			return refuse(doing, "the program of %q is empty", c.Library)
		}
		next[c.Library] = newProgram(c)
	}
	s.trials.Lock()
	defer s.trials.Unlock()
	for _, lib := range order {
		if next[lib] == nil {
			return refuse(doing, "there is none for %s", lib)
		}
		if err := s.tryProgram(ctx, lib, "", next[lib]); err != nil {
			return s.refused(fmt.Sprintf("trying the program of %s beside the running one", lib), err)
		}
	}
	routes := routePrograms(p.Routes)
	if err := s.tryRoutes(ctx, "", routes); err != nil {
		return s.refused("trying the program of routes beside the running one", err)
	}
	maps.Copy(next, routes)
	s.work.Lock()
	defer s.work.Unlock()
	if err := s.dropRoutes(ctx, next); err != nil {
		return s.explain(doing, err)
	}
	if err := s.writePrograms(ctx, next); err != nil {
		return s.explain(doing, err)
	}
	s.program = next
	s.refresh = true
	s.stir()
	return nil
}

// writePrograms replaces programs and changes the epoch in one transaction. work is held.
func (s *Store) writePrograms(ctx context.Context, programs map[string]*program) error {
	commands, err := s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for _, name := range sortedNames(programs) {
			p.Del(ctx, s.keys.program(name))
			p.HSet(ctx, s.keys.program(name), programs[name].fields()...)
		}
		p.Set(ctx, s.keys.epoch, newEpoch(), 0)
		return nil
	})
	return reason(commands, err)
}

// reason is why a transaction failed: the error of the command that could not be queued, where there is one.
func reason(commands []redis.Cmder, err error) error {
	if err == nil || !strings.HasPrefix(err.Error(), "EXECABORT") {
		return err
	}
	for _, c := range commands {
		if e := c.Err(); e != nil && !strings.HasPrefix(e.Error(), "EXECABORT") {
			return e
		}
	}
	return err
}

// tryProgram runs a program in the scratch key space through the library whose functions have the suffix, on copies of
// the live frames, states, timers and requests. Nothing live is touched. trials is held.
func (s *Store) tryProgram(ctx context.Context, library, suffix string, p *program) error {
	scratch := s.keys.scratch(trial)
	defer s.dropTrial(context.WithoutCancel(ctx), library)
	s.dropTrial(ctx, library)
	pipe := s.client.TxPipeline()
	pipe.HSet(ctx, scratch.program(library), p.fields()...)
	pipe.Set(ctx, scratch.epoch, newEpoch(), 0)
	for from, to := range map[string]string{
		s.keys.frames: scratch.frames, s.keys.requests: scratch.requests,
		s.keys.state(library): scratch.state(library), s.keys.timers(library): scratch.timers(library),
	} {
		pipe.Do(ctx, "COPY", from, to, "REPLACE")
	}
	if commands, err := pipe.Exec(ctx); err != nil {
		return reason(commands, err)
	}
	args := []any{"FCALL", s.Function(batchFunction[library] + suffix), 7}
	for _, k := range scratch.seven(library) {
		args = append(args, k)
	}
	now := s.millis()
	args = append(args, now)
	s.arrival.Lock()
	for device, packed := range s.newest {
		if p.reads(device) {
			args = append(args, device, now, packed)
		}
	}
	s.arrival.Unlock()
	if err := s.client.Do(ctx, args...).Err(); err != nil {
		return err
	}
	return s.trialErrors(ctx, scratch)
}

// errItem is one rule or alarm that fails on the site's values.
var errItem = errors.New("an item fails")

// trialErrors looks for an item that the library parked because it failed.
func (s *Store) trialErrors(ctx context.Context, scratch keys) error {
	entries, err := s.client.XRange(ctx, scratch.events, "-", "+").Result()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if what, _ := e.Values["event"].(string); what == "error" || what == "parked" {
			return fmt.Errorf("%w: %v %v: %v", errItem, e.Values["kind"], e.Values["rule"], e.Values["error"])
		}
	}
	return nil
}

// dropTrial deletes the scratch keys, with the hashes of the models that were made there.
func (s *Store) dropTrial(ctx context.Context, library string) {
	scratch := s.keys.scratch(trial)
	names := scratch.seven(library)
	items, err := s.client.HKeys(ctx, scratch.state(library)).Result()
	if err == nil {
		for _, item := range items {
			if library == Models && !strings.HasPrefix(item, "@") {
				names = append(names, scratch.model(item))
			}
		}
		err = s.client.Del(ctx, names...).Err()
	}
	if err != nil {
		s.log.Debug("can't delete the scratch keys", "error", err)
	}
}

// refused explains an error; one of Lua code is a refusal of what was given.
func (s *Store) refused(doing string, err error) error {
	if ownFailure(err) || errors.Is(err, errItem) || errors.Is(err, lua.ErrNoBundle) {
		return &Error{Problem: Refused, Doing: doing, Cause: err, Advice: "What runs goes on unchanged"}
	}
	return s.explain(doing, err)
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
