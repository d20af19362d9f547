package virtual

import (
	"time"

	"github.com/voltage-edge/voltage/agent/schedule"
)

// timed is a schedule.
type timed struct {
	device
	times schedule.Times
	next  int64
	// begun: next is what times said last.
	begun bool
}

func (s *timed) due() int64 { return s.next }

func (s *timed) advance(now int64) bool {
	if s.begun && (s.next == 0 || s.next > now) {
		return false
	}
	t := time.UnixMilli(now)
	s.next, s.begun = 0, true
	if at := s.times.Next(t); !at.IsZero() {
		s.next = at.UnixMilli()
	}
	return s.set(0, s.times.Active(t))
}
