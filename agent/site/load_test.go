package site_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/schema"
)

// catalogue is what two plugins say of themselves, as literals.
type catalogue struct {
	drivers  map[string]*sdk.SchemaResponse
	sinks    map[string]*sdk.SinkSchemaResponse
	profiles map[string]string
}

func (c catalogue) Driver(_ context.Context, plugin string) (*sdk.SchemaResponse, error) {
	if d := c.drivers[plugin]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("there is no plugin %s: voltage-plugin-%s is neither beside the agent nor in the data folder", plugin, plugin)
}

func (c catalogue) Sink(_ context.Context, plugin string) (*sdk.SinkSchemaResponse, error) {
	if d := c.sinks[plugin]; d != nil {
		return d, nil
	}
	return nil, fmt.Errorf("there is no plugin %s: voltage-plugin-%s is neither beside the agent nor in the data folder", plugin, plugin)
}

func (c catalogue) Profile(_ context.Context, plugin, name string) (*sdk.ProfileResponse, error) {
	if text, ok := c.profiles[plugin+"/"+name]; ok {
		return &sdk.ProfileResponse{CSV: []byte(text)}, nil
	}
	var names []string
	for n := range c.profiles {
		names = append(names, strings.TrimPrefix(n, plugin+"/"))
	}
	sort.Strings(names)
	return &sdk.ProfileResponse{Names: names}, nil
}

func bound(f float64) *float64 { return &f }

func plugins() catalogue {
	return catalogue{
		drivers: map[string]*sdk.SchemaResponse{"modbus": {
			Channel: schema.Block{Attributes: []schema.Attribute{
				{Name: "transport", Type: schema.String, Default: "tcp", OneOf: []string{"tcp", "rtu", "rtu-over-tcp"}, Doc: "How it is reached."},
				{Name: "address", Type: schema.String, Doc: "`host:port`."},
				{Name: "timeout", Type: schema.Duration, Default: "1s", Min: bound(1e6), Max: bound(3e11), Doc: "Longest time to an answer."},
				{Name: "password", Type: schema.String, Sensitive: true, Doc: "Password of the gateway."},
				{Name: "retries", Type: schema.Int, Min: bound(0), Max: bound(10), Doc: "How often a request is repeated."},
			}, Blocks: []schema.Nested{
				{Name: "tls", Block: schema.Block{Attributes: []schema.Attribute{
					{Name: "ca", Type: schema.String, Required: true, Doc: "Certificates."},
					{Name: "key", Type: schema.String, Sensitive: true, Doc: "Key."},
				}}},
				{Name: "map", Many: true, Block: schema.Block{Attributes: []schema.Attribute{
					{Name: "from", Type: schema.Int, Required: true}, {Name: "to", Type: schema.Int, Required: true},
				}}},
			}},
			Device: schema.Block{Attributes: []schema.Attribute{
				{Name: "unit", Type: schema.Int, Required: true, Min: bound(0), Max: bound(255), Doc: "Unit id."},
				{Name: "order", Type: schema.String, Default: "ABCD", OneOf: []string{"ABCD", "CDAB", "BADC", "DCBA"}, Doc: "Byte order."},
			}},
			Point: schema.Block{Attributes: []schema.Attribute{
				{Name: "order", Type: schema.String, OneOf: []string{"ABCD", "CDAB", "BADC", "DCBA"}, Doc: "Byte order."},
				{Name: "bit", Type: schema.Int, Min: bound(0), Max: bound(15), Doc: "Bit."},
				{Name: "length", Type: schema.Int, Min: bound(1), Doc: "Registers of a string."},
				{Name: "invalid", Type: schema.String, Doc: "Raw values that mean that there is none."},
			}},
			PointTypes: []string{"uint16", "bool", "int16", "uint32", "int32", "float32", "float64", "string"},
		}},
		sinks: map[string]*sdk.SinkSchemaResponse{"influxdb": {Config: schema.Block{Attributes: []schema.Attribute{
			{Name: "url", Type: schema.String, Required: true, Doc: "Where the server is."},
			{Name: "bucket", Type: schema.String, Required: true, Doc: "Bucket."},
			{Name: "org", Type: schema.String, Doc: "Organisation."},
			{Name: "token", Type: schema.String, Sensitive: true, Doc: "Token."},
		}}}},
		profiles: map[string]string{
			"modbus/eastron-sdm630": "point,address,type,order,scale,unit,access,bit,length,invalid,description\n" +
				"voltage_l1,input:0,float32,ABCD,,V,r,,,,phase 1 to neutral voltage\n" +
				"power,input:52,float32,ABCD,0.001,kW,r,,,,total power\n" +
				"serial,holding:64512,string,,,,r,,10,,serial number\n" +
				"limit,holding:10,uint16,,,A,rw,,,,current limit\n" +
				"restart,holding:11,uint16,,,,w,,,,restarts it\n",
		},
	}
}

func load(t testing.TB, path string, o site.Options) (*site.Site, hcl.Diagnostics) {
	t.Helper()
	if o.Schemas == nil {
		o.Schemas = plugins()
	}
	if o.Getenv == nil {
		o.Getenv = func(string) (string, bool) { return "", false }
	}
	return site.Load(context.Background(), path, o)
}

// write puts files into a folder of the test's own.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sound loads a site that must be without errors.
func sound(t testing.TB, files map[string]string, o site.Options) *site.Site {
	t.Helper()
	s, diags := load(t, write(t, files), o)
	if diags.HasErrors() {
		t.Fatal(text(t, s, diags))
	}
	return s
}

func text(t testing.TB, s *site.Site, diags hcl.Diagnostics) string {
	t.Helper()
	var b bytes.Buffer
	if err := site.WriteDiagnostics(&b, s.Sources, diags, false, 100); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDemoSite(t *testing.T) {
	s, diags := load(t, "../../site.hcl", site.Options{})
	if len(diags) > 0 {
		t.Fatal(text(t, s, diags))
	}
	if len(s.Sinks) != 0 {
		t.Errorf("without an address there are %d sinks", len(s.Sinks))
	}
	s, diags = load(t, "../../site.hcl", site.Options{Variables: map[string]string{"influxdb_url": "http://127.0.0.1:8086"}})
	if len(diags) > 0 {
		t.Fatal(text(t, s, diags))
	}
	if len(s.Sinks) != 1 || s.Sinks[0].Config.Values.String("url") != "http://127.0.0.1:8086" || s.Sinks[0].Name != "history[influxdb]" {
		t.Errorf("sinks: %+v", s.Sinks)
	}
}

func TestExampleSite(t *testing.T) {
	s, diags := load(t, "testdata/example.hcl", site.Options{Getenv: func(name string) (string, bool) { return "s3cret-token", name == "INFLUX_TOKEN" }})
	if len(diags) > 0 {
		t.Fatal(text(t, s, diags))
	}
	if s.Name != "bakery" || s.Location.String() != "Europe/Berlin" {
		t.Errorf("site %s in %s", s.Name, s.Location)
	}
	out := s.Output("bess.power")
	if out == nil || out.FullName() != "battery.setpoint" || s.Output("battery.setpoint") != out {
		t.Fatalf("output: %+v", out)
	}
	w := out.Write
	if w.Min != -50 || w.Max != 50 || w.Ramp != 10 || w.Safe != 0 || w.ReadBack == nil || w.ReadBack.Within != 0.5 || w.ReadBack.After != 2*time.Second {
		t.Errorf("write: %+v", w)
	}
	if s.Output("battery.soc") != nil || s.Output("bess.soc") != nil || s.Output("x") != nil {
		t.Error("what can't be written is an output")
	}
	if p := s.Point("grid_meter.power"); p == nil || p.Scale != 0.001 || p.Unit != "kW" || p.Index != 1 || p.Config.Values.String("order") != "ABCD" {
		t.Errorf("point of the profile: %+v", p)
	}
	r := s.Rule("peak_shaving")
	if r.For != 2*time.Second || r.Priority != 50 || r.Sets[0].TTL != 30*time.Second || r.Sets[0].Output != out || r.Sets[0].Factor != 1 || r.On != "while" || r.Initial != "arm" {
		t.Errorf("rule: %+v", r)
	}
	a := s.Alarm("grid_overload")
	if a.For != 10*time.Second || a.Deadband != 5 || a.Priority != "high" || a.Unknown != site.UnknownHold || a.MaxShelve != 8*time.Hour || a.Disabled {
		t.Errorf("alarm: %+v", a)
	}
	if k := s.Sink("history"); k.Config.Values.String("token") != "s3cret-token" || !k.Config.Sensitive["token"] || k.BatchSize != 5000 {
		t.Errorf("sink: %+v", k)
	}
	if d := s.Device("battery"); d.Every != time.Second || d.StaleAfter != 3*time.Second || d.Config.Values.Int("unit") != 2 || d.Config.Values.String("order") != "ABCD" {
		t.Errorf("device: %+v", d)
	}
}
