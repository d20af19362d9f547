package wire

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/grid-x/serial"
)

// Serial is a serial line.
type Serial struct {
	Device   string
	Baud     int
	DataBits int
	// Parity is none, even or odd.
	Parity   string
	StopBits int
}

// quiet is the silence that separates two frames: 3.5 characters of 11 bits, and 1.75 ms above 19200 baud (Modbus over
// Serial Line, 2.5.1.1).
func (s Serial) quiet() time.Duration {
	if s.Baud > 19200 {
		return 1750 * time.Microsecond
	}
	return time.Duration(3.5 * 11 * float64(time.Second) / float64(max(s.Baud, 1)))
}

// serialStream is an open serial port. Its reads come back after each silence to look at the deadline.
type serialStream struct {
	serial.Port
	deadline atomic.Int64
}

func openSerial(c Serial) func(context.Context) (stream, error) {
	parity := map[string]string{"none": "N", "even": "E", "odd": "O"}[c.Parity]
	return func(context.Context) (stream, error) {
		port, err := serial.Open(&serial.Config{
			Address: c.Device, BaudRate: c.Baud, DataBits: c.DataBits, StopBits: c.StopBits, Parity: parity, Timeout: c.quiet(),
		})
		if err != nil {
			return nil, fmt.Errorf("open serial port %s: %w", c.Device, err)
		}
		return &serialStream{Port: port}, nil
	}
}

// SetDeadline limits Read.
func (s *serialStream) SetDeadline(t time.Time) error {
	s.deadline.Store(t.UnixNano())
	return nil
}

// Read reads what has come, waiting for it until the deadline.
func (s *serialStream) Read(b []byte) (int, error) {
	for {
		n, err := s.Port.Read(b)
		if !errors.Is(err, serial.ErrTimeout) {
			return n, err
		}
		if time.Now().UnixNano() >= s.deadline.Load() {
			return n, os.ErrDeadlineExceeded
		}
	}
}

// maxBabble is how long a line may babble before a request is given up.
const maxBabble = time.Second

// drain waits for the silence that separates two frames.
func (s *serialStream) drain() (int, error) {
	total := 0
	var scratch [256]byte
	for until := time.Now().Add(maxBabble); time.Now().Before(until); {
		n, err := s.Port.Read(scratch[:])
		total += n
		if errors.Is(err, serial.ErrTimeout) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
	return total, fmt.Errorf("%w: the line is never quiet", ErrViolation)
}
