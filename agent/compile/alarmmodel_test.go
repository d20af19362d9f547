package compile_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// TestAlarmsAndModelsRun compiles a small site, and plays frames to the two libraries.
func TestAlarmsAndModelsRun(t *testing.T) {
	n := newNames()
	meter := n.device("meter", &site.Point{Name: "power", Unit: "kW"}, &site.Point{Name: "limit", Unit: "kW"})
	setpoint := &site.Point{Name: "setpoint", Unit: "kW", Write: &site.Write{Min: -20, Max: 50}}
	battery := n.device("battery", &site.Point{Name: "soc", Unit: "%"}, setpoint)
	soc := &site.Measurement{Name: "soc", Unit: "%"}
	s := n.siteOf()
	s.Alarms = []*site.Alarm{
		{Name: "overload", When: expr(t, "device.meter.power > 100"), Deadband: 5, For: 2 * time.Second, Priority: "high", MaxShelve: time.Hour},
		{Name: "empty", When: expr(t, "device.battery.soc < 10 && device.meter.power > 0"), Priority: "low", MaxShelve: time.Hour, SuppressedBy: []string{"overload"}},
	}
	s.Models = []*site.Model{{
		Name: "bess", Template: &site.Template{Name: "battery", Properties: []*site.Property{{Name: "capacity", Unit: "kWh"}}}, Properties: map[string]any{"capacity": 100.0},
		Measurements: []*site.Mapping{{Measurement: soc, Value: expr(t, "device.battery.soc")}},
		Actions:      []*site.ActionMapping{{Action: &site.Action{Name: "discharge", Unit: "kW"}, Output: setpoint, Factor: -1}},
	}}
	programs, diags := compile.With(s, n)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	server := luatest.Start(t)
	for name, p := range map[string]compile.Program{"alarms": programs.Alarms, "models": programs.Models} {
		loadLibrary(t, server.Client, name)
		loadProgram(t, server.Client, keys("bakery", name), p)
	}
	take := func(at int64, d *site.Device, values ...float64) {
		t.Helper()
		b, err := frame.NewBuilder(d.Table())
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			b.Set(i, v)
		}
		packed := b.Pack(nil, time.UnixMilli(at))
		for library, function := range map[string]string{"models": "model_batch_sync", "alarms": "alarm_check_conditions"} {
			if err := server.FCall(context.Background(), function, keys("bakery", library), at, d.Name, at, packed).Err(); err != nil {
				t.Fatal(err)
			}
		}
		server.HSet(context.Background(), keys("bakery", "alarms")[4], d.Name, packed)
	}
	take(1000, meter, 120, 1)
	take(2000, battery, 5, 0)
	take(3000, meter, 98, 1)
	take(4000, meter, 94, 1)
	if got, want := alarmEvents(t, server.Client), []string{
		"empty activate 1", "overload activate 1", "empty suppress 0", "overload return 0", "empty unsuppress 1",
	}; !slices.Equal(got, want) {
		t.Errorf("the alarms did %q, expected %q", got, want)
	}
	for name, want := range map[string]string{"bess.soc": "[5 % good 2000]", "bess.capacity": "[100 kWh good ]", "meter.power": "[94 kW good 4000]"} {
		got, err := server.FCall(context.Background(), "model_get_value", keys("bakery", "models"), name).Result()
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s is %v (%v), expected %s", name, got, err, want)
		}
	}
	set := func(name string, value float64) error {
		return server.FCall(context.Background(), "model_set_value", keys("bakery", "models"), 5000, name, value, "cli.anna", 50, "", "", "").Err()
	}
	if err := set("bess.discharge", 20); err != nil {
		t.Error(err)
	}
	if err := set("battery.setpoint", 50); err != nil {
		t.Error(err)
	}
	if err := set("bess.discharge", 21); err == nil || err.Error() != "out_of_range bess.discharge takes -50 to 20 kW, not 21" {
		t.Errorf("over its range: %v", err)
	}
}

func alarmEvents(t *testing.T, c *redis.Client) []string {
	t.Helper()
	entries, err := c.XRange(context.Background(), keys("bakery", "alarms")[6], "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, fmt.Sprintf("%v %v %v", e.Values["alarm"], e.Values["event"], e.Values["annunciate"]))
	}
	return out
}
