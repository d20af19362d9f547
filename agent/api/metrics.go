package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrape bounds the making of the metrics.
const scrape = 5 * time.Second

// newMetrics makes the handler of /metrics.
func newMetrics(o Options) (http.Handler, error) {
	reg := prometheus.NewRegistry()
	all := append([]prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newCollector(o.Agent),
	}, o.Collectors...)
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics: %w", err)
		}
	}
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}), nil
}

// collector makes metrics of what the agent says when it is asked.
type collector struct {
	agent Agent
	up    *prometheus.Desc
	desc  map[string]*prometheus.Desc
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// metricDocs are the metrics with their labels.
var metricDocs = []struct {
	name, help string
	labels     []string
}{
	{"agent_info", "Always 1; the version and the site's revision.", []string{"version", "revision", "site"}},
	{"agent_start_time_seconds", "When the agent was started.", nil},
	{"store_up", "1 while Redis answers.", nil},
	{"store_memory_bytes", "Memory that Redis uses.", nil},
	{"store_reconnects_total", "Connections to Redis that were made anew.", nil},
	{"store_apply_p50_seconds", "Time of one round trip of a batch, the median of the last ones.", nil},
	{"store_apply_p99_seconds", "Time of one round trip of a batch, exceeded by one in a hundred of the last ones.", nil},
	{"intake_frames_total", "Frames taken in.", nil},
	{"intake_points_total", "Values taken in.", nil},
	{"intake_frames_per_second", "Frames taken in a second, lately.", nil},
	{"intake_queue_frames", "Frames that wait for Redis.", nil},
	{"intake_skipped_total", "Frames that a newer one of the same device replaced before Redis had them.", nil},
	{"intake_rejected_total", "Frames that were not taken in, by reason.", []string{"reason"}},
	{"journal_bytes", "Size of the journal.", nil},
	{"journal_records_total", "Records written to the journal.", nil},
	{"journal_dropped_total", "Records that retention dropped.", nil},
	{"sink_up", "1 while the sink takes what it is given.", []string{"sink"}},
	{"sink_written_total", "Samples and events that the far end took.", []string{"sink"}},
	{"sink_rejected_total", "Samples and events that the far end refused for good.", []string{"sink"}},
	{"sink_dropped_total", "Records that retention dropped before the sink had them.", []string{"sink"}},
	{"sink_lag_records", "Records that the sink has not written yet.", []string{"sink"}},
	{"sink_lag_bytes", "Bytes of the journal that the sink has not written yet.", []string{"sink"}},
	{"sink_lag_seconds", "Age of the oldest record that the sink has not written yet.", []string{"sink"}},
	{"route_samples_total", "Samples that a route took, by what became of them: passed, early, unchanged, refused.", []string{"route", "sink", "outcome"}},
	{"route_events_total", "Events that went to the sink by the route.", []string{"route", "sink"}},
	{"contact_up", "1 while the contact takes messages.", []string{"contact"}},
	{"contact_sent_total", "Messages that the contact took.", []string{"contact"}},
	{"contact_failures_total", "Attempts at a message that failed.", []string{"contact"}},
	{"contact_lost_total", "Messages that were given up or refused for good.", []string{"contact"}},
	{"contact_pending", "Messages that are not delivered yet.", []string{"contact"}},
	{"plugin_up", "1 while the plugin runs.", []string{"plugin"}},
	{"plugin_restarts_total", "Times that the plugin was started anew.", []string{"plugin"}},
	{"channel_up", "1 while the channel is open.", []string{"channel", "plugin"}},
	{"channel_frames_total", "Frames that came by the channel.", []string{"channel"}},
	{"channel_writes_total", "Set-points that went by the channel.", []string{"channel"}},
	{"device_up", "1 while the device answers.", []string{"device", "channel"}},
	{"device_requests_total", "Requests to the device.", []string{"device"}},
	{"device_failures_total", "Requests that the device did not answer well.", []string{"device"}},
	{"device_frames_total", "Readings of the device.", []string{"device"}},
	{"device_bad_points", "Points of bad quality.", []string{"device"}},
	{"device_latency_seconds", "Time of the last successful poll.", []string{"device"}},
	{"output_value", "What the device was given last.", []string{"output", "unit"}},
	{"output_aim", "Where the output goes.", []string{"output", "unit"}},
	{"output_held", "1 while somebody holds the output.", []string{"output"}},
	{"output_writes_total", "Writes that the device took.", []string{"output"}},
	{"output_failures_total", "Writes that the device refused or did not answer.", []string{"output"}},
	{"alarms_active", "Active alarms by priority.", []string{"priority"}},
	{"rule_evaluations_total", "Frames that the rule was evaluated for.", []string{"rule"}},
	{"rule_fires_total", "Times that the rule acted.", []string{"rule"}},
	{"rule_unknowns_total", "Times that the rule's condition became unknown.", []string{"rule"}},
	{"rule_errors_total", "Evaluations that failed.", []string{"rule"}},
	{"rule_active", "1 while the rule's state is true.", []string{"rule"}},
	{"rule_parked", "1 while the rule is parked after too many errors.", []string{"rule"}},
	{"rule_evaluation_mean_seconds", "Time of one evaluation, the mean of the last samples.", []string{"rule"}},
	{"rule_evaluation_p99_seconds", "Time of one evaluation, exceeded by one in a hundred of the last samples.", []string{"rule"}},
	{"rule_evaluation_max_seconds", "Time of one evaluation, the longest of the last samples.", []string{"rule"}},
	{"alarms_unacknowledged", "Active alarms that nobody acknowledged.", nil},
	{"actions_total", "Alarms that rules and flows wanted raised or cleared, by outcome.", []string{"outcome"}},
	{"alarms_flood", "1 while alarms call for attention more often than anybody can attend to.", nil},
	{"alarms_announced_10min", "How often alarms called for attention within ten minutes.", nil},
	{"alarms_silenced", "Alarms that are shelved, suppressed, out of service or disabled.", []string{"how"}},
	{"alarms_chattering", "Alarms that come and go too often.", nil},
}

func newCollector(a Agent) *collector {
	c := &collector{
		agent: a, desc: map[string]*prometheus.Desc{},
		up: prometheus.NewDesc("voltage_up", "1 while the agent says how it does.", nil, nil),
	}
	for _, m := range metricDocs {
		c.desc[m.name] = prometheus.NewDesc("voltage_"+m.name, m.help, m.labels, nil)
	}
	return c
}

// Describe is for the registry.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	out <- c.up
	for _, d := range c.desc {
		out <- d
	}
}

// sample puts out one metric.
type sample func(name string, kind prometheus.ValueType, value float64, labels ...string)

// Collect is for the registry.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrape)
	defer cancel()
	put := func(name string, kind prometheus.ValueType, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(c.desc[name], kind, value, labels...)
	}
	s, err := c.agent.Status(ctx)
	out <- prometheus.MustNewConstMetric(c.up, gauge, flag(err == nil))
	if err == nil {
		putStatus(s, put)
		putParts(s, put)
		putAlarmFigures(s.Alarms, put)
	}
	if outputs, err := c.agent.Outputs(ctx); err == nil {
		putOutputs(outputs, put)
	}
	if alarms, err := c.agent.Alarms(ctx, false); err == nil {
		putAlarms(alarms, put)
	}
	if rules, err := c.agent.Rules(ctx); err == nil {
		putRules(rules, put)
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func putStatus(s Status, put sample) {
	put("agent_info", gauge, 1, s.Version, s.Revision, s.Site)
	put("agent_start_time_seconds", gauge, float64(s.Started.UnixMilli())/1000)
	put("store_up", gauge, flag(s.Store.State == "ok"))
	put("store_memory_bytes", gauge, float64(s.Store.Memory))
	put("store_reconnects_total", counter, float64(s.Store.Reconnects))
	put("store_apply_p50_seconds", gauge, s.Store.ApplyP50/1000)
	put("store_apply_p99_seconds", gauge, s.Store.ApplyP99/1000)
	put("actions_total", counter, float64(s.Actions.Done), "done")
	put("actions_total", counter, float64(s.Actions.Failed), "failed")
	put("intake_frames_total", counter, float64(s.Intake.Frames))
	put("intake_points_total", counter, float64(s.Intake.Points))
	put("intake_frames_per_second", gauge, s.Intake.Rate)
	put("intake_queue_frames", gauge, float64(s.Intake.Queue))
	put("intake_skipped_total", counter, float64(s.Intake.Skipped))
	for reason, n := range s.Intake.Rejected {
		put("intake_rejected_total", counter, float64(n), reason)
	}
	put("journal_bytes", gauge, float64(s.Journal.Bytes))
	put("journal_records_total", counter, float64(s.Journal.Records))
	put("journal_dropped_total", counter, float64(s.Journal.Dropped))
}

// putAlarmFigures puts out what is known of all alarms; without Redis nothing is.
func putAlarmFigures(a AlarmsStatus, put sample) {
	if a.State == "unknown" {
		return
	}
	put("alarms_flood", gauge, flag(a.State == "flood"))
	put("alarms_announced_10min", gauge, float64(a.Announced10min))
	put("alarms_chattering", gauge, float64(a.Chattering))
	put("alarms_silenced", gauge, float64(a.Shelved), "shelved")
	put("alarms_silenced", gauge, float64(a.Suppressed), "suppressed")
	put("alarms_silenced", gauge, float64(a.OutOfService), "out_of_service")
	put("alarms_silenced", gauge, float64(a.Disabled), "disabled")
}

func putParts(s Status, put sample) {
	for _, k := range s.Sinks {
		put("sink_up", gauge, flag(k.State == "ok"), k.Name)
		put("sink_written_total", counter, float64(k.Written), k.Name)
		put("sink_rejected_total", counter, float64(k.Rejected), k.Name)
		put("sink_dropped_total", counter, float64(k.Dropped), k.Name)
		put("sink_lag_records", gauge, float64(k.LagRecords), k.Name)
		put("sink_lag_bytes", gauge, float64(k.LagBytes), k.Name)
		put("sink_lag_seconds", gauge, k.LagSeconds, k.Name)
		for _, r := range k.Routes {
			put("route_samples_total", counter, float64(r.Passed), r.Route, k.Name, "passed")
			put("route_samples_total", counter, float64(r.Early), r.Route, k.Name, "early")
			put("route_samples_total", counter, float64(r.Unchanged), r.Route, k.Name, "unchanged")
			put("route_samples_total", counter, float64(r.Refused), r.Route, k.Name, "refused")
			put("route_events_total", counter, float64(r.Events), r.Route, k.Name)
		}
	}
	putContacts(s.Notifications.Contacts, put)
	for _, p := range s.Plugins {
		put("plugin_up", gauge, flag(p.State == "running"), p.Name)
		put("plugin_restarts_total", counter, float64(p.Restarts), p.Name)
	}
	for _, ch := range s.Channels {
		put("channel_up", gauge, flag(ch.State == "open"), ch.Name, ch.Plugin)
		put("channel_frames_total", counter, float64(ch.Frames), ch.Name)
		put("channel_writes_total", counter, float64(ch.Writes), ch.Name)
	}
	for _, d := range s.Devices {
		put("device_up", gauge, flag(d.State == "ok" || d.State == "partial"), d.Name, d.Channel)
		put("device_requests_total", counter, float64(d.Requests), d.Name)
		put("device_failures_total", counter, float64(d.Failures), d.Name)
		put("device_frames_total", counter, float64(d.Frames), d.Name)
		put("device_bad_points", gauge, float64(d.Bad), d.Name)
		put("device_latency_seconds", gauge, d.LatencyMS/1000, d.Name)
	}
}

func putOutputs(outputs []Output, put sample) {
	for _, o := range outputs {
		if o.Value != nil {
			put("output_value", gauge, *o.Value, o.Name, o.Unit)
		}
		if o.Aim != nil {
			put("output_aim", gauge, *o.Aim, o.Name, o.Unit)
		}
		put("output_held", gauge, flag(o.Owner != ""), o.Name)
		put("output_writes_total", counter, float64(o.Writes), o.Name)
		put("output_failures_total", counter, float64(o.Failures), o.Name)
	}
}

func putAlarms(alarms []Alarm, put sample) {
	active := map[string]int{"low": 0, "medium": 0, "high": 0, "critical": 0}
	open := 0
	for _, a := range alarms {
		if a.Active {
			active[a.Priority]++
			if !a.Acked {
				open++
			}
		}
	}
	for priority, n := range active {
		put("alarms_active", gauge, float64(n), priority)
	}
	put("alarms_unacknowledged", gauge, float64(open))
}

func putRules(rules []Rule, put sample) {
	for _, r := range rules {
		put("rule_evaluations_total", counter, float64(r.Evaluations), r.Name)
		put("rule_fires_total", counter, float64(r.Fires), r.Name)
		put("rule_unknowns_total", counter, float64(r.Unknowns), r.Name)
		put("rule_errors_total", counter, float64(r.Errors), r.Name)
		put("rule_active", gauge, flag(r.State == "active"), r.Name)
		put("rule_parked", gauge, flag(r.State == "parked"), r.Name)
		if r.Time != nil {
			put("rule_evaluation_mean_seconds", gauge, r.Time.MeanUS/1e6, r.Name)
			put("rule_evaluation_p99_seconds", gauge, r.Time.P99US/1e6, r.Name)
			put("rule_evaluation_max_seconds", gauge, r.Time.MaxUS/1e6, r.Name)
		}
	}
}
