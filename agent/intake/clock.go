package intake

import (
	"sync"
	"time"
)

// Clock is the time that frames are stamped with and that the libraries are given. It never goes back.
type Clock interface {
	Now() time.Time
	// After sends on fired when the clock has reached t; stop frees what it holds.
	After(t time.Time) (fired <-chan time.Time, stop func())
}

// slew is the part of the elapsed time by which a clock is slowed down that is ahead of the machine's.
const slew = 10

// SteadyClock is the machine's clock, made so that it never goes back. When the machine's is set forward, it follows at once;
// when it is set back, it goes slower by a tenth until the machine's has caught up.
type SteadyClock struct {
	read func() (wall time.Time, monotonic time.Duration)

	mu   sync.Mutex
	now  time.Time
	mono time.Duration
}

// NewClock is the clock of a running agent.
func NewClock() *SteadyClock {
	start := time.Now()
	return newSteadyClock(func() (time.Time, time.Duration) {
		t := time.Now()
		return t.Round(0), t.Sub(start)
	})
}

func newSteadyClock(read func() (time.Time, time.Duration)) *SteadyClock {
	c := &SteadyClock{read: read}
	c.now, c.mono = read()
	return c
}

// Now is the time, at or after that of any call before.
func (c *SteadyClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall, mono := c.read()
	elapsed := max(mono-c.mono, 0)
	c.mono = mono
	c.now = c.now.Add(elapsed)
	if ahead := c.now.Sub(wall); ahead > 0 {
		c.now = c.now.Add(-min(ahead, elapsed/slew))
	} else {
		c.now = wall
	}
	return c.now
}

// Ahead is how far the clock is ahead of the machine's, which was set back.
func (c *SteadyClock) Ahead() time.Duration {
	now := c.Now()
	wall, _ := c.read()
	return max(now.Sub(wall), 0)
}

// After implements Clock.
func (c *SteadyClock) After(t time.Time) (<-chan time.Time, func()) {
	timer := time.NewTimer(t.Sub(c.Now()))
	return timer.C, func() { timer.Stop() }
}
