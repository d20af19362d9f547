// Command voltage-plugin-modbus speaks Modbus TCP and RTU.
package main

import (
	"runtime"
	"runtime/debug"

	"github.com/voltage-edge/voltage/plugins/modbus/driver"
	"github.com/voltage-edge/voltage/sdk"
)

// Version of the plugin.
const Version = "0.1.0"

// gcPercent trades a little time for memory: the plugin makes next to no garbage, and edge devices are small.
const gcPercent = 50

// processors is how many the plugin works on at a time. It waits for devices most of the time: a second processor is woken
// for each answer, finds nothing to do, and costs a fifth more time than one that does a million values a second alone.
const processors = 1

func main() {
	debug.SetGCPercent(gcPercent)
	runtime.GOMAXPROCS(processors)
	sdk.Serve(sdk.Plugin{
		Name:    "modbus",
		Version: Version,
		Doc:     "Modbus TCP, RTU, and RTU over TCP.",
		Driver:  driver.Driver{},
	})
}
