package wire

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/grid-x/modbus"
)

const (
	crcSize          = 2
	rtuExceptionSize = 5    // unit, function, code, CRC
	maxNoise         = 1024 // bytes that are looked through for an answer
)

// rtuFraming is Modbus RTU: unit, PDU, CRC. There is no header that says where a frame begins, nor to which request an
// answer belongs.
type rtuFraming struct {
	*modbus.RTUClientHandler
	timeout time.Duration
	echo    bool
	// drops says that a stream is dropped when an answer fails, as one that may be half-open must be.
	drops bool
	unit  byte
	// silent units gave no answer, or a wrong one, to the last request: the right one may still be on its way.
	silent map[byte]bool
	buffer []byte
}

func newRTUFraming(timeout time.Duration, echo, drops bool) *rtuFraming {
	return &rtuFraming{
		RTUClientHandler: modbus.NewRTUClientHandler(""),
		timeout:          timeout, echo: echo, drops: drops,
		silent: map[byte]bool{}, buffer: make([]byte, maxNoise),
	}
}

// SetSlave sets the unit of the next request.
func (f *rtuFraming) SetSlave(unit byte) {
	f.unit = unit
	f.RTUClientHandler.SetSlave(unit)
}

// begin empties the line: what is in it now is late, or noise.
func (f *rtuFraming) begin(s stream) error {
	_, err := s.drain()
	return err
}

// failed remembers the unit: another connection would lead to the same line.
func (f *rtuFraming) failed() bool {
	f.silent[f.unit] = true
	return f.drops
}

func (f *rtuFraming) answer(s stream, request []byte) ([]byte, error) {
	n := 0
	for {
		k, err := s.Read(f.buffer[n:])
		n += k
		answer, found, wrong := f.find(request, f.buffer[:n])
		if wrong != nil {
			return nil, wrong
		}
		if found {
			return answer, f.settle(s, request)
		}
		if err != nil {
			return nil, noAnswer(f.buffer[:n], request, err)
		}
		if n == len(f.buffer) {
			return nil, fmt.Errorf("%w: no answer in %d bytes", ErrViolation, n)
		}
	}
}

// find looks for the answer in what has come, after noise and after answers of other units.
func (f *rtuFraming) find(request, b []byte) (answer []byte, found bool, wrong error) {
	if f.echo {
		if n := min(len(b), len(request)); !bytes.Equal(b[:n], request[:n]) {
			return nil, false, fmt.Errorf("%w: the line gave back something else than what was sent", ErrViolation)
		}
		b = b[min(len(b), len(request)):]
	}
	pdu := request[1 : len(request)-crcSize]
	for i := range b {
		size := f.sizeAt(b[i:], request[0], pdu)
		if size == 0 || len(b)-i < size {
			continue
		}
		candidate := b[i : i+size]
		if _, err := f.Decode(candidate); err != nil {
			continue
		}
		if err := checkAnswer(pdu, candidate[1:size-crcSize]); err != nil {
			continue
		}
		if len(b) > i+size {
			return nil, false, fmt.Errorf("%w: %d bytes follow it", ErrViolation, len(b)-i-size)
		}
		return candidate, true, nil
	}
	return nil, false, nil
}

// sizeAt is the size of the frame that b may begin with, if that can be the answer.
func (f *rtuFraming) sizeAt(b []byte, unit byte, pdu []byte) int {
	switch {
	case len(b) < 2 || b[0] != unit:
		return 0
	case b[1] == pdu[0]|exceptionBit:
		return rtuExceptionSize
	case b[1] == pdu[0]:
		return 1 + answerSize(pdu) + crcSize
	}
	return 0
}

// settle waits, when the unit was silent before, whether what came was the late answer to an earlier question: then the
// answer to this one follows. The confirmation of a write says itself what it confirms.
func (f *rtuFraming) settle(s stream, request []byte) error {
	if !f.silent[f.unit] || request[1] > modbus.FuncCodeReadInputRegisters {
		delete(f.silent, f.unit)
		return nil
	}
	if err := s.SetDeadline(time.Now().Add(f.timeout)); err != nil {
		return err
	}
	var scratch [1]byte
	n, err := s.Read(scratch[:])
	if n > 0 {
		return fmt.Errorf("%w: a second one came after it, and one of them is late", ErrViolation)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		delete(f.silent, f.unit)
		return nil
	}
	return err
}

// noAnswer says what came instead of an answer.
func noAnswer(b, request []byte, err error) error {
	switch {
	case len(b) == 0 || !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case bytes.Equal(b, request):
		return fmt.Errorf("%w: the line only gave back what was sent; if its adapter does that, say echo = true: %w", ErrViolation, os.ErrDeadlineExceeded)
	}
	return fmt.Errorf("%w: among %d bytes there is none with the right unit, length and CRC: %w", ErrViolation, len(b), os.ErrDeadlineExceeded)
}
