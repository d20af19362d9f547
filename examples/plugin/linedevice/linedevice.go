// Package linedevice is a device that speaks the line protocol: the peer of the plugin's tests, and something to try it
// with.
package linedevice

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
)

// Device holds values by name. Those whose name begins with "ro" are read only.
type Device struct {
	listener net.Listener

	mu     sync.Mutex
	values map[string]string
	sets   []string
	conns  map[net.Conn]struct{}
	done   sync.WaitGroup
}

// Listen starts a device on a TCP address; port 0 picks one.
func Listen(address string, values map[string]string) (*Device, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	d := &Device{listener: l, values: make(map[string]string), conns: make(map[net.Conn]struct{})}
	for name, v := range values {
		d.values[name] = v
	}
	d.done.Go(d.accept)
	return d, nil
}

// Address is where it listens.
func (d *Device) Address() string { return d.listener.Addr().String() }

// Get is a value, empty when there is none.
func (d *Device) Get(name string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.values[name]
}

// Sets are the SET lines that it has taken, in order.
func (d *Device) Sets() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.sets...)
}

// Put changes a value, as the device itself would.
func (d *Device) Put(name, value string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.values[name] = value
}

// Close ends it and its connections.
func (d *Device) Close() error {
	err := d.listener.Close()
	d.mu.Lock()
	for c := range d.conns {
		c.Close()
	}
	d.mu.Unlock()
	d.done.Wait()
	return err
}

func (d *Device) accept() {
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			return
		}
		d.mu.Lock()
		d.conns[conn] = struct{}{}
		d.mu.Unlock()
		d.done.Go(func() {
			d.serve(conn)
			d.mu.Lock()
			delete(d.conns, conn)
			d.mu.Unlock()
		})
	}
}

func (d *Device) serve(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if _, err := fmt.Fprintln(conn, d.answer(lines.Text())); err != nil {
			return
		}
	}
}

func (d *Device) answer(line string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	words := strings.Fields(line)
	switch {
	case len(words) == 2 && words[0] == "GET":
		if v, ok := d.values[words[1]]; ok {
			return "OK " + v
		}
		return "ERR no such name"
	case len(words) == 3 && words[0] == "SET":
		if _, ok := d.values[words[1]]; !ok {
			return "ERR no such name"
		}
		if strings.HasPrefix(words[1], "ro") {
			return "ERR read only"
		}
		d.values[words[1]] = words[2]
		d.sets = append(d.sets, line)
		return "OK " + words[2]
	default:
		return "ERR not understood"
	}
}
