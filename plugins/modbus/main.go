// Command voltage-plugin-modbus speaks Modbus TCP and RTU.
package main

import (
	"runtime/debug"

	"github.com/voltage-edge/voltage/plugins/modbus/driver"
	"github.com/voltage-edge/voltage/sdk"
)

// Version of the plugin.
const Version = "0.1.0"

// gcPercent trades a little time for memory: the plugin makes next to no garbage, and edge devices are small.
const gcPercent = 50

func main() {
	debug.SetGCPercent(gcPercent)
	sdk.Serve(sdk.Plugin{
		Name:    "modbus",
		Version: Version,
		Doc:     "Modbus TCP, RTU, and RTU over TCP.",
		Driver:  driver.Driver{},
	})
}
