// Package models_test tests the models library on a real redis-server.
package models_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/lua"
	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

const start = int64(1_700_000_000_000) // 2023-11-14T22:13:20Z

var battery = frame.Table{Numbers: []string{"soc", "power", "setpoint"}}

// program is that of a battery. rest are further fields of its model.
func program(rev, measurements string) string {
	return fmt.Sprintf(`return {
  { head = true, schema = 1, rev = %[1]q, devices = {
    { name = "battery", n = 3, id = %[2]d, used = {1, 2}, points = {{"soc", "%%"}, {"power", "kW"}, {"setpoint", "kW"}} } } },
  { name = "bess", rev = %[1]q, template = "battery", properties = { capacity = "100" }, property_units = { capacity = "kWh" }, dev = {1},
    measurements = { %[3]s },
    actions = { { name = "power", unit = "kW", output = "battery.setpoint", factor = 1, min = -50, max = 50 },
                { name = "power_w", unit = "W", output = "battery.setpoint", factor = -0.001, min = -50, max = 50 } } },
  { output = "relay.on", min = 0, max = 1, unit = "" },
}`, rev, battery.TableID(), measurements)
}

const soc = `{ name = "soc", unit = "%", dev = {1}, inputs = {{"battery.soc", 1, 1}}, value = function() return D[1][1] end }`
const hours = `{ name = "hours", unit = "h", dev = {1}, inputs = {{"battery.soc", 1, 1}, {"battery.power", 1, 2}}, value = function() return H.div(D[1][1], D[1][2]) end }`

func load(t *testing.T, s *luatest.Server) {
	t.Helper()
	lib, err := lua.Bundle("models")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.FunctionLoadReplace(context.Background(), lib.Source).Err(); err != nil {
		t.Fatal(err)
	}
}

func site(t *testing.T) *luatest.Site {
	t.Helper()
	server := luatest.Start(t, "--appendfsync", "always")
	load(t, server)
	s := server.Site("bakery", "models")
	s.Program(t, "r1", program("r1", soc+","+hours))
	return s
}

func pack(at int64, values ...float64) []byte {
	b, _ := frame.NewBuilder(battery)
	for i, v := range values {
		b.Set(i, v)
	}
	return b.Pack(nil, time.UnixMilli(at))
}

func hash(t *testing.T, s *luatest.Site, model string) map[string]string {
	t.Helper()
	m, err := s.HGetAll(context.Background(), s.Key("model:"+model)).Result()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func want(t *testing.T, got map[string]string, fields map[string]string) {
	t.Helper()
	for k, v := range fields {
		if got[k] != v {
			t.Errorf("%s is %q, expected %q", k, got[k], v)
		}
	}
}

func TestSyncWritesWhatPeopleRead(t *testing.T) {
	s := site(t)
	s.Take(t, "model_batch_sync", start, "battery", pack(start, 55.2, 11, 0))
	want(t, hash(t, s, "bess"), map[string]string{
		"template": "battery", "property.capacity": "100", "soc": "55.2", "soc.unit": "%", "soc.quality": "good",
		"soc.time": "2023-11-14T22:13:20.000Z", "hours": "5.0181818181818185", "power.output": "battery.setpoint",
		"updated": "2023-11-14T22:13:20.000Z",
	})
}

func TestSyncWritesOnlyChanges(t *testing.T) {
	s := site(t)
	s.Take(t, "model_batch_sync", start, "battery", pack(start, 50, 10, 0))
	s.Take(t, "model_batch_sync", start+1000, "battery", pack(start+1000, 50, 10, 7))
	got := hash(t, s, "bess")
	want(t, got, map[string]string{"updated": "2023-11-14T22:13:20.000Z", "soc.time": "2023-11-14T22:13:20.000Z"})
	before := commandCalls(t, s, "hset")
	s.Must(t, "model_batch_sync", start+2000, "battery", start+2000, pack(start+2000, 50, 10, 8))
	if after := commandCalls(t, s, "hset"); after != before {
		t.Errorf("a frame without a change cost %d HSET", after-before)
	}
	s.Take(t, "model_batch_sync", start+3000, "battery", pack(start+3000, 50, 20, 8))
	want(t, hash(t, s, "bess"), map[string]string{
		"soc.time": "2023-11-14T22:13:20.000Z", "hours": "2.5", "hours.time": "2023-11-14T22:13:23.000Z", "updated": "2023-11-14T22:13:23.000Z",
	})
	reply, err := s.Call("model_get_value", "bess.soc")
	if err != nil || fmt.Sprint(reply) != fmt.Sprintf("[50 %% good %d]", start+3000) {
		t.Errorf("a measurement that did not change has the time of the newest frame: %v %v", reply, err)
	}
}

func commandCalls(t *testing.T, s *luatest.Site, command string) int {
	t.Helper()
	info, err := s.Info(context.Background(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if _, rest, ok := strings.Cut(info, "cmdstat_"+command+":calls="); ok {
		fmt.Sscanf(rest, "%d", &n)
	}
	return n
}

func TestQuality(t *testing.T) {
	s := site(t)
	b, _ := frame.NewBuilder(battery)
	b.SetQuality(0, 50, frame.Uncertain)
	b.SetBad(1, frame.Refused)
	b.Set(2, 1)
	s.Take(t, "model_batch_sync", start, "battery", b.Pack(nil, time.UnixMilli(start)))
	want(t, hash(t, s, "bess"), map[string]string{"soc": "50", "soc.quality": "uncertain", "hours": "", "hours.quality": "bad"})
	for name, expected := range map[string]string{
		"bess.soc":         fmt.Sprintf("[50 %% uncertain %d]", start),
		"bess.hours":       fmt.Sprintf("[ h bad %d]", start),
		"bess.capacity":    "[100 kWh good ]",
		"battery.power":    fmt.Sprintf("[ kW bad (refused by the device) %d]", start),
		"battery.setpoint": fmt.Sprintf("[1 kW good %d]", start),
	} {
		if got, err := s.Call("model_get_value", name); err != nil || fmt.Sprint(got) != expected {
			t.Errorf("%s is %v (%v), expected %s", name, got, err, expected)
		}
	}
}

func TestErrors(t *testing.T) {
	s := site(t)
	set := func(name, value string, more ...any) []any {
		return append([]any{"model_set_value", start, name, value, "api.anna"}, more...)
	}
	for expected, call := range map[string][]any{
		"unknown_name there is no bess.sco: did you mean bess.soc?":           {"model_get_value", "bess.sco"},
		"unknown_name there is no output bess.powr: did you mean bess.power?": set("bess.powr", "1"),
		"not_writable bess.soc can be read, not set":                          set("bess.soc", "1"),
		"not_readable relay.on can be set, not read":                          {"model_get_value", "relay.on"},
		"out_of_range bess.power takes -50 to 50 kW, not 51":                  set("bess.power", "51"),
		"out_of_range bess.power_w takes -50000 to 50000 W, not 50001":        set("bess.power_w", "50001"),
		"out_of_range relay.on takes 0 to 1, not 2":                           set("relay.on", "2"),
		`bad_value bess.power takes a number, not "nan"`:                      set("bess.power", "nan"),
		`bad_value bess.power takes a number, not "inf"`:                      set("bess.power", "inf"),
		`bad_value bess.power takes a number, not "ten"`:                      set("bess.power", "ten"),
		"BADARG an owner such as api.anna is needed, of at most 200 bytes":    {"model_set_value", start, "bess.power", "1", ""},
		"BADARG the time to live is more than 0 ms":                           set("bess.power", "1", "50", "0"),
		"BADARG the priority is a whole number":                               set("bess.power", "1", "1.5"),
		"unknown_model there is no model bes: did you mean bess?":             {"model_create", start, "bes"},
		`BADARG the clock must be a number, not "now"`:                        {"model_batch_sync", "now"},
		"BADARG frames come as device, t and packed frame":                    {"model_batch_sync", start, "battery"},
		"unknown_model there is no model nothing_like_it":                     {"model_apply_template", start, "nothing_like_it"},
		"unknown_name there is no output completely.different":                set("completely.different", "1"),
		"unknown_name there is no completely.different":                       {"model_get_value", "completely.different"},
		`BADARG the priority must be a number, not "high"`:                    set("bess.power", "1", "high"),
		`BADARG the time to live must be a number, not "forever"`:             set("bess.power", "1", "1", "forever"),
	} {
		_, err := s.Call(call[0].(string), call[1:]...)
		if err == nil || err.Error() != expected {
			t.Errorf("%v: %v, expected %s", call, err, expected)
		}
	}
	if n := s.Exists(context.Background(), s.Key("requests"), s.Key("events")).Val(); n != 0 {
		t.Error("a refused call left something behind")
	}
}

type request struct {
	Output, Owner, ID, Why, Rev string
	Value, Priority             float64
	At                          int64
	TTL                         *int64
}

func live(t *testing.T, s *luatest.Site, now int64) []request {
	t.Helper()
	var out []request
	if err := json.Unmarshal([]byte(s.Must(t, "model_requests", now).(string)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRequests(t *testing.T) {
	s := site(t)
	if got := live(t, s, start); len(got) != 0 {
		t.Fatalf("there are requests at the start: %v", got)
	}
	if id := s.Must(t, "model_set_value", start, "bess.power_w", "-12345.678", "api.anna", "60", "30000", "", "peak"); id != fmt.Sprintf("%d-1", start) {
		t.Errorf("the id is %v", id)
	}
	if id := s.Must(t, "model_set_value", start, "battery.setpoint", "0.1", "cli.bob", "", "", "my-id", "\"quoted\""); id != "my-id" {
		t.Errorf("the id is %v", id)
	}
	got := live(t, s, start+29_999)
	if len(got) != 2 || got[0].Value != -12345.678*-0.001 || *got[0].TTL != 30000 || got[0].Output != "battery.setpoint" ||
		got[1].Owner != "cli.bob" || got[1].TTL != nil || got[1].Value != 0.1 || got[1].Why != `"quoted"` || got[1].At != start {
		t.Errorf("live requests: %+v", got)
	}
	if got := live(t, s, start+30_000); len(got) != 1 {
		t.Errorf("a request lives on after its time: %+v", got)
	}
	s.Must(t, "model_batch_sync", start+30_000)
	if n := s.HLen(context.Background(), s.Key("requests")).Val(); n != 1 {
		t.Errorf("%d requests are kept, expected 1", n)
	}
	s.Must(t, "model_set_value", start+31_000, "battery.setpoint", "", "cli.bob")
	if n := s.HLen(context.Background(), s.Key("requests")).Val(); n != 0 {
		t.Error("a withdrawn request is kept")
	}
	events, _ := s.Events(t, "")
	if len(events) != 3 || events[0]["kind"] != "request" || events[0]["output"] != "battery.setpoint" || events[0]["why"] != "peak" ||
		events[0]["priority"] != "60" || events[0]["ttl"] != "30000" || events[2]["value"] != "" || events[2]["owner"] != "cli.bob" {
		t.Errorf("events: %v", events)
	}
}

func TestSweepIsBounded(t *testing.T) {
	s := site(t)
	for i := range 1000 {
		s.Must(t, "model_set_value", start, "bess.power", "1", fmt.Sprintf("api.user%d", i), "1", "1000")
	}
	left := int64(1000)
	for k := int64(1); left > 0 && k < 200; k++ {
		s.Must(t, "model_batch_sync", start+1000*k)
		n := s.HLen(context.Background(), s.Key("requests")).Val()
		if left-n > 400 {
			t.Fatalf("one call removed %d requests", left-n)
		}
		left = n
	}
	if left != 0 {
		t.Errorf("%d requests are never removed", left)
	}
}

func TestProgramChange(t *testing.T) {
	s := site(t)
	s.Take(t, "model_batch_sync", start, "battery", pack(start, 50, 10, 0))
	s.Program(t, "r2", program("r2", soc))
	if _, err := s.Call("model_get_value", "bess.hours"); err == nil {
		t.Error("a measurement that is gone can be read")
	}
	reply := s.Must(t, "model_apply_template", start+1, "bess")
	if fmt.Sprint(reply) != "[0 4]" {
		t.Errorf("applying the template wrote and removed %v", reply)
	}
	got := hash(t, s, "bess")
	if _, there := got["hours"]; there || got["soc"] != "50" {
		t.Errorf("after the template changed: %v", got)
	}
	s.Program(t, "r3", fmt.Sprintf("return {{head=true,schema=1,rev='r3',devices={{name='battery',n=3,id=%d}}}}", battery.TableID()))
	s.Must(t, "model_batch_sync", start+2)
	if got := hash(t, s, "bess"); len(got) != 0 {
		t.Errorf("a model that is gone has left %v", got)
	}
}

func TestCreate(t *testing.T) {
	s := site(t)
	s.HSet(context.Background(), s.Key("model:bess"), "rubbish", "1")
	s.Must(t, "model_create", start, "bess")
	got := hash(t, s, "bess")
	if _, there := got["rubbish"]; there || got["soc.quality"] != "bad" || got["property.capacity"] != "100" {
		t.Errorf("created: %v", got)
	}
}

func TestLostKeys(t *testing.T) {
	s := site(t)
	s.Take(t, "model_batch_sync", start, "battery", pack(start, 50, 10, 0))
	s.FlushAll(context.Background())
	if _, err := s.Call("model_batch_sync", start+1); err == nil || !strings.HasPrefix(err.Error(), "NOPROGRAM ") {
		t.Errorf("without a program: %v", err)
	}
	s.Program(t, "r1", program("r1", soc))
	s.Must(t, "model_batch_sync", start+2)
	want(t, hash(t, s, "bess"), map[string]string{"soc": "", "soc.quality": "bad"})
	s.HSet(context.Background(), s.Key("models:state"), "@schema", 99)
	s.Touch(t)
	if _, err := s.Call("model_batch_sync", start+3); err == nil || !strings.HasPrefix(err.Error(), "NEWERSTATE ") {
		t.Errorf("with a newer state: %v", err)
	}
}

func TestReloadAndRestartKeepTheHash(t *testing.T) {
	s := site(t)
	s.Take(t, "model_batch_sync", start, "battery", pack(start, 50, 10, 0))
	before := hash(t, s, "bess")
	load(t, s.Server)
	s.Must(t, "model_batch_sync", start+1000)
	want(t, hash(t, s, "bess"), before)
	s.Restart(t, "--appendfsync", "always")
	s.Must(t, "model_batch_sync", start+2000)
	s.Must(t, "model_batch_sync", start+2000, "battery", start+2000, pack(start-5000, 1, 1, 1))
	want(t, hash(t, s, "bess"), before)
}

func TestTwoSites(t *testing.T) {
	s := site(t)
	other := s.Site("mill", "models")
	other.Program(t, "r1", program("r1", soc))
	for k := range int64(3) {
		s.Take(t, "model_batch_sync", start+k, "battery", pack(start+k, 50, 10, 0))
		other.Take(t, "model_batch_sync", start+k, "battery", pack(start+k, float64(60+k), 10, 0))
	}
	want(t, hash(t, s, "bess"), map[string]string{"soc": "50"})
	want(t, hash(t, other, "bess"), map[string]string{"soc": "62"})
}

func TestSelfTest(t *testing.T) {
	s := site(t)
	if got, err := s.FCallRO(context.Background(), "models_selftest", nil).Result(); err != nil || got != "OK" {
		t.Errorf("selftest: %v %v", got, err)
	}
	lib, err := lua.Bundle("models")
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.FCallRO(context.Background(), "models_version", nil).StringSlice()
	if err != nil || got[0] != lib.Version || got[1] != lib.Hash || got[2] != "1" {
		t.Errorf("version: %v %v", got, err)
	}
}
