package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/fsnotify/fsnotify"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/lua"
)

// libraryNames are the libraries that the agent runs.
var libraryNames = []string{"models", "alarms", "rules", "routes"}

// librarySources are the site's own library files and what versions it wants, by name; the other libraries are the
// bundled ones.
type librarySources struct {
	files, versions map[string]string
	// replaced is closed when others are in their place.
	replaced chan struct{}
}

func newLibrarySources(s *site.Site) *librarySources {
	l := &librarySources{files: map[string]string{}, versions: map[string]string{}, replaced: make(chan struct{})}
	for _, lib := range s.Libraries {
		if lib.File != "" {
			l.files[lib.Name] = lib.File
		}
		if lib.Version != "" {
			l.versions[lib.Name] = lib.Version
		}
	}
	return l
}

// bundle gives a library from the site's file, or the bundled one.
func (l *librarySources) bundle(name string) (lib lua.Library, err error) {
	if file := l.files[name]; file != "" {
		lib, err = lua.BundleFile(file)
	} else {
		lib, err = lua.Bundle(name)
	}
	if err != nil {
		return lib, err
	}
	if lib.Name != name {
		return lib, fmt.Errorf("%s declares the library %q, not %s", l.source(name), lib.Name, name)
	}
	return lib, l.suits(lib)
}

// suits checks a library against the version that the site wants.
func (l *librarySources) suits(lib lua.Library) error {
	want := l.versions[lib.Name]
	if want == "" {
		return nil
	}
	constraint, err := semver.NewConstraint(want)
	if err != nil {
		return fmt.Errorf("%q is no version constraint: %w", want, err)
	}
	have, err := semver.NewVersion(lib.Version)
	if err != nil {
		return fmt.Errorf("library %s says that its version is %q, which is no semantic version", lib.Name, lib.Version)
	}
	if !constraint.Check(have) {
		return fmt.Errorf("library %s (%s) is version %s, the site wants %s: change version or file in its library block", lib.Name, l.source(lib.Name), lib.Version, want)
	}
	return nil
}

func (l *librarySources) source(name string) string {
	if file := l.files[name]; file != "" {
		return file
	}
	return "bundled"
}

// librarySources are those of the site that runs.
func (a *Agent) librarySources() *librarySources {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.sources
}

// setSources puts others in their place, whose files are watched from now on.
func (a *Agent) setSources(l *librarySources) {
	a.mu.Lock()
	before := a.sources
	a.sources = l
	a.mu.Unlock()
	close(before.replaced)
}

// watchLibraries loads libraries anew when their files change, until ctx ends.
func (a *Agent) watchLibraries(ctx context.Context) {
	for ctx.Err() == nil {
		a.librarySources().watch(ctx, a)
	}
}

// fileRest is how long a file rests before it is read: editors write in several steps.
const fileRest = 200 * time.Millisecond

// watch loads a library anew when its file changes. It returns when ctx ends or the sources were replaced.
func (l *librarySources) watch(ctx context.Context, a *Agent) {
	events, errs, closeWatcher := l.watcher(a)
	defer closeWatcher()
	due := map[string]bool{}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.replaced:
			return
		case e := <-events:
			if name := l.nameOf(e.Name); name != "" && !e.Has(fsnotify.Remove) && !e.Has(fsnotify.Chmod) {
				due[name] = true
				timer.Reset(fileRest)
			}
		case err := <-errs:
			a.log.Warn("watching library files", "error", err)
		case <-timer.C:
			for name := range due {
				delete(due, name)
				if _, err := a.loadLibrary(ctx, name, ""); err != nil {
					a.log.Error("a changed library file is not loaded; the one before goes on", "library", name, "file", l.files[name], "error", err)
					a.setTrouble(aboutLibrary+name, fmt.Sprintf("library %s: its changed file is refused, and the one before goes on: %v", name, err))
				}
			}
		}
	}
}

// watcher watches the folders of the files, as an editor may put a new file in the place of the old one. Without files, or
// when it can't be done, its channels say nothing.
func (l *librarySources) watcher(a *Agent) (events chan fsnotify.Event, errs chan error, done func()) {
	if len(l.files) == 0 {
		return nil, nil, func() {}
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		a.log.Error("library files are not watched; load them by command", "error", err)
		return nil, nil, func() {}
	}
	for _, name := range slices.Sorted(maps.Keys(l.files)) {
		for _, file := range lua.Parts(l.files[name]) {
			if err := w.Add(filepath.Dir(file)); err != nil {
				a.log.Error("a library file is not watched; load it by command", "file", file, "error", err)
			}
		}
	}
	return w.Events, w.Errors, func() { w.Close() }
}

// nameOf is the library that a file is of, empty for any other file.
func (l *librarySources) nameOf(path string) string {
	for name, file := range l.files {
		if slices.Contains(lua.Parts(file), filepath.Clean(path)) {
			return name
		}
	}
	return ""
}

// ensureLibraries loads what a site wants; a library that somebody rolled back stays so.
func (a *Agent) ensureLibraries(ctx context.Context, l *librarySources) error {
	for _, name := range libraryNames {
		if err := a.ensureLibrary(ctx, l, name); err != nil {
			return err
		}
	}
	return nil
}

func (a *Agent) ensureLibrary(ctx context.Context, l *librarySources, name string) error {
	lib, err := l.bundle(name)
	if err != nil {
		return fmt.Errorf("library %s: %w", name, err)
	}
	if err := a.store.Ensure(ctx, lib); err != nil {
		return err
	}
	a.setTrouble(aboutLibrary+name, "")
	return nil
}

// ensureOrKeep is ensureLibraries for a start: in the place of a library that does not do, the one that ran last is loaded.
func (a *Agent) ensureOrKeep(ctx context.Context, l *librarySources) error {
	for _, name := range libraryNames {
		err := a.ensureLibrary(ctx, l, name)
		if err == nil {
			continue
		}
		if a.o.Strict || store.Away(err) {
			return err
		}
		if kept := a.store.Keep(ctx, name); kept != nil {
			return errors.Join(err, kept)
		}
		text := fmt.Sprintf("library %s: the one that ran last runs on, as the one that the site wants is refused: %v", name, err)
		a.log.Error(text)
		a.setTrouble(aboutLibrary+name, text)
		a.emit(event.New(time.Now(), event.Library, "library", name, "event", "refused", "detail", err.Error()))
	}
	return nil
}

// Libraries lists the libraries on Redis.
func (a *Agent) Libraries(ctx context.Context) ([]api.Library, error) {
	list, err := a.store.Libraries(ctx)
	if err != nil {
		return nil, fromStore(err)
	}
	items, sources, programs := a.items(), a.librarySources(), a.programRevisions()
	out := make([]api.Library, 0, len(list))
	for _, l := range list {
		if _, ok := items[l.Name]; !ok {
			continue // the store's own
		}
		out = append(out, api.Library{
			Name: l.Name, State: string(l.State), Version: l.Version, Hash: l.Hash, Program: programs[l.Name], Items: items[l.Name], Loaded: l.LoadedAt,
			Source: sources.source(l.Name), Previous: l.PreviousVersion,
		})
		if l.Withdrawn != "" {
			out[len(out)-1].Source = "by command"
		}
	}
	return out, nil
}

// programRevisions are the revisions of the programs that run, by library.
func (a *Agent) programRevisions() map[string]string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return map[string]string{"models": a.programs.Models.Revision, "alarms": a.programs.Alarms.Revision, "rules": a.programs.Rules.Revision}
}

// items counts what each library has to do.
func (a *Agent) items() map[string]int {
	s := a.current()
	return map[string]int{"models": len(s.Models), "alarms": len(s.Alarms), "rules": len(s.Rules) + len(s.Flows()), "routes": len(s.Routes)}
}

// LoadLibrary loads a library from a file, or the one that the site says again.
func (a *Agent) LoadLibrary(ctx context.Context, name, file string) (api.Library, error) {
	return a.loadLibrary(ctx, name, file)
}

func (a *Agent) loadLibrary(ctx context.Context, name, file string) (api.Library, error) {
	if _, ok := a.items()[name]; !ok {
		return api.Library{}, unknown("library", name, libraryNames)
	}
	err := a.putLibrary(ctx, name, file)
	if err != nil {
		a.emit(event.New(time.Now(), event.Library, "library", name, "event", "refused", "detail", err.Error()))
		return api.Library{}, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	return a.announceLibrary(ctx, name, "loaded")
}

func (a *Agent) putLibrary(ctx context.Context, name, file string) error {
	wanted, err := a.librarySources().bundle(name)
	switch {
	case file != "":
		return a.store.Reload(ctx, name, file, wanted.Hash)
	case err != nil:
		return err
	}
	return a.store.Load(ctx, wanted)
}

// RollbackLibrary puts the library before the current one back.
func (a *Agent) RollbackLibrary(ctx context.Context, name string) (api.Library, error) {
	if _, ok := a.items()[name]; !ok {
		return api.Library{}, unknown("library", name, libraryNames)
	}
	if err := a.store.Rollback(ctx, name); err != nil {
		return api.Library{}, fmt.Errorf("%w: %w", api.ErrConflict, err)
	}
	return a.announceLibrary(ctx, name, "rolled back")
}

func (a *Agent) announceLibrary(ctx context.Context, name, what string) (api.Library, error) {
	list, err := a.Libraries(ctx)
	if err != nil {
		return api.Library{}, err
	}
	a.shown.forget()
	a.endShadow("the library " + name + " was " + what)
	a.setTrouble(aboutLibrary+name, "")
	for _, l := range list {
		if l.Name == name {
			a.emit(event.New(time.Now(), event.Library, "library", name, "event", what, "version", l.Version, "hash", l.Hash))
			return l, nil
		}
	}
	return api.Library{}, errors.New("the library is loaded, but Redis does not list it")
}
