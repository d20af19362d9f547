// Command linedevice is a device to try the plugin with:
//
//	linedevice --listen 127.0.0.1:4001 temp=21.5 set=40
//
// It prints its address, serves the values until it is interrupted, and prints each SET that it takes.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"example.com/voltage-plugin-line/linedevice"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:4001", "host and port; port 0 picks one")
	flag.Parse()
	if err := run(*listen, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(listen string, args []string) error {
	values := map[string]string{}
	for _, a := range args {
		name, value, ok := strings.Cut(a, "=")
		if !ok {
			return fmt.Errorf("%q is no value: write name=value", a)
		}
		values[name] = value
	}
	d, err := linedevice.Listen(listen, values)
	if err != nil {
		return err
	}
	defer d.Close()
	fmt.Println(d.Address())
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt, syscall.SIGTERM)
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for told := 0; ; {
		select {
		case <-end:
			return nil
		case <-look.C:
			sets := d.Sets()
			for _, s := range sets[told:] {
				fmt.Println(s)
			}
			told = len(sets)
		}
	}
}
