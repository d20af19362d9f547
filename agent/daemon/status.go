package daemon

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/intake"
	"github.com/voltage-edge/voltage/agent/plugin"
	"github.com/voltage-edge/voltage/agent/sink"
	"github.com/voltage-edge/voltage/agent/site"
	"github.com/voltage-edge/voltage/agent/store"
	"github.com/voltage-edge/voltage/sdk"
)

// Status is how everything does.
func (a *Agent) Status(ctx context.Context) (api.Status, error) {
	s := a.current()
	st := api.Status{
		Site: s.Name, Version: a.o.Version, Revision: s.Revision, Started: a.started.UTC(), API: a.server.URL(),
		Store: storeStatus(a.store.Status()), Intake: intakeStatus(a.intake.Status()), Journal: a.journalStatus(),
		Plugins: []api.PluginStatus{}, Channels: []api.ChannelStatus{}, Devices: []api.DeviceStatus{}, Sinks: []api.SinkStatus{},
		Schedules: scheduleStatus(s, a.now()), Actions: a.actions.status(),
	}
	h := a.host.Status()
	for _, p := range h.Plugins {
		st.Plugins = append(st.Plugins, pluginStatus(p))
	}
	writes := a.writesByChannel()
	for _, c := range h.Channels {
		st.Channels = append(st.Channels, api.ChannelStatus{
			Name: c.Name, Plugin: c.Plugin, State: channelState(c.State), Error: c.Error, Devices: len(c.Devices), Frames: c.Frames, Writes: writes[c.Name],
		})
		for _, d := range c.Devices {
			st.Devices = append(st.Devices, a.deviceState(s, c, d))
		}
	}
	a.mu.RLock()
	for _, k := range s.Sinks {
		if open := a.sinks[k.Name]; open != nil {
			st.Sinks = append(st.Sinks, sinkStatus(open.runner.Status()))
		}
	}
	stopping, waits := a.stopping, a.troubles[aboutStore]
	a.mu.RUnlock()
	if waits != "" && st.Store.State == string(store.StateOK) { // Redis is there, and what is to run in it is not
		st.Store.State, st.Store.Detail = string(store.StateFailed), waits
	}
	st.Shadow = a.shadowStatus()
	inRedis := a.lastSeen(ctx)
	st.Libraries, st.Alarms = append([]api.Library{}, inRedis.libraries...), inRedis.alarms
	st.Rules = a.rulesStatus(s, inRedis)
	// It has no error of its own.
	st.Notifications, _ = a.Notifications(ctx)
	st.Reasons = append(a.troubleTexts(), reasons(st)...)
	st.State = "ok"
	switch {
	case stopping:
		st.State = "stopping"
	case len(st.Reasons) > 0:
		st.State = "degraded"
	}
	return st, nil
}

// reasons say in sentences what is not as it should be.
func reasons(st api.Status) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if st.Store.State != string(store.StateOK) {
		add("Redis: %s: %s", st.Store.State, st.Store.Detail)
	}
	if st.Journal.State != "ok" {
		add("journal: %s", st.Journal.Error)
	}
	for _, p := range st.Plugins {
		if p.State != string(plugin.Running) {
			add("plugin %s: %s %s", p.Name, p.State, p.Error)
		}
	}
	for _, c := range st.Channels {
		if c.State != channelOpen {
			add("channel %s: %s %s", c.Name, c.State, c.Error)
		}
	}
	for _, d := range st.Devices {
		if d.State != string(sdk.DeviceOK) {
			add("device %s: %s %s", d.Name, d.State, d.Error)
		}
	}
	for _, l := range st.Libraries {
		if l.State != string(store.LibraryOK) {
			add("library %s: %s", l.Name, l.State)
		}
	}
	if r := st.Rules; r.Parked > 0 {
		add("rules: %d parked after too many errors: %s; voltage rules trace NAME says why", r.Parked, strings.Join(r.ParkedRules, ", "))
	}
	for _, k := range st.Sinks {
		if k.State != string(sink.OK) {
			add("sink %s: %s %s", k.Name, k.State, k.Error)
		}
	}
	if n := st.Notifications; n.Error != "" {
		add("notifications: %s", n.Error)
	}
	for _, c := range st.Notifications.Contacts {
		if c.State != "ok" {
			add("contact %s: %s", c.Name, c.Error)
		}
	}
	return out
}

func alarmsStatus(m store.AlarmMetrics) api.AlarmsStatus {
	out := api.AlarmsStatus{
		State: "ok", Defined: m.Alarms, Active: m.Active, Unacknowledged: m.Unacked, Shelved: m.Shelved, Suppressed: m.Suppressed,
		OutOfService: m.OutOfService, Disabled: m.Disabled, Chattering: m.Chattering, Announced10min: m.Annunciations10min,
	}
	if m.Flood {
		out.State = "flood"
	}
	return out
}

// rulesStatus counts the rules and flows of a site.
func (a *Agent) rulesStatus(s *site.Site, in seen) api.RulesStatus {
	out := api.RulesStatus{State: "ok", Failing: in.rules.Failing, Parked: in.rules.Parked, ParkedRules: in.rules.Names}
	count := func(name string, disabled bool, place hcl.Range) {
		out.Defined++
		out.Disabled += bit(disabled)
		out.Switched += bit(s.Switched(name))
		out.Stored += bit(a.ruleFiles.hold(place))
	}
	for _, r := range s.Rules {
		count(r.Name, r.Disabled, written(r))
	}
	for _, x := range s.Flows() {
		count(x.FlowName(), x.Off(), x.Place())
	}
	switch {
	case !in.known:
		out.State = "unknown"
	case out.Parked > 0:
		out.State = "parked"
	case out.Failing > 0:
		out.State = "failing"
	}
	return out
}

func bit(is bool) int {
	if is {
		return 1
	}
	return 0
}

func storeStatus(s store.Status) api.StoreStatus {
	out := api.StoreStatus{
		State: string(s.State), Mode: s.Mode, Version: s.Version, PID: s.Pid, Memory: s.Memory, Reconnects: int(s.Reconnects),
		ApplyP50: milliseconds(s.ApplyP50), ApplyP99: milliseconds(s.ApplyP99),
	}
	if s.State != store.StateOK {
		out.Detail = s.LastError
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func pluginStatus(p plugin.PluginStatus) api.PluginStatus {
	out := api.PluginStatus{
		Name: p.Name, State: string(p.State), Version: p.Version, Path: p.Path, Restarts: p.Restarts, Started: p.Since, Error: p.Error, Panic: p.Panic,
	}
	if pid, err := strconv.Atoi(p.PID); err == nil {
		out.PID = pid
	}
	return out
}

// channelOpen is the state of a channel whose frames flow.
const channelOpen = "open"

// channelState is a channel's state in the words of the API.
func channelState(s plugin.State) string {
	switch s {
	case plugin.Running:
		return channelOpen
	case plugin.Starting:
		return "opening"
	case plugin.Stopped:
		return "stopped"
	}
	return "failed"
}

// writesByChannel counts what control wrote.
func (a *Agent) writesByChannel() map[string]uint64 {
	out := map[string]uint64{}
	for _, o := range a.control.Status() {
		out[o.Channel] += o.Writes
	}
	return out
}

// deviceState joins what the plugin says of a device with what its newest frame says.
func (a *Agent) deviceState(s *site.Site, c plugin.ChannelStatus, d sdk.DeviceStatus) api.DeviceStatus {
	out := api.DeviceStatus{
		Name: d.Device, Channel: c.Name, State: string(d.State), Error: d.Error, Requests: d.Requests, Failures: d.Failures, Frames: d.Frames,
		LatencyMS: milliseconds(d.Latency), RetryAt: d.RetryAt,
	}
	if c.State != plugin.Running {
		out.State, out.Error = "stopped", c.Error
	}
	sd := s.Device(d.Device)
	if sd == nil {
		return out
	}
	out.Points = len(sd.Points)
	r, ok := a.live.Newest(d.Device)
	if !ok {
		t := sd.Table()
		out.Bad = len(t.Numbers) + len(t.Texts)
		return out
	}
	out.LastFrame = time.UnixMilli(r.Millis).UTC()
	for i := range r.View.Len() {
		if r.View.Quality(i).IsBad() {
			out.Bad++
		}
	}
	for i := range r.View.Texts() {
		if r.View.TextQuality(i).IsBad() {
			out.Bad++
		}
	}
	return out
}

func sinkStatus(k sink.Status) api.SinkStatus {
	out := api.SinkStatus{
		Name: k.Name, Plugin: k.Plugin, State: string(k.State), Error: k.Error, Written: k.Written, Rejected: k.Rejected, Dropped: k.Lag.Dropped,
		LagRecords: k.Lag.Records, LagBytes: k.Lag.Bytes, LagSeconds: k.Lag.Age.Seconds(),
		Routes: make([]api.RouteCounts, 0, len(k.Routes)),
	}
	if out.Error == "" {
		out.Error = k.Reason
	}
	for _, r := range k.Routes {
		out.Routes = append(out.Routes, api.RouteCounts{
			Route: r.Route, Sink: k.Name, Taken: r.Taken, Passed: r.Passed, Early: r.Early, Unchanged: r.Unchanged, Refused: r.Refused, Failed: r.Failed, Events: r.Events,
		})
	}
	return out
}

func intakeStatus(i intake.Status) api.IntakeStatus {
	return api.IntakeStatus{
		State: i.State, Frames: i.Frames, Points: i.Points, Rate: i.FramesPerSecond, Queue: i.Queue, Skipped: i.Skipped, Rejected: i.Rejected,
	}
}

func (a *Agent) journalStatus() api.JournalStatus {
	j := a.journal.Stats()
	out := api.JournalStatus{
		State: "ok", Bytes: j.Bytes, Segments: j.Segments, Records: j.Records, Dropped: j.Dropped, Oldest: j.Oldest, Newest: j.Newest,
	}
	if err := errors.Join(j.Err, j.SyncErr); err != nil {
		out.State, out.Error = "failed", err.Error()
	}
	return out
}
