package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/lua"
)

// LibraryState says whether a server has a library as it should.
type LibraryState string

// The states of a library.
const (
	LibraryOK       LibraryState = "ok"
	LibraryMissing  LibraryState = "missing"
	LibraryMismatch LibraryState = "mismatch" // another text than the one that was loaded
	LibraryFailing  LibraryState = "failing"  // there, and fails on the frames
)

// LibraryStatus is one library.
type LibraryStatus struct {
	Name, Version, Hash string
	State               LibraryState
	// Error is why a library fails, empty otherwise.
	Error    string
	LoadedAt time.Time
	// PreviousVersion and PreviousHash are of the library that Rollback would put back; empty: none.
	PreviousVersion, PreviousHash string
	// Withdrawn is the hash that the last roll-back or load by command took away; Ensure does not load it again.
	Withdrawn string
}

func (s *Store) archive() archive { return archive{s.librariesDir()} }

// known is what is known of a library: the archive's, else what an agent before this one left in Redis.
func (s *Store) known(ctx context.Context, name string) editions {
	e, err := s.archive().read(name)
	if err != nil {
		s.log.Warn("can't read the archive of a library", "library", name, "error", err)
	}
	if e.Current.Source != "" {
		return e
	}
	text, err := s.client.Get(ctx, s.keys.library(name)).Bytes()
	if err != nil {
		return editions{}
	}
	if err := json.Unmarshal(text, &e); err != nil {
		s.log.Warn("can't read what Redis keeps of a library", "library", name, "error", err)
		return editions{}
	}
	return e
}

// keep writes what is known of a library into the archive and into Redis.
func (s *Store) keep(ctx context.Context, e editions) error {
	if err := s.archive().write(e); err != nil {
		return fmt.Errorf("keeping the library's source in %s: %w", s.librariesDir(), err)
	}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return s.client.Set(ctx, s.keys.library(e.Current.Name), b, 0).Err()
}

// Load tries a library beside the live one: its self-test, then the running program on the frames and states that there
// are. Only when that passed it replaces the live one, which is kept for Rollback. The same library again changes nothing.
func (s *Store) Load(ctx context.Context, lib lua.Library) error {
	return s.load(ctx, lib, "")
}

// LoadInstead is Load for a library that somebody puts in the place of the one that the site wants, whose hash is wanted:
// Ensure leaves it there as long as the site wants the same one.
func (s *Store) LoadInstead(ctx context.Context, lib lua.Library, wanted string) error {
	if lib.Hash == wanted {
		wanted = ""
	}
	return s.load(ctx, lib, wanted)
}

// Ensure is Load for the start of the agent: a library that was rolled back or replaced by command is not loaded again; the
// one that was put in its place stays. One that the site did not want then, as that of a newer agent, is loaded.
func (s *Store) Ensure(ctx context.Context, lib lua.Library) error {
	e := s.known(ctx, lib.Name)
	if e.Withdrawn == lib.Hash && e.Current.Source != "" {
		s.log.Warn("the library of the site was rolled back or replaced by command, and stays so; load it by command to have it again",
			"library", lib.Name, "version", lib.Version, "hash", lib.Hash, "running", e.Current.Version)
		return s.load(ctx, e.Current.library(), e.Withdrawn)
	}
	return s.load(ctx, lib, "")
}

// Keep loads the library that was loaded last: for a start at which the one that the site wants does not do.
func (s *Store) Keep(ctx context.Context, name string) error {
	e := s.known(ctx, name)
	if e.Current.Source == "" {
		return refuse("loading the library "+name+" that ran last", "there was none")
	}
	return s.load(ctx, e.Current.library(), e.Withdrawn)
}

// Reload bundles a library from its main file and loads it, in the place of the one that the site wants.
func (s *Store) Reload(ctx context.Context, name, path, wanted string) error {
	lib, err := lua.BundleFile(path)
	if err != nil {
		return refuse("loading the library "+name, "%w", err)
	}
	if lib.Name != name {
		return refuse("loading the library "+name, "%s declares the library %q", path, lib.Name)
	}
	return s.LoadInstead(ctx, lib, wanted)
}

// Rollback puts the library before the current one back. The current one becomes the one before.
func (s *Store) Rollback(ctx context.Context, name string) error {
	doing := "rolling back the library " + name
	e := s.known(ctx, name)
	if e.Previous == nil || e.Previous.Source == "" {
		return refuse(doing, "there is none before the current one")
	}
	if err := s.try(ctx, e.Previous.library()); err != nil {
		return s.refused(doing, err)
	}
	if err := s.replace(ctx, e.Previous.library()); err != nil {
		return s.explain(doing, err)
	}
	next := e.loaded(e.Previous.library(), s.o.Now())
	next.Withdrawn = e.Current.Hash
	s.tellLibrary("rolled_back", next.Current, "instead of version "+e.Current.Version+", "+e.Current.Hash)
	return s.keep(ctx, next)
}

// load loads a library, and notes the hash of the one that Ensure is not to load again.
func (s *Store) load(ctx context.Context, lib lua.Library, withdrawn string) error {
	doing := fmt.Sprintf("loading the library %s %s", lib.Name, lib.Version)
	if !slices.Contains(libraries[:], lib.Name) {
		return refuse(doing, "the agent has no use for it; its libraries are %v", libraries)
	}
	e := s.known(ctx, lib.Name)
	if err := s.try(ctx, lib); err != nil {
		return s.refused(doing, err)
	}
	if err := s.replace(ctx, lib); err != nil {
		return s.explain(doing, err)
	}
	next := e.loaded(lib, s.o.Now())
	next.Withdrawn = withdrawn
	if e.Current.Source == lib.Source {
		next.Current.LoadedAt = e.Current.LoadedAt
	} else {
		detail := "the first one"
		if e.Current.Source != "" {
			detail = "instead of version " + e.Current.Version + ", " + e.Current.Hash
		}
		s.tellLibrary("loaded", next.Current, detail)
	}
	return s.keep(ctx, next)
}

func (s *Store) tellLibrary(what string, e edition, detail string) {
	s.log.Info("library "+what, "library", e.Name, "version", e.Version, "hash", e.Hash, "detail", detail)
	if s.o.Notify != nil {
		s.o.Notify(event.New(s.o.Now(), event.Library, "library", e.Name, "event", what, "version", e.Version, "hash", e.Hash, "detail", detail))
	}
}

// try loads a library under another name, lets it test itself, and runs the program of the site on it.
func (s *Store) try(ctx context.Context, lib lua.Library) error {
	candidate, err := lib.As("_" + trial + s.suffix)
	if err != nil {
		return err
	}
	s.trials.Lock()
	defer s.trials.Unlock()
	home, err := s.home(ctx)
	if err != nil {
		return err
	}
	if err := home.FunctionLoadReplace(ctx, candidate.Source).Err(); err != nil {
		return err
	}
	defer func() {
		if err := home.FunctionDelete(context.WithoutCancel(ctx), candidate.Name).Err(); err != nil {
			s.log.Debug("can't delete a tried library", "error", err)
		}
	}()
	scratch := s.keys.scratch(trial)
	args := []any{"FCALL", s.Function(lib.Name + "_selftest_" + trial), 7}
	for _, k := range scratch.seven(lib.Name) {
		args = append(args, k)
	}
	if err := home.Do(ctx, args...).Err(); err != nil {
		return fmt.Errorf("its self-test: %w", err)
	}
	if lib.Name == Routes {
		return s.tryRoutes(ctx, "_"+trial, s.routePrograms())
	}
	s.work.Lock()
	p := s.program[lib.Name]
	s.work.Unlock()
	if p == nil {
		return nil
	}
	if err := s.tryProgram(ctx, lib.Name, "_"+trial, p); err != nil {
		return fmt.Errorf("running the site's program on it: %w", err)
	}
	return nil
}

// replace loads a library under its own name, on every master, and asks it for its version.
func (s *Store) replace(ctx context.Context, lib lua.Library) error {
	s.work.Lock()
	defer s.work.Unlock()
	if _, err := s.ensureLibrary(ctx, lib); err != nil {
		return err
	}
	reply, err := s.client.Do(ctx, "FCALL_RO", s.Function(lib.Name+"_version"), 1, s.keys.epoch).StringSlice()
	if err != nil {
		return err
	}
	if len(reply) < 2 || reply[0] != lib.Version || reply[1] != lib.Hash {
		return fmt.Errorf("%s_version answers %v, expected %s and %s", lib.Name, reply, lib.Version, lib.Hash)
	}
	s.wanted[lib.Name] = lib
	s.stir()
	return nil
}

// Loaded are the libraries that the server should hold, by name, but for the store's own.
func (s *Store) Loaded() map[string]lua.Library {
	s.work.Lock()
	defer s.work.Unlock()
	out := maps.Clone(s.wanted)
	delete(out, framesLibrary)
	return out
}

// Libraries compares what the server has with what was loaded.
func (s *Store) Libraries(ctx context.Context) ([]LibraryStatus, error) {
	s.work.Lock()
	wanted := make(map[string]lua.Library, len(s.wanted))
	for name, lib := range s.wanted {
		wanted[name] = lib
	}
	s.work.Unlock()
	s.mu.Lock()
	failures := make(map[string]string, len(s.status.Failures))
	for name, text := range s.status.Failures {
		failures[name] = text
	}
	s.mu.Unlock()
	var list []LibraryStatus
	for _, name := range sortedNames(wanted) {
		lib := wanted[name]
		st := LibraryStatus{Name: name, Version: lib.Version, Hash: lib.Hash, State: LibraryOK, Error: failures[name]}
		if st.Error != "" {
			st.State = LibraryFailing
		}
		there, err := s.onServer(lib)
		if err != nil {
			return nil, err
		}
		err = s.masters(ctx, func(ctx context.Context, c *redis.Client) error {
			code, err := loadedCode(ctx, c, there.Name)
			switch {
			case err != nil:
				return err
			case code == "":
				st.State = LibraryMissing
			case code != there.Source:
				st.State = LibraryMismatch
			}
			return nil
		})
		if err != nil {
			return nil, s.explain("looking at the libraries", err)
		}
		if e := s.known(ctx, name); e.Current.Hash == lib.Hash {
			st.LoadedAt, st.Withdrawn = e.Current.LoadedAt, e.Withdrawn
			if e.Previous != nil {
				st.PreviousVersion, st.PreviousHash = e.Previous.Version, e.Previous.Hash
			}
		}
		list = append(list, st)
	}
	return list, nil
}
