package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/event"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua"
)

// libraryNames are the libraries that the agent runs.
var libraryNames = []string{"models", "alarms", "rules"}

// librarySources are the site's own library files, by name; the other libraries are the bundled ones.
type librarySources struct{ files map[string]string }

func newLibrarySources(s *site.Site) *librarySources {
	l := &librarySources{files: map[string]string{}}
	for _, lib := range s.Libraries {
		if lib.File != "" {
			l.files[lib.Name] = lib.File
		}
	}
	return l
}

// bundle gives a library from the site's file, or the bundled one.
func (l *librarySources) bundle(name string) (lua.Library, error) {
	if file := l.files[name]; file != "" {
		return lua.BundleFile(file)
	}
	return lua.Bundle(name)
}

func (l *librarySources) source(name string) string {
	if file := l.files[name]; file != "" {
		return file
	}
	return "bundled"
}

// settle is how long a file rests before it is read: editors write in several steps.
const settle = 200 * time.Millisecond

// watch loads a library anew when its file changes. It returns when ctx ends.
func (l *librarySources) watch(ctx context.Context, a *Agent) {
	if len(l.files) == 0 {
		return
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		a.log.Error("library files are not watched; load them by command", "error", err)
		return
	}
	defer w.Close()
	names := map[string]string{}
	for name, file := range l.files {
		names[filepath.Clean(file)] = name
		// The folder, as an editor may put a new file in the place of the old one.
		if err := w.Add(filepath.Dir(file)); err != nil {
			a.log.Error("a library file is not watched; load it by command", "file", file, "error", err)
		}
	}
	due := map[string]bool{}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-w.Events:
			if !ok {
				return
			}
			if name := names[filepath.Clean(e.Name)]; name != "" && !e.Has(fsnotify.Remove) && !e.Has(fsnotify.Chmod) {
				due[name] = true
				timer.Reset(settle)
			}
		case err := <-w.Errors:
			a.log.Warn("watching library files", "error", err)
		case <-timer.C:
			for name := range due {
				delete(due, name)
				if _, err := a.loadLibrary(ctx, name, l.files[name]); err != nil {
					a.log.Error("a changed library file is not loaded; the one before goes on", "library", name, "file", l.files[name], "error", err)
				}
			}
		}
	}
}

// ensureLibraries loads what the site wants; a library that somebody rolled back stays so.
func (a *Agent) ensureLibraries(ctx context.Context) error {
	for _, name := range libraryNames {
		lib, err := a.sources.bundle(name)
		if err != nil {
			return fmt.Errorf("library %s: %w", name, err)
		}
		if err := a.store.Ensure(ctx, lib); err != nil {
			return err
		}
	}
	return nil
}

// Libraries lists the libraries on Redis.
func (a *Agent) Libraries(ctx context.Context) ([]api.Library, error) {
	list, err := a.store.Libraries(ctx)
	if err != nil {
		return nil, fromStore(err)
	}
	items := a.items()
	out := make([]api.Library, 0, len(list))
	for _, l := range list {
		if _, ok := items[l.Name]; !ok {
			continue // the store's own
		}
		out = append(out, api.Library{
			Name: l.Name, State: string(l.State), Version: l.Version, Hash: l.Hash, Items: items[l.Name], Loaded: l.LoadedAt,
			Source: a.sources.source(l.Name), Previous: l.PreviousVersion,
		})
	}
	return out, nil
}

// items counts what each library has to do.
func (a *Agent) items() map[string]int {
	s := a.current()
	return map[string]int{"models": len(s.Models), "alarms": len(s.Alarms), "rules": len(s.Rules)}
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
	if file != "" {
		return a.store.Reload(ctx, name, file)
	}
	lib, err := a.sources.bundle(name)
	if err != nil {
		return err
	}
	return a.store.Load(ctx, lib)
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
	for _, l := range list {
		if l.Name == name {
			a.emit(event.New(time.Now(), event.Library, "library", name, "event", what, "version", l.Version, "hash", l.Hash))
			return l, nil
		}
	}
	return api.Library{}, errors.New("the library is loaded, but Redis does not list it")
}
