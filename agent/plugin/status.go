package plugin

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/voltage-edge/voltage/sdk"
)

// Status is how the plugins, channels and sinks do, each sorted by name.
type Status struct {
	Plugins  []PluginStatus
	Channels []ChannelStatus
	Sinks    []SinkStatus
}

// PluginStatus is how a plugin does.
type PluginStatus struct {
	Name  string
	State State
	// Since is when it came into the state.
	Since         time.Time
	Version, Path string
	SHA256        string
	// Locked tells whether the checksum stands in the lock file.
	Locked bool
	// PID of the process, empty while none runs.
	PID      string
	Restarts int
	// Error is why it does not run, or why the last try failed.
	Error string
	// Panic is the text of the last panic that ended it, Stderr its last lines then.
	Panic  string
	Stderr []string
	// RetryAt is when it is started again.
	RetryAt time.Time
}

// ChannelStatus is how a channel does.
type ChannelStatus struct {
	Name, Plugin string
	State        State
	Error        string
	// Stack is that of the driver's panic that ended the channel last.
	Stack string
	// Reopens counts the openings after the first.
	Reopens int
	RetryAt time.Time
	// Frames, Bytes and the time of the last frame; Refused counts the frames that the agent did not take, and Refusal says
	// why.
	Frames, Bytes, Refused uint64
	Refusal                string
	LastFrame              time.Time
	// Devices in the order of the site.
	Devices []sdk.DeviceStatus
}

// SinkStatus is how a sink does.
type SinkStatus struct {
	Name, Plugin string
	State        State
	Error        string
	Reopens      int
	// Batches and Samples that the far end has; Failures counts the batches that it did not take.
	Batches, Samples, Failures uint64
}

// Status tells how everything does.
func (h *Host) Status() Status {
	h.mu.Lock()
	guests, channels, sinks := slices.Collect(maps.Values(h.guests)), slices.Collect(maps.Values(h.channels)), slices.Collect(maps.Values(h.sinks))
	h.mu.Unlock()
	var s Status
	for _, g := range guests {
		s.Plugins = append(s.Plugins, g.status())
	}
	for _, c := range channels {
		s.Channels = append(s.Channels, c.Status())
	}
	for _, x := range sinks {
		s.Sinks = append(s.Sinks, x.Status())
	}
	slices.SortFunc(s.Plugins, func(a, b PluginStatus) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Channels, func(a, b ChannelStatus) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Sinks, func(a, b SinkStatus) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

func (g *guest) status() PluginStatus {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := PluginStatus{
		Name: g.name, State: g.state, Since: g.since, Path: g.path, SHA256: g.sum, Locked: g.locked, PID: g.pid, Restarts: g.restarts,
		Error: text(g.err), Panic: g.panic, Stderr: g.stderr, RetryAt: g.retryAt,
	}
	if g.desc != nil {
		s.Version = g.desc.Version
	}
	return s
}

// Status tells how the channel does.
func (c *Channel) Status() ChannelStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := ChannelStatus{
		Name: c.spec.Name, Plugin: c.plugin, State: c.state, Error: text(c.err), Stack: c.stack, Reopens: c.reopens, RetryAt: c.retryAt,
		Frames: c.counts.frames, Bytes: c.counts.bytes, Refused: c.counts.refused, Refusal: text(c.counts.lastRefusal), LastFrame: c.counts.lastFrame,
	}
	for _, d := range c.spec.Devices {
		status, known := c.devices[d.Name]
		if !known {
			status = sdk.DeviceStatus{Device: d.Name, State: sdk.DeviceConnecting}
		}
		s.Devices = append(s.Devices, status)
	}
	return s
}

// Status tells how the sink does.
func (s *Sink) Status() SinkStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SinkStatus{
		Name: s.req.Name, Plugin: s.plugin, State: s.state, Error: text(s.err), Reopens: s.reopens,
		Batches: s.batches, Samples: s.samples, Failures: s.failed,
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
