package plugin

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// maxLine is where a line of a plugin's output is cut in two.
const maxLine = 16 << 10

// lines splits what is written to it into lines and hands each on. The lines are valid during the call only.
type lines struct {
	mu   sync.Mutex
	buf  []byte
	take func(line []byte)
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		part := rest
		if i >= 0 {
			part = rest[:i]
		}
		if room := maxLine - len(l.buf); len(part) > room {
			part, i = rest[:room], -1
		}
		l.buf = append(l.buf, part...)
		rest = rest[len(part):]
		if i >= 0 {
			rest = rest[1:]
		}
		if i >= 0 || len(l.buf) == maxLine {
			l.flush()
		}
	}
	return len(p), nil
}

// flush hands on an unfinished line.
func (l *lines) flush() {
	l.take(bytes.TrimSuffix(l.buf, []byte{'\r'}))
	l.buf = l.buf[:0]
}

// end hands on what has no line end.
func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.buf) > 0 {
		l.flush()
	}
}

// tail keeps the last lines of standard error, and the first ones of a panic.
type tail struct {
	mu      sync.Mutex
	last    []string
	panic   []string
	inPanic bool
}

const (
	tailLines  = 40
	panicLines = 60
)

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.last) == tailLines {
		copy(t.last, t.last[1:])
		t.last = t.last[:tailLines-1]
	}
	t.last = append(t.last, line)
	if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
		t.inPanic = true
	}
	if t.inPanic && len(t.panic) < panicLines {
		t.panic = append(t.panic, line)
	}
}

func (t *tail) stderr() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.last...)
}

func (t *tail) panicText() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(strings.Join(t.panic, "\n"))
}

// relog writes a line of a plugin's standard error to the agent's log: an entry of hclog's JSON form with its level and
// fields, anything else as text. go-plugin can do this too, but an entry with a message that is no string ends its host.
func relog(log hclog.Logger, line []byte) {
	var entry map[string]any
	if len(line) == 0 {
		return
	}
	if line[0] != '{' || json.Unmarshal(line, &entry) != nil {
		if bytes.HasPrefix(line, []byte("panic: ")) || bytes.HasPrefix(line, []byte("fatal error: ")) {
			log.Error(string(line))
			return
		}
		log.Info(string(line))
		return
	}
	message, ok := entry["@message"].(string)
	if !ok {
		log.Info(string(line))
		return
	}
	level, _ := entry["@level"].(string)
	module, _ := entry["@module"].(string)
	for _, name := range []string{"@message", "@level", "@module", "@timestamp"} {
		delete(entry, name)
	}
	args := make([]any, 0, 2*len(entry))
	for name, value := range entry {
		args = append(args, name, value)
	}
	// The plugin's own name is the logger's already.
	if _, sub, nested := strings.Cut(module, "."); nested {
		log = log.Named(sub)
	}
	at := hclog.LevelFromString(level)
	if at == hclog.NoLevel {
		at = hclog.Info
	}
	log.Log(at, message, args...)
}

var handshakeLine = regexp.MustCompile(`^\d+\|\d+\|(unix|tcp)\|[^|]+\|grpc\|`)
