package intake

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTheClockNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wall, mono := time.UnixMilli(1_700_000_000_000), time.Duration(0)
		c := newSteadyClock(func() (time.Time, time.Duration) { return wall, mono })
		last := c.Now()
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			d := time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "elapsed"))
			wall, mono = wall.Add(d), mono+d
			if rapid.Bool().Draw(t, "set") {
				wall = wall.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "by")))
			}
			now := c.Now()
			if now.Before(last) {
				t.Fatalf("%v comes after %v", now, last)
			}
			if now.Before(wall) {
				t.Fatalf("%v is behind the machine's %v", now, wall)
			}
			last = now
		}
	})
}

func TestAClockThatIsAheadIsCaughtUpWith(t *testing.T) {
	wall, mono := time.UnixMilli(1_700_000_000_000), time.Duration(0)
	c := newSteadyClock(func() (time.Time, time.Duration) { return wall, mono })
	wall = wall.Add(-time.Minute)
	if a := c.Ahead(); a != time.Minute {
		t.Fatalf("ahead by %v", a)
	}
	before := c.Now()
	wall, mono = wall.Add(100*time.Second), mono+100*time.Second
	if d := c.Now().Sub(before); d != 90*time.Second {
		t.Errorf("in 100 s the clock went %v, expected 90 s", d)
	}
	wall, mono = wall.Add(1000*time.Second), mono+1000*time.Second
	if a := c.Ahead(); a != 0 {
		t.Errorf("still ahead by %v", a)
	}
}
