// Command voltage is the agent of an energy site, and the commands that talk to a running one.
package main

import (
	"os"

	"github.com/voltage-edge/voltage/agent/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
