package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/schema"
)

// The values of the attribute quality.
const (
	qualityNotGood = "not good"
	qualityAlways  = "always"
	qualityNever   = "never"
)

const eventsMeasurement = "voltage_events"

// sink is the plugin's sink.
type sink struct{}

// Schema describes the config block.
func (sink) Schema(_ context.Context, _ sdk.SinkSchemaRequest, resp *sdk.SinkSchemaResponse) {
	second := float64(time.Second)
	hour := float64(time.Hour)
	resp.Config = schema.Block{
		Doc: "Each reading of a device becomes one row: the measurement is the device, each point a field, and the site a tag. " +
			"Numbers are always floats, booleans 0 and 1, so that a field's type never changes. A value of bad quality has no field; " +
			"its quality stands in the field `POINT.quality`.",
		Attributes: []schema.Attribute{
			{Name: "url", Type: schema.String, Required: true, Doc: "Address of the server, such as `http://127.0.0.1:8086`."},
			{Name: "bucket", Type: schema.String, Required: true, Doc: "Bucket to write to; in InfluxDB 1.8 `database/retention-policy`. It must exist."},
			{Name: "org", Type: schema.String, Default: "", Doc: "Organisation that owns the bucket; InfluxDB 1.8 has none."},
			{Name: "token", Type: schema.String, Sensitive: true, Doc: "Token that may write to the bucket; in InfluxDB 1.8 `user:password`. Take it from `env()` or `file()`."},
			{Name: "measurement", Type: schema.String, Doc: "One measurement for all devices, which are then told apart by the tag `device`. Left out: each device is a measurement."},
			{Name: "tags", Type: schema.Map, Doc: "Further tags of every row."},
			{Name: "quality", Type: schema.String, Default: qualityNotGood, OneOf: []string{qualityNotGood, qualityAlways, qualityNever}, Doc: "When a point's quality is written: for values that are not good, always, or never."},
			{Name: "events", Type: schema.Bool, Default: false, Doc: "Write alarm transitions, requests, writes and other events, too: to the measurement `" + eventsMeasurement + "`."},
			{Name: "gzip", Type: schema.Bool, Default: true, Doc: "Compress what is sent."},
			{Name: "timeout", Type: schema.Duration, Default: "10s", Min: &second, Max: &hour, Doc: "Longest time that one request may take."},
		},
	}
}

// Open prepares a writer. It does not wait for the server.
func (sink) Open(_ context.Context, req sdk.SinkOpenRequest, resp *sdk.SinkOpenResponse) {
	address, err := url.Parse(req.Config.String("url"))
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		resp.Diagnostics.Error(sdk.ChannelPath("url"), "Invalid address", "Write the server's address with scheme and port, such as http://127.0.0.1:8086.")
	}
	if err := checkMeasurement(req.Config.String("measurement")); err != nil {
		resp.Diagnostics.Error(sdk.ChannelPath("measurement"), "Invalid measurement", "%v.", err)
	}
	for name := range req.Config.Map("tags") {
		if takenTag(name) {
			resp.Diagnostics.Error(sdk.ChannelPath("tags"), "Invalid tag", "The tag %q is taken: by the plugin, or by InfluxDB.", name)
		}
	}
	if resp.Diagnostics.HasErrors() {
		return
	}
	resp.Writer = newWriter(req, address)
}

func checkMeasurement(name string) error {
	if strings.HasPrefix(name, "#") || strings.HasPrefix(name, "_") {
		return fmt.Errorf("a measurement's name must not begin with %q", name[:1])
	}
	return nil
}
