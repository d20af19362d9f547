// Package alarms_test tests the alarms library on a real redis-server. The state machine itself is tested in lua/vectors.
package alarms_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

const start = int64(1_700_000_000_000)

var meter = frame.Table{Numbers: []string{"power", "voltage"}}

func head(rev string) string {
	return fmt.Sprintf(`{ head = true, schema = 1, rev = %q, devices = { { name = "meter", n = 2, id = %d, used = {1, 2} } } }`, rev, meter.TableID())
}

// alarm is an item that reads a slot of the meter. more are further fields.
func alarm(name, rev string, slot int, more string) string {
	return fmt.Sprintf(`{ name = %q, rev = %q, dev = {1}, kind = "high", limit = 100, deadband = 5, priority = "high", message = "too much",
  input = function() return D[1][%d] end, inputs = {{"meter.x", 1, %d}}, %s }`, name, rev, slot, slot, more)
}

func program(items ...string) string {
	return "return { " + head("r") + ", " + strings.Join(items, ", ") + " }"
}

func load(t testing.TB, s *luatest.Server) {
	t.Helper()
	lib, err := lua.Bundle("alarms")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.FunctionLoadReplace(context.Background(), lib.Source).Err(); err != nil {
		t.Fatal(err)
	}
}

func site(t testing.TB, items ...string) *luatest.Site {
	t.Helper()
	server := luatest.Start(t, "--appendfsync", "always")
	load(t, server)
	s := server.Site("bakery", "alarms")
	s.Program(t, "r", program(items...))
	return s
}

func pack(at int64, values ...float64) []byte {
	b, _ := frame.NewBuilder(meter)
	for i, v := range values {
		b.Set(i, v)
	}
	return b.Pack(nil, time.UnixMilli(at))
}

type state struct {
	Name, Kind, Priority, Message, Shelving, Quality               string
	Enabled, Active, Acked, Confirmed, Latched, Suppressed, Retain bool
	Occurrence                                                     int
	Since                                                          int64
	Value                                                          *float64
	Pending                                                        string
	Due                                                            int64
}

func list(t testing.TB, s *luatest.Site, now int64, which string) map[string]state {
	t.Helper()
	var all []state
	if err := json.Unmarshal([]byte(s.Must(t, "alarm_list", now, which).(string)), &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]state{}
	for _, a := range all {
		out[a.Name] = a
	}
	return out
}

func names(events []map[string]any) []string {
	var out []string
	for _, e := range events {
		out = append(out, fmt.Sprintf("%v %v", e["alarm"], e["event"]))
	}
	return out
}

func expect(t *testing.T, s *luatest.Site, after string, want ...string) string {
	t.Helper()
	events, last := s.Events(t, after)
	if got := names(events); !slices.Equal(got, want) {
		t.Errorf("the events are %q, expected %q", got, want)
	}
	return last
}

func TestEventsAndList(t *testing.T) {
	s := site(t, alarm("overload", "1", 1, "confirm = true"), alarm("quiet", "1", 2, ""))
	reply := s.Take(t, "alarm_check_conditions", start, "meter", pack(start, 120.5, 1))
	if fmt.Sprint(reply) != "[ 2 1]" {
		t.Errorf("the reply is %v", reply)
	}
	events, _ := s.Events(t, "")
	for field, want := range map[string]string{
		"kind": "alarm", "t": fmt.Sprint(start), "alarm": "overload", "event": "activate", "value": "120.5", "quality": "good", "text": "too much",
		"enabled": "1", "active": "1", "acked": "0", "confirmed": "1", "latched": "0", "suppressed": "0", "out_of_service": "0",
		"shelving": "unshelved", "level": "", "occurrence": "1", "priority": "high", "annunciate": "1", "since": fmt.Sprint(start),
	} {
		if len(events) != 1 || events[0][field] != want {
			t.Fatalf("%s is %v, expected %s: %v", field, events[0][field], want, events)
		}
	}
	if got := list(t, s, start, "retained"); len(got) != 1 || got["overload"].Since != start || *got["overload"].Value != 120.5 || !got["overload"].Retain {
		t.Errorf("retained: %+v", got)
	}
	if got := list(t, s, start, "all"); len(got) != 2 || got["quiet"].Active || got["quiet"].Kind != "high" {
		t.Errorf("all: %+v", got)
	}
	if n := s.HExists(context.Background(), s.Key("alarms:state"), "quiet").Val(); n {
		t.Error("an alarm that nothing happened to has a saved state")
	}
	s.Must(t, "alarm_update_state", start+1, "overload", "ack", "api.anna", "seen")
	events, _ = s.Events(t, "")
	if e := events[1]; e["by"] != "api.anna" || e["comment"] != "seen" || e["confirmed"] != "0" {
		t.Errorf("ack: %v", e)
	}
}

func TestEmptyList(t *testing.T) {
	s := site(t)
	if got := s.Must(t, "alarm_list", start); got != "[]" {
		t.Errorf("an empty list is %v", got)
	}
}

func TestErrors(t *testing.T) {
	s := site(t, alarm("overload", "1", 1, ""))
	for want, call := range map[string][]any{
		"unknown_alarm there is no alarm overlaod: did you mean overload?":                    {"alarm_update_state", start, "overlaod", "ack", "x", ""},
		"already_acked alarm overload: there is nothing left to acknowledge":                  {"alarm_update_state", start, "overload", "ack", "x", ""},
		"BADARG the options are occurrence, mode and duration, not reason":                    {"alarm_update_state", start, "overload", "ack", "x", "", "reason", "1"},
		`BADARG occurrence must be a number, not "first"`:                                     {"alarm_update_state", start, "overload", "ack", "x", "", "occurrence", "first"},
		"BADARG the mode is timed or oneshot, not long":                                       {"alarm_update_state", start, "overload", "shelve", "x", "", "mode", "long"},
		"bad_shelving_time alarm overload: a shelf lasts more than 0 and at most 28800000 ms": {"alarm_update_state", start, "overload", "shelve", "x", ""},
		"BADARG lists all or retained alarms, not some":                                       {"alarm_list", start, "some"},
		`BADARG the clock must be a number, not "nan"`:                                        {"alarm_check_conditions", "nan"},
		"BADARG frames come as device, t and packed frame":                                    {"alarm_check_conditions", start, "meter", start},
		"has_condition alarm overload has a condition: it raises and clears itself":           {"alarm_quick_create", start, "overload", "high", "", "1", "x"},
		"BADARG the priority is low, medium, high or critical, not urgent":                    {"alarm_quick_create", start, "door", "urgent", "", "1", "x"},
		"BADARG active is 1 or 0":                                                             {"alarm_quick_create", start, "door", "high", "", "yes", "x"},
		"BADARG a name is made of letters, digits, _ . - and [ ], and has at most 200 bytes":  {"alarm_quick_create", start, "@metrics", "high", "", "1", "x"},
		"BADARG there is no command acknowledge: use ack, confirm, reset, shelve, unshelve, suppress, unsuppress, out_of_service, in_service, disable or enable": {"alarm_update_state", start, "overload", "acknowledge", "x", ""},
	} {
		_, err := s.Call(call[0].(string), call[1:]...)
		if err == nil || strings.Replace(err.Error(), "BADARG alarm overload: ", "BADARG ", 1) != want {
			t.Errorf("%v: %v, expected %s", call, err, want)
		}
	}
	expect(t, s, "")
}

func TestTimersAreSavedAndAnswered(t *testing.T) {
	s := site(t, alarm("slow", "1", 1, "on_delay_ms = 5000"))
	if reply := s.Take(t, "alarm_check_conditions", start, "meter", pack(start, 120, 0)); fmt.Sprint(reply) != fmt.Sprintf("[%d 1 1]", start+5000) {
		t.Errorf("the reply is %v", reply)
	}
	if at := s.ZScore(context.Background(), s.Key("alarms:timers"), "slow").Val(); int64(at) != start+5000 {
		t.Errorf("the saved deadline is %v", at)
	}
	if reply := s.Must(t, "alarm_check_conditions", start+7000); fmt.Sprint(reply) != "[ 0 1]" {
		t.Errorf("the reply is %v", reply)
	}
	if n := s.ZCard(context.Background(), s.Key("alarms:timers")).Val(); n != 0 {
		t.Error("a deadline that is over is kept")
	}
	if got := list(t, s, start+7000, "all")["slow"]; got.Since != start+5000 {
		t.Errorf("active since %d", got.Since)
	}
}

func TestProgramChange(t *testing.T) {
	s := site(t, alarm("a", "1", 1, ""), alarm("b", "1", 1, "on_delay_ms = 5000"), alarm("c", "1", 2, ""))
	s.Take(t, "alarm_check_conditions", start, "meter", pack(start, 120, 120))
	last := expect(t, s, "", "a activate", "c activate")
	s.Program(t, "r2", program(alarm("a", "2", 1, "limit = 200"), alarm("b", "2", 1, "on_delay_ms = 5000")))
	s.Must(t, "alarm_check_conditions", start+6000)
	last = expect(t, s, last, "c removed")
	got := list(t, s, start+6000, "all")
	if !got["a"].Active || got["a"].Acked || got["b"].Active || got["b"].Pending != "" || len(got) != 2 {
		t.Errorf("after the change: %+v", got)
	}
	if s.HExists(context.Background(), s.Key("alarms:state"), "c").Val() || s.ZCard(context.Background(), s.Key("alarms:timers")).Val() != 0 {
		t.Error("an alarm that is gone has left something")
	}
	s.Take(t, "alarm_check_conditions", start+7000, "meter", pack(start+7000, 120, 0))
	if got := list(t, s, start+7000, "all"); !got["a"].Active && got["b"].Pending != "on" {
		t.Errorf("after a sample: %+v", got)
	}
	s.Program(t, "r3", program(alarm("a", "2", 1, "limit = 200, disabled = true")))
	s.Must(t, "alarm_check_conditions", start+8000)
	expect(t, s, last, "a return", "b removed", "a disable")
}

func TestSiteDisables(t *testing.T) {
	s := site(t, alarm("a", "1", 1, "disabled = true"))
	s.Take(t, "alarm_check_conditions", start, "meter", pack(start, 120, 0))
	last := expect(t, s, "")
	s.Program(t, "r2", program(alarm("a", "1", 1, "")))
	s.Must(t, "alarm_check_conditions", start+1000)
	last = expect(t, s, last, "a enable")
	s.Take(t, "alarm_check_conditions", start+2000, "meter", pack(start+2000, 120, 0))
	last = expect(t, s, last, "a activate")
	s.Must(t, "alarm_update_state", start+3000, "a", "disable", "api.anna", "")
	s.Touch(t)
	s.Must(t, "alarm_check_conditions", start+4000)
	expect(t, s, last, "a disable")
	if list(t, s, start, "all")["a"].Enabled {
		t.Error("an operator's disable was undone by a new epoch")
	}
}

func TestParentThatIsGoneReleases(t *testing.T) {
	parent := alarm("p", "1", 2, "")
	s := site(t, parent, alarm("a", "1", 1, `suppressed_by = {"p"}`))
	s.Take(t, "alarm_check_conditions", start, "meter", pack(start, 120, 120))
	last := expect(t, s, "", "p activate", "a suppress", "a activate")
	s.Program(t, "r2", program(alarm("a", "1", 1, `suppressed_by = {"p"}`)))
	s.Must(t, "alarm_check_conditions", start+1000)
	events, _ := s.Events(t, last)
	if got := names(events); !slices.Equal(got, []string{"p removed", "a unsuppress"}) || events[1]["annunciate"] != "1" {
		t.Errorf("events: %v", events)
	}
}

func TestQuickCreate(t *testing.T) {
	s := site(t)
	s.Must(t, "alarm_quick_create", start, "door", "high", "the door is open", "1", "api.anna")
	s.Must(t, "alarm_quick_create", start+1, "door", "low", "the door is still open", "1", "api.anna")
	last := expect(t, s, "", "door activate")
	s.Restart(t, "--appendfsync", "always")
	s.Must(t, "alarm_check_conditions", start+1000)
	got := list(t, s, start+1000, "retained")["door"]
	if !got.Active || got.Message != "the door is still open" || got.Priority != "low" || got.Kind != "manual" {
		t.Errorf("after a restart: %+v", got)
	}
	s.Must(t, "alarm_update_state", start+2000, "door", "shelve", "x", "", "mode", "timed", "duration", 1000)
	s.Touch(t)
	s.Must(t, "alarm_check_conditions", start+3000)
	s.Must(t, "alarm_update_state", start+4000, "door", "ack", "x", "")
	s.Must(t, "alarm_quick_create", start+5000, "door", "low", "", "0", "api.anna")
	expect(t, s, last, "door shelve", "door unshelve", "door ack", "door return")
	if got := list(t, s, start+5000, "all"); len(got) != 0 {
		t.Errorf("a spent alarm is kept: %+v", got)
	}
	if s.HExists(context.Background(), s.Key("alarms:state"), "door").Val() || s.ZCard(context.Background(), s.Key("alarms:timers")).Val() != 0 {
		t.Error("a spent alarm has left something")
	}
}

func TestLostKeys(t *testing.T) {
	s := site(t, alarm("a", "1", 1, ""))
	s.Take(t, "alarm_check_conditions", start, "meter", pack(start, 120, 0))
	s.FlushAll(context.Background())
	for _, call := range [][]any{{"alarm_check_conditions", start}, {"alarm_list", start}, {"alarm_update_state", start, "a", "ack", "x", ""}} {
		if _, err := s.Call(call[0].(string), call[1:]...); err == nil || !strings.HasPrefix(err.Error(), "NOPROGRAM ") {
			t.Errorf("%v without a program: %v", call[0], err)
		}
	}
	s.Program(t, "r", program(alarm("a", "1", 1, "")))
	if list(t, s, start, "all")["a"].Active {
		t.Error("an alarm outlived its keys")
	}
	s.HSet(context.Background(), s.Key("alarms:state"), "@schema", 2)
	s.Touch(t)
	if _, err := s.Call("alarm_check_conditions", start); err == nil || !strings.HasPrefix(err.Error(), "NEWERSTATE ") {
		t.Errorf("with a newer state: %v", err)
	}
	if _, err := s.FCall(context.Background(), "alarm_check_conditions", s.Keys()[:3], start).Result(); err == nil || !strings.HasPrefix(err.Error(), "BADKEYS ") {
		t.Errorf("without keys: %v", err)
	}
}

func TestTwoSites(t *testing.T) {
	s := site(t, alarm("a", "1", 1, ""))
	other := s.Site("mill", "alarms")
	other.Program(t, "r", program(alarm("a", "1", 1, "limit = 10")))
	for k := range int64(3) {
		s.Take(t, "alarm_check_conditions", start+k, "meter", pack(start+k, 50, 0))
		other.Take(t, "alarm_check_conditions", start+k, "meter", pack(start+k, 50, 0))
	}
	expect(t, s, "")
	expect(t, other, "", "a activate")
}

func TestFramesThatDoNotFit(t *testing.T) {
	s := site(t, alarm("a", "1", 1, ""))
	s.Take(t, "alarm_check_conditions", start, "meter", pack(start, 120, 0))
	last := expect(t, s, "", "a activate")
	other, _ := frame.NewBuilder(frame.Table{Numbers: []string{"x"}})
	foreign := other.Pack(nil, time.UnixMilli(start+1))
	for _, packed := range []string{"", "x", string(foreign), string(pack(start+1, 0, 0)[:20]), strings.Repeat("\xff", 100)} {
		s.Must(t, "alarm_check_conditions", start+1, "meter", start+1, packed)
		s.Must(t, "alarm_check_conditions", start+1, "unheard_of", start+1, packed)
	}
	expect(t, s, last)
	s.Must(t, "alarm_check_conditions", start+2, "meter", start+2, pack(start+2, 0, 0))
	expect(t, s, last, "a return")
}

// A frame that is late takes the newest one's place in the site's hash: the values of the accepted one must survive.
func TestLateFrameThenRestart(t *testing.T) {
	s := site(t, alarm("a", "1", 1, ""))
	s.Take(t, "alarm_check_conditions", start+1000, "meter", pack(start+1000, 120, 0))
	s.Take(t, "alarm_check_conditions", start+2000, "meter", pack(start, 1, 0))
	last := expect(t, s, "", "a activate", "a late")
	s.Must(t, "alarm_update_state", start+2100, "a", "disable", "x", "")
	s.Restart(t, "--appendfsync", "always")
	s.Must(t, "alarm_update_state", start+2200, "a", "enable", "x", "")
	last = expect(t, s, last, "a disable", "a enable")
	if got := list(t, s, start+2200, "all")["a"]; !got.Active || *got.Value != 120 {
		t.Errorf("after a restart: %+v", got)
	}
	s.Take(t, "alarm_check_conditions", start+3000, "meter", pack(start+500, 1, 0))
	last = expect(t, s, last, "a late")
	s.Take(t, "alarm_check_conditions", start+4000, "meter", pack(start+4000, 1, 0))
	expect(t, s, last, "a return")
	if n := s.HExists(context.Background(), s.Key("alarms:state"), "@frame:meter").Val(); n {
		t.Error("the kept frame stays when it is not needed any more")
	}
}

func TestReAlarmsAreBounded(t *testing.T) {
	s := site(t, alarm("a", "1", 1, "re_alarm_ms = 1000"))
	s.Take(t, "alarm_check_conditions", start, "meter", pack(start, 120, 0))
	later := start + 100_000_000 // 100,000 intervals
	s.Must(t, "alarm_check_conditions", later)
	events, _ := s.Events(t, "")
	last := events[len(events)-1]
	if last["repeat"] != "100000" || last["t"] != fmt.Sprint(later) {
		t.Errorf("the last of the re-alarms is %v at %v", last["repeat"], last["t"])
	}
}

func TestUnknownPolicies(t *testing.T) {
	s := site(t, alarm("hold", "1", 1, ""), alarm("closed", "1", 1, `unknown = "true"`), alarm("open", "1", 1, `unknown = "false"`))
	s.Take(t, "alarm_check_conditions", start, "meter", pack(start, 120, 0))
	last := expect(t, s, "", "hold activate", "closed activate", "open activate")
	b, _ := frame.NewBuilder(meter)
	b.SetAll(frame.Bad | frame.Stale)
	s.Take(t, "alarm_check_conditions", start+1, "meter", b.Pack(nil, time.UnixMilli(start+1)))
	last = expect(t, s, last, "hold bad_quality", "closed bad_quality", "open bad_quality", "open return")
	s.Take(t, "alarm_check_conditions", start+2, "meter", pack(start+2, 1, 0))
	last = expect(t, s, last, "hold return", "closed return")
	s.Take(t, "alarm_check_conditions", start+3, "meter", b.Pack(nil, time.UnixMilli(start+3)))
	expect(t, s, last, "hold bad_quality", "closed bad_quality", "closed activate", "open bad_quality")
}

func TestSelfTestAndVersion(t *testing.T) {
	s := site(t)
	if got, err := s.FCallRO(context.Background(), "alarms_selftest", nil).Result(); err != nil || got != "OK" {
		t.Errorf("selftest: %v %v", got, err)
	}
	lib, err := lua.Bundle("alarms")
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.FCallRO(context.Background(), "alarms_version", nil).StringSlice()
	if err != nil || got[0] != lib.Version || got[1] != lib.Hash || got[2] != "1" {
		t.Errorf("version: %v %v", got, err)
	}
}

func TestMetrics(t *testing.T) {
	s := site(t, alarm("a", "1", 1, ""), alarm("b", "1", 2, ""))
	s.Take(t, "alarm_check_conditions", start, "meter", pack(start, 120, 0))
	s.Must(t, "alarm_update_state", start, "b", "disable", "x", "")
	var m map[string]any
	if err := json.Unmarshal([]byte(s.Must(t, "alarm_metrics", start).(string)), &m); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"flood": false, "annunciations_10min": 1.0, "alarms": 2.0, "active": 1.0, "unacked": 1.0, "disabled": 1.0, "shelved": 0.0} {
		if m[key] != want {
			t.Errorf("%s is %v, expected %v", key, m[key], want)
		}
	}
}

// quick is site on a server that does not wait for its disk.
func quick(t *testing.T, items ...string) *luatest.Site {
	t.Helper()
	server := luatest.Start(t, "--appendonly", "no")
	load(t, server)
	s := server.Site("bakery", "alarms")
	s.Program(t, "r", program(items...))
	return s
}

// A flood of more annunciations than are kept one by one is still counted, by the second.
func TestALongFloodIsCounted(t *testing.T) {
	s := quick(t, alarm("overload", "1", 1, ""))
	const n = 900
	for i := range int64(n) {
		at := start + i*300
		s.Take(t, "alarm_check_conditions", at, "meter", pack(at, 120, 0))
		s.Take(t, "alarm_check_conditions", at+100, "meter", pack(at+100, 0, 0))
	}
	count := func(at int64) (flood bool, annunciations float64) {
		t.Helper()
		var m map[string]any
		if err := json.Unmarshal([]byte(s.Must(t, "alarm_metrics", at).(string)), &m); err != nil {
			t.Fatal(err)
		}
		return m["flood"].(bool), m["annunciations_10min"].(float64)
	}
	if flood, got := count(start + n*300); !flood || got != n {
		t.Errorf("flood %v, %v annunciations, expected %d", flood, got, n)
	}
	if size, err := s.HStrLen(context.Background(), s.Key("alarms:state"), "@metrics").Result(); err != nil || size > 20_000 {
		t.Errorf("they take %d bytes, %v", size, err)
	}
	s.Touch(t)
	if flood, got := count(start + 900_000); flood || got != 0 {
		t.Errorf("long after: flood %v, %v annunciations", flood, got)
	}
}

// Alarms without a condition are so many at most.
func TestTooManyAlarmsWithoutACondition(t *testing.T) {
	s := quick(t, alarm("overload", "1", 1, ""))
	pipe := s.Pipeline()
	const most = 10_000
	for i := range most {
		pipe.FCall(context.Background(), "alarm_quick_create", s.Keys(), start, fmt.Sprint("door", i), "high", "open", "1", "x")
		if i%500 == 499 {
			if _, err := pipe.Exec(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.Call("alarm_quick_create", start, "one_more", "high", "open", "1", "x"); err == nil || !strings.HasPrefix(err.Error(), "too_many ") {
		t.Errorf("one more is taken: %v", err)
	}
	if got := list(t, s, start, "retained"); len(got) != most {
		t.Errorf("%d alarms", len(got))
	}
	s.Must(t, "alarm_update_state", start, "door7", "disable", "x", "")
	if _, err := s.Call("alarm_quick_create", start, "door7", "high", "open", "1", "x"); err == nil || !strings.HasPrefix(err.Error(), "disabled ") {
		t.Errorf("a disabled one is raised: %v", err)
	}
}
