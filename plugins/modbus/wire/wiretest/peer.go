// Package wiretest is the far end of a Modbus connection in tests: a peer whose registers say which ones they are, and which
// answers as it is told.
package wiretest

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Word is what every register holds: something that tells which register, of which unit and function, it is.
func Word(unit, function byte, address uint16) uint16 {
	return address*31 ^ uint16(unit)<<9 ^ uint16(function)<<5 ^ 0x5A5A
}

// GoodPDU is the right answer to a request's PDU.
func GoodPDU(unit byte, pdu []byte) []byte {
	address, count := binary.BigEndian.Uint16(pdu[1:]), binary.BigEndian.Uint16(pdu[3:])
	switch pdu[0] {
	case 1, 2:
		answer := append([]byte{pdu[0], byte((count + 7) / 8)}, make([]byte, (count+7)/8)...)
		for i := range count {
			answer[2+i/8] |= byte(Word(unit, pdu[0], address+i)&1) << (i % 8)
		}
		return answer
	case 3, 4:
		answer := []byte{pdu[0], byte(2 * count)}
		for i := range count {
			answer = binary.BigEndian.AppendUint16(answer, Word(unit, pdu[0], address+i))
		}
		return answer
	default:
		return append([]byte(nil), pdu[:5]...)
	}
}

// GoodADU is the right answer to a request.
func GoodADU(request []byte) []byte {
	pdu := GoodPDU(request[6], request[7:])
	answer := append([]byte(nil), request[:6]...)
	binary.BigEndian.PutUint16(answer[4:], uint16(1+len(pdu)))
	return append(append(answer, request[6]), pdu...)
}

// Peer is a TCP server that answers as it is told.
type Peer struct {
	net.Listener
	Connections atomic.Int64
	Requests    atomic.Int64
	done        sync.WaitGroup
	mu          sync.Mutex
	open        map[net.Conn]bool
}

// NewPeer answers each request by reply; n counts requests over all connections, from 0. Greet is sent on connecting.
func NewPeer(t testing.TB, greet []byte, reply func(c net.Conn, n int, request, good []byte) error) *Peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Peer{Listener: l, open: map[net.Conn]bool{}}
	p.done.Add(1)
	go p.accept(greet, reply)
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		for c := range p.open {
			c.Close()
		}
		p.mu.Unlock()
		p.done.Wait()
	})
	return p
}

func (p *Peer) accept(greet []byte, reply func(net.Conn, int, []byte, []byte) error) {
	defer p.done.Done()
	for {
		c, err := p.Accept()
		if err != nil {
			return
		}
		p.Connections.Add(1)
		p.mu.Lock()
		p.open[c] = true
		p.mu.Unlock()
		p.done.Add(1)
		go func() {
			defer p.done.Done()
			defer c.Close()
			if len(greet) > 0 {
				if _, err := c.Write(greet); err != nil {
					return
				}
			}
			for {
				request := make([]byte, 7, 260)
				if _, err := io.ReadFull(c, request); err != nil {
					return
				}
				request = request[:6+int(binary.BigEndian.Uint16(request[4:]))]
				if _, err := io.ReadFull(c, request[7:]); err != nil {
					return
				}
				n := p.Requests.Add(1) - 1
				if reply(c, int(n), request, GoodADU(request)) != nil {
					return
				}
			}
		}()
	}
}
