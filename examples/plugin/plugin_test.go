package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/conformance"

	"example.com/voltage-plugin-line/linedevice"
)

// build makes the executable as it is shipped.
func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and starts the plugin")
	}
	exe := filepath.Join(t.TempDir(), "voltage-plugin-line")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=1.2.3", "-o", exe, ".")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return exe
}

func boiler(address string) sdk.ChannelSpec {
	safe := 40.0
	return sdk.ChannelSpec{
		Name: "lan", Config: sdk.Values{"address": address, "timeout": float64(time.Second)},
		Devices: []sdk.DeviceSpec{{Name: "boiler", Every: 50 * time.Millisecond, Config: sdk.Values{"prefix": "b1/"}, Points: []sdk.PointSpec{
			{Name: "temperature", Index: 0, Address: "temp", Type: "number", Unit: "°C", Scale: 0.1, Readable: true},
			{Name: "setpoint", Index: 1, Address: "set", Type: "number", Unit: "°C", Scale: 0.1, Readable: true, Writable: true, Safe: &safe},
			{Name: "burner", Index: 2, Type: "bool", Scale: 1, Readable: true},
			{Name: "mode", Index: 0, Text: true, Type: "text", Scale: 1, Readable: true},
		}}},
	}
}

func listen(t *testing.T) *linedevice.Device {
	t.Helper()
	d, err := linedevice.Listen("127.0.0.1:0", map[string]string{"b1/temp": "615", "b1/set": "550", "b1/burner": "on", "b1/mode": "eco"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestConformance(t *testing.T) {
	exe, device := build(t), listen(t)
	spec := boiler(device.Address())
	noPort, noName := boiler("boiler.example"), boiler(device.Address())
	noName.Devices[0].Points[0].Address = "two words"
	conformance.Run(t, exe, conformance.Options{
		Channel: &spec,
		Bad: []conformance.BadChannel{
			{Name: "an address without a port", Channel: noPort, Path: sdk.ChannelPath("address")},
			{Name: "a name with a space", Channel: noName, Path: sdk.PointPath("boiler", "temperature", "address")},
		},
		Read: func(_, point string) (float64, error) {
			raw, err := strconv.ParseFloat(device.Get("b1/set"), 64)
			return raw / 10, err
		},
	})
}

func TestCheck(t *testing.T) {
	textSetPoint := boiler("192.0.2.7:4001")
	textSetPoint.Devices[0].Points[3].Writable = true
	for _, test := range []struct {
		name    string
		channel sdk.ChannelSpec
		want    string
	}{
		{"good", boiler("192.0.2.7:4001"), ""},
		{"no port", boiler("192.0.2.7"), "config.address"},
		{"text set-point", textSetPoint, "device.boiler.point.mode.type"},
	} {
		var resp sdk.CheckResponse
		driver{}.Check(context.Background(), sdk.CheckRequest{Channel: test.channel}, &resp)
		var got string
		for _, d := range resp.Diagnostics {
			got = strings.Join(d.Path, ".")
		}
		if got != test.want {
			t.Errorf("%s: complaint at %q, want %q", test.name, got, test.want)
		}
	}
}
