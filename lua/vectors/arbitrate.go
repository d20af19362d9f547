package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/voltage-edge/voltage/agent/control"
)

// arbitration is requests on outputs with limits.
type arbitration struct {
	Limits map[string]struct {
		Safe    float64  `json:"safe"`
		Min     *float64 `json:"min"`
		Max     *float64 `json:"max"`
		Ramp    string   `json:"ramp"`
		Initial *float64 `json:"initial"`
	} `json:"limits"`
	Outputs map[string][]struct {
		Rule     string   `json:"rule"`
		Priority int      `json:"priority"`
		Value    *float64 `json:"value"`
		At       int64    `json:"at"`
		TTL      string   `json:"ttl"`
	} `json:"outputs"`
}

// arbitrate runs a case through the agent's arbiter.
func arbitrate(c ruleCase) (any, error) {
	a := control.NewArbiter()
	for name, l := range c.Rule.Arbitrate.Limits {
		limits := control.Limits{Min: math.Inf(-1), Max: math.Inf(1), Safe: l.Safe, Initial: l.Initial}
		if l.Min != nil {
			limits.Min = *l.Min
		}
		if l.Max != nil {
			limits.Max = *l.Max
		}
		if l.Ramp != "" {
			ramp, err := strconv.ParseFloat(strings.TrimSuffix(l.Ramp, "/s"), 64)
			if err != nil {
				return nil, fmt.Errorf("ramp %q: %w", l.Ramp, err)
			}
			limits.Ramp = ramp
		}
		a.SetOutput(name, limits)
	}
	for output, requests := range c.Rule.Arbitrate.Outputs {
		for _, v := range requests {
			r := control.Request{Output: output, Owner: v.Rule, Priority: v.Priority, At: v.At, Until: control.Forever, Withdraw: v.Value == nil}
			if v.Value != nil {
				r.Value = *v.Value
			}
			ttl, err := duration(v.TTL)
			if err != nil {
				return nil, fmt.Errorf("ttl: %w", err)
			}
			if ttl > 0 {
				r.Until = v.At + ttl.Milliseconds()
			}
			if !a.Put(r) {
				return nil, fmt.Errorf("the arbiter has no output %s", output)
			}
		}
	}
	out := []any{}
	for _, e := range c.Events {
		for _, j := range a.Advance(e.T) {
			var rule any
			if j.Winner != nil {
				rule = j.Owner()
			}
			out = append(out, map[string]any{"t": float64(j.Millis), "output": j.Output, "value": j.Value, "rule": rule})
		}
	}
	return out, nil
}
