package control

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func ofRules(owner string) bool { return strings.HasPrefix(owner, "rule.") }

func TestResyncKeepsWhatTheStoreStillHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, point("lan", "bess", limits(-50, 50, 0, 0)), point("lan", "ev", limits(0, 20, 0, 3)))
		r.ask("1", "bess.setpoint", "rule.peak", "20", 50, "")
		r.ask("2", "ev.setpoint", "rule.gone", "11", 50, "")
		r.ask("3", "ev.setpoint", "cli.anna", "7", 10, "")
		r.plant.take()
		now := time.Now().UnixMilli()
		r.c.Resync([]Request{
			{ID: "1", Output: "bess.setpoint", Owner: "rule.peak", Value: 20, Priority: 50, At: now, Until: Forever},
			{ID: "9", Output: "bess.setpoint", Owner: "cli.stale", Value: 50, Priority: 99, At: now, Until: Forever},
			{ID: "8", Output: "none.such", Owner: "rule.peak", Value: 1, At: now, Until: Forever},
		}, ofRules)
		synctest.Wait()
		r.expect("0 ev.setpoint=7") // rule.gone is no more; cli.anna stays though the store lost it
		if s := r.state("bess.setpoint", StateHeld); s.Owner != "rule.peak" {
			t.Errorf("bess is held by %s, expected rule.peak", s.Owner)
		}
		r.stop()
	})
}

func TestResyncTakesUpWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, point("lan", "bess", limits(-50, 50, 0, 0)))
		r.ask("1", "bess.setpoint", "rule.peak", "20", 50, "")
		r.plant.take()
		now := time.Now().UnixMilli()
		all := func(string) bool { return true }
		r.c.Resync([]Request{
			{ID: "5", Output: "bess.setpoint", Owner: "rule.peak", Value: 30, Priority: 50, At: now + 5000, Until: now + 2000},
			{ID: "6", Output: "bess.setpoint", Owner: "cli.anna", Value: 4, Priority: 1, At: now - 1000, Until: Forever},
		}, all)
		synctest.Wait()
		r.expect("0 bess.setpoint=30")
		r.after(2 * time.Second)
		r.expect("2000 bess.setpoint=4")
		r.c.Resync(nil, all)
		synctest.Wait()
		r.expect("2000 bess.setpoint=0")
		r.stop()
	})
}
