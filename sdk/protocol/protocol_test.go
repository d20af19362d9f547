package protocol_test

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/protocol"
	"github.com/voltage-edge/voltage/sdk/schema"
)

// TestMain makes the test's own executable the plugin that the tests start.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(protocol.Handshake().MagicCookieKey) != "" {
		sdk.Serve(sdk.Plugin{Name: "echo", Version: "0.0.1", Doc: "Says what it hears.", Driver: echo{}})
		return
	}
	os.Exit(m.Run())
}

// echo answers Check with the channel that it was given.
type echo struct{}

func (echo) Schema(_ context.Context, _ sdk.SchemaRequest, resp *sdk.SchemaResponse) {
	*resp = echoSchema()
}

func (echo) Open(_ context.Context, req sdk.OpenRequest, resp *sdk.OpenResponse) {
	resp.Diagnostics.Error(nil, "No", "It has no channels.")
}

func (echo) Check(_ context.Context, req sdk.CheckRequest, resp *sdk.CheckResponse) {
	types := make(map[string]string)
	for name, v := range req.Channel.Config {
		types[name] = reflect.TypeOf(v).String()
	}
	said, err := json.Marshal(map[string]any{"channel": req.Channel, "types": types})
	if err != nil {
		panic(err)
	}
	resp.Diagnostics.Warn(sdk.PointPath("d", "p", "type"), string(said), "detail")
	resp.Diagnostics.Error(sdk.ChannelPath("a", "b"), "an error", "of %d", 2)
}

func echoSchema() sdk.SchemaResponse {
	low, high := -1.5, 0.0
	return sdk.SchemaResponse{
		Channel: schema.Block{Doc: "doc", Attributes: []schema.Attribute{
			{Name: "s", Type: schema.String, Doc: "d", Default: "", OneOf: []string{"", "x"}},
			{Name: "n", Type: schema.Number, Doc: "d", Unit: "ms", Default: 0.0, Min: &low, Max: &high},
			{Name: "b", Type: schema.Bool, Doc: "d", Default: false},
			{Name: "ss", Type: schema.Strings, Doc: "d", Default: []string{"x", "y"}},
			{Name: "ns", Type: schema.Numbers, Doc: "d", Default: []float64{1, 2}},
			{Name: "m", Type: schema.Map, Doc: "d", Default: map[string]string{"k": "v"}},
			{Name: "r", Type: schema.String, Doc: "d", Required: true},
			{Name: "secret", Type: schema.String, Doc: "d", Sensitive: true},
		}, Blocks: []schema.Nested{{Name: "tls", Required: true, Many: true, Block: schema.Block{Doc: "inner", Attributes: []schema.Attribute{{Name: "ca", Type: schema.String}}}}}},
		PointTypes: []string{"a", "b"}, Address: "An address.",
	}
}

// connect starts the plugin.
func connect(t *testing.T) *protocol.Client {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a process")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: protocol.Handshake(), Plugins: protocol.Plugins(), AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS: true, SkipHostEnv: true, Cmd: exec.Command(exe), GRPCDialOptions: protocol.DialOptions(),
		Logger: hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off}),
	})
	t.Cleanup(c.Kill)
	conn, err := c.Client()
	if err != nil {
		t.Fatal(err)
	}
	p, err := protocol.Connect(conn)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestDescriptionArrivesWhole(t *testing.T) {
	p := connect(t)
	d, err := p.Describe(limit(t))
	if err != nil {
		t.Fatal(err)
	}
	want := echoSchema()
	check := func(d *protocol.Description) {
		t.Helper()
		if d.Name != "echo" || d.Version != "0.0.1" || d.Doc == "" || !d.Checks || d.Profiles || d.Sink != nil {
			t.Errorf("%+v", d)
		}
		if !reflect.DeepEqual(*d.Driver, want) {
			t.Errorf("got  %+v\nwant %+v", *d.Driver, want)
		}
	}
	check(d)
	b, err := d.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := protocol.ParseDescription(b)
	if err != nil {
		t.Fatal(err)
	}
	check(kept)
	if _, err := protocol.ParseDescription([]byte("\xff\xff")); err == nil {
		t.Error("rubbish is a description")
	}
}

func TestChannelArrivesWhole(t *testing.T) {
	p := connect(t)
	safe := -0.5
	spec := sdk.ChannelSpec{
		Name: "lan",
		Config: sdk.Values{
			"s": "x", "empty": "", "n": 1.5, "b": false, "ss": []string{"a"}, "ns": []float64{0, 1}, "m": map[string]string{"k": "v"},
			"block": sdk.Values{"inner": 1.0, "deeper": sdk.Values{"x": "y"}}, "blocks": []sdk.Values{{"i": 1.0}, {"i": 2.0}},
		},
		Devices: []sdk.DeviceSpec{{
			Name: "meter[1]", Every: 1500 * time.Millisecond, Config: sdk.Values{"unit": 3.0},
			Points: []sdk.PointSpec{
				{Name: "p", Index: 7, Address: "holding:1", Type: "float32", Unit: "kW", Scale: 0.1, Offset: -2, Readable: true, Writable: true, Safe: &safe, Config: sdk.Values{"order": "CDAB"}},
				{Name: "t", Text: true, Readable: true, Scale: 1, Config: sdk.Values{}},
			},
		}},
	}
	diags, err := p.Check(limit(t), spec)
	if err != nil {
		t.Fatal(err)
	}
	if len(diags) != 2 || diags[0].Severity != sdk.Warning || strings.Join(diags[0].Path, ".") != "device.d.point.p.type" || diags[0].Detail != "detail" ||
		diags[1].Severity != sdk.Error || strings.Join(diags[1].Path, ".") != "config.a.b" || diags[1].Summary != "an error" || diags[1].Detail != "of 2" {
		t.Fatalf("diagnostics: %+v", diags)
	}
	var got struct {
		Channel json.RawMessage
		Types   map[string]string
	}
	if err := json.Unmarshal([]byte(diags[0].Summary), &got); err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Channel) != string(want) {
		t.Errorf("got  %s\nwant %s", got.Channel, want)
	}
	for name, v := range spec.Config {
		if want := reflect.TypeOf(v).String(); got.Types[name] != want {
			t.Errorf("%s arrived as %s, want %s", name, got.Types[name], want)
		}
	}
}

func TestLargeChannel(t *testing.T) {
	p := connect(t)
	spec := sdk.ChannelSpec{Name: "big", Devices: []sdk.DeviceSpec{{Name: "d"}}}
	for range 60_000 {
		spec.Devices[0].Points = append(spec.Devices[0].Points, sdk.PointSpec{Name: strings.Repeat("n", 80), Address: "holding:12345", Type: "float32"})
	}
	// Beyond gRPC's own limit of 4 MB.
	if _, diags, err := p.OpenChannel(limit(t), spec, nil); err != nil || !diags.HasErrors() {
		t.Errorf("%v %v", diags, err)
	}
}

func TestPluginWithoutSinkOrProfiles(t *testing.T) {
	p := connect(t)
	if s, diags, err := p.OpenSink(limit(t), sdk.SinkOpenRequest{Name: "x"}); s != nil || err != nil || !diags.HasErrors() {
		t.Errorf("%v %v %v", s, diags, err)
	}
	if r, err := p.Profile(limit(t), "x"); err != nil || len(r.CSV) != 0 {
		t.Errorf("%v %v", r, err)
	}
}
