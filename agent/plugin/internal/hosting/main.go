// Command hosting is a host for the tests to kill: it opens a channel as its arguments say, writes a set-point, prints
// "ready" with the plugin's process id, and waits.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/voltage-edge/voltage/agent/plugin"
	"github.com/voltage-edge/voltage/sdk"
)

// Order is what to do, as JSON in the first argument.
type Order struct {
	AgentDir, RunDir, Plugin string
	Channels                 []sdk.ChannelSpec
	Device, Point            string
	Value                    float64
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var o Order
	if err := json.Unmarshal([]byte(os.Args[1]), &o); err != nil {
		return err
	}
	h, err := plugin.NewHost(plugin.Options{AgentDir: o.AgentDir, RunDir: o.RunDir, Log: hclog.New(&hclog.LoggerOptions{Output: os.Stderr})})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, spec := range o.Channels {
		c, err := h.OpenChannel(ctx, o.Plugin, spec)
		if err != nil {
			return err
		}
		if err := c.Wait(ctx); err != nil {
			return err
		}
		if o.Point == "" {
			continue
		}
		resp, err := c.Write(ctx, o.Device, o.Point, o.Value)
		if err != nil {
			return err
		}
		if resp.Err != nil {
			return resp.Err
		}
	}
	fmt.Println("ready", h.Status().Plugins[0].PID)
	select {}
}
