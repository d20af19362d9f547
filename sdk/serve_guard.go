package sdk

import (
	"context"
	"fmt"
	"runtime/debug"
)

// panicError is a panic in the driver's or the sink's code.
type panicError struct {
	value any
	stack string
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// guard calls f and turns a panic into an error.
func guard(f func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{value: v, stack: string(debug.Stack())}
		}
	}()
	f()
	return nil
}

// within calls f in a goroutine and waits for it until ctx ends. It reports whether f returned; an f that does not
// heed its context is left behind.
func within(ctx context.Context, f func()) (returned bool, err error) {
	done := make(chan error, 1)
	go func() { done <- guard(f) }()
	select {
	case err := <-done:
		return true, err
	case <-ctx.Done():
	}
	// It may have returned in the same moment.
	select {
	case err := <-done:
		return true, err
	default:
		return false, ctx.Err()
	}
}
