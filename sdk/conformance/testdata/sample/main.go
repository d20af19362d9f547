// Command sample is a plugin for the tests of the suite. Its devices are files: one number each. The variable FAULT makes it
// break one of the rules that the suite is about.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
	"github.com/voltage-edge/voltage/sdk/schema"
)

var fault = os.Getenv("FAULT")

func main() {
	p := sdk.Plugin{Name: "sample", Version: "1.2.3", Doc: "Reads and writes numbers in files.", Driver: driver{}, Sink: sink{}}
	switch fault {
	case "another name":
		p.Name = "simple"
	case "a version that is none":
		p.Version = "v1.2"
	case "no words about itself":
		p.Doc = ""
	case "something printed":
		fmt.Println("sample is starting")
	}
	sdk.Serve(p)
}

type driver struct{}

func (driver) Schema(_ context.Context, _ sdk.SchemaRequest, resp *sdk.SchemaResponse) {
	resp.Channel = schema.Block{Doc: "A folder.", Attributes: []schema.Attribute{{Name: "folder", Type: schema.String, Required: true, Doc: "Where the files are."}}}
	resp.PointTypes = []string{"number"}
	resp.Address = "The name of a file."
	switch fault {
	case "an attribute of the agent's":
		resp.Point = schema.Block{Attributes: []schema.Attribute{{Name: "unit", Type: schema.String, Doc: "The unit."}}}
	case "no types":
		resp.PointTypes = nil
	case "an attribute without words":
		resp.Channel.Attributes[0].Doc = ""
	}
}

func (driver) Check(_ context.Context, req sdk.CheckRequest, resp *sdk.CheckResponse) {
	switch {
	case fault == "a panic in Check":
		panic("no folder")
	case fault == "a good channel refused":
		resp.Diagnostics.Error(sdk.ChannelPath("folder"), "Wrong folder", "Another one is wanted.")
	case req.Channel.Config.String("folder") != "" || fault == "a mistake not seen":
	case fault == "a mistake without its place":
		resp.Diagnostics.Error(nil, "No folder", "Give one.")
	default:
		resp.Diagnostics.Error(sdk.ChannelPath("folder"), "No folder", "Give one.")
	}
}

// newest is the channel that was opened last, for a plugin that knows one only.
var newest atomic.Pointer[channel]

func (driver) Open(_ context.Context, req sdk.OpenRequest, resp *sdk.OpenResponse) {
	c := &channel{spec: req.Channel, folder: req.Channel.Config.String("folder")}
	newest.Store(c)
	resp.Channel = c
}

type channel struct {
	spec   sdk.ChannelSpec
	folder string
}

func (c *channel) file(p sdk.PointSpec) string { return filepath.Join(c.folder, p.Address) }

func (c *channel) Run(ctx context.Context, out sdk.Output) error {
	builders := make([]*frame.Builder, len(c.spec.Devices))
	for i, d := range c.spec.Devices {
		table := d.Table()
		if fault == "frames of another table" {
			table.Numbers = append(table.Numbers, "one_more")
		}
		b, err := frame.NewBuilder(table)
		if err != nil {
			return err
		}
		builders[i] = b
	}
	for n := 0; ; n++ {
		for i, d := range c.spec.Devices {
			if fault == "one frame only" && n > 0 || fault == "one channel only" && newest.Load() != c {
				continue
			}
			if err := c.poll(d, builders[i], out); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (c *channel) poll(d sdk.DeviceSpec, b *frame.Builder, out sdk.Output) error {
	for _, p := range d.Points {
		text, err := os.ReadFile(c.file(p))
		if v, e := strconv.ParseFloat(strings.TrimSpace(string(text)), 64); err == nil && e == nil {
			b.Set(p.Index, v)
		} else {
			b.SetBad(p.Index, frame.NoAnswer)
		}
	}
	at := time.Now()
	if fault == "a clock that is ahead" {
		at = at.Add(time.Hour)
	}
	name := d.Name
	if fault == "a device that nobody knows" {
		name = "stranger"
	}
	if err := out.Frame(name, b.Pack(nil, at)); err != nil {
		return err
	}
	state := sdk.DeviceOK
	if fault == "no state" {
		state = sdk.DeviceConnecting
	}
	return out.Status(sdk.DeviceStatus{Device: d.Name, State: state})
}

func (c *channel) Write(_ context.Context, req sdk.WriteRequest, resp *sdk.WriteResponse) {
	p, ok := c.point(req)
	switch {
	case fault == "writes to anything":
	case !ok:
		resp.Err = fmt.Errorf("there is no point %s.%s", req.Device, req.Point)
		return
	case !p.Writable && fault != "writes to what can only be read":
		resp.Err = fmt.Errorf("%s.%s can only be read", req.Device, req.Point)
		return
	}
	if fault == "writes refused" && !req.Safe {
		resp.Err = errors.New("not today")
		return
	}
	resp.Written = req.Value
	if !ok || fault == "writes that do not arrive" && !req.Safe || fault == "safe values that do not arrive" && req.Safe {
		return
	}
	resp.Err = os.WriteFile(c.file(p), []byte(strconv.FormatFloat(req.Value, 'g', -1, 64)), 0o600)
}

func (c *channel) point(req sdk.WriteRequest) (sdk.PointSpec, bool) {
	for _, d := range c.spec.Devices {
		for _, p := range d.Points {
			if d.Name == req.Device && p.Name == req.Point {
				return p, true
			}
		}
	}
	return sdk.PointSpec{}, false
}

func (c *channel) Close() error { return nil }

type sink struct{}

func (sink) Schema(_ context.Context, _ sdk.SinkSchemaRequest, resp *sdk.SinkSchemaResponse) {
	resp.Config = schema.Block{Doc: "Nothing to say."}
}

func (sink) Open(_ context.Context, _ sdk.SinkOpenRequest, resp *sdk.SinkOpenResponse) {
	resp.Writer = &writer{}
}

type writer struct{ written bool }

func (w *writer) Write(_ context.Context, req sdk.SinkWriteRequest, _ *sdk.SinkWriteResponse) error {
	if fault == "a batch that may not come twice" && w.written {
		return errors.New("I had that already")
	}
	if fault == "an empty batch" && len(req.Samples) == 0 {
		panic(req.Samples[0])
	}
	w.written = true
	return nil
}

func (w *writer) Close() error { return nil }
