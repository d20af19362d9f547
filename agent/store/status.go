package store

import (
	"slices"
	"time"
)

// State is how the store does, in one word.
type State string

// The states.
const (
	StateStarting    State = "starting"
	StateOK          State = "ok"
	StateLoading     State = "loading"
	StateRestarting  State = "restarting"
	StateUnreachable State = "unreachable"
	StateOutOfMemory State = "out of memory"
	StateDiskFull    State = "cannot persist"
	StateReadOnly    State = "read only"
	StateBusy        State = "busy"
	StateDegraded    State = "degraded" // a library fails, the others work
	StateFailed      State = "failed"
	StateClosed      State = "closed"
)

func stateOf(err error) State {
	switch ProblemOf(err) {
	case "":
		return StateOK
	case Unreachable, ClusterDown:
		return StateUnreachable
	case OutOfMemory:
		return StateOutOfMemory
	case DiskFull:
		return StateDiskFull
	case ReadOnly:
		return StateReadOnly
	case Loading:
		return StateLoading
	case Busy:
		return StateBusy
	default:
		return StateFailed
	}
}

// Status is what a person looks at first when something is wrong.
type Status struct {
	State State
	// Mode is embedded, single, sentinel or cluster.
	Mode string
	// Where the server is, in words.
	Where string
	// Version is product and version of the server, "redis 7.0.15".
	Version string
	// Pid of the embedded server; 0: none.
	Pid int
	// Memory that the server uses, and may use (0: no limit), in bytes.
	Memory, MaxMemory int64
	// AOF says how the append-only file does: ok, off, rewriting, or the error.
	AOF string
	// AOFSize in bytes.
	AOFSize int64
	// Batches that went through the libraries, and frames in them.
	Batches, Frames uint64
	// ApplyP50 and ApplyP99 are of the last batches' times in the store.
	ApplyP50, ApplyP99 time.Duration
	// Reconnects counts servers that were met anew, Restarts the starts of the embedded one after an end of its own, Repairs
	// the libraries and programs that had to be put there again.
	Reconnects, Restarts, Repairs uint64
	// Failures are the libraries that fail, with their last error.
	Failures map[string]string
	// LastError is the last trouble, and LastErrorAt when it was.
	LastError   string
	LastErrorAt time.Time
}

// State is how the store does, as in its Status, for whoever asks often.
func (s *Store) State() State {
	s.mu.Lock()
	state := s.state
	failing := len(s.status.Failures) > 0
	s.mu.Unlock()
	if failing && state == StateOK {
		state = StateDegraded
	}
	if s.server == nil || state == StateClosed {
		return state
	}
	if server, _, _, _ := s.server.status(); server != StateOK {
		return server
	}
	return state
}

// Status tells how the store does. It asks nobody: what comes from the server is from the last look at it.
func (s *Store) Status() Status {
	s.mu.Lock()
	st := s.status
	st.Version, st.Where, st.Mode = s.version, s.where, s.mode
	st.ApplyP50, st.ApplyP99 = s.latency.quantiles()
	failures := make(map[string]string, len(s.status.Failures))
	for k, v := range s.status.Failures {
		failures[k] = v
	}
	st.Failures = failures
	s.mu.Unlock()
	st.State = s.State()
	if s.server == nil {
		return st
	}
	st.Mode = "embedded"
	state, pid, restarts, err := s.server.status()
	st.Pid, st.Restarts = pid, restarts
	if err != nil && state == StateRestarting {
		st.LastError = err.Error()
	}
	return st
}

// window is how many batches the quantiles look back.
const window = 1024

// latencies are the times of the last batches.
type latencies struct {
	ring  [window]time.Duration
	count int
}

func (l *latencies) add(d time.Duration) {
	l.ring[l.count%window] = d
	l.count++
}

func (l *latencies) quantiles() (p50, p99 time.Duration) {
	n := min(l.count, window)
	if n == 0 {
		return 0, 0
	}
	sorted := slices.Clone(l.ring[:n])
	slices.Sort(sorted)
	return sorted[n/2], sorted[n*99/100]
}
