// Command voltage-plugin-modbus speaks Modbus TCP and RTU.
package main

import (
	"github.com/voltage-edge/voltage/plugins/modbus/driver"
	"github.com/voltage-edge/voltage/sdk"
)

// Version of the plugin.
const Version = "0.1.0"

func main() {
	sdk.Serve(sdk.Plugin{
		Name:    "modbus",
		Version: Version,
		Doc:     "Modbus TCP, RTU, and RTU over TCP.",
		Driver:  driver.Driver{},
	})
}
