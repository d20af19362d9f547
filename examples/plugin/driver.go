package main

import (
	"context"
	"net"
	"regexp"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/poll"
	"github.com/voltage-edge/voltage/sdk/schema"
)

// driver opens channels: one TCP connection each.
type driver struct{}

var (
	_ sdk.DriverWithCheck    = driver{}
	_ sdk.DriverWithProfiles = driver{}
)

// Schema describes what the driver takes in site.hcl. It is the check, the documentation and the decoder at once.
func (driver) Schema(_ context.Context, _ sdk.SchemaRequest, resp *sdk.SchemaResponse) {
	shortest, longest := 10e6, 60e9
	resp.Channel = schema.Block{
		Doc: "One TCP connection to a gateway or device.",
		Attributes: []schema.Attribute{
			{Name: "address", Type: schema.String, Required: true, Doc: "Host and port, `192.0.2.7:4001`."},
			{Name: "timeout", Type: schema.Duration, Default: "1s", Min: &shortest, Max: &longest, Doc: "How long a device may take to answer."},
		},
	}
	resp.Device = schema.Block{
		Doc: "One device behind the connection.",
		Attributes: []schema.Attribute{
			{Name: "prefix", Type: schema.String, Default: "", Doc: "Put before the name of each point: `room1/`."},
		},
	}
	resp.PointTypes = []string{"number", "bool", "text"}
	resp.Address = "The name that follows GET and SET; left out, the name of the point."
}

var validName = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// Check says what a schema can't: that an address can be one, that a name fits into a line.
func (driver) Check(_ context.Context, req sdk.CheckRequest, resp *sdk.CheckResponse) {
	address := req.Channel.Config.String("address")
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		resp.Diagnostics.Error(sdk.ChannelPath("address"), "Not an address", "%q has no host and port. Write it like \"192.0.2.7:4001\".", address)
	}
	for _, d := range req.Channel.Devices {
		for _, p := range d.Points {
			if name := lineName(d, p); !validName.MatchString(name) {
				resp.Diagnostics.Error(sdk.PointPath(d.Name, p.Name, "address"), "Not a name", "%q can't be asked for: letters, digits and _ . / - only.", name)
			}
			if p.Type == "text" && p.Writable {
				resp.Diagnostics.Error(sdk.PointPath(d.Name, p.Name, "type"), "Text can't be set", "Set-points are numbers.")
			}
		}
	}
}

// profiles are the register maps that the plugin ships.
var profiles = map[string]string{
	"boiler": "point,address,type,unit,access\n" +
		"temperature,temp,number,°C,r\n" +
		"pressure,press,number,bar,r\n" +
		"setpoint,set,number,°C,rw\n",
}

// Profile gives a register map by name, or the names that there are.
func (driver) Profile(_ context.Context, req sdk.ProfileRequest, resp *sdk.ProfileResponse) {
	if csv, ok := profiles[req.Name]; ok {
		resp.CSV = []byte(csv)
	}
	for name := range profiles {
		resp.Names = append(resp.Names, name)
	}
}

// Open prepares a channel. It does not connect: package poll does, again and again if need be.
func (driver) Open(_ context.Context, req sdk.OpenRequest, resp *sdk.OpenResponse) {
	link := &link{address: req.Channel.Config.String("address")}
	channel, err := poll.New(req.Channel, link, poll.Options{Timeout: req.Channel.Config.Duration("timeout")})
	if err != nil {
		resp.Diagnostics.Error(sdk.ChannelPath(), "Channel can't be opened", "%v", err)
		return
	}
	resp.Channel = channel
}
