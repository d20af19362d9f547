package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/voltage-edge/voltage/plugins/modbus/plan"
	"github.com/voltage-edge/voltage/plugins/modbus/register"
	"github.com/voltage-edge/voltage/plugins/modbus/wire/wiretest"
)

// onBus is the line to a bus.
func onBus(t *testing.T, reply func(b *wiretest.Bus, n int, request, good []byte)) Config {
	return Config{Transport: RTU, Serial: Serial{Device: wiretest.NewBus(t, reply), Baud: 115200, DataBits: 8, Parity: "none", StopBits: 1}}
}

func TestRTU(t *testing.T) {
	damaged := func(good []byte) []byte {
		b := edit(good, 0)
		b[len(b)-1] ^= 0x40
		return b
	}
	cases := []struct {
		name  string
		echo  bool
		want  error // of the first read; nil: it succeeds
		reply func(b *wiretest.Bus, request, good []byte)
	}{
		{name: "a good answer", reply: func(b *wiretest.Bus, _, good []byte) { b.Send(good) }},
		{name: "byte by byte", reply: func(b *wiretest.Bus, _, good []byte) {
			for _, x := range good {
				b.Send([]byte{x})
				time.Sleep(time.Millisecond)
			}
		}},
		{name: "a CRC error", want: ErrViolation, reply: func(b *wiretest.Bus, _, good []byte) { b.Send(damaged(good)) }},
		{name: "noise before it", reply: func(b *wiretest.Bus, _, good []byte) { b.Send([]byte{0xFF, 0x00, 0x07, 0x03, 0x81}, good) }},
		{name: "noise after it", want: ErrViolation, reply: func(b *wiretest.Bus, _, good []byte) { b.Send(append(edit(good, 0), 0xFF)) }},
		{name: "another unit's answer first", reply: func(b *wiretest.Bus, request, good []byte) {
			b.Send(wiretest.RTUFrame(8, wiretest.GoodPDU(8, request[1:6])), good)
		}},
		{name: "another unit's answer only", want: ErrViolation, reply: func(b *wiretest.Bus, request, _ []byte) {
			b.Send(wiretest.RTUFrame(8, wiretest.GoodPDU(8, request[1:6])))
		}},
		{name: "another function", want: ErrViolation, reply: func(b *wiretest.Bus, request, _ []byte) {
			b.Send(wiretest.RTUFrame(7, append([]byte{4}, wiretest.GoodPDU(7, request[1:6])[1:]...)))
		}},
		{name: "fewer registers", want: ErrViolation, reply: func(b *wiretest.Bus, _, _ []byte) { b.Send(wiretest.RTUFrame(7, []byte{3, 4, 1, 2, 3, 4})) }},
		{name: "more registers", want: ErrViolation, reply: func(b *wiretest.Bus, request, _ []byte) {
			b.Send(wiretest.RTUFrame(7, wiretest.GoodPDU(7, edit(request[1:6], 4, request[5]+1))))
		}},
		{name: "a byte count that lies", want: ErrViolation, reply: func(b *wiretest.Bus, request, _ []byte) {
			b.Send(wiretest.RTUFrame(7, edit(wiretest.GoodPDU(7, request[1:6]), 1, 6)))
		}},
		{name: "silence", want: os.ErrDeadlineExceeded, reply: func(*wiretest.Bus, []byte, []byte) {}},
		{name: "half of it", want: ErrViolation, reply: func(b *wiretest.Bus, _, good []byte) { b.Send(good[:9]) }},
		{name: "noise without end", want: ErrViolation, reply: func(b *wiretest.Bus, _, _ []byte) { b.Send(make([]byte, maxNoise+8)) }},
		{name: "an echo that was announced", echo: true, reply: func(b *wiretest.Bus, request, good []byte) { b.Send(request, good) }},
		{name: "an echo that was not", want: ErrViolation, reply: func(b *wiretest.Bus, request, _ []byte) { b.Send(request) }},
		{name: "an echo that is damaged", echo: true, want: ErrViolation, reply: func(b *wiretest.Bus, request, good []byte) { b.Send(edit(request, 2, 9), good) }},
	}
	cells := plan.Cells{Table: register.Holding, Address: 100, Quantity: 10}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := onBus(t, func(b *wiretest.Bus, n int, request, good []byte) {
				switch {
				case n == 0:
					c.reply(b, request, good)
				case c.echo:
					b.Send(request, good)
				default:
					b.Send(good)
				}
			})
			config.Echo = c.echo
			l := lineTo(t, config)
			b, err := l.Read(context.Background(), 7, cells)
			switch {
			case err == nil && c.want != nil:
				t.Errorf("% x was taken for an answer", b)
			case err == nil:
				if wrong := right(7, cells, b); wrong != nil {
					t.Error(wrong)
				}
			case c.want != nil && !errors.Is(err, c.want):
				t.Errorf("the error is %v, expected %v", err, c.want)
			case c.want == nil && !errors.Is(err, os.ErrDeadlineExceeded):
				t.Errorf("the error is %v", err)
			}
			recovers(t, l, 7, plan.Cells{Table: register.Holding, Address: 200, Quantity: 10})
		})
	}
}

func TestRTUException(t *testing.T) {
	config := onBus(t, func(b *wiretest.Bus, _ int, _, _ []byte) { b.Send(wiretest.RTUFrame(7, []byte{0x83, 2})) })
	config.Timeout = patience
	l := lineTo(t, config)
	_, err := l.Read(context.Background(), 7, plan.Cells{Table: register.Holding, Address: 1, Quantity: 1})
	if code, ok := Exception(err); !ok || code != 2 {
		t.Errorf("the error is %v", err)
	}
}

// TestRTULateAnswers has a unit whose answer to the first question comes just when the second one has been asked. Nothing
// in it says which register it is about.
func TestRTULateAnswers(t *testing.T) {
	var sent [][]byte
	config := onBus(t, func(b *wiretest.Bus, n int, _, good []byte) {
		sent = append(sent, good)
		switch {
		case n == 0:
		case n < 4:
			// The answer to the question before, and shortly after the one to this.
			b.Send(sent[n-1])
			time.Sleep(20 * time.Millisecond)
			b.Send(good)
		default:
			b.Send(good)
		}
	})
	l := lineTo(t, config)
	good := 0
	for i := range 12 {
		c := plan.Cells{Table: register.Holding, Address: uint16(100 * i), Quantity: 2}
		b, err := l.Read(context.Background(), 7, c)
		if err != nil {
			continue
		}
		good++
		if wrong := right(7, c, b); wrong != nil {
			t.Fatalf("read %d: %v", i, wrong)
		}
	}
	if good == 0 {
		t.Error("the line does not recover")
	}
}

func TestRTUWritesAreConfirmed(t *testing.T) {
	config := onBus(t, func(b *wiretest.Bus, n int, request, good []byte) {
		if n == 0 {
			b.Send(wiretest.RTUFrame(7, edit(request[1:6], 1, 0, 99)))
			return
		}
		b.Send(good)
	})
	l := lineTo(t, config)
	if err := l.WriteRegisters(context.Background(), 7, 5, []byte{0, 1}, false); !errors.Is(err, ErrViolation) {
		t.Errorf("the confirmation of another register: %v", err)
	}
	if err := l.WriteRegisters(context.Background(), 7, 5, []byte{0, 1}, false); err != nil {
		t.Errorf("a confirmation: %v", err)
	}
}

func TestASerialPortThatIsNotThere(t *testing.T) {
	l := lineTo(t, Config{Transport: RTU, Serial: Serial{Device: "/dev/does-not-exist", Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1}})
	if _, err := l.Read(context.Background(), 1, plan.Cells{Table: register.Holding, Quantity: 1}); !errors.Is(err, ErrConnect) {
		t.Errorf("the error is %v", err)
	}
}

func TestRTUOverTCP(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Add(1)
	go func() {
		defer done.Done()
		for n := 0; ; n++ {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			request := make([]byte, 8)
			for {
				if _, err := c.Read(request); err != nil {
					break
				}
				if n == 0 {
					continue // the first connection is deaf
				}
				_ = put(c, wiretest.RTUFrame(request[0], wiretest.GoodPDU(request[0], request[1:6])))
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); done.Wait() })
	l := lineTo(t, Config{Transport: RTUOverTCP, Address: listener.Addr().String()})
	t.Cleanup(func() { l.Close() })
	if _, err := l.Read(context.Background(), 3, plan.Cells{Table: register.Holding, Address: 1, Quantity: 2}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a deaf connection: %v", err)
	}
	recovers(t, l, 3, plan.Cells{Table: register.Holding, Address: 4, Quantity: 5})
	recovers(t, l, 3, plan.Cells{Table: register.Discrete, Address: 4, Quantity: 50})
}

// script is a stream that gives bytes and then nothing more.
type script struct{ rest []byte }

func (s *script) Read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, s.rest[:min(len(s.rest), 5)])
	s.rest = s.rest[n:]
	return n, nil
}
func (s *script) Write(b []byte) (int, error) { return len(b), nil }
func (*script) Close() error                  { return nil }
func (*script) SetDeadline(time.Time) error   { return nil }
func (*script) drain() (int, error)           { return 0, nil }

func FuzzTCPAnswer(f *testing.F) {
	request := []byte{1, 2, 0, 0, 0, 6, 7, 3, 0, 100, 0, 3}
	good := wiretest.GoodADU(request)
	f.Add(good)
	f.Add(good[:8])
	f.Add(append(edit(good, 0), good...))
	f.Fuzz(func(t *testing.T, b []byte) {
		answer, err := (&tcpFraming{}).answer(&script{b}, request)
		if err != nil {
			return
		}
		size := 6 + int(binary.BigEndian.Uint16(answer[4:]))
		if string(answer[:4]) != string(request[:4]) || answer[6] != 7 || size != len(answer) || answer[7]&0x7F != 3 {
			t.Errorf("% x was taken for an answer", answer)
		}
	})
}

func FuzzRTUAnswer(f *testing.F) {
	request := wiretest.RTUFrame(7, []byte{3, 0, 100, 0, 3})
	good := wiretest.RTUFrame(7, wiretest.GoodPDU(7, request[1:6]))
	f.Add(good)
	f.Add(append([]byte{7, 3, 6}, good...))
	f.Add(wiretest.RTUFrame(7, []byte{0x83, 2}))
	f.Fuzz(func(t *testing.T, b []byte) {
		framing := newRTUFraming(time.Second, false, false)
		framing.SetSlave(7)
		answer, err := framing.answer(&script{b}, request)
		if err == nil && (answer[0] != 7 || answer[1]&0x7F != 3 || len(answer) != 11 && len(answer) != 5) {
			t.Errorf("% x was taken for an answer", answer)
		}
	})
}
