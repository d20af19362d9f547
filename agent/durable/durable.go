// Package durable replaces files, so that after a kill or a loss of power there is the old one or the new one, whole.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// unfinished ends the name of a file that is being written.
const unfinished = ".new"

// WriteFile replaces a file, or makes it, with the permissions of mode. When it returns without an error, the content and
// the name are on the disk. Two writers of one file at a time have to be kept apart by their callers.
func WriteFile(path string, content []byte, mode fs.FileMode) error {
	r, err := Prepare(path, content, mode)
	if err != nil {
		return err
	}
	if err := r.Finish(); err != nil {
		return errors.Join(err, r.Drop())
	}
	return SyncFolder(filepath.Dir(path))
}

// Replacement is a file that is written beside the one that it will take the place of.
type Replacement struct{ path string }

// Prepare writes what is to replace a file, so that only Finish is left, which a full disk can't hinder.
func Prepare(path string, content []byte, mode fs.FileMode) (Replacement, error) {
	r := Replacement{path}
	f, err := os.OpenFile(path+unfinished, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		var of *fs.PathError
		if errors.As(err, &of) {
			of.Path = path // the one that the caller knows
		}
		return r, err
	}
	_, err = f.Write(content)
	if err == nil {
		err = errors.Join(f.Chmod(mode), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return r, errors.Join(err, r.Drop())
	}
	return r, nil
}

// Finish puts the file in its place. Its name lasts once SyncFolder was called.
func (r Replacement) Finish() error { return os.Rename(r.path+unfinished, r.path) }

// Drop forgets the file.
func (r Replacement) Drop() error { return os.Remove(r.path + unfinished) }

// SyncFolder makes the names in a folder last over a loss of power.
func SyncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Unfinished tells whether a file was left by a writer that did not end.
func Unfinished(name string) bool { return strings.HasSuffix(name, unfinished) }

// Tidy removes from a folder what writers left that did not end. Nobody may be writing there.
func Tidy(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, "*"+unfinished))
	errs := []error{err}
	for _, path := range left {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}
