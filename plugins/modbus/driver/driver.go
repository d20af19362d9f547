package driver

import (
	"context"
	"time"

	"github.com/voltage-edge/voltage/plugins/modbus/profiles"
	"github.com/voltage-edge/voltage/plugins/modbus/wire"
	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/poll"
)

var (
	_ sdk.DriverWithCheck    = Driver{}
	_ sdk.DriverWithProfiles = Driver{}
)

// Open prepares a channel.
func (d Driver) Open(ctx context.Context, req sdk.OpenRequest, resp *sdk.OpenResponse) {
	var check sdk.CheckResponse
	d.Check(ctx, sdk.CheckRequest(req), &check)
	if resp.Diagnostics = check.Diagnostics; resp.Diagnostics.HasErrors() {
		return
	}
	c := wireConfig(req.Channel.Config)
	l := &link{line: wire.New(c)}
	requests := 1
	for i := range req.Channel.Devices {
		device := newDevice(&req.Channel.Devices[i], limits(req.Channel.Config, req.Channel.Devices[i].Config))
		requests = max(requests, len(device.requests)+splitsPerPoll)
		l.devices = append(l.devices, device)
	}
	options := poll.Options{
		// A write reads a register first when it sets one bit of it, and reads back at the end.
		Timeout:     3 * requestTime(c),
		PollTimeout: time.Duration(requests) * requestTime(c),
		// A late answer has the time to come, and to be thrown away.
		MinBackoff: max(time.Second, 2*c.Timeout),
		MaxBackoff: req.Channel.Config.Duration("max_backoff"),
	}
	channel, err := poll.New(req.Channel, l, options)
	if err != nil {
		resp.Diagnostics.Error(sdk.ChannelPath(), "Can't open the channel", "%v.", err)
		return
	}
	resp.Channel = channel
}

// Profile gives a register map.
func (Driver) Profile(_ context.Context, req sdk.ProfileRequest, resp *sdk.ProfileResponse) {
	resp.CSV, resp.Names = profiles.CSV(req.Name), profiles.Names()
}
