package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/voltage-edge/voltage/plugins/modbus/plan"
	"github.com/voltage-edge/voltage/plugins/modbus/register"
	"github.com/voltage-edge/voltage/plugins/modbus/wire/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// patience is how long a good answer may take on a busy machine.
	patience = 20 * time.Second
	// impatience is the time-out of a line under test: long enough for a good answer, most of the time.
	impatience = 150 * time.Millisecond
)

func lineTo(t testing.TB, c Config) *Line {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = impatience
	}
	c.ConnectTimeout = patience
	l := New(c)
	// The peers here break connections on purpose, far more often than a line allows.
	l.redials.tokens = 1e9
	t.Cleanup(func() { l.Close() })
	return l
}

// right tells whether b holds the registers that were asked for.
func right(unit byte, c plan.Cells, b []byte) error {
	want := wiretest.GoodPDU(unit, []byte{functionOf(c.Table), byte(c.Address >> 8), byte(c.Address), byte(c.Quantity >> 8), byte(c.Quantity)})[2:]
	if string(b) != string(want) {
		return fmt.Errorf("%v of unit %d is % x, expected % x: a value under the wrong register", c, unit, b, want)
	}
	return nil
}

func functionOf(t register.Table) byte {
	return map[register.Table]byte{register.Coil: 1, register.Discrete: 2, register.Holding: 3, register.Input: 4}[t]
}

// recovers tells whether the line gives right values in the end, and no wrong ones before.
func recovers(t *testing.T, l *Line, unit byte, c plan.Cells) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		var b []byte
		if b, err = l.Read(context.Background(), unit, c); err == nil {
			if wrong := right(unit, c, b); wrong != nil {
				t.Fatal(wrong)
			}
			return
		}
	}
	t.Fatalf("the line does not recover: %v", err)
}

var errClose = errors.New("close the connection")

func put(c net.Conn, b []byte) error {
	_, err := c.Write(b)
	return err
}

// edit is the good answer with bytes replaced, from an offset.
func edit(good []byte, at int, with ...byte) []byte {
	b := append([]byte(nil), good...)
	copy(b[at:], with)
	return b
}

// relength is an answer with its header's length made right for its size.
func relength(b []byte) []byte {
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-6))
	return b
}

func reset(c net.Conn) error {
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		return err
	}
	return errClose
}

func TestHostileAnswers(t *testing.T) {
	violation, closed, silent := ErrViolation, ErrClosed, os.ErrDeadlineExceeded
	shifted := func(by uint16) func(net.Conn, []byte) error {
		return func(c net.Conn, good []byte) error {
			b := edit(good, 0)
			binary.BigEndian.PutUint16(b, binary.BigEndian.Uint16(good)+by)
			return put(c, b)
		}
	}
	cases := []struct {
		name  string
		want  error
		reply func(c net.Conn, good []byte) error
	}{
		{"length 0", violation, func(c net.Conn, good []byte) error { return put(c, edit(good, 4, 0, 0)) }},
		{"length 1", violation, func(c net.Conn, good []byte) error { return put(c, edit(good, 4, 0, 1)) }},
		{"length 2", violation, func(c net.Conn, good []byte) error { return put(c, edit(good[:8], 4, 0, 2)) }},
		{"length 255", violation, func(c net.Conn, good []byte) error { return put(c, edit(good, 4, 0, 255)) }},
		{"length 65535", violation, func(c net.Conn, good []byte) error { return put(c, edit(good, 4, 255, 255)) }},
		{"length too small", violation, func(c net.Conn, good []byte) error { return put(c, edit(good, 4, 0, good[5]-1)) }},
		{"length too large", silent, func(c net.Conn, good []byte) error { return put(c, edit(good, 4, 0, good[5]+1)) }},
		{"another protocol", violation, func(c net.Conn, good []byte) error { return put(c, edit(good, 2, 0, 1)) }},
		{"stale transaction", violation, shifted(0xFFFF)},
		{"future transaction", violation, shifted(1)},
		{"another unit", violation, func(c net.Conn, good []byte) error { return put(c, edit(good, 6, good[6]+1)) }},
		{"another function", violation, func(c net.Conn, good []byte) error { return put(c, edit(good, 7, 4)) }},
		{"exception of another function", violation, func(c net.Conn, good []byte) error { return put(c, relength(edit(good[:9], 7, 0x84, 2))) }},
		{"exception with a tail", violation, func(c net.Conn, good []byte) error { return put(c, relength(edit(good[:10], 7, 0x83, 2))) }},
		{"exception without a code", violation, func(c net.Conn, good []byte) error { return put(c, relength(edit(good[:8], 7, 0x83))) }},
		{"byte count too small", violation, func(c net.Conn, good []byte) error { return put(c, edit(good, 8, good[8]-2)) }},
		{"byte count too large", violation, func(c net.Conn, good []byte) error { return put(c, edit(good, 8, good[8]+2)) }},
		{"byte count 0", violation, func(c net.Conn, good []byte) error { return put(c, relength(edit(good[:9], 8, 0))) }},
		{"fewer registers", violation, func(c net.Conn, good []byte) error {
			return put(c, relength(edit(good[:len(good)-2], 8, good[8]-2)))
		}},
		{"more registers", violation, func(c net.Conn, good []byte) error {
			return put(c, relength(append(edit(good, 8, good[8]+2), 1, 2)))
		}},
		{"odd bytes", violation, func(c net.Conn, good []byte) error { return put(c, relength(edit(good[:len(good)-1], 8, good[8]-1))) }},
		{"two answers in one segment", violation, func(c net.Conn, good []byte) error { return put(c, append(edit(good, 0), good...)) }},
		{"a byte after it", violation, func(c net.Conn, good []byte) error { return put(c, append(edit(good, 0), 0)) }},
		{"nothing", silent, func(net.Conn, []byte) error { return nil }},
		{"half of it", silent, func(c net.Conn, good []byte) error { return put(c, good[:len(good)/2]) }},
		{"byte by byte, slower than the time-out", silent, func(c net.Conn, good []byte) error {
			for _, b := range good {
				time.Sleep(impatience / 4)
				if put(c, []byte{b}) != nil {
					return errClose
				}
			}
			return nil
		}},
		{"closed", closed, func(net.Conn, []byte) error { return errClose }},
		{"closed in the header", closed, func(c net.Conn, good []byte) error { return errors.Join(put(c, good[:3]), errClose) }},
		{"closed in mid-frame", closed, func(c net.Conn, good []byte) error { return errors.Join(put(c, good[:10]), errClose) }},
		{"reset", closed, func(c net.Conn, _ []byte) error { return reset(c) }},
		{"reset in mid-frame", closed, func(c net.Conn, good []byte) error {
			return errors.Join(put(c, good[:10]), reset(c))
		}},
		{"no Modbus at all", violation, func(c net.Conn, _ []byte) error { return put(c, []byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }},
	}
	cells := plan.Cells{Table: register.Holding, Address: 100, Quantity: 10}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := wiretest.NewPeer(t, nil, func(conn net.Conn, n int, _, good []byte) error {
				if n == 0 {
					return c.reply(conn, good)
				}
				return put(conn, good)
			})
			l := lineTo(t, Config{Transport: TCP, Address: p.Addr().String()})
			b, err := l.Read(context.Background(), 7, cells)
			if err == nil {
				t.Fatalf("% x was taken for an answer", b)
			}
			// On a busy machine the answer may come too late to be looked at.
			if !errors.Is(err, c.want) && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the error is %v, expected %v", err, c.want)
			}
			recovers(t, l, 7, plan.Cells{Table: register.Holding, Address: 200, Quantity: 10})
			if p.Connections.Load() < 2 {
				t.Error("the connection was used again")
			}
		})
	}
}

func TestExceptions(t *testing.T) {
	for _, code := range []byte{1, 2, 3, 4, 5, 6, 8, 10, 11, 0, 99, 255} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			p := wiretest.NewPeer(t, nil, func(conn net.Conn, n int, request, good []byte) error {
				if n == 0 {
					return put(conn, relength(append(append([]byte(nil), request[:7]...), request[7]|0x80, code)))
				}
				return put(conn, good)
			})
			l := lineTo(t, Config{Transport: TCP, Address: p.Addr().String(), Timeout: patience})
			_, err := l.Read(context.Background(), 1, plan.Cells{Table: register.Input, Address: 1, Quantity: 1})
			if got, ok := Exception(err); !ok || got != code {
				t.Fatalf("exception %d is %v", code, err)
			}
			recovers(t, l, 1, plan.Cells{Table: register.Input, Address: 2, Quantity: 1})
			if p.Connections.Load() != 1 {
				t.Error("an exception cost the connection")
			}
		})
	}
}

// TestLateAnswers has a peer that answers every request after the line has given up, on whatever connection there is then.
func TestLateAnswers(t *testing.T) {
	var mu sync.Mutex
	var late [][]byte
	p := wiretest.NewPeer(t, nil, func(conn net.Conn, n int, _, good []byte) error {
		mu.Lock()
		defer mu.Unlock()
		if n%3 != 2 {
			late = append(late, good)
			return nil
		}
		// All the late ones come first, in the segment of the right one.
		var all []byte
		for _, b := range late {
			all = append(all, b...)
		}
		late = nil
		if n%2 == 0 {
			return put(conn, append(all, good...))
		}
		return put(conn, good)
	})
	l := lineTo(t, Config{Transport: TCP, Address: p.Addr().String(), Timeout: 30 * time.Millisecond})
	good := 0
	for i := range 60 {
		c := plan.Cells{Table: register.Holding, Address: uint16(i * 10), Quantity: 4}
		if b, err := l.Read(context.Background(), 1, c); err == nil {
			good++
			if wrong := right(1, c, b); wrong != nil {
				t.Fatal(wrong)
			}
		}
	}
	if good == 0 {
		t.Error("not one answer was taken")
	}
}

func TestUnsolicitedBytesAreNoAnswer(t *testing.T) {
	greet := make([]byte, 0, 13*65536/64)
	for id := 0; id < 65536; id += 64 {
		greet = append(greet, byte(id>>8), byte(id), 0, 0, 0, 7, 1, 3, 4, 9, 9, 9, 9)
	}
	p := wiretest.NewPeer(t, greet[:13*20], func(conn net.Conn, _ int, _, good []byte) error { return put(conn, good) })
	l := lineTo(t, Config{Transport: TCP, Address: p.Addr().String(), ConnectDelay: 20 * time.Millisecond})
	c := plan.Cells{Table: register.Holding, Address: 5, Quantity: 2}
	for range 20 {
		if b, err := l.Read(context.Background(), 1, c); err == nil {
			t.Fatalf("a greeting was overlooked before % x", b)
		}
	}
}

func TestAConnectionThatWasClosedInRestIsMadeAgain(t *testing.T) {
	p := wiretest.NewPeer(t, nil, func(conn net.Conn, _ int, _, good []byte) error {
		return errors.Join(put(conn, good), errClose)
	})
	l := lineTo(t, Config{Transport: TCP, Address: p.Addr().String(), Timeout: patience})
	for i := range 5 {
		c := plan.Cells{Table: register.Input, Address: uint16(i), Quantity: 3}
		b, err := l.Read(context.Background(), 3, c)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if wrong := right(3, c, b); wrong != nil {
			t.Fatal(wrong)
		}
	}
}

func TestBrokenConnectionsAreNotMadeAtFullSpeed(t *testing.T) {
	p := wiretest.NewPeer(t, nil, func(net.Conn, int, []byte, []byte) error { return errClose })
	l := New(Config{Transport: TCP, Address: p.Addr().String(), Timeout: patience, ConnectTimeout: patience})
	t.Cleanup(func() { l.Close() })
	start := time.Now()
	unsteady := false
	for range 200 {
		_, err := l.Read(context.Background(), 1, plan.Cells{Table: register.Holding, Quantity: 1})
		if err == nil {
			t.Fatal("a closed connection answered")
		}
		unsteady = unsteady || errors.Is(err, ErrUnsteady)
	}
	allowed := int64(limiterBurst + limiterRate*time.Since(start).Seconds() + 1)
	if made := p.Connections.Load(); made > allowed || !unsteady {
		t.Errorf("%d connections were made, %d are allowed; unsteady: %v", made, allowed, unsteady)
	}
}

func TestACancelledRequestEndsAtOnce(t *testing.T) {
	p := wiretest.NewPeer(t, nil, func(conn net.Conn, n int, _, good []byte) error {
		if n == 0 {
			return nil
		}
		return put(conn, good)
	})
	l := lineTo(t, Config{Transport: TCP, Address: p.Addr().String(), Timeout: time.Hour})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for p.Requests.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if _, err := l.Read(ctx, 1, plan.Cells{Table: register.Holding, Quantity: 1}); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: %v", err)
	}
	recovers(t, l, 1, plan.Cells{Table: register.Holding, Address: 9, Quantity: 1})
}

func TestWritesOfAllKinds(t *testing.T) {
	var mu sync.Mutex
	var got []string
	p := wiretest.NewPeer(t, nil, func(conn net.Conn, _ int, request, good []byte) error {
		mu.Lock()
		got = append(got, fmt.Sprintf("%d: % x", request[6], request[7:]))
		mu.Unlock()
		return put(conn, good)
	})
	l := lineTo(t, Config{Transport: TCP, Address: p.Addr().String(), Timeout: patience})
	ctx := context.Background()
	err := errors.Join(
		l.WriteRegisters(ctx, 9, 0x10, []byte{1, 2}, false),
		l.WriteRegisters(ctx, 9, 0x10, []byte{1, 2}, true),
		l.WriteRegisters(ctx, 9, 0x10, []byte{1, 2, 3, 4}, false),
		l.WriteCoil(ctx, 9, 0x10, true, false),
		l.WriteCoil(ctx, 9, 0x10, false, false),
		l.WriteCoil(ctx, 9, 0x10, true, true),
	)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"9: 06 00 10 01 02", "9: 10 00 10 00 01 02 01 02", "9: 10 00 10 00 02 04 01 02 03 04", "9: 05 00 10 ff 00", "9: 05 00 10 00 00", "9: 0f 00 10 00 01 01 01"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("request %d is %s, expected %s", i, got[i], want[i])
		}
	}
}

func TestAWriteThatIsConfirmedOtherwiseFails(t *testing.T) {
	p := wiretest.NewPeer(t, nil, func(conn net.Conn, _ int, _, good []byte) error { return put(conn, edit(good, 9, good[9]+1)) })
	l := lineTo(t, Config{Transport: TCP, Address: p.Addr().String(), Timeout: patience})
	if err := l.WriteRegisters(context.Background(), 1, 5, []byte{0, 1}, false); !errors.Is(err, ErrViolation) {
		t.Errorf("the error is %v", err)
	}
}
