package poll

import (
	"context"
	"errors"
	"net"
	"os"
)

type lostError struct{ err error }

func (e lostError) Error() string { return e.err.Error() }
func (e lostError) Unwrap() error { return e.err }

type partialError struct{ err error }

func (e partialError) Error() string { return e.err.Error() }
func (e partialError) Unwrap() error { return e.err }

// Lost marks an error of Poll or Write as the loss of the whole connection.
func Lost(err error) error {
	if err == nil {
		return nil
	}
	return lostError{err}
}

// Partial marks an error of Poll as one of some points: the device answers, the frame counts.
func Partial(err error) error {
	if err == nil {
		return nil
	}
	return partialError{err}
}

func isLost(err error) bool { return errors.As(err, new(lostError)) }

func isPartial(err error) bool { return errors.As(err, new(partialError)) }

// isTimeout tells whether nobody answered.
func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
