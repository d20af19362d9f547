package driver

import (
	"net"
	"time"

	"github.com/voltage-edge/voltage/plugins/modbus/plan"
	"github.com/voltage-edge/voltage/plugins/modbus/wire"
	"github.com/voltage-edge/voltage/sdk"
)

const defaultPort = "502"

// wireConfig is the line of a channel whose config block was checked.
func wireConfig(v sdk.Values) wire.Config {
	return wire.Config{
		Transport: wire.Transport(v.String("transport")),
		Address:   withPort(v.String("address")),
		Serial: wire.Serial{
			Device: v.String("device"), Baud: v.Int("baud"), DataBits: v.Int("data_bits"),
			Parity: v.String("parity"), StopBits: v.Int("stop_bits"),
		},
		Timeout:        v.Duration("timeout"),
		ConnectTimeout: v.Duration("connect_timeout"),
		ConnectDelay:   v.Duration("connect_delay"),
		Pause:          v.Duration("pause"),
		KeepAlive:      v.Duration("keep_alive"),
		CloseIdle:      !v.Bool("keep_connection"),
		Echo:           v.Bool("echo"),
	}
}

func withPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err == nil || address == "" {
		return address
	}
	return net.JoinHostPort(address, defaultPort)
}

// limits are those of a device: its own, else the channel's.
func limits(channel, device sdk.Values) plan.Limits {
	value := func(name string) int {
		if device.Has(name) {
			return device.Int(name)
		}
		return channel.Int(name)
	}
	return plan.Limits{Registers: value("max_registers"), Bits: value("max_bits"), Gap: value("max_gap")}
}

// requestTime is the longest time that one request may take, with all that goes before it.
func requestTime(c wire.Config) time.Duration {
	return c.ConnectTimeout + c.ConnectDelay + c.Pause + 2*c.Timeout + time.Second
}
