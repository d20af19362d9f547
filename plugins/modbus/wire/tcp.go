package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"time"

	"github.com/grid-x/modbus"
)

const (
	mbapSize   = 7   // transaction, protocol, length, unit
	maxTCPSize = 260 // of a whole message
	maxLength  = 254 // of the header's length field: unit and PDU
	minLength  = 3   // unit, function and one byte
)

// tcpFraming is Modbus TCP.
type tcpFraming struct {
	unit    byte
	request [maxTCPSize]byte
	// One byte more than an answer may have, so that a longer one shows.
	buffer [maxTCPSize + 1]byte
	pdu    modbus.ProtocolDataUnit
}

// SetSlave sets the unit of the next request.
func (f *tcpFraming) SetSlave(unit byte) { f.unit = unit }

// Encode puts the header before a PDU. The message is valid until the next one.
func (f *tcpFraming) Encode(pdu *modbus.ProtocolDataUnit) ([]byte, error) {
	size := mbapSize + 1 + len(pdu.Data)
	if size > maxTCPSize {
		return nil, fmt.Errorf("a request of %d bytes is too long for Modbus TCP", size)
	}
	m := f.request[:size]
	binary.BigEndian.PutUint16(m, uint16(rand.Uint32()))
	binary.BigEndian.PutUint16(m[2:], 0)
	binary.BigEndian.PutUint16(m[4:], uint16(2+len(pdu.Data)))
	m[6], m[7] = f.unit, pdu.FunctionCode
	copy(m[8:], pdu.Data)
	return m, nil
}

// Verify tells whether answer belongs to request.
func (f *tcpFraming) Verify(request, answer []byte) error {
	if err := checkHeader(request, answer); err != nil {
		return err
	}
	return checkAnswer(request[mbapSize:], answer[mbapSize:])
}

// Decode takes the header off.
func (f *tcpFraming) Decode(answer []byte) (*modbus.ProtocolDataUnit, error) {
	f.pdu = modbus.ProtocolDataUnit{FunctionCode: answer[mbapSize], Data: answer[mbapSize+1:]}
	return &f.pdu, nil
}

func checkHeader(request, answer []byte) error {
	if id, want := binary.BigEndian.Uint16(answer), binary.BigEndian.Uint16(request); id != want {
		return fmt.Errorf("%w: it is that of transaction %d, and %d was asked", ErrViolation, id, want)
	}
	if protocol := binary.BigEndian.Uint16(answer[2:]); protocol != 0 {
		return fmt.Errorf("%w: it is of protocol %d, which is not Modbus", ErrViolation, protocol)
	}
	if length := binary.BigEndian.Uint16(answer[4:]); length < minLength || length > maxLength {
		return fmt.Errorf("%w: its header says that %d bytes follow, which can't be", ErrViolation, length)
	}
	if answer[6] != request[6] {
		return fmt.Errorf("%w: it is that of unit %d, and unit %d was asked", ErrViolation, answer[6], request[6])
	}
	return nil
}

func (f *tcpFraming) begin(s stream) error {
	n, err := s.drain()
	if err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("%w: %d bytes came unasked", ErrViolation, n)
	}
	return nil
}

func (f *tcpFraming) failed() bool { return true }

func (f *tcpFraming) answer(s stream, request []byte) ([]byte, error) {
	n, err := readAtLeast(s, f.buffer[:], 0, mbapSize)
	if err != nil {
		return nil, err
	}
	if err := checkHeader(request, f.buffer[:n]); err != nil {
		return nil, err
	}
	size := mbapSize - 1 + int(binary.BigEndian.Uint16(f.buffer[4:]))
	if n, err = readAtLeast(s, f.buffer[:], n, size); err != nil {
		return nil, err
	}
	if n > size {
		return nil, fmt.Errorf("%w: more bytes follow it than its header says", ErrViolation)
	}
	return f.buffer[:size], checkAnswer(request[mbapSize:], f.buffer[mbapSize:size])
}

// readAtLeast reads into b, which has n bytes already, until it has size.
func readAtLeast(r io.Reader, b []byte, n, size int) (int, error) {
	for n < size {
		k, err := r.Read(b[n:])
		n += k
		if err != nil && n < size {
			return n, err
		}
	}
	return n, nil
}

// tcpStream is a TCP connection.
type tcpStream struct {
	*net.TCPConn
	raw syscall.RawConn
}

func openTCP(c Config) func(context.Context) (stream, error) {
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: c.KeepAlive > 0, Idle: c.KeepAlive, Interval: max(c.KeepAlive/3, time.Second), Count: 3,
	}}
	if c.KeepAlive <= 0 {
		dialer.KeepAlive = -1
	}
	return func(ctx context.Context) (stream, error) {
		conn, err := dialer.DialContext(ctx, "tcp", c.Address)
		if err != nil {
			return nil, err
		}
		tcp := conn.(*net.TCPConn)
		raw, err := tcp.SyscallConn()
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return &tcpStream{TCPConn: tcp, raw: raw}, nil
	}
}

// drain reads without waiting, until there is nothing.
func (s *tcpStream) drain() (int, error) {
	if err := s.SetDeadline(time.Time{}); err != nil {
		return 0, err
	}
	total := 0
	var readErr error
	var scratch [512]byte
	err := s.raw.Read(func(fd uintptr) bool {
		for {
			n, err := syscall.Read(int(fd), scratch[:])
			switch {
			case errors.Is(err, syscall.EINTR):
				continue
			case errors.Is(err, syscall.EAGAIN):
				return true
			case err != nil:
				readErr = err
				return true
			case n == 0:
				readErr = io.EOF
				return true
			}
			if total += n; total > 1<<20 {
				readErr = fmt.Errorf("%w: bytes come without end", ErrViolation)
				return true
			}
		}
	})
	return total, errors.Join(err, readErr)
}
