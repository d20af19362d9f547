package store

import (
	"syscall"
	"testing"
	"time"
)

// What is made of what Redis keeps is unknown after it was started anew, and the batch that finds that out says so once,
// whether the connection broke in the middle of a batch or between two.
func TestWhatIsDerivedIsForgottenWithTheServer(t *testing.T) {
	o := options(t)
	o.CheckEvery = time.Hour
	o.Derived = func(device string) bool { return device == "b" }
	s := open(t, o)
	load(t, s)
	b := builders{}
	for round, between := range []bool{true, false, true} {
		at := int64(1000 * (round + 1))
		if res := apply(t, s, at, b.frame(t, "a", at, 1), b.frame(t, "b", at, 2)); res.Forgot {
			t.Errorf("round %d: it forgot before anything happened", round)
		}
		pid := pidOf(t, s)
		syscall.Kill(pid, syscall.SIGKILL)
		if between {
			eventually(t, "another server runs", func() bool {
				_, now, _, _ := s.server.status()
				return now != 0 && now != pid && s.client.Ping(deadline(t)).Err() == nil
			})
		}
		told := 0
		eventually(t, "a batch goes through again", func() bool {
			res, err := s.Apply(deadline(t), Batch{Now: at + 100, Frames: []Frame{b.frame(t, "a", at+100, 3)}})
			if res.Forgot {
				told++
			}
			return err == nil
		})
		if told != 1 {
			t.Errorf("round %d: it was told %d times", round, told)
		}
		if r, err := s.GetValue(deadline(t), "b.x"); err != nil || r.Value != "" {
			t.Errorf("round %d: b.x is %+v, %v", round, r, err)
		}
		if res := apply(t, s, at+200, b.frame(t, "a", at+200, 3)); res.Forgot {
			t.Errorf("round %d: it is told again", round)
		}
	}
}
