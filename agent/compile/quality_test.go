package compile_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/lua/luatest"
	"github.com/voltage-edge/voltage/sdk/frame"
)

func TestQualityInConditions(t *testing.T) {
	n := newNames()
	meter := n.device("meter", &site.Point{Name: "power", Unit: "kW"}, &site.Point{Name: "limit", Unit: "kW"})
	s := n.siteOf()
	s.Alarms = []*site.Alarm{
		{Name: "doubtful", When: expr(t, "!is_good(device.meter.power + device.meter.limit)"), MaxShelve: time.Hour},
		{Name: "uncertain", When: expr(t, "known(device.meter.power) && !is_good(device.meter.power)"), MaxShelve: time.Hour},
	}
	programs, diags := compile.With(s, n)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	server := luatest.Start(t)
	loadLibrary(t, server.Client, "alarms")
	loadProgram(t, server.Client, keys("bakery", "alarms"), programs.Alarms)
	b, err := frame.NewBuilder(meter.Table())
	if err != nil {
		t.Fatal(err)
	}
	at := int64(0)
	take := func(power, limit frame.Quality) {
		t.Helper()
		at += 1000
		b.SetQuality(0, 5, power)
		b.SetQuality(1, 5, limit)
		packed := b.Pack(nil, time.UnixMilli(at))
		if err := server.FCall(context.Background(), "alarm_check_conditions", keys("bakery", "alarms"), at, "meter", at, packed).Err(); err != nil {
			t.Fatal(err)
		}
	}
	take(frame.Good, frame.Good)
	take(frame.Good, frame.Uncertain)
	take(frame.Uncertain, frame.Good)
	take(frame.Bad, frame.Good)
	take(frame.Good, frame.Good)
	got := slices.DeleteFunc(alarmEvents(t, server.Client), func(e string) bool { return strings.Contains(e, "bad_quality") })
	if want := []string{"doubtful activate 1", "uncertain activate 1", "uncertain return 0", "doubtful return 0"}; !slices.Equal(got, want) {
		t.Errorf("the alarms did %q, expected %q", got, want)
	}
}

func TestNestingIsBounded(t *testing.T) {
	n := plantNames(t)
	for _, c := range []struct {
		text string
		want string
	}{
		{strings.Repeat("!", 60) + "device.grid.closed", ""},
		{strings.Repeat("device.grid.power > 1 ? 1 : ", 90) + "2", ""},
		{strings.Repeat("device.grid.power > 1 ? 1 : ", 200) + "2", "nested more than 100 deep"},
		{strings.Repeat("abs(", 101) + "device.grid.power" + strings.Repeat(")", 101), "nested more than 100 deep"},
		{strings.Repeat("device.grid.power + ", 600) + "1", ""},
		{strings.Repeat("device.grid.power + ", 6000) + "1", "more than 5000 parts"},
	} {
		text := c.text
		if !strings.HasPrefix(text, "!") {
			text += " > 5"
			if strings.Contains(text, "?") {
				text = "(" + c.text + ") > 5"
			}
		}
		_, diags := compile.With(n.siteOf(&site.Rule{Name: "r", On: "rising", When: expr(t, text)}), n)
		if c.want == "" && diags.HasErrors() || c.want != "" && (len(diags) != 1 || !strings.Contains(diags[0].Detail, c.want)) {
			t.Errorf("%.40s…: %d diagnostics, expected %q: %v", text, len(diags), c.want, diags)
		}
	}
}
