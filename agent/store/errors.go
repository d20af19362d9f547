package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// Problem is a kind of trouble with Redis, for programs that act on it.
type Problem string

// The problems.
const (
	Missing       Problem = "missing"        // no redis-server to start
	TooOld        Problem = "too old"        // older than Redis 7.0
	NoFunctions   Problem = "no functions"   // a server without Functions in Lua
	NotStarted    Problem = "not started"    // the embedded server ended while it started
	Ended         Problem = "ended"          // the embedded server ended, and is started again
	InUse         Problem = "in use"         // another agent has the data folder
	Owned         Problem = "owned"          // another agent runs the site on this Redis
	WrongPassword Problem = "wrong password" // user or password refused
	NoPermission  Problem = "no permission"  // the user may not do what the agent needs
	OutOfMemory   Problem = "out of memory"  // maxmemory reached
	DiskFull      Problem = "cannot persist" // the server can't write its append-only file
	Unreachable   Problem = "unreachable"    // no connection
	ReadOnly      Problem = "read only"      // a replica
	Loading       Problem = "loading"        // the server reads its data set
	ClusterDown   Problem = "cluster down"   // a cluster that does not serve the site's slot
	WrongMode     Problem = "wrong mode"     // a cluster spoken to as a single server, or the reverse
	Busy          Problem = "busy"           // a function runs past its time
	LostProgram   Problem = "lost program"   // a library is there, its program is not
	LostLibrary   Problem = "lost library"   // a function is not there
	Refused       Problem = "refused"        // a library or program that does not do
	Failed        Problem = "failed"         // anything else
)

// Error is a trouble with Redis in words: what was tried, where, what came of it and what to do.
type Error struct {
	Problem Problem
	// Doing is what was tried ("loading the library rules").
	Doing string
	// Where is the server ("redis at 10.0.0.5:6379").
	Where string
	// Advice is what to do about it.
	Advice string
	Cause  error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Doing)
	if e.Where != "" {
		b.WriteString(" (" + e.Where + ")")
	}
	b.WriteString(": " + string(e.Problem))
	if e.Cause != nil {
		b.WriteString(": " + strings.TrimSuffix(e.Cause.Error(), "."))
	}
	if e.Advice != "" {
		b.WriteString(". " + e.Advice)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// ProblemOf is the problem of an error of this package, Failed for any other, and "" for nil.
func ProblemOf(err error) Problem {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Problem
	}
	return Failed
}

// Away tells whether an error is that of a server that does not serve now and may come by itself: nobody need change
// anything for it.
func Away(err error) bool {
	switch ProblemOf(err) {
	case Unreachable, Loading, ClusterDown, Busy:
		return true
	}
	return false
}

var advice = map[Problem]string{
	TooOld:        "Redis 7.0 or later, or Valkey, is needed: the libraries are Redis Functions",
	NoFunctions:   "A server with Functions in Lua is needed: Redis 7.0 or later, or Valkey with its Lua engine",
	WrongPassword: "Check username and password of the store block in site.hcl",
	NoPermission: "Give the user what the agent needs, for instance: " +
		"ACL SETUSER NAME on >PASSWORD ~v:* &* +@all -@admin +function +info +client",
	OutOfMemory: "Raise max_memory of the store block in site.hcl (of an external server: maxmemory), or find what fills it with redis-cli --bigkeys",
	DiskFull:    "Free space on the disk of the server's data folder; it writes again by itself",
	Unreachable: "Check that the server runs and that address and TLS in the store block of site.hcl are right",
	ReadOnly:    "The address is that of a replica: give the address of the primary, or of the Sentinels with mode = \"sentinel\"",
	Loading:     "The server reads its data from disk: wait, it answers when it is done",
	ClusterDown: "See CLUSTER INFO and CLUSTER NODES on one of its servers",
	WrongMode:   "Correct mode in the store block of site.hcl: single, sentinel or cluster",
	Busy:        "A function runs for too long: FUNCTION STATS on the server names it; FUNCTION KILL ends it",
	LostProgram: "The keys were deleted by somebody else: the agent writes them again",
	LostLibrary: "The library was deleted or replaced by somebody else: the agent loads it again",
	Owned: "Two agents would both write the site's outputs. Stop the other one, or give this site another name (site in site.hcl), " +
		"or a Redis or db of its own (store)",
	InUse:      "Stop the other agent, or give this one a data folder of its own",
	NotStarted: "",
	Missing:    "Install it: apt-get install redis-server",
	Failed:     "",
	Refused:    "",
}

// explain wraps an error of go-redis or of the server. It returns nil for nil, and an Error as it is.
func explain(doing, where string, err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	p := classify(err)
	return &Error{Problem: p, Doing: doing, Where: where, Cause: err, Advice: advice[p]}
}

// replies are the beginnings of error replies, in the order in which they are tried.
var replies = []struct {
	begin   string
	problem Problem
}{
	{"OOM ", OutOfMemory},
	{"WRONGPASS", WrongPassword},
	{"NOAUTH", WrongPassword},
	{"ERR AUTH <password> called without any password configured", WrongPassword},
	{"ERR invalid password", WrongPassword},
	{"NOPERM", NoPermission},
	{"ERR This user has no permissions", NoPermission},
	{"LOADING", Loading},
	{"READONLY", ReadOnly},
	{"MISCONF", DiskFull},
	{"BUSY", Busy},
	{"NOTBUSY", Failed},
	{"CLUSTERDOWN", ClusterDown},
	{"MASTERDOWN", ClusterDown},
	{"TRYAGAIN", ClusterDown},
	{"MOVED", WrongMode},
	{"ASK ", WrongMode},
	{"CROSSSLOT", WrongMode},
	{"ERR This instance has cluster support disabled", WrongMode},
	{"NOPROGRAM", LostProgram},
	{"ERR Function not found", LostLibrary},
	{"ERR unknown command 'FUNCTION'", NoFunctions},
	{"ERR unknown command 'FCALL'", NoFunctions},
	{"ERR unknown command `FUNCTION`", NoFunctions},
	{"ERR Engine 'LUA' not found", NoFunctions},
	{"ERR Could not find scripting engine", NoFunctions},
	{"ERR max number of clients reached", Unreachable},
	{"NOREPLICAS", Unreachable},
}

func classify(err error) Problem {
	text := err.Error()
	var reply redis.Error
	if errors.As(err, &reply) {
		for _, r := range replies {
			if strings.HasPrefix(text, r.begin) {
				return r.problem
			}
		}
		if strings.Contains(text, "-OOM ") || strings.Contains(text, "OOM command not allowed") {
			return OutOfMemory
		}
		if strings.Contains(text, "can't run this command or script") || strings.Contains(text, "script tried accessing") {
			return NoPermission
		}
		return Failed
	}
	if strings.Contains(text, "all sentinels specified in configuration are unreachable") || strings.Contains(text, "cluster has no nodes") {
		return Unreachable
	}
	if isConnection(err) {
		return Unreachable
	}
	return Failed
}

// isConnection tells whether an error is one of the way to the server, so that the server may or may not have seen what
// was sent.
func isConnection(err error) bool {
	var op net.Error
	if errors.As(err, &op) {
		return true
	}
	for _, e := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, os.ErrDeadlineExceeded, context.DeadlineExceeded,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.ENOENT, redis.ErrPoolTimeout} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// refuse is an error about what was given to the store.
func refuse(doing, format string, args ...any) error {
	return &Error{Problem: Refused, Doing: doing, Cause: fmt.Errorf(format, args...)}
}
