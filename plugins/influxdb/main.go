// Command voltage-plugin-influxdb writes samples to InfluxDB 1.8 and 2.
package main

import "github.com/voltage-edge/voltage/sdk"

// Version of the plugin.
const Version = "0.1.0"

func main() {
	sdk.Serve(sdk.Plugin{
		Name:    "influxdb",
		Version: Version,
		Doc:     "InfluxDB 1.8 and 2: one row for each reading of a device.",
		Sink:    sink{},
	})
}
