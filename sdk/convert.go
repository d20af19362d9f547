package sdk

import (
	"errors"
	"time"

	"github.com/voltage-edge/voltage/sdk/frame"
	"github.com/voltage-edge/voltage/sdk/internal/wire"
	"github.com/voltage-edge/voltage/sdk/schema"
)

// The plugin's half of the conversion between this package's types and the protocol's: requests come in, responses go
// out. Package protocol has the host's half.

func (p Plugin) description(schema *SchemaResponse, sink *SinkSchemaResponse) *wire.DescribeResponse {
	out := &wire.DescribeResponse{Name: p.Name, Version: p.Version, Doc: p.Doc, Protocol: wire.ProtocolLevel}
	if schema != nil {
		_, checks := p.Driver.(DriverWithCheck)
		_, profiles := p.Driver.(DriverWithProfiles)
		out.Driver = &wire.DriverSchema{
			Channel: blockOut(schema.Channel), Device: blockOut(schema.Device), Point: blockOut(schema.Point),
			PointTypes: schema.PointTypes, Address: schema.Address, Checks: checks, Profiles: profiles,
		}
	}
	if sink != nil {
		out.Sink = &wire.SinkSchema{Config: blockOut(sink.Config)}
	}
	return out
}

func blockOut(b schema.Block) *wire.Block {
	out := &wire.Block{Doc: b.Doc}
	for _, a := range b.Attributes {
		out.Attributes = append(out.Attributes, &wire.Attribute{
			Name: a.Name, Type: string(a.Type), Doc: a.Doc, Unit: a.Unit, Required: a.Required, Default: wire.NewValue(a.Default),
			OneOf: a.OneOf, Min: a.Min, Max: a.Max, Sensitive: a.Sensitive,
		})
	}
	for _, n := range b.Blocks {
		out.Blocks = append(out.Blocks, &wire.Nested{Name: n.Name, Required: n.Required, Many: n.Many, Block: blockOut(n.Block)})
	}
	return out
}

func valuesIn(v *wire.Values) Values {
	out := make(Values, len(v.GetItems()))
	for name, item := range v.GetItems() {
		if x := valueIn(item); x != nil {
			out[name] = x
		}
	}
	return out
}

func valueIn(v *wire.Value) any {
	switch k := v.GetKind().(type) {
	case *wire.Value_Block:
		return valuesIn(k.Block)
	case *wire.Value_Blocks:
		blocks := make([]Values, len(k.Blocks.GetItems()))
		for i, b := range k.Blocks.GetItems() {
			blocks[i] = valuesIn(b)
		}
		return blocks
	default:
		return v.Plain()
	}
}

func channelIn(c *wire.ChannelSpec) ChannelSpec {
	out := ChannelSpec{Name: c.GetName(), Config: valuesIn(c.GetConfig()), Devices: make([]DeviceSpec, len(c.GetDevices()))}
	for i, d := range c.GetDevices() {
		device := DeviceSpec{Name: d.GetName(), Every: time.Duration(d.GetEvery()), Config: valuesIn(d.GetConfig()), Points: make([]PointSpec, len(d.GetPoints()))}
		for j, p := range d.GetPoints() {
			device.Points[j] = PointSpec{
				Name: p.GetName(), Index: int(p.GetIndex()), Text: p.GetText(), Address: p.GetAddress(), Type: p.GetType(), Unit: p.GetUnit(),
				Scale: p.GetScale(), Offset: p.GetOffset(), Readable: p.GetReadable(), Writable: p.GetWritable(), Safe: p.Safe,
				Config: valuesIn(p.GetConfig()),
			}
			if !p.GetReadable() {
				device.Points[j].Index = -1
			}
		}
		out.Devices[i] = device
	}
	return out
}

func diagnosticsOut(ds Diagnostics) []*wire.Diagnostic {
	var out []*wire.Diagnostic
	for _, d := range ds {
		out = append(out, &wire.Diagnostic{Warning: d.Severity == Warning, Summary: d.Summary, Detail: d.Detail, Path: d.Path})
	}
	return out
}

func statusOut(index uint32, s DeviceStatus) *wire.DeviceStatus {
	out := &wire.DeviceStatus{
		Device: index, State: string(s.State), Error: s.Error,
		Requests: s.Requests, Failures: s.Failures, Frames: s.Frames, Latency: int64(s.Latency),
	}
	if !s.RetryAt.IsZero() {
		out.RetryAt = s.RetryAt.UnixNano()
	}
	return out
}

func resultOut(id uint64, r WriteResponse) *wire.WriteResult {
	out := &wire.WriteResult{Id: id, Written: r.Written, ReadBack: r.ReadBack, Answer: r.Answer}
	if r.Err != nil {
		out.Error = errorText(r.Err)
	}
	return out
}

// errorText is never empty: an empty text means success on the wire.
func errorText(err error) string {
	if s := err.Error(); s != "" {
		return s
	}
	return "the driver gave an error without a text"
}

// batchIn turns a batch into samples; series grows by the ones that the batch introduces.
func batchIn(b *wire.SinkBatch, series map[uint32]*wire.Series) (SinkWriteRequest, error) {
	for _, s := range b.GetSeries() {
		series[s.GetId()] = s
	}
	n := len(b.GetSampleSeries())
	if len(b.GetMillis()) != n || len(b.GetQuality()) != n || len(b.GetValue()) != n {
		return SinkWriteRequest{}, errors.New("the columns of the batch differ in length")
	}
	req := SinkWriteRequest{Samples: make([]Sample, n)}
	texts := b.GetText()
	for i, id := range b.GetSampleSeries() {
		s := series[id]
		if s == nil {
			return SinkWriteRequest{}, errors.New("the batch refers to a series that was not told")
		}
		req.Samples[i] = Sample{
			Device: s.GetDevice(), Point: s.GetPoint(), Unit: s.GetUnit(), IsText: s.GetIsText(), Tags: s.GetTags(),
			Time: time.UnixMilli(b.GetMillis()[i]).UTC(), Quality: frame.Quality(b.GetQuality()[i]), Value: b.GetValue()[i],
		}
		if s.GetIsText() {
			if len(texts) == 0 {
				return SinkWriteRequest{}, errors.New("the batch has fewer texts than samples of text series")
			}
			req.Samples[i].Text, texts = texts[0], texts[1:]
		}
	}
	for _, e := range b.GetEvents() {
		req.Events = append(req.Events, Event{ID: e.GetId(), Time: time.UnixMilli(e.GetMillis()).UTC(), Kind: e.GetKind(), Fields: e.GetFields()})
	}
	return req, nil
}
