package compile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/agent/compile"
	"github.com/voltage-edge/voltage/agent/site"
)

func plantNames(t testing.TB) *names {
	n := newNames()
	n.device("grid", &site.Point{Name: "power", Unit: "kW"}, &site.Point{Name: "watts", Unit: "W"}, &site.Point{Name: "voltage", Unit: "V"},
		&site.Point{Name: "closed", Bool: true}, &site.Point{Name: "serial", Text: true})
	n.device("a", &site.Point{Name: "power", Unit: "kW"})
	n.device("b", &site.Point{Name: "power", Unit: "kW"})
	n.live["excess"] = expr(t, "device.grid.power - 80")
	n.live["loop"] = expr(t, "local.loop + 1")
	return n
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ text, want, at string }{
		{"device.grid.power", "a number, where a condition is wanted", "device.grid.power"},
		{"device.grid.power > 80 && device.grid.voltage", "a number, where a condition is wanted", "device.grid.voltage"},
		{"device.grid.closed > 3", "is true or false", "device.grid.closed"},
		{"device.grid.serial == \"x\"", "is a text", "device.grid.serial"},
		{"device.grid.power > \"x\"", "a text, where a number is wanted", "\"x\""},
		{"device.grid.closed == 2", "never equal", "device.grid.closed == 2"},
		{"device.grid.power + device.grid.voltage > 1", "in kW, the other in V. They measure different things", "device.grid.power + device.grid.voltage"},
		{"device.grid.power > device.grid.watts", "Divide the one in W by 1000", ""},
		{"device.grid.power / 0 > 1", "divisor is zero", "0"},
		{"1e308 * 10 > device.grid.power", "not a finite number", "1e308 * 10"},
		{"device.gird.power > 1", "no such name", "device.gird.power"},
		{"local.loop > 1", "local.loop → local.loop", ""},
		{"maxx(device.grid.power, 1) > 1", "Did you mean \"max\"?", "maxx"},
		{"clamp(device.grid.power) > 1", "clamp(x, low, high)", "clamp(device.grid.power)"},
		{"age(device.grid.power + 1) > 1", "one point", "device.grid.power + 1"},
		{"\"${device.grid.power} kW\" == \"1 kW\"", "a text template", ""},
		{"[device.grid.power] == [1]", "a list", "[device.grid.power]"},
		{"device.grid.power > null", "null is no value", "null"},
		{"80 > 70", "reads no point", "80 > 70"},
		{"sum([for d in device.grid.power : 1]) > 1", "known when the site is read", "device.grid.power"},
		{"device.grid.closed ? 1 : true", "The one result is a number", ""},
	} {
		t.Run(c.text, func(t *testing.T) {
			n := plantNames(t)
			_, diags := compile.With(n.siteOf(&site.Rule{Name: "r", On: "rising", When: expr(t, c.text)}), n)
			if len(diags) == 0 {
				t.Fatal("it was taken")
			}
			d := diags[0]
			if !strings.Contains(d.Detail, c.want) {
				t.Errorf("got %q, expected %q in it", d.Detail, c.want)
			}
			if c.at != "" {
				if got := c.text[d.Subject.Start.Byte:d.Subject.End.Byte]; got != c.at {
					t.Errorf("it is told at %q, expected %q", got, c.at)
				}
			}
		})
	}
}

func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	n := plantNames(t)
	s := n.siteOf(
		&site.Rule{Name: "a", On: "rising", When: expr(t, "device.x.y > device.x.z"), Sets: []*site.Set{{Target: "o", Value: expr(t, "nope(device.grid.power)")}}},
		&site.Rule{Name: "b", On: "rising", When: expr(t, "device.grid.serial > 1 || device.grid.power")})
	s.Alarms = []*site.Alarm{{Name: "c", When: expr(t, "device.grid.power > device.a.power"), Deadband: 5}}
	_, diags := compile.With(s, n)
	if len(diags) != 6 {
		t.Errorf("%d complaints, expected 6: %v", len(diags), diags)
	}
}

func TestItemsHaveWhatTheirLibraryTakes(t *testing.T) {
	n := plantNames(t)
	output := &site.Point{Name: "setpoint", Unit: "kW", Write: &site.Write{Min: -50, Max: 50}}
	n.device("battery", output, &site.Point{Name: "soc", Unit: "%"})
	s := n.siteOf(&site.Rule{Name: "shave", On: "while", Priority: 50, When: expr(t, "local.excess > 0 && device.grid.closed"),
		Sets: []*site.Set{{Target: "battery.setpoint", Output: output, Factor: 1, Value: expr(t, "local.excess"), TTL: 30 * time.Second}}})
	s.Alarms = []*site.Alarm{
		{Name: "high", When: expr(t, "device.grid.power > var.limit"), Deadband: 5, For: time.Second, Priority: "high", Message: "it's \"high\"\n]]"},
		{Name: "low", When: expr(t, "10 > device.battery.soc")},
		{Name: "both", When: expr(t, "device.grid.power >= 10")},
	}
	bess := &site.Template{Name: "battery"}
	s.Models = []*site.Model{{Name: "bess", Template: bess, Properties: map[string]any{"capacity": 100.0},
		Measurements: []*site.Mapping{{Measurement: &site.Measurement{Name: "power", Unit: "W"}, Value: expr(t, "device.grid.power")}},
		Actions:      []*site.ActionMapping{{Action: &site.Action{Name: "power", Unit: "W"}, Output: output, Factor: 0.001}}}}
	p, diags := compile.With(s, n)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, c := range []struct {
		program compile.Program
		want    []string
	}{
		{p.Rules, []string{`name = "shave"`, `on = "while"`, `priority = 50`, `ttl_ms = 30000`, `output = "battery.setpoint"`, `{"grid.power", 1, 1}`, `~= 0)`}},
		{p.Alarms, []string{`kind = "high", limit = 80, deadband = 5`, `kind = "low", limit = 10`, `kind = "expression"`, `message = "it's \"high\"\010]]"`}},
		{p.Models, []string{`properties = {["capacity"] = "100"}`, `H.mul(`, `, 1000)`, `factor = 0.001`, `min = -50, max = 50`, `points={{"power", "kW"}`}},
	} {
		text := strings.Join(c.program.Chunks, "\n")
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in the program of the %s:\n%s", want, c.program.Library, text)
			}
		}
	}
}

func TestRevisionsFollowWhatARuleMeans(t *testing.T) {
	rev := func(text string, extra bool) string {
		n := plantNames(t)
		var rules []*site.Rule
		if extra {
			rules = append(rules, &site.Rule{Name: "first", On: "rising", When: expr(t, "device.b.power > 1")})
		}
		rules = append(rules, &site.Rule{Name: "r", On: "rising", When: expr(t, text)})
		p, diags := compile.With(n.siteOf(rules...), n)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		chunk := p.Rules.Chunks[0]
		_, item, _ := strings.Cut(chunk, `name = "r"`)
		_, rev, _ := strings.Cut(item, `rev = "`)
		return rev[:16]
	}
	plain := rev("device.a.power > 80", false)
	if rev("device.a.power > (79 + 1)", false) != plain || rev("device.a.power > var.limit", false) != plain {
		t.Error("the same meaning has another revision")
	}
	if rev("device.a.power > 80", true) != plain {
		t.Error("a rule before it changes the revision")
	}
	if rev("device.a.power > 81", false) == plain || rev("device.b.power > 80", false) == plain {
		t.Error("another meaning has the same revision")
	}
}

func TestListsAndExpansion(t *testing.T) {
	n := plantNames(t)
	for _, text := range []string{
		"sum([device.a.power, device.b.power]) > 1", "sum([for p in var.phases : p == \"a\" ? 1 : 2]) + device.a.power > 1",
		"avg(device.a.power, 3) > 1", "coalesce(device.a.power, 0) > 1", "known(device.a.power)", "age(device.a.power) > 60",
		"device.grid.closed == var.on", "device.grid.closed == 1", "!device.grid.closed",
	} {
		if _, diags := compile.With(n.siteOf(&site.Rule{Name: "r", On: "rising", When: expr(t, text)}), n); diags.HasErrors() {
			t.Errorf("%s: %v", text, diags)
		}
	}
}
