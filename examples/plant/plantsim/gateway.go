package plantsim

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	mbapHeader = 7 // transaction, protocol, length, unit
	maxADU     = 260
)

// accept opens the front door: a gateway that relays requests to the Modbus server and answers back, one at a time per
// connection. Requests get lost and answers late here, as they do on the bus behind a real gateway.
func (p *Plant) accept() error {
	p.link.Lock()
	defer p.link.Unlock()
	if p.front != nil || p.closed {
		return nil
	}
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		return fmt.Errorf("listen for Modbus TCP: %w", err)
	}
	p.front, p.address = l, l.Addr().String()
	p.setRefused(false)
	p.done.Add(1)
	go p.serve(l)
	return nil
}

// refuse closes the front door and every connection; accept opens it again on the same port.
func (p *Plant) refuse() error {
	p.link.Lock()
	defer p.link.Unlock()
	p.closeFront()
	p.setRefused(true)
	return nil
}

func (p *Plant) setRefused(is bool) {
	p.mu.Lock()
	p.refused = is
	p.mu.Unlock()
}

// closeFront is called with link held.
func (p *Plant) closeFront() {
	if p.front != nil {
		p.front.Close()
		p.front = nil
	}
	for c := range p.clients {
		c.Close()
	}
}

func (p *Plant) serve(l net.Listener) {
	defer p.done.Done()
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		p.link.Lock()
		if p.front != l {
			p.link.Unlock()
			client.Close()
			return
		}
		p.clients[client] = struct{}{}
		p.done.Add(1)
		p.link.Unlock()
		go p.relay(client)
	}
}

func (p *Plant) relay(client net.Conn) {
	defer p.done.Done()
	defer func() {
		client.Close()
		p.link.Lock()
		delete(p.clients, client)
		p.link.Unlock()
	}()
	server, err := net.Dial("tcp", p.backend)
	if err != nil {
		return
	}
	defer server.Close()
	var request, answer [maxADU]byte
	for {
		n, err := readADU(client, request[:])
		if err != nil {
			return
		}
		p.mu.Lock()
		fault := p.fault(request[6])
		p.mu.Unlock()
		if fault.Kind == Dead {
			continue
		}
		if fault.Kind == Exception {
			if _, err := client.Write(exception(request[:n], fault.Code)); err != nil {
				return
			}
			continue
		}
		if _, err := server.Write(request[:n]); err != nil {
			return
		}
		if n, err = readADU(server, answer[:]); err != nil {
			return
		}
		if fault.Kind == Slow {
			select {
			case <-time.After(fault.Delay):
			case <-p.ctx.Done():
				return
			}
		}
		if _, err := client.Write(answer[:n]); err != nil {
			return
		}
	}
}

func readADU(r io.Reader, buffer []byte) (int, error) {
	if _, err := io.ReadFull(r, buffer[:mbapHeader]); err != nil {
		return 0, err
	}
	n := mbapHeader - 1 + int(binary.BigEndian.Uint16(buffer[4:]))
	if n <= mbapHeader || n > len(buffer) {
		return 0, fmt.Errorf("request of %d bytes", n)
	}
	_, err := io.ReadFull(r, buffer[mbapHeader:n])
	return n, err
}

func exception(request []byte, code uint8) []byte {
	if code == 0 {
		code = 4
	}
	answer := append([]byte(nil), request[:mbapHeader]...)
	binary.BigEndian.PutUint16(answer[4:], 3)
	return append(answer, request[mbapHeader]|0x80, code)
}
