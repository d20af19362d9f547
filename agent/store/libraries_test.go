package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/lua"
)

// edited is the test's rules library with a text replaced.
func edited(t testing.TB, pairs ...string) (path string) {
	t.Helper()
	b, err := os.ReadFile("testdata/rules.lua")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(pairs...).Replace(string(b))
	if text == string(b) {
		t.Fatalf("nothing to replace: %v", pairs)
	}
	path = filepath.Join(t.TempDir(), "rules.lua")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func status(t testing.TB, s *Store, name string) LibraryStatus {
	t.Helper()
	libs, err := s.Libraries(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range libs {
		if l.Name == name {
			return l
		}
	}
	t.Fatalf("no library %s in %+v", name, libs)
	return LibraryStatus{}
}

func TestABadLibraryIsRefusedBesideTheRunningOne(t *testing.T) {
	s := open(t, options(t))
	load(t, s)
	b := builders{}
	apply(t, s, 1000, b.frame(t, "a", 1000, 1), b.frame(t, "b", 1000, 1))
	before := status(t, s, Rules)
	for _, c := range []struct {
		name string
		path string
		says string
	}{
		{"a self-test that fails", edited(t, "function Library.functions.rules_selftest() return redis.status_reply('OK') end",
			"function Library.functions.rules_selftest() return redis.error_reply('SELFTEST two and two are five') end"), "two and two are five"},
		{"a syntax error", edited(t, "local seen = 0", "local seen = = 0"), "unexpected symbol"},
		{"one that fails on the site's program", edited(t, "seen = seen + 1", "seen = seen + nothing.there"), "nonexistent global variable 'nothing'"},
		{"another library's name", edited(t, "--#library  rules", "--#library  alarms"), "declares the library \"alarms\""},
		{"no bundle at all", filepath.Join(t.TempDir(), "none.lua"), "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := s.Reload(deadline(t), Rules, c.path, "")
			if ProblemOf(err) != Refused || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
			if now := status(t, s, Rules); now != before {
				t.Errorf("the library is now %+v, was %+v", now, before)
			}
		})
	}
	if err := s.Load(deadline(t), lua.Library{Name: "routes", Source: "x"}); ProblemOf(err) != Refused {
		t.Errorf("an unknown library: %v", err)
	}
	res := apply(t, s, 1100, b.frame(t, "a", 1100, 2))
	if got := fmt.Sprint(fields(res.Events, "rule", "device", "value")); got != "[a 2]" {
		t.Errorf("events: %s", got)
	}
	list, err := s.client.FunctionList(deadline(t), functionQuery).Result()
	if err != nil || len(list) != 4 {
		t.Errorf("libraries on the server: %v, %v", list, err)
	}
	left, err := s.client.Keys(deadline(t), s.keys.prefix+trial+":*").Result()
	if err != nil || len(left) != 0 {
		t.Errorf("scratch keys are left: %v, %v", left, err)
	}
}

// A library that was loaded by command in the place of the site's outlives a restart, until the site wants another one.
func TestALibraryLoadedByCommandStays(t *testing.T) {
	o := options(t)
	s, err := Open(deadline(t), o)
	if err != nil {
		t.Fatal(err)
	}
	wanted := testRules(t)
	if err := s.Ensure(deadline(t), wanted); err != nil {
		t.Fatal(err)
	}
	fix := edited(t, "--#version  0.0.1", "--#version  0.0.2", "'fired'", "'fired again'")
	if err := s.Reload(deadline(t), Rules, fix, wanted.Hash); err != nil {
		t.Fatal(err)
	}
	newer, err := lua.BundleFile(edited(t, "--#version  0.0.1", "--#version  0.0.3"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		site    lua.Library
		version string
	}{{wanted, "0.0.2"}, {wanted, "0.0.2"}, {newer, "0.0.3"}} {
		s.Close()
		s = open(t, o)
		if err := s.Ensure(deadline(t), c.site); err != nil {
			t.Fatal(err)
		}
		if l := status(t, s, Rules); l.Version != c.version || l.State != LibraryOK {
			t.Errorf("the site wants %s, and there is %+v, not %s", c.site.Version, l, c.version)
		}
	}
	// Loaded by command, the site's own is no other.
	if err := s.Reload(deadline(t), Rules, fix, newer.Hash); err != nil {
		t.Fatal(err)
	}
	if err := s.LoadInstead(deadline(t), newer, newer.Hash); err != nil {
		t.Fatal(err)
	}
	if l := status(t, s, Rules); l.Withdrawn != "" || l.Version != "0.0.3" {
		t.Errorf("the library is %+v", l)
	}
}

func TestRollback(t *testing.T) {
	o := options(t)
	s, err := Open(deadline(t), o)
	if err != nil {
		t.Fatal(err)
	}
	load(t, s)
	if err := s.Rollback(deadline(t), Rules); ProblemOf(err) != Refused {
		t.Errorf("rolled back to nothing: %v", err)
	}
	first := testRules(t)
	path := edited(t, "--#version  0.0.1", "--#version  0.0.2", "'fired'", "'fired again'")
	if err := s.Reload(deadline(t), Rules, path, ""); err != nil {
		t.Fatal(err)
	}
	b := builders{}
	expect := func(at int64, version, event string) {
		t.Helper()
		if l := status(t, s, Rules); l.Version != version || l.State != LibraryOK {
			t.Errorf("the library is %+v", l)
		}
		res := apply(t, s, at, b.frame(t, "a", at, float64(at)))
		if got := fields(res.Events, "rule", "event"); len(got) == 0 || got[len(got)-1] != event {
			t.Errorf("events: %v, expected %s", got, event)
		}
	}
	expect(1000, "0.0.2", "fired again")
	if l := status(t, s, Rules); l.PreviousVersion != "0.0.1" {
		t.Errorf("the one before is %+v", l)
	}
	if err := s.Rollback(deadline(t), Rules); err != nil {
		t.Fatal(err)
	}
	expect(1100, "0.0.1", "fired")
	second, err := lua.BundleFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// What was rolled back stays so at the next start, until it is loaded by command.
	s.Close()
	s = open(t, o)
	for _, name := range []string{Models, Alarms} {
		lib, _ := lua.Bundle(name)
		if err := s.Ensure(deadline(t), lib); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ensure(deadline(t), second); err != nil {
		t.Fatal(err)
	}
	if err := s.LoadPrograms(deadline(t), programs("1", "")); err != nil {
		t.Fatal(err)
	}
	expect(1200, "0.0.1", "fired")
	if l := status(t, s, Rules); l.Withdrawn != second.Hash || l.PreviousVersion != "0.0.2" {
		t.Errorf("the library is %+v", l)
	}
	if err := s.Load(deadline(t), second); err != nil {
		t.Fatal(err)
	}
	expect(1300, "0.0.2", "fired again")
	if l := status(t, s, Rules); l.Withdrawn != "" {
		t.Errorf("the library is %+v", l)
	}
	// The sources are files that a person can read.
	file := filepath.Join(o.DataDir, "libraries", fmt.Sprintf("rules-0.0.1-%s.lua", first.Hash))
	if text, err := os.ReadFile(file); err != nil || string(text) != first.Source {
		t.Errorf("%s: %v", file, err)
	}
	// Without the folder, Redis knows.
	if err := os.RemoveAll(filepath.Join(o.DataDir, "libraries")); err != nil {
		t.Fatal(err)
	}
	if err := s.Rollback(deadline(t), Rules); err != nil {
		t.Fatal(err)
	}
	expect(1400, "0.0.1", "fired")
}

func TestABadProgramIsRefusedAndNothingIsHalfDone(t *testing.T) {
	s := open(t, options(t))
	load(t, s)
	b := builders{}
	apply(t, s, 1000, b.frame(t, "a", 1000, 1), b.frame(t, "b", 1000, 1))
	bad := programs("2", "")
	for name, spoil := range map[string]func(){
		"a syntax error":          func() { bad.Rules.Chunks = []string{"return { { head = }"} },
		"an error while it loads": func() { bad.Rules.Chunks = []string{"return nothing.there"} },
		"no head":                 func() { bad.Rules.Chunks = []string{"return {}"} },
		"no chunks":               func() { bad.Rules.Chunks = nil },
		"an error while it judges": func() {
			bad.Alarms.Chunks[0] = strings.Replace(bad.Alarms.Chunks[0], "return D[1][1] end", "return nothing.there end", 1)
		},
	} {
		bad = programs("2", "")
		spoil()
		err := s.LoadPrograms(deadline(t), bad)
		if ProblemOf(err) != Refused {
			t.Errorf("%s: %v", name, err)
		}
		for _, lib := range order {
			if rev := s.client.HGet(deadline(t), s.keys.program(lib), "rev").Val(); rev != lib+"1" {
				t.Errorf("%s: %s has the revision %s", name, lib, rev)
			}
		}
	}
	apply(t, s, 1100, b.frame(t, "a", 1100, 2))
	if err := s.LoadPrograms(deadline(t), programs("2", "")); err != nil {
		t.Fatal(err)
	}
	if rev := s.client.HGet(deadline(t), s.keys.program(Rules), "rev").Val(); rev != "rules2" {
		t.Errorf("the revision is %s", rev)
	}
}

func TestALibraryThatFailsHoldsUpNoOther(t *testing.T) {
	s := open(t, options(t))
	load(t, s)
	b := builders{}
	apply(t, s, 1000, b.frame(t, "a", 1000, 1))
	// The state comes from a newer library: this one refuses to work on it.
	ctx := deadline(t)
	if err := s.client.HSet(ctx, s.keys.state(Rules), "@schema", "99").Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.client.Set(ctx, s.keys.epoch, "new", 0).Err(); err != nil {
		t.Fatal(err)
	}
	res, err := s.Apply(ctx, Batch{Now: 1100, Frames: []Frame{b.frame(t, "a", 1100, 120)}})
	if err != nil || res.Failures[Rules] == nil || len(res.Failures) != 1 {
		t.Fatalf("got %+v, %v", res, err)
	}
	if got := fmt.Sprint(fields(res.Events, "alarm", "event")); got != "[activate]" {
		t.Errorf("alarms: %s", got)
	}
	if st := s.Status(); st.State != StateDegraded || !strings.Contains(st.Failures[Rules], "NEWERSTATE") {
		t.Errorf("status: %+v", st)
	}
	if l := status(t, s, Rules); l.State != LibraryFailing {
		t.Errorf("the library is %+v", l)
	}
	if err := s.client.HSet(ctx, s.keys.state(Rules), "@schema", "1").Err(); err != nil {
		t.Fatal(err)
	}
	apply(t, s, 1200, b.frame(t, "a", 1200, 121))
	if st := s.Status(); st.State != StateOK {
		t.Errorf("status: %+v", st)
	}
}

func TestCalls(t *testing.T) {
	s := open(t, options(t))
	load(t, s)
	ctx := deadline(t)
	apply(t, s, s.millis(), builders{}.frame(t, "a", s.millis(), 120))
	for len(s.wake) > 0 {
		<-s.wake
	}
	value := 5.5
	id, err := s.SetValue(ctx, SetRequest{Name: "a.x", Value: &value, Owner: "cli.test", Priority: 90, TTL: 30 * time.Second, Why: "a test"})
	if err != nil || id == "" {
		t.Fatal(id, err)
	}
	select {
	case <-s.Wake():
	default:
		t.Error("nobody was woken")
	}
	res := apply(t, s, s.millis())
	if got := fmt.Sprint(fields(res.Events, "request", "output", "owner", "value", "priority", "ttl", "id")); got != fmt.Sprintf("[a.x cli.test 5.5 90 30000 %s]", id) {
		t.Errorf("events: %s", got)
	}
	list, err := s.Requests(ctx)
	if err != nil || len(list) != 1 || list[0].Value != 5.5 || list[0].Owner != "cli.test" || list[0].TTL != 30000 || list[0].ID != id {
		t.Errorf("requests: %+v, %v", list, err)
	}
	if _, err := s.SetValue(ctx, SetRequest{Name: "a.x", Owner: "cli.test"}); err != nil {
		t.Error(err)
	}
	if list, err := s.Requests(ctx); err != nil || len(list) != 0 {
		t.Errorf("requests: %+v, %v", list, err)
	}
	large := 11.0
	for name, c := range map[string]struct {
		call func() error
		code string
	}{
		"out of range": {func() error {
			_, err := s.SetValue(ctx, SetRequest{Name: "a.x", Value: &large, Owner: "o"})
			return err
		}, "out_of_range"},
		"an unknown name":  {func() error { _, err := s.GetValue(ctx, "a.y"); return err }, "unknown_name"},
		"an unknown alarm": {func() error { _, err := s.AlarmCommand(ctx, AlarmCommand{Name: "hihg", Command: "ack"}); return err }, "unknown_alarm"},
		"a bad argument":   {func() error { _, err := s.Call(ctx, "alarm_list", "soon"); return err }, "BADARG"},
	} {
		var r *Refusal
		if err := c.call(); !errors.As(err, &r) || r.Code != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	alarms, err := s.AlarmList(ctx, true)
	if err != nil || len(alarms) != 1 || !alarms[0].Active || alarms[0].Acked || alarms[0].Value == nil || *alarms[0].Value != 120 {
		t.Errorf("alarms: %+v, %v", alarms, err)
	}
	a, err := s.AlarmCommand(ctx, AlarmCommand{Name: "high", Command: "ack", By: "anna", Comment: "seen"})
	if err != nil || !a.Acked {
		t.Errorf("acknowledged: %+v, %v", a, err)
	}
	q, err := s.QuickAlarm(ctx, QuickAlarm{Name: "door", Priority: "low", Message: "open", Active: true, By: "anna"})
	if err != nil || !q.Active {
		t.Errorf("quick: %+v, %v", q, err)
	}
	if m, err := s.AlarmMetrics(ctx); err != nil || m.Alarms != 2 || m.Active != 2 || m.Unacked != 1 || m.Annunciations10min != 2 || m.Flood {
		t.Errorf("figures of two alarms: %+v, %v", m, err)
	}
	for i := range 9 {
		if _, err := s.QuickAlarm(ctx, QuickAlarm{Name: fmt.Sprint("window", i), Priority: "low", Message: "open", Active: true, By: "anna"}); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := s.AlarmMetrics(ctx); err != nil || m.Annunciations10min != 11 || !m.Flood {
		t.Errorf("figures of a flood: %+v, %v", m, err)
	}
	if _, err := s.Call(ctx, "flushall"); ProblemOf(err) != Refused {
		t.Errorf("a function of nobody: %v", err)
	}
	if reply, err := s.Call(ctx, "model_create", s.now(), "m"); err != nil || reply == "" {
		t.Errorf("model_create: %v, %v", reply, err)
	}
}
