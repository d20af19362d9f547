package protocol

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/internal/wire"
	"github.com/voltage-edge/voltage/sdk/schema"
)

func descriptionIn(r *wire.DescribeResponse) *Description {
	d := &Description{Name: r.GetName(), Version: r.GetVersion(), Doc: r.GetDoc(), Level: int(r.GetProtocol()), raw: r}
	if s := r.GetDriver(); s != nil {
		d.Driver = &sdk.SchemaResponse{
			Channel: blockIn(s.GetChannel()), Device: blockIn(s.GetDevice()), Point: blockIn(s.GetPoint()),
			PointTypes: s.GetPointTypes(), Address: s.GetAddress(),
		}
		d.Checks, d.Profiles = s.GetChecks(), s.GetProfiles()
	}
	if s := r.GetSink(); s != nil {
		d.Sink = &sdk.SinkSchemaResponse{Config: blockIn(s.GetConfig())}
	}
	return d
}

func blockIn(b *wire.Block) schema.Block {
	out := schema.Block{Doc: b.GetDoc()}
	for _, a := range b.GetAttributes() {
		out.Attributes = append(out.Attributes, schema.Attribute{
			Name: a.GetName(), Type: schema.Type(a.GetType()), Doc: a.GetDoc(), Unit: a.GetUnit(), Required: a.GetRequired(),
			Default: a.GetDefault().Plain(), OneOf: a.GetOneOf(), Min: a.Min, Max: a.Max, Sensitive: a.GetSensitive(),
		})
	}
	for _, n := range b.GetBlocks() {
		out.Blocks = append(out.Blocks, schema.Nested{Name: n.GetName(), Required: n.GetRequired(), Many: n.GetMany(), Block: blockIn(n.GetBlock())})
	}
	return out
}

func valuesOut(v sdk.Values) *wire.Values {
	out := &wire.Values{Items: make(map[string]*wire.Value, len(v))}
	for name, item := range v {
		if x := valueOut(item); x != nil {
			out.Items[name] = x
		}
	}
	return out
}

func valueOut(v any) *wire.Value {
	switch v := v.(type) {
	case sdk.Values:
		return &wire.Value{Kind: &wire.Value_Block{Block: valuesOut(v)}}
	case []sdk.Values:
		blocks := &wire.Blocks{}
		for _, b := range v {
			blocks.Items = append(blocks.Items, valuesOut(b))
		}
		return &wire.Value{Kind: &wire.Value_Blocks{Blocks: blocks}}
	default:
		return wire.NewValue(v)
	}
}

func channelOut(c sdk.ChannelSpec) *wire.ChannelSpec {
	out := &wire.ChannelSpec{Name: c.Name, Config: valuesOut(c.Config)}
	for _, d := range c.Devices {
		device := &wire.DeviceSpec{Name: d.Name, Every: int64(d.Every), Config: valuesOut(d.Config), Points: make([]*wire.PointSpec, len(d.Points))}
		for i, p := range d.Points {
			device.Points[i] = &wire.PointSpec{
				Name: p.Name, Index: uint32(max(p.Index, 0)), Text: p.Text, Address: p.Address, Type: p.Type, Unit: p.Unit,
				Scale: p.Scale, Offset: p.Offset, Readable: p.Readable, Writable: p.Writable, Safe: p.Safe, Config: valuesOut(p.Config),
			}
		}
		out.Devices = append(out.Devices, device)
	}
	return out
}

func diagnosticsIn(ds []*wire.Diagnostic) sdk.Diagnostics {
	var out sdk.Diagnostics
	for _, d := range ds {
		severity := sdk.Error
		if d.GetWarning() {
			severity = sdk.Warning
		}
		out = append(out, sdk.Diagnostic{Severity: severity, Summary: d.GetSummary(), Detail: d.GetDetail(), Path: d.GetPath()})
	}
	return out
}

func statusIn(name string, s *wire.DeviceStatus) sdk.DeviceStatus {
	out := sdk.DeviceStatus{
		Device: name, State: sdk.DeviceState(s.GetState()), Error: s.GetError(),
		Requests: s.GetRequests(), Failures: s.GetFailures(), Frames: s.GetFrames(), Latency: time.Duration(s.GetLatency()),
	}
	if s.GetRetryAt() != 0 {
		out.RetryAt = time.Unix(0, s.GetRetryAt())
	}
	return out
}

func resultIn(r *wire.WriteResult) sdk.WriteResponse {
	return sdk.WriteResponse{Err: errorIn(r.GetError()), Written: r.GetWritten(), ReadBack: r.ReadBack, Answer: r.GetAnswer()}
}

func closedIn(c *wire.Closed) Closed {
	out := Closed{Err: errorIn(c.GetError()), Stack: c.GetStack()}
	for _, s := range c.GetSafe() {
		out.Safe = append(out.Safe, SafeWrite{Device: s.GetDevice(), Point: s.GetPoint(), Value: s.GetValue(), Err: errorIn(s.GetError())})
	}
	return out
}

func errorIn(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// seriesKey tells the series of a sink's stream apart.
type seriesKey struct {
	device, point, unit, tags string
	isText                    bool
}

// tagsKey is the same text for the same tags.
func tagsKey(tags map[string]string) string {
	if len(tags) == 0 {
		return ""
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		for _, s := range []string{name, tags[name]} {
			b.WriteString(strconv.Itoa(len(s)))
			b.WriteByte(':')
			b.WriteString(s)
		}
	}
	return b.String()
}

// batchOut turns samples into columns; series holds those that the plugin knows already.
func batchOut(id uint64, req sdk.SinkWriteRequest, series map[seriesKey]uint32) *wire.SinkBatch {
	n := len(req.Samples)
	out := &wire.SinkBatch{Id: id, SampleSeries: make([]uint32, n), Millis: make([]int64, n), Quality: make([]byte, n), Value: make([]float64, n)}
	for i := range req.Samples {
		s := &req.Samples[i]
		key := seriesKey{s.Device, s.Point, s.Unit, tagsKey(s.Tags), s.IsText}
		number, known := series[key]
		if !known {
			number = uint32(len(series))
			series[key] = number
			out.Series = append(out.Series, &wire.Series{Id: number, Device: s.Device, Point: s.Point, Unit: s.Unit, IsText: s.IsText, Tags: s.Tags})
		}
		out.SampleSeries[i], out.Millis[i], out.Quality[i] = number, s.Time.UnixMilli(), byte(s.Quality)
		if s.IsText {
			out.Text = append(out.Text, s.Text)
		} else {
			out.Value[i] = s.Value
		}
	}
	for _, e := range req.Events {
		out.Events = append(out.Events, &wire.Event{Id: e.ID, Millis: e.Time.UnixMilli(), Kind: e.Kind, Fields: e.Fields})
	}
	return out
}
