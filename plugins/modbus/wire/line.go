// Package wire asks one question at a time over one connection, and takes nothing for an answer that may be another
// question's.
//
// Requests and answers are built and taken apart by grid-x/modbus. What carries them is of this package, behind that
// library's Transporter interface, because a value under the wrong register is the worst that can happen here:
//
//   - After a time-out, or an answer that differs from what was asked for in transaction, protocol, unit, function, byte
//     count or length, a TCP connection is dropped; a late answer dies with it.
//   - Bytes that nobody asked for, before a request or after an answer, count as such a difference. Transaction ids are
//     random, so that an answer can't be right before its question.
//   - On a serial line, which can't be dropped and has no transaction ids, the line is emptied before each request, and the
//     first answer of a unit that was silent before counts only when no second one follows it.
package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/grid-x/modbus"
)

// Config says where the devices are and how they want to be asked.
type Config struct {
	// Transport is tcp, rtu or rtu-over-tcp.
	Transport Transport
	// Address is host:port, for TCP.
	Address string
	// Serial is the line, for RTU.
	Serial Serial
	// Timeout is the longest time from a request to the end of its answer.
	Timeout time.Duration
	// ConnectTimeout is the longest time that a connection may take.
	ConnectTimeout time.Duration
	// ConnectDelay is waited between connecting and the first request.
	ConnectDelay time.Duration
	// Pause is the shortest time from an answer to the next request.
	Pause time.Duration
	// KeepAlive is after how long a silent TCP connection is probed.
	KeepAlive time.Duration
	// CloseIdle drops the connection whenever the caller says that it rests.
	CloseIdle bool
	// Echo says that the line gives back what was sent on it.
	Echo bool
}

// Transport is how requests travel.
type Transport string

// The transports.
const (
	TCP        Transport = "tcp"
	RTU        Transport = "rtu"
	RTUOverTCP Transport = "rtu-over-tcp"
)

// Errors of a request, beside a device's exceptions (see Exception).
var (
	// ErrConnect: the connection could not be made.
	ErrConnect = errors.New("can't connect")
	// ErrClosed: the far end closed the connection instead of answering.
	ErrClosed = errors.New("the connection was closed instead of an answer")
	// ErrViolation: what came was no answer to the request.
	ErrViolation = errors.New("the answer does not fit the request")
	// ErrUnsteady: connections break as fast as they are made.
	ErrUnsteady = errors.New("connections break as fast as they are made")
)

// Exception is the code of a device's exception answer.
func Exception(err error) (code byte, ok bool) {
	var e *modbus.Error
	if errors.As(err, &e) {
		return e.ExceptionCode, true
	}
	return 0, false
}

// stream is a connection or a serial port.
type stream interface {
	io.ReadWriteCloser
	// SetDeadline may be called while a Read waits.
	SetDeadline(time.Time) error
	// drain throws away what has come unasked, and counts it.
	drain() (int, error)
}

// framing packs requests and finds their answers in a stream.
type framing interface {
	modbus.Packager
	// begin makes the stream ready for a request.
	begin(s stream) error
	// answer reads the answer to request.
	answer(s stream, request []byte) ([]byte, error)
	// failed is told that a request of the current unit got no answer, or a wrong one. It returns whether the stream must
	// be dropped.
	failed() bool
}

// Line is one connection. It is not safe for concurrent use.
type Line struct {
	c       Config
	open    func(context.Context) (stream, error)
	framing framing
	client  modbus.Client

	stream   stream
	answered bool // since the stream was opened
	rested   time.Time
	redials  limiter

	mu  sync.Mutex
	gen int // number of the exchange; a cancellation of an earlier one comes too late
}

// New returns a line; it does not connect.
func New(c Config) *Line {
	l := &Line{c: c, redials: newLimiter()}
	switch c.Transport {
	case RTU:
		l.open, l.framing = openSerial(c.Serial), newRTUFraming(c.Timeout, c.Echo, false)
	case RTUOverTCP:
		l.open, l.framing = openTCP(c), newRTUFraming(c.Timeout, c.Echo, true)
	default:
		l.open, l.framing = openTCP(c), &tcpFraming{}
	}
	l.client = modbus.NewClient2(l.framing, l)
	return l
}

// Connect makes the connection, when there is none.
func (l *Line) Connect(ctx context.Context) error {
	if l.stream != nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, l.c.ConnectTimeout)
	defer cancel()
	s, err := l.open(limited)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConnect, err)
	}
	l.stream, l.answered = s, false
	return wait(ctx, l.c.ConnectDelay)
}

// Close drops the connection; the next request makes another one.
func (l *Line) Close() error {
	if l.stream == nil {
		return nil
	}
	s := l.stream
	l.stream = nil
	return s.Close()
}

// Rest is called when no request follows for now.
func (l *Line) Rest() {
	if l.c.CloseIdle {
		l.drop()
	}
}

// drop closes a connection that is of no more use, so that what closing it says is of no use either.
func (l *Line) drop() { _ = l.Close() }

// Send is the Transporter of grid-x/modbus: it sends a request and returns its answer. A connection that worked, and
// turns out to be closed, is made once more: that is what a far end that drops idle connections looks like.
func (l *Line) Send(ctx context.Context, request []byte) ([]byte, error) {
	answer, worked, err := l.attempt(ctx, request)
	if worked && errors.Is(err, ErrClosed) && ctx.Err() == nil {
		answer, _, err = l.attempt(ctx, request)
	}
	return answer, err
}

func (l *Line) attempt(ctx context.Context, request []byte) (answer []byte, worked bool, err error) {
	if err := wait(ctx, l.c.Pause-time.Since(l.rested)); err != nil {
		return nil, false, err
	}
	if err := l.ready(ctx); err != nil {
		return nil, false, err
	}
	worked = l.answered
	answer, err = l.exchange(ctx, request)
	l.rested = time.Now()
	if err != nil {
		if l.framing.failed() || errors.Is(err, ErrClosed) {
			l.drop()
		}
		return nil, worked, err
	}
	l.answered = true
	return answer, worked, nil
}

// ready sees to it that there is a connection with nothing in it.
func (l *Line) ready(ctx context.Context) error {
	if l.stream != nil {
		if err := l.framing.begin(l.stream); err == nil {
			return nil
		}
		l.drop()
	}
	if !l.c.CloseIdle && !l.redials.allow(time.Now()) {
		return fmt.Errorf("%w: %w", ErrConnect, ErrUnsteady)
	}
	if err := l.Connect(ctx); err != nil {
		return err
	}
	if err := l.framing.begin(l.stream); err != nil {
		l.drop()
		return err
	}
	return nil
}

// exchange writes the request and reads its answer, within the time-out and until ctx ends.
func (l *Line) exchange(ctx context.Context, request []byte) ([]byte, error) {
	s := l.stream
	if err := s.SetDeadline(time.Now().Add(l.c.Timeout)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrClosed, err)
	}
	l.mu.Lock()
	l.gen++
	mine := l.gen
	l.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.gen == mine {
			_ = s.SetDeadline(time.Unix(1, 0))
		}
	})
	answer, err := l.talk(s, request)
	if !stop() {
		l.mu.Lock()
		l.gen++
		l.mu.Unlock()
	}
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("request given up: %w", context.Cause(ctx))
	}
	return answer, err
}

func (l *Line) talk(s stream, request []byte) ([]byte, error) {
	if _, err := s.Write(request); err != nil {
		return nil, l.explain(err)
	}
	answer, err := l.framing.answer(s, request)
	if err != nil {
		return nil, l.explain(err)
	}
	return answer, nil
}

// explain says what an error of a stream means.
func (l *Line) explain(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && errors.Is(err, ErrViolation):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no answer within %s: %w", l.c.Timeout, os.ErrDeadlineExceeded)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return err
}

// wait waits for d.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// limiter keeps connections from being made at full speed: ten at once, then two a second.
type limiter struct {
	tokens float64
	last   time.Time
}

const (
	limiterBurst = 10
	limiterRate  = 2
)

func newLimiter() limiter { return limiter{tokens: limiterBurst} }

func (l *limiter) allow(now time.Time) bool {
	if !l.last.IsZero() {
		l.tokens = min(limiterBurst, l.tokens+limiterRate*now.Sub(l.last).Seconds())
	}
	l.last = now
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}
