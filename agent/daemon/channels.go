package daemon

import (
	"context"
	"fmt"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/intake"
	"github.com/voltage-edge/voltage/agent/plugin"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/sdk"
)

// openChannel opens a channel; its frames flow as soon as the plugin runs.
func (a *Agent) openChannel(ctx context.Context, s *site.Site, c *site.Channel) error {
	ch, err := a.host.OpenChannel(ctx, c.Plugin, s.ChannelSpec(c))
	if err != nil {
		return fmt.Errorf("open channel %s: %w", c.Name, err)
	}
	a.mu.Lock()
	a.channels[c.Name] = ch
	a.mu.Unlock()
	return nil
}

// closeChannel drains a channel: its outputs are at their safe values then, and its values unknown.
func (a *Agent) closeChannel(ctx context.Context, c *site.Channel) {
	a.mu.Lock()
	ch := a.channels[c.Name]
	delete(a.channels, c.Name)
	a.mu.Unlock()
	if ch == nil {
		return
	}
	if err := ch.Drain(ctx); err != nil {
		a.log.Warn("channel did not end in order", "channel", c.Name, "error", err)
	}
	for _, d := range c.Devices {
		a.intake.Stopped(d.Name)
	}
}

// channelOf is the open channel of a device.
func (a *Agent) channelOf(device string) (*plugin.Channel, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	d := a.site.Device(device)
	if d == nil {
		return nil, fmt.Errorf("the site has no device %s", device)
	}
	ch := a.channels[d.Channel.Name]
	if ch == nil {
		return nil, fmt.Errorf("channel %s of device %s is not open", d.Channel.Name, device)
	}
	return ch, nil
}

// frame takes a frame from a plugin.
func (a *Agent) frame(_, device string, packed []byte) error { return a.intake.Frame(device, packed) }

// deviceStatus takes a device's state. One that answers again may have forgotten its set-points.
func (a *Agent) deviceStatus(_ string, s sdk.DeviceStatus) {
	a.mu.Lock()
	before := a.states[s.Device]
	a.states[s.Device] = string(s.State)
	a.mu.Unlock()
	answers := s.State == sdk.DeviceOK || s.State == sdk.DevicePartial
	answered := before == string(sdk.DeviceOK) || before == string(sdk.DevicePartial)
	if answers && !answered && before != "" {
		a.control.Reapply(s.Device)
	}
}

// publish shows changed values to whoever watches.
func (a *Agent) publish(values []intake.Value) {
	now := a.now()
	out := make([]api.Value, len(values))
	for i, v := range values {
		out[i] = apiValue(v, now)
	}
	a.hub.Values(out...)
	a.measured.changed()
}

// RestartPlugin ends a plugin's process and starts it again.
func (a *Agent) RestartPlugin(_ context.Context, name string) error {
	if err := a.host.Restart(name); err != nil {
		names := []string{}
		for _, p := range a.host.Status().Plugins {
			names = append(names, p.Name)
		}
		return unknown("running plugin", name, names)
	}
	return nil
}
