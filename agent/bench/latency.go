package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"sync"
	"time"
)

// latency is the time from the answer to a poll, whose register changed, to the set-point on the wire: a Modbus device
// of the bench's own gives another number at each poll, a rule sets the output to that number, and the device sees it
// come back.
func latency(ctx context.Context, b *bench) ([]figure, error) {
	e, err := newEcho()
	if err != nil {
		return nil, err
	}
	defer e.close()
	a, err := b.start("latency", echoSite(e.address()))
	if err != nil {
		return nil, err
	}
	defer a.stop()
	if _, err := a.running(ctx); err != nil {
		return nil, err
	}
	time.Sleep(2 * time.Second)
	e.reset()
	time.Sleep(b.span)
	took := e.times()
	if len(took) < 100 {
		return nil, fmt.Errorf("only %d set-points came back; the agent's log:\n%s", len(took), a.log.String())
	}
	slices.Sort(took)
	at := func(share float64) time.Duration { return took[int(float64(len(took)-1)*share)] }
	ms := func(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1e3) }
	return []figure{{
		what: "register change seen by a poll → set-point on the wire, p99", measured: ms(at(0.99)), reach: "≤ 10 ms (aim 2)", ok: at(0.99) <= 10*time.Millisecond,
		note: fmt.Sprintf("p50 %s, p90 %s, longest %s of %d", ms(at(0.5)), ms(at(0.9)), ms(at(1)), len(took)),
	}}, nil
}

func echoSite(address string) string {
	return fmt.Sprintf(`
site "echo" {}
channel "lan" {
  plugin = "modbus"
  every  = "25ms"
  config {
    transport = "tcp"
    address   = %q
  }
}
device "d" {
  channel = channel.lan
  config { unit = 1 }
  point "in" {
    address = "input:0"
    type    = "float32"
  }
  point "out" {
    address = "holding:10"
    type    = "float32"
    access  = "w"
    write {
      min  = 0
      max  = 1e9
      safe = 0
    }
  }
}
rule "echo" {
  when = device.d.in > 0
  set "d.out" {
    value = device.d.in
    ttl   = "5s"
  }
}
`, address)
}

// echo is a Modbus TCP device whose input register counts the polls.
type echo struct {
	listener net.Listener
	all      sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	count int
	sent  map[float32]time.Time
	took  []time.Duration
}

func newEcho() (*echo, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &echo{listener: l, sent: map[float32]time.Time{}}
	e.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.mu.Lock()
			e.conns = append(e.conns, c)
			e.mu.Unlock()
			e.all.Go(func() { e.serve(c) })
		}
	})
	return e, nil
}

func (e *echo) address() string { return e.listener.Addr().String() }

func (e *echo) close() {
	e.listener.Close()
	e.mu.Lock()
	for _, c := range e.conns {
		c.Close()
	}
	e.mu.Unlock()
	e.all.Wait()
}

func (e *echo) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.took = nil
}

func (e *echo) times() []time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.took)
}

// serve answers reads of input registers, and writes of holding registers.
func (e *echo) serve(c net.Conn) {
	defer c.Close()
	head := make([]byte, 7)
	for {
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		pdu := make([]byte, int(binary.BigEndian.Uint16(head[4:]))-1)
		if _, err := io.ReadFull(c, pdu); err != nil {
			return
		}
		answer, err := e.answer(pdu)
		if err != nil {
			return
		}
		out := append(slices.Clone(head), answer...)
		binary.BigEndian.PutUint16(out[4:], uint16(len(answer)+1))
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

func (e *echo) answer(pdu []byte) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch pdu[0] {
	case 4: // read input registers
		n := int(binary.BigEndian.Uint16(pdu[3:]))
		out := append([]byte{4, byte(2 * n)}, make([]byte, 2*n)...)
		e.count++
		v := float32(e.count)
		if n >= 2 {
			binary.BigEndian.PutUint32(out[2:], math.Float32bits(v))
			e.sent[v] = time.Now()
		}
		return out, nil
	case 16: // write holding registers
		if len(pdu) >= 10 {
			v := math.Float32frombits(binary.BigEndian.Uint32(pdu[6:]))
			if at, ok := e.sent[v]; ok {
				e.took = append(e.took, time.Since(at))
				delete(e.sent, v)
			}
		}
		return pdu[:5], nil
	}
	return nil, errors.New("a function that the bench does not use")
}
