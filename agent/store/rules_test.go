package store

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/voltage-edge/voltage/lua"
)

// withRule makes programs whose rules are one rule: when, then a.x is to be 5.
func withRule(rev, when string) string {
	return fmt.Sprintf(`{ name = 'peak', rev = '%s', dev = {1}, when = function() %s end, on = 'while', initial = 'arm',
		unknown = 'hold', for_ms = 0, keep_ms = 0, cooldown_ms = 0, priority = 50, inputs = {{'a.x', 1, 1}},
		set = {{ output = 'a.x', value = function() return 5 end, ttl_ms = 30000 }} }`, rev, when)
}

func TestTheBundledRules(t *testing.T) {
	s := open(t, options(t))
	for _, name := range order {
		lib, err := lua.Bundle(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Load(deadline(t), lib); err != nil {
			t.Fatal(err)
		}
	}
	p := programs("1", "")
	head, _, _ := strings.Cut(p.Rules.Chunks[0], "{ name = 'seen' }")
	set := func(rev, when string) error {
		p := programs(rev, "")
		p.Rules.Chunks = []string{head + withRule(rev, when) + " }"}
		return s.LoadPrograms(deadline(t), p)
	}
	if err := set("1", "return H.gt(D[1][1], 80)"); err != nil {
		t.Fatal(err)
	}
	b := builders{}
	now := s.millis()
	res := apply(t, s, now, b.frame(t, "a", now, 90))
	if got := fmt.Sprint(fields(res.Events, "request", "output", "owner", "value")); got != "[a.x rule.peak 5]" {
		t.Errorf("events: %s", got)
	}
	r, err := s.EvaluateRule(deadline(t), "peak")
	if err != nil || r.Verdict != "true" || r.Fires != 1 || len(r.Inputs) != 1 || r.Inputs[0].Name != "a.x" || r.Inputs[0].Value != "90" || r.LastFire.IsZero() {
		t.Errorf("the rule is %+v, %v", r, err)
	}
	if v, err := s.ExecuteRule(deadline(t), "peak"); err != nil || v != "true" {
		t.Errorf("executed: %s, %v", v, err)
	}
	var refusal *Refusal
	if _, err := s.EvaluateRule(deadline(t), "paek"); !errors.As(err, &refusal) || refusal.Code != "NOTFOUND" {
		t.Errorf("an unknown rule: %v", err)
	}
	// A rule that fails on the values that there are never becomes the live one.
	if err := set("2", "return D[1][1] > nothing.there"); ProblemOf(err) != Refused || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("a rule that fails: %v", err)
	}
	if rev := s.client.HGet(deadline(t), s.keys.program(Rules), "rev").Val(); rev != "rules1" {
		t.Errorf("the revision is %s", rev)
	}
	// What the server has not yet written to its file is lost with it.
	eventually(t, "the append-only file is written", func() bool {
		info := s.client.Info(deadline(t), "persistence").Val()
		return infoField(info, "aof_buffer_length") == "0" && infoField(info, "aof_pending_bio_fsync") == "0"
	})
	syscall.Kill(pidOf(t, s), syscall.SIGKILL)
	f := b.frame(t, "a", now+1000, 70)
	var withdrawn []string
	eventually(t, "a batch goes through", func() bool {
		res, err := s.Apply(deadline(t), Batch{Now: now + 1000, Frames: []Frame{f}})
		withdrawn = append(withdrawn, fields(res.Events, "request", "owner", "value")...)
		return err == nil
	})
	if len(withdrawn) == 0 || withdrawn[len(withdrawn)-1] != "rule.peak " {
		t.Errorf("the request was not withdrawn: %q", withdrawn)
	}
	if list, err := s.Requests(deadline(t)); err != nil || len(list) != 0 {
		t.Errorf("requests: %+v, %v", list, err)
	}
}
