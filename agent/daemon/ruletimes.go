package daemon

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/voltage-edge/voltage/agent/api"
	"github.com/voltage-edge/voltage/agent/store"
)

const (
	// timeEvery is the pause between two looks at what rules cost, and timedAtOnce how many rules are looked at then: with
	// timedFor, at most a fifth of a percent of Redis' time.
	timeEvery   = time.Second
	timedAtOnce = 16
	// timedFor is how long a rule is evaluated over and over for one sample: long beside the clock's step of 1 µs.
	timedFor = 100 * time.Microsecond
	// keptSamples of a rule make its mean, 99th percentile and maximum.
	keptSamples = 200
	// fewTimes and mostTimes bound how often a rule is evaluated for one sample. A rule that was never timed is evaluated few
	// times, as nobody knows how long that takes.
	fewTimes, mostTimes = 4, 1000
)

// ruleTimes are samples of what an evaluation of each rule costs, in µs.
type ruleTimes struct {
	mu      sync.Mutex
	samples map[string]*timeSamples
	// turn is the rule that is looked at next.
	turn int
}

type timeSamples struct {
	rev  string
	us   []float32 // the last ones; next is the oldest when full
	next int
}

func (s *timeSamples) add(each time.Duration) {
	us := float32(each.Nanoseconds()) / 1000
	if len(s.us) < keptSamples {
		s.us = append(s.us, us)
		return
	}
	s.us[s.next] = us
	s.next = (s.next + 1) % keptSamples
}

func (s *timeSamples) mean() float64 {
	total := 0.0
	for _, us := range s.us {
		total += float64(us)
	}
	return total / float64(len(s.us))
}

// watchRuleTimes samples what rules cost until ctx ends.
func (a *Agent) watchRuleTimes(ctx context.Context) {
	tick := time.NewTicker(timeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		batch := a.times.choose(a.ruleRevisions())
		if err := a.store.MeasureRules(ctx, batch); err != nil {
			a.log.Debug("rules are not timed", "error", err)
			continue
		}
		a.times.take(batch)
	}
}

// ruleRevisions are the hashes of the rules and flows that work, by name in the order of the site.
func (a *Agent) ruleRevisions() (names []string, revisions map[string]string) {
	s := a.current()
	revisions = make(map[string]string, len(s.Rules)+len(s.Chains)+len(s.Windows)+len(s.Sequences))
	add := func(kind, name string) {
		names = append(names, name)
		revisions[name] = s.Hash(kind, name)
	}
	for _, r := range s.Rules {
		if !r.Disabled {
			add("rule", r.Name)
		}
	}
	for _, x := range s.Flows() {
		if !x.Off() {
			add(x.FlowKind(), x.FlowName())
		}
	}
	return names, revisions
}

// choose picks the rules whose turn it is, and forgets samples of those that are gone or changed.
func (t *ruleTimes) choose(names []string, revisions map[string]string) []store.Timing {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.samples == nil {
		t.samples = map[string]*timeSamples{}
	}
	for name, s := range t.samples {
		if revisions[name] != s.rev {
			delete(t.samples, name)
		}
	}
	var out []store.Timing
	for range min(timedAtOnce, len(names)) {
		t.turn = (t.turn + 1) % len(names)
		name := names[t.turn]
		if t.samples[name] == nil {
			t.samples[name] = &timeSamples{rev: revisions[name]}
		}
		out = append(out, store.Timing{Name: name, Times: t.samples[name].times()})
	}
	return out
}

// times is how often the rule is to be evaluated for the next sample.
func (s *timeSamples) times() int {
	if len(s.us) == 0 {
		return fewTimes
	}
	each := max(s.mean(), 0.05)
	return min(max(int(float64(timedFor.Microseconds())/each), 1), mostTimes)
}

// take keeps samples. The first of a rule only says how often it is to be evaluated for the next.
func (t *ruleTimes) take(batch []store.Timing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range batch {
		s := t.samples[b.Name]
		if s == nil || b.Each < 0 {
			continue
		}
		if b.Times <= fewTimes && len(s.us) == 1 {
			s.us = s.us[:0]
		}
		s.add(b.Each)
	}
}

// of is what a rule costs, nil while it was not timed.
func (t *ruleTimes) of(name string, evaluations uint64) *api.RuleTime {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.samples[name]
	if s == nil || len(s.us) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(s.us))
	mean := s.mean()
	return &api.RuleTime{
		MeanUS: mean, P99US: float64(sorted[(len(sorted)*99+99)/100-1]), MaxUS: float64(sorted[len(sorted)-1]), Samples: len(sorted),
		SpentMS: mean * float64(evaluations) / 1000,
	}
}
