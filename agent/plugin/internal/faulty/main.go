// Command faulty is a plugin that misbehaves on demand, for the host's tests. The variable FAULT says how it starts; a
// write to one of its points says what it does then.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
	"github.com/voltage-edge/voltage/sdk/schema"
)

func main() {
	switch os.Getenv("FAULT") {
	case "exit":
		fmt.Fprintln(os.Stderr, "no licence found in /etc/faulty")
		os.Exit(7)
	case "crash":
		panic("crash at start")
	case "mute":
		time.Sleep(time.Hour)
	case "noise":
		fmt.Println("Welcome to faulty!")
		fmt.Println("1|not|a|handshake")
		go func() {
			for {
				fmt.Println("still here")
				time.Sleep(time.Millisecond)
			}
		}()
	case "badlog":
		fmt.Fprintln(os.Stderr, `{"@message":5,"@level":["info"],"@timestamp":true}`)
		fmt.Fprintln(os.Stderr, strings.Repeat("x", 200_000))
	case "env":
		fmt.Fprintln(os.Stderr, "environment: "+strings.Join(os.Environ(), " "))
	}
	name := "faulty"
	if n := os.Getenv("CALL_ME"); n != "" {
		name = n
	}
	sdk.Serve(sdk.Plugin{Name: name, Version: "1.2.3", Doc: "Misbehaves.", Driver: driver{}, Sink: sink{}})
}

type driver struct{}

func (driver) Schema(_ context.Context, _ sdk.SchemaRequest, resp *sdk.SchemaResponse) {
	resp.Channel = schema.Block{Doc: "A channel.", Attributes: []schema.Attribute{
		{Name: "record", Type: schema.String, Required: true, Doc: "File to which the writes are appended."},
		{Name: "open", Type: schema.String, Doc: "What goes wrong at the opening: refuse, panic, hang, nothing."},
		{Name: "close", Type: schema.String, Doc: "What goes wrong at the end: hang, panic."},
	}}
	resp.PointTypes = []string{"number"}
}

func (driver) Check(_ context.Context, req sdk.CheckRequest, resp *sdk.CheckResponse) {
	if req.Channel.Config.String("open") == "panic-in-check" {
		panic("check failed me")
	}
	if req.Channel.Config.String("record") == "" {
		resp.Diagnostics.Error(sdk.ChannelPath("record"), "No file", "Give one.")
	}
}

func (driver) Open(_ context.Context, req sdk.OpenRequest, resp *sdk.OpenResponse) {
	switch req.Channel.Config.String("open") {
	case "refuse":
		resp.Diagnostics.Error(sdk.ChannelPath("open"), "Refused", "As you wish.")
		return
	case "panic":
		panic("open failed me")
	case "hang":
		time.Sleep(time.Hour)
	case "nothing":
		return
	}
	resp.Channel = &channel{spec: req.Channel, ends: make(chan error, 1), flood: make(chan int, 1)}
}

type channel struct {
	spec  sdk.ChannelSpec
	ends  chan error
	flood chan int
	mu    sync.Mutex
}

func (c *channel) Run(ctx context.Context, out sdk.Output) error {
	if err := c.sender(out)(1); err != nil {
		return err
	}
	for _, d := range c.spec.Devices {
		if err := out.Status(sdk.DeviceStatus{Device: d.Name, State: sdk.DeviceOK, Frames: 1}); err != nil {
			return err
		}
	}
	n, send := 1.0, c.sender(out)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-c.ends:
			if err == nil {
				panic("run failed me")
			}
			return err
		case count := <-c.flood:
			for range count {
				n++
				if err := send(n); err != nil {
					return err
				}
			}
		}
	}
}

// sender returns a function that sends a frame of each device with all its points at v.
func (c *channel) sender(out sdk.Output) func(v float64) error {
	var builders []*frame.Builder
	for _, d := range c.spec.Devices {
		b, err := frame.NewBuilder(d.Table())
		if err != nil {
			panic(err)
		}
		builders = append(builders, b)
	}
	var packed []byte
	return func(v float64) error {
		for i, d := range c.spec.Devices {
			for j := range d.Table().Numbers {
				builders[i].Set(j, v)
			}
			packed = builders[i].Pack(packed[:0], time.Now())
			if err := out.Frame(d.Name, packed); err != nil {
				return err
			}
		}
		return nil
	}
}

func (c *channel) Write(ctx context.Context, req sdk.WriteRequest, resp *sdk.WriteResponse) {
	resp.Written = req.Value
	if req.Safe {
		hclog.FromContext(ctx).Info("a safe value", "point", req.Point)
		fmt.Println("writing a safe value")
		if req.Point == "hang" {
			time.Sleep(time.Hour)
		}
		c.record(req)
		return
	}
	switch req.Point {
	case "panic":
		panic("write failed me")
	case "crash":
		go func() { panic("a goroutine failed me") }()
		time.Sleep(time.Hour)
	case "exit":
		os.Exit(3)
	case "hang":
		time.Sleep(time.Hour)
	case "slow":
		<-ctx.Done()
		resp.Err = ctx.Err()
	case "refuse":
		resp.Err = errors.New("the device refuses")
		resp.Answer = "exception 2"
	case "end":
		c.ends <- errors.New("the bus is on fire")
	case "runpanic":
		c.ends <- nil
	case "flood":
		c.flood <- int(req.Value)
	case "pace":
		// Of the benchmark: so many frames, ten at a time, ten times a second.
		go func() {
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for range int(req.Value) / 10 {
				<-tick.C
				c.flood <- 10
			}
		}()
	case "child":
		cmd := exec.Command("/bin/sleep", "3600")
		cmd.Stderr = os.Stderr
		resp.Err = cmd.Start()
		if resp.Err == nil {
			resp.Answer = fmt.Sprint(cmd.Process.Pid)
		}
	case "stdout":
		fmt.Println("printed by a driver")
		fmt.Fprintln(os.Stderr, "complained by a driver")
		hclog.FromContext(ctx).Warn("logged by a driver", "answer", 42)
	default:
		c.record(req)
	}
}

func (c *channel) record(req sdk.WriteRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := os.OpenFile(c.spec.Config.String("record"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "%s %s.%s=%v safe=%v\n", c.spec.Name, req.Device, req.Point, req.Value, req.Safe)
}

func (c *channel) Close() error {
	switch c.spec.Config.String("close") {
	case "hang":
		time.Sleep(time.Hour)
	case "panic":
		panic("close failed me")
	}
	return nil
}

type sink struct{}

func (sink) Schema(_ context.Context, _ sdk.SinkSchemaRequest, resp *sdk.SinkSchemaResponse) {
	resp.Config = schema.Block{Doc: "A sink.", Attributes: []schema.Attribute{{Name: "record", Type: schema.String, Required: true, Doc: "File."}}}
}

func (sink) Open(_ context.Context, req sdk.SinkOpenRequest, resp *sdk.SinkOpenResponse) {
	resp.Writer = &writer{file: req.Config.String("record")}
}

type writer struct{ file string }

// Write appends the samples to the file; the event kinds are orders.
func (w *writer) Write(ctx context.Context, req sdk.SinkWriteRequest, resp *sdk.SinkWriteResponse) error {
	for _, e := range req.Events {
		switch e.Kind {
		case "fail":
			return errors.New("the far end is away")
		case "panic":
			panic("the writer failed me")
		case "reject":
			resp.Rejected, resp.Reason = 1, e.Fields["why"]
		case "hang":
			<-ctx.Done()
			return ctx.Err()
		}
	}
	f, err := os.OpenFile(w.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, s := range req.Samples {
		fmt.Fprintf(f, "%s.%s %v %q %s %s %d\n", s.Device, s.Point, s.Value, s.Text, s.Unit, s.Quality, s.Time.UnixMilli())
	}
	return nil
}

func (w *writer) Close() error { return nil }
