// Command voltage-plugin-line is a complete protocol plugin for Voltage, as a third party would write it: it imports
// nothing of Voltage but the SDK. It speaks a small protocol of lines over TCP, which many home-made devices speak in
// one form or another:
//
//	GET name          →  OK 21.5   or  ERR no such name
//	SET name value    →  OK 21.5   or  ERR read only
//
// Package linedevice is such a device.
package main

import "github.com/voltage-edge/voltage/sdk"

// version is set by the linker for a release: -ldflags "-X main.version=1.2.3".
var version = "0.1.0"

func main() {
	sdk.Serve(sdk.Plugin{
		Name:    "line",
		Version: version,
		Doc:     "Devices that speak lines of text over TCP: GET name, SET name value.",
		Driver:  driver{},
	})
}
