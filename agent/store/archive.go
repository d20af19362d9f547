package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/voltage-edge/voltage/agent/durable"
	"github.com/voltage-edge/voltage/lua"
)

// edition is one library as it was loaded.
type edition struct {
	Name     string    `json:"name"`
	Version  string    `json:"version"`
	Hash     string    `json:"hash"`
	LoadedAt time.Time `json:"loaded_at"`
	Source   string    `json:"source,omitempty"`
}

func (e edition) library() lua.Library {
	return lua.Library{Name: e.Name, Version: e.Version, Hash: e.Hash, Source: e.Source}
}

func (e edition) file() string { return fmt.Sprintf("%s-%s-%s.lua", e.Name, e.Version, e.Hash) }

// editions are what the archive knows of one library.
type editions struct {
	Current  edition  `json:"current"`
	Previous *edition `json:"previous,omitempty"`
	// Withdrawn is the hash that the last roll-back or load by command took away: it is not loaded again by itself.
	Withdrawn string `json:"withdrawn,omitempty"`
}

// loaded makes lib the current one, and what was current the previous one.
func (e editions) loaded(lib lua.Library, at time.Time) editions {
	next := editions{Current: edition{Name: lib.Name, Version: lib.Version, Hash: lib.Hash, LoadedAt: at, Source: lib.Source}, Previous: e.Previous}
	if e.Current.Source != "" && e.Current.Source != lib.Source {
		previous := e.Current
		next.Previous = &previous
	}
	return next
}

// archive keeps the sources of the libraries that were loaded, and of the ones before, in files that people can read.
type archive struct{ dir string }

func (a archive) index(name string) string { return filepath.Join(a.dir, name+".json") }

// read returns what is known of a library, nothing when it was never loaded.
func (a archive) read(name string) (editions, error) {
	var e editions
	b, err := os.ReadFile(a.index(name))
	if errors.Is(err, os.ErrNotExist) {
		return e, nil
	}
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return editions{}, fmt.Errorf("%s: %w", a.index(name), err)
	}
	for _, one := range []*edition{&e.Current, e.Previous} {
		if one == nil {
			continue
		}
		source, err := os.ReadFile(filepath.Join(a.dir, one.file()))
		if err != nil {
			return editions{}, err
		}
		one.Source = string(source)
	}
	return e, nil
}

// write keeps what is known of a library: sources first, then the index, then what nobody refers to is removed.
func (a archive) write(e editions) error {
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		return err
	}
	keep := map[string]bool{}
	save := func(one edition) (edition, error) {
		keep[filepath.Join(a.dir, one.file())] = true
		err := durable.WriteFile(filepath.Join(a.dir, one.file()), []byte(one.Source), 0o600)
		one.Source = ""
		return one, err
	}
	var err error
	name := e.Current.Name
	if e.Current, err = save(e.Current); err != nil {
		return err
	}
	if e.Previous != nil {
		previous, err := save(*e.Previous)
		if err != nil {
			return err
		}
		e.Previous = &previous
	}
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(a.index(name), append(b, '\n'), 0o600); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(a.dir, name+"-*.lua"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if !keep[f] {
			os.Remove(f)
		}
	}
	return nil
}
