// Package poll runs the devices of one connection, so that a driver needs to know its protocol and nothing else: it
// writes Connect, Poll, Write and Close of a Link, and gets an sdk.Channel for it.
//
// What the package does for the driver:
//
//   - Each device is polled at its own interval, aligned to the clock, without drift. A tick that was missed because the
//     connection was busy is skipped, not queued.
//   - One request at a time; a write goes ahead of the polls that wait, and, where the driver calls Reading.Next, between
//     the requests of a poll. A safe value interrupts a poll.
//   - A device that does not answer gets a frame of all bad quality at once, never an old value with a new time, and is
//     tried again after a growing, jittered pause. It costs the other devices one time-out per pause.
//   - A lost connection is made again; every device of it is bad until then.
//   - States and counters are reported when they change, and regularly.
package poll

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/voltage-edge/voltage/sdk"
	"github.com/voltage-edge/voltage/sdk/frame"
)

// Link is one connection to the devices of a channel, as the driver implements it. No two of its methods run at the
// same time. All of them should give up when ctx ends; the package's time limits work only as well as that.
type Link interface {
	// Connect makes the connection. It is called before the first request and after each loss. A link without a
	// connection (a bus that is always there) returns nil.
	Connect(ctx context.Context) error
	// Poll reads the readable points of a device and sets them in r.Frame. A point that is not set is bad.
	//
	// With nil the device is well. With an error from Partial the frame counts, some points of it being bad. With one from
	// Lost the connection is closed and every device of it is bad. Any other error says that the device did not answer.
	Poll(ctx context.Context, r *Reading) error
	// Write sets one point, in the point's unit, and fills resp. An error in resp.Err that is a time-out says that the
	// device did not answer, one from Lost that the connection is gone, any other that the device refused.
	Write(ctx context.Context, w Writing, resp *sdk.WriteResponse)
	// Close ends the connection; Connect may follow. It is also called when there is none.
	Close() error
}

// Reading is one poll of one device.
type Reading struct {
	// Index of the device in the channel's list of devices.
	Index  int
	Device *sdk.DeviceSpec
	// Frame takes the values, by PointSpec.Index. Every point is bad until it is set.
	Frame *frame.Builder

	channel *Channel
	device  *device
}

// Next is called by a driver between two requests of one poll: it lets waiting writes go first and counts a request.
// It returns an error when the poll should be given up, which Poll then returns.
func (r *Reading) Next(ctx context.Context) error {
	r.device.request()
	if err := r.channel.turns.pass(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !r.channel.connected {
		return Lost(errors.New("the connection was lost by a write during the poll"))
	}
	return nil
}

// Writing is a set-point for one point of one device.
type Writing struct {
	// Index of the device in the channel's list of devices.
	Index  int
	Device *sdk.DeviceSpec
	Point  *sdk.PointSpec
	// Value in the point's unit; PointSpec.ToRaw turns it into the device's.
	Value float64
	// Safe marks a value that is written because the host is lost or the channel is drained.
	Safe bool
}

// Options are the numbers of a channel. The zero value of each means its default.
type Options struct {
	// Timeout limits one Connect and one Write; 3 s.
	Timeout time.Duration
	// PollTimeout limits one Poll, with all its requests; Timeout.
	PollTimeout time.Duration
	// MinBackoff and MaxBackoff bound the pause after a failure: 1 s, doubling up to 30 s, with a quarter of jitter.
	MinBackoff, MaxBackoff time.Duration
	// StatusEvery is the longest time between two reports of a device's state; 5 s.
	StatusEvery time.Duration
	// Clock is the time; the system's.
	Clock Clock
	// Jitter gives a number in [0, 1) for the pauses; random.
	Jitter func() float64
}

func (o Options) withDefaults() Options {
	duration := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	duration(&o.Timeout, 3*time.Second)
	duration(&o.PollTimeout, o.Timeout)
	duration(&o.MinBackoff, time.Second)
	duration(&o.MaxBackoff, 30*time.Second)
	duration(&o.StatusEvery, 5*time.Second)
	if o.MaxBackoff < o.MinBackoff {
		o.MaxBackoff = o.MinBackoff
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	return o
}

// pause is how long to wait after the n-th failure in a row.
func (o Options) pause(n int) time.Duration {
	d := o.MinBackoff
	for i := 1; i < n && d < o.MaxBackoff; i++ {
		d *= 2
	}
	d = min(d, o.MaxBackoff)
	return d - time.Duration(float64(d)*o.Jitter()/4)
}

// Clock is the time, passed in so that a test needs no sleep.
type Clock interface {
	// Now is the time, with a monotonic reading if there is one.
	Now() time.Time
	// After sends once d has passed; stop frees it earlier.
	After(d time.Duration) (c <-chan time.Time, stop func())
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) After(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}
