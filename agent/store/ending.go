package store

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// tailLines is how many of the server's last lines are kept for the error.
	tailLines = 40
	// maxAside is how many damaged append-only files are kept.
	maxAside    = 3
	asidePrefix = "damaged-"
	aofFolder   = "appendonlydir"
)

// ending is how the server ended, with its last lines.
type ending struct {
	err   error
	lines []string
}

// brokenLines are what a server says that can't read its append-only file.
var brokenLines = []string{
	"Bad file format reading the append only file",
	"Unrecoverable error reading the append only file",
	"Unexpected end of file reading the append only file",
	"Error reading the RDB preamble of the AOF file",
	"Error reading the RDB base file",
	"Internal error in RDB reading",
	"Terminating server after rdb file reading failure",
	"Wrong signature trying to load DB from file",
	"Can't handle RDB format version",
	"FATAL AOF MANIFEST FILE ERROR",
	"Error opening the append only file",
	"reading the append only file",
	"The AOF directory ",
	"The AOF manifest file ",
}

// brokenFile tells whether the server ended because it can't read its append-only file, and what it said.
func (e *ending) brokenFile() (string, bool) {
	for _, line := range e.lines {
		for _, b := range brokenLines {
			if strings.Contains(line, b) {
				return message(line), true
			}
		}
	}
	return "", false
}

// message is a line of the server's log without process id, time and level: "123:M 22 Nov 2026 23:03:56.230 # text".
func message(line string) string {
	for _, level := range []string{" # ", " * ", " - "} {
		if _, text, ok := strings.Cut(line, level); ok {
			return text
		}
	}
	return line
}

// explainEnd says why the server ended: what it said last, or the signal that ended it.
func (s *server) explainEnd(problem Problem, e *ending) error {
	cause := e.err
	if cause == nil {
		cause = errors.New("it ended by itself")
	}
	if why := e.lastWords(); why != "" {
		cause = fmt.Errorf("%w: %s", cause, why)
	}
	return &Error{Problem: problem, Doing: "running " + s.exe.path, Where: s.dir, Cause: cause,
		Advice: "Its lines are in the agent's log at level debug"}
}

// lastWords is the last line in which the server complained; empty when it was ended from outside.
func (e *ending) lastWords() string {
	var exit *exec.ExitError
	if errors.As(e.err, &exit) && !exit.Exited() || len(e.lines) == 0 {
		return ""
	}
	for _, line := range slices.Backward(e.lines) {
		if strings.Contains(line, " # ") || strings.Contains(line, "***") {
			return message(line)
		}
	}
	return message(e.lines[len(e.lines)-1])
}

// setAside moves a damaged append-only file out of the way. The journal has the past; what was only in Redis (states,
// live requests) begins anew.
func (s *server) setAside(reason string) error {
	name := filepath.Join(s.dir, asidePrefix+time.Now().UTC().Format("20060102T150405.000"))
	if err := os.Rename(filepath.Join(s.dir, aofFolder), name); err != nil {
		return err
	}
	manifest := filepath.Join(name, "appendonly.aof.manifest")
	detail := fmt.Sprintf("Redis could not read its append-only file (%s) and starts empty: states and live requests begin anew, the journal keeps the past. "+
		"The damaged file is kept in %s; to look at it: redis-check-aof %s", reason, name, manifest)
	s.log.Error(detail)
	s.tell("redis_data_set_aside", detail)
	olds, err := filepath.Glob(filepath.Join(s.dir, asidePrefix+"*"))
	if err != nil {
		return err
	}
	slices.Sort(olds)
	for len(olds) > maxAside {
		if err := os.RemoveAll(olds[0]); err != nil {
			s.log.Warn("can't remove an old damaged append-only file", "error", err)
		}
		olds = olds[1:]
	}
	return nil
}

// tail takes the server's output: it keeps the last lines and logs all.
type tail struct {
	log hclog.Logger

	mu   sync.Mutex
	rest string
	kept []string
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rest += string(p)
	for {
		line, rest, ok := strings.Cut(t.rest, "\n")
		if !ok {
			break
		}
		t.rest = rest
		t.add(strings.TrimSpace(line))
	}
	if len(t.rest) > 4096 {
		t.add(t.rest)
		t.rest = ""
	}
	return len(p), nil
}

func (t *tail) add(line string) {
	if line == "" {
		return
	}
	if len(t.kept) == tailLines {
		t.kept = append(t.kept[:0], t.kept[1:]...)
	}
	t.kept = append(t.kept, line)
	if strings.Contains(line, "short read while loading the AOF") {
		t.log.Warn("the append-only file ends in the middle of a write: that one write is dropped")
		return
	}
	t.log.Debug("redis-server: " + line)
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := slices.Clone(t.kept)
	if r := strings.TrimSpace(t.rest); r != "" {
		lines = append(lines, r)
	}
	return lines
}
