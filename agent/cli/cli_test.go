package cli

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/event"
)

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want string
	}{{0, "0"}, {-20, "-20"}, {79425.0078, "79425"}, {358.04, "358.0"}, {13.1982, "13.20"}, {0.96, "0.96"}, {0.000123, "0.000123"}} {
		if got := number(c.v); got != c.want {
			t.Errorf("number(%v) is %q, expected %q", c.v, got, c.want)
		}
	}
}

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "15m": 15 * time.Minute, "7d": 7 * 24 * time.Hour, "0.5d": 12 * time.Hour} {
		if got, err := span(text); err != nil || got != want {
			t.Errorf("span(%q) is %v, %v; expected %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "10", "-5s", "d", "soon", "-1d"} {
		if got, err := span(text); err == nil {
			t.Errorf("span(%q) is %v, expected an error", text, got)
		}
	}
}

func TestSparkline(t *testing.T) {
	if got := sparkline([]float64{0, math.NaN(), 7, 14}, 0); got != "▁ ▅█" {
		t.Errorf("got %q", got)
	}
	if got := sparkline([]float64{1, 1, 3, 3}, 2); got != "▁█" {
		t.Errorf("four values in two columns: %q", got)
	}
}

func TestTableKeepsColumnsAndWidth(t *testing.T) {
	tab := newTable("name", "value").alignRight(1)
	tab.row("a", 1)
	tab.row("long name", cell{"22", red})
	got := strings.Join(tab.lines(false, 0), "\n")
	if want := "NAME       VALUE\na              1\nlong name     22"; got != want {
		t.Errorf("got\n%s\nexpected\n%s", got, want)
	}
	for _, l := range tab.lines(false, 6) {
		if n := len([]rune(l)); n > 6 {
			t.Errorf("%q is %d wide, expected 6 at most", l, n)
		}
	}
}

func TestEventSentences(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		e    event.Event
		want string
	}{
		{event.New(at, event.Alarm, "alarm", "overload", "event", "activate", "value", "101.25"), "overload is active, at 101.2"},
		{event.New(at, event.Request, "output", "b.p", "owner", "rule.r", "value", ""), "rule.r withdraws its request for b.p"},
		{event.New(at, event.Request, "output", "b.p", "owner", "rule.r", "value", "5", "priority", "50", "ttl", "5000", "why", "m.power=79425.0078"),
			"rule.r asks b.p for 5, priority 50, for 5 s, because m.power=79425"},
		{event.New(at, event.Write, "output", "b.p", "value", "0", "outcome", "failed", "answer", "exception 2"), "b.p = 0 for nobody (safe), failed, exception 2"},
		{event.New(at, event.Plugin, "plugin", "modbus", "event", "started", "version", "0.1.0"), "modbus started, 0.1.0"},
	} {
		if got := sentence(c.e); got != c.want {
			t.Errorf("got %q, expected %q", got, c.want)
		}
	}
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"version"}, 0, ""},
		{[]string{"status", "--data", dir}, exitFailed, "no agent runs"},
		{[]string{"get", "--nonsense"}, exitUsage, "--nonsense"},
		{[]string{"set", "battery.setpoint"}, exitUsage, "a name and a value"},
		{[]string{"set", "battery.setpoint", "much", "--data", dir}, exitUsage, "is no number"},
		{[]string{"history", "a.b", "--since", "yesterday", "--data", dir}, exitUsage, "is no time"},
		{[]string{"validate", dir + "/none.hcl", "--data", dir}, exitFailed, "none.hcl"},
	} {
		var out, errs bytes.Buffer
		if code := Main(c.args, &out, &errs); code != c.code || !strings.Contains(errs.String(), c.says) {
			t.Errorf("voltage %s gives code %d, expected %d with %q:\n%s", strings.Join(c.args, " "), code, c.code, c.says, errs.String())
		}
	}
}

func TestFmtLaysOutTheFileBehindALink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "of-the-site.hcl"), filepath.Join(dir, "site.hcl")
	if err := errors.Join(os.WriteFile(file, []byte("site   \"a\" {\n}\n"), 0o640), os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}
	run := func(want int, says string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := Main(append([]string{"fmt"}, args...), &out, &errs); code != want || out.String() != says {
			t.Errorf("voltage fmt %v gives code %d and %q, expected %d and %q:\n%s", args, code, &out, want, says, &errs)
		}
	}
	run(exitFailed, link+"\n", "--check", link)
	run(0, link+"\n", link)
	run(0, "", "--check", link)
	b, err := os.ReadFile(file)
	if err != nil || string(b) != "site \"a\" {\n}\n" {
		t.Errorf("%q, %v", b, err)
	}
	info, err := os.Lstat(file)
	to, lerr := os.Readlink(link)
	if err != nil || info.Mode().Perm() != 0o640 || lerr != nil || to != file {
		t.Errorf("mode %v, %v; the link leads to %q, %v", info.Mode(), err, to, lerr)
	}
}
