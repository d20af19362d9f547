package store

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
)

// minimum is the oldest server that has Functions.
var minimum = semver.MustParse("7.0.0")

// executable is a server program on this machine.
type executable struct {
	path    string
	product string // redis or valkey
	version *semver.Version
}

func (e executable) String() string { return e.product + " " + e.version.String() }

// findExecutable returns the named server, or the first of redis-server and valkey-server in PATH that is new enough.
func findExecutable(ctx context.Context, named string) (executable, error) {
	const doing = "looking for a Redis server to start"
	if named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return executable{}, &Error{Problem: Missing, Doing: doing, Cause: err,
				Advice: "Correct executable in the store block of site.hcl, or leave it out to use redis-server from PATH"}
		}
		return inspect(ctx, path)
	}
	var last error
	for _, name := range []string{"redis-server", "valkey-server"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		e, err := inspect(ctx, path)
		if err == nil {
			return e, nil
		}
		last = err
	}
	if last != nil {
		return executable{}, last
	}
	return executable{}, &Error{Problem: Missing, Doing: doing, Cause: errors.New("neither redis-server nor valkey-server is in PATH"),
		Advice: "Install it: apt-get install redis-server. Or name another server's address in the store block of site.hcl"}
}

// versionPattern matches "Redis server v=7.0.15 sha=…" and "Valkey server v=8.0.1 sha=…".
var versionPattern = regexp.MustCompile(`(?i)\b(redis|valkey)\b.*\bv=(\d+\.\d+\.\d+)`)

func inspect(ctx context.Context, path string) (executable, error) {
	doing := "asking " + path + " for its version"
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
	text := strings.TrimSpace(string(out))
	m := versionPattern.FindStringSubmatch(text)
	if m == nil {
		if err == nil {
			err = fmt.Errorf("it says %.200q", text)
		}
		return executable{}, &Error{Problem: Missing, Doing: doing, Cause: fmt.Errorf("this is no Redis server: %w", err),
			Advice: "Correct executable in the store block of site.hcl"}
	}
	e := executable{path: path, product: strings.ToLower(m[1]), version: semver.MustParse(m[2])}
	if e.version.LessThan(minimum) {
		return executable{}, &Error{Problem: TooOld, Doing: doing, Cause: fmt.Errorf("it is %s", e), Advice: advice[TooOld]}
	}
	return e, nil
}
