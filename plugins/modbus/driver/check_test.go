package driver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/voltage-edge/voltage/plugins/modbus/profiles"
	"github.com/voltage-edge/voltage/plugins/modbus/register"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/schema"
)

// complaintsOf are the diagnostics of a channel, as "path: summary".
func complaintsOf(t *testing.T, config sdk.Values, devices ...sdk.DeviceSpec) []string {
	t.Helper()
	spec := sdk.ChannelSpec{Name: "c", Config: values(t, channelBlock, config), Devices: devices}
	var resp sdk.CheckResponse
	Driver{}.Check(context.Background(), sdk.CheckRequest{Channel: spec}, &resp)
	var found []string
	for _, d := range resp.Diagnostics {
		if d.Detail == "" || !strings.HasSuffix(d.Detail, ".") && !strings.HasSuffix(d.Detail, "?") {
			t.Errorf("%s has the detail %q", d.Summary, d.Detail)
		}
		found = append(found, fmt.Sprintf("%s: %s", strings.Join(d.Path, "."), d.Summary))
	}
	return found
}

func TestCheckChannel(t *testing.T) {
	cases := []struct {
		config sdk.Values
		want   []string
	}{
		{sdk.Values{"address": "10.0.0.7:502"}, nil},
		{sdk.Values{"address": "inverter.local"}, nil},
		{sdk.Values{"address": "[fe80::1]:1502"}, nil},
		{sdk.Values{"transport": "rtu", "device": "/dev/ttyUSB0"}, nil},
		{sdk.Values{"transport": "rtu-over-tcp", "address": "10.0.0.7:4196"}, nil},
		{sdk.Values{}, []string{"config.transport: No address"}},
		{sdk.Values{"transport": "rtu"}, []string{"config.transport: No serial port"}},
		{sdk.Values{"transport": "rtu", "device": "/dev/ttyUSB0", "address": "x:1"}, []string{"config.address: A serial line has no address"}},
		{sdk.Values{"address": "x:1", "device": "/dev/ttyUSB0"}, []string{"config.device: A TCP connection has no serial port"}},
		{sdk.Values{"address": "x:99999"}, []string{"config.address: Not an address"}},
		{sdk.Values{"address": ":502"}, []string{"config.address: Not an address"}},
		{sdk.Values{"address": "x:modbus"}, []string{"config.address: Not an address"}},
	}
	for _, c := range cases {
		if got := complaintsOf(t, c.config); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, expected %v", c.config, got, c.want)
		}
	}
}

func TestCheckPoints(t *testing.T) {
	lan := sdk.Values{"address": "x:502"}
	cases := []struct {
		name   string
		points []sdk.PointSpec
		want   []string
	}{
		{"no address", []sdk.PointSpec{numeric("p", "power", "uint16")}, []string{"device.d.point.p.address: Not an address"}},
		{"no type", []sdk.PointSpec{numeric("p", "input:1", "float")}, []string{"device.d.point.p.type: Unknown type"}},
		{"two at once", []sdk.PointSpec{numeric("p", "inputs:1", "float")}, []string{"device.d.point.p.address: Not an address", "device.d.point.p.type: Unknown type"}},
		{"order", []sdk.PointSpec{with(numeric("p", "input:1", "uint32"), "order", "AB")}, []string{"device.d.point.p.order: Unknown byte order"}},
		{"coil that is no bool", []sdk.PointSpec{numeric("p", "coil:1", "uint16")}, []string{"device.d.point.p.type: Not a bool"}},
		{"bit of a number", []sdk.PointSpec{numeric("p", "input:1.3", "uint16")}, []string{"device.d.point.p.type: A bit is a bool"}},
		{"bit of a coil", []sdk.PointSpec{with(numeric("p", "coil:1", "bool"), "bit", 3)}, []string{"device.d.point.p.bit: A bit of a bit"}},
		{"two bits", []sdk.PointSpec{with(numeric("p", "input:1.3", "bool"), "bit", 4)}, []string{"device.d.point.p.bit: Two bits"}},
		{"one bit twice", []sdk.PointSpec{with(numeric("p", "input:1.3", "bool"), "bit", 3)}, nil},
		{"string without length", []sdk.PointSpec{numeric("p", "input:1", "string")}, []string{"device.d.point.p.type: A string without a length"}},
		{"length of a number", []sdk.PointSpec{with(numeric("p", "input:1", "uint16"), "length", 2)}, []string{"device.d.point.p.length: Only a string has a length"}},
		{"beyond the end", []sdk.PointSpec{numeric("p", "input:65535", "uint32")}, []string{"device.d.point.p.address: Beyond the last register"}},
		{"the end", []sdk.PointSpec{numeric("p", "input:65534", "uint32")}, nil},
		{"write to an input", []sdk.PointSpec{writable(numeric("p", "input:1", "uint16"))}, []string{"device.d.point.p.address: Can't be written"}},
		{"write to a discrete input", []sdk.PointSpec{writable(numeric("p", "discrete:1", "bool"))}, []string{"device.d.point.p.address: Can't be written"}},
		{"write of a string", []sdk.PointSpec{writable(with(numeric("p", "holding:1", "string"), "length", 2))}, []string{"device.d.point.p.type: Can't be written"}},
		{"invalid", []sdk.PointSpec{with(numeric("p", "input:1", "uint16"), "invalid", "0x10000")}, []string{"device.d.point.p.invalid: Not a list of raw values"}},
		{"overlap", []sdk.PointSpec{numeric("a", "input:1", "float32"), numeric("b", "input:2", "uint16")}, []string{"device.d.point.b.address: Overlapping registers"}},
		{"two types", []sdk.PointSpec{numeric("a", "input:1", "int16"), numeric("b", "input:1", "uint16")}, []string{"device.d.point.b.address: Overlapping registers"}},
		{"far overlap", []sdk.PointSpec{numeric("a", "input:0", "uint64"), numeric("b", "input:1.1", "bool"), numeric("c", "input:3", "uint16")}, []string{"device.d.point.c.address: Overlapping registers"}},
		{"the same twice", []sdk.PointSpec{numeric("a", "input:1", "int16"), numeric("b", "input:1", "int16")}, nil},
		{"bits beside the word", []sdk.PointSpec{numeric("a", "input:1", "uint16"), numeric("b", "input:1.0", "bool"), numeric("c", "input:1.1", "bool")}, nil},
		{"tables apart", []sdk.PointSpec{numeric("a", "input:1", "float32"), numeric("b", "holding:2", "uint16")}, nil},
	}
	for _, c := range cases {
		if got := complaintsOf(t, lan, deviceSpec(t, "d", 1, nil, c.points...)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, expected %v", c.name, got, c.want)
		}
	}
}

func TestCheckDevice(t *testing.T) {
	lan, line := sdk.Values{"address": "x:502"}, sdk.Values{"transport": "rtu", "device": "/dev/ttyUSB0"}
	if got := complaintsOf(t, lan, deviceSpec(t, "d", 0, nil), deviceSpec(t, "e", 255, nil)); got != nil {
		t.Errorf("units 0 and 255 on TCP: %v", got)
	}
	want := []string{"device.d.config.unit: Not a unit of a serial line", "device.e.config.unit: Not a unit of a serial line"}
	if got := complaintsOf(t, line, deviceSpec(t, "d", 0, nil), deviceSpec(t, "e", 248, nil)); !slices.Equal(got, want) {
		t.Errorf("units 0 and 248 on a serial line: %v", got)
	}
	small := deviceSpec(t, "d", 1, sdk.Values{"max_registers": 2}, numeric("p", "input:0", "uint64"))
	if got := complaintsOf(t, lan, small); !slices.Equal(got, []string{"device.d.point.p.type: Larger than a request"}) {
		t.Errorf("a value larger than a request: %v", got)
	}
}

// TestProfilesPassTheCheck takes each register map as a device of its own.
func TestProfilesPassTheCheck(t *testing.T) {
	for _, name := range profiles.Names() {
		points := profilePoints(t, name)
		if got := complaintsOf(t, sdk.Values{"address": "x:502"}, deviceSpec(t, "d", 1, nil, points...)); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestProfileThatIsNone(t *testing.T) {
	var resp sdk.ProfileResponse
	Driver{}.Profile(context.Background(), sdk.ProfileRequest{Name: "eastron"}, &resp)
	if resp.CSV != nil || !slices.Contains(resp.Names, "eastron-sdm630") {
		t.Errorf("%+v", resp)
	}
}

func TestSchemaIsWhole(t *testing.T) {
	var resp sdk.SchemaResponse
	Driver{}.Schema(context.Background(), sdk.SchemaRequest{}, &resp)
	if resp.PointTypes[0] != register.Uint16.String() || resp.Address == "" {
		t.Errorf("%+v", resp)
	}
	for _, b := range []schema.Block{resp.Channel, resp.Device, resp.Point} {
		for _, a := range b.Attributes {
			if a.Doc == "" || !strings.HasSuffix(a.Doc, ".") {
				t.Errorf("%s is documented as %q", a.Name, a.Doc)
			}
			if s, ok := a.Default.(string); ok && len(a.OneOf) > 0 && !slices.Contains(a.OneOf, s) {
				t.Errorf("%s has the default %q, which it may not have", a.Name, s)
			}
		}
	}
}
